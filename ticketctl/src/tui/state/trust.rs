//! How far the numbers on the screen can be trusted, and whether they may be steered by.

use super::{super::keymap::Action, App};
use crate::{picture::Feed, text::age};
use urr_core::time::Millis;

/// Data older than this is called stale: five missed snapshots at two a second.
const STALE_AFTER_MS: i64 = 2_500;

/// Snapshots from which the difference between their clock and ours is taken.
const SKEWS_KEPT: usize = 64;

/// How trustworthy the numbers on the screen are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Freshness {
    /// Nothing has come yet.
    None,
    /// Recent.
    Live,
    /// Old; with the age.
    Stale(String),
    /// The stream is broken; with the age if there ever was data.
    Lost(String),
    /// The run is over, or was long ago; what is shown is final.
    Final,
}

impl App {
    /// A snapshot is taken before it arrives, never after: the largest difference seen lately is the
    /// one that was delayed least.
    pub(super) fn learn_skew(&mut self, skew_ms: i64) {
        if self.skews_ms.len() == SKEWS_KEPT {
            self.skews_ms.pop_front();
        }
        self.skews_ms.push_back(skew_ms);
    }

    /// How far the control plane's clock is ahead of ours, in milliseconds.
    pub(crate) fn skew_ms(&self) -> i64 {
        self.skews_ms.iter().copied().max().unwrap_or(0)
    }

    pub(super) fn shifted(&self, now: Millis) -> Millis {
        now.plus_ms(self.skew_ms())
    }

    /// How trustworthy the shown numbers are.
    pub(crate) fn freshness(&self) -> Freshness {
        let picture = self.shown();
        if self.over() || self.player.is_some() {
            return Freshness::Final;
        }
        let since = picture.snapshot.as_ref().map(|s| self.now.since(s.at).max(0));
        match (&picture.feed, since) {
            (Feed::Lost(_), since) => Freshness::Lost(since.map_or_else(|| "no data".to_owned(), age)),
            (_, None) => Freshness::None,
            (_, Some(ms)) if ms > STALE_AFTER_MS => Freshness::Stale(age(ms)),
            (_, Some(_)) => Freshness::Live,
        }
    }

    /// Why nothing can be steered now, if so.
    pub(crate) fn read_only(&self) -> Option<String> {
        if self.player.is_some() {
            return Some("this is a recording".to_owned());
        }
        if self.over() {
            return Some("the run is over".to_owned());
        }
        match &self.picture.feed {
            Feed::Off => Some("the control API is not up yet".to_owned()),
            Feed::Lost(why) => Some(format!("the control API is away ({why})")),
            Feed::Live if self.picture.snapshot.is_none() => {
                Some("nothing is known about the sale yet".to_owned())
            }
            Feed::Live if !self.armed => Some(match self.keymap.key_of(Action::Arm) {
                Some(key) => format!("{key} turns steering on"),
                None => "`:arm` turns steering on".to_owned(),
            }),
            Feed::Live => None,
        }
    }
}
