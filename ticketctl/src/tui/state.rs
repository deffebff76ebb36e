//! What the terminal shows, and nothing else: no socket, no clock, no screen. `input` changes it,
//! `view` draws it, `now` is passed in.

use super::{
    history::History,
    steer::{Field, Proposal},
    theme::Theme,
};
use crate::{
    picture::{Feed, Picture},
    text::age,
};
use urr_core::time::Millis;

/// Data older than this is called stale: five missed snapshots at two a second.
pub(crate) const STALE_AFTER_MS: i64 = 2_500;

/// How long a notice stays in the key line.
const NOTICE_MS: i64 = 5_000;

/// What the keys mean right now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Looking.
    Watch,
    /// Reading the keys.
    Help,
    /// Typing a number.
    Typing(Field, String),
    /// Looking at what a change would do.
    Confirm(Proposal),
    /// Asked whether to end a running drill.
    ConfirmQuit,
}

/// A line of feedback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Notice {
    /// When it was given.
    pub(crate) at: Millis,
    /// Whether something was refused or failed.
    pub(crate) bad: bool,
    /// The sentence.
    pub(crate) text: String,
}

/// How trustworthy the numbers on the screen are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Freshness {
    /// Nothing has come yet.
    None,
    /// Recent; with the age.
    Live(String),
    /// Old; with the age.
    Stale(String),
    /// The stream is broken; with the age if there ever was data.
    Lost(String),
    /// The run is over; what is shown is final.
    Final,
}

/// The terminal's state.
#[derive(Debug, Clone)]
pub(crate) struct App {
    /// How to draw.
    pub(crate) theme: Theme,
    /// The newest picture.
    pub(crate) picture: Picture,
    /// The picture on the screen while frozen.
    pub(crate) frozen: Option<(Millis, Box<Picture>)>,
    /// Rates by second.
    pub(crate) history: History,
    /// What the keys mean.
    pub(crate) mode: Mode,
    /// Feedback.
    pub(crate) notice: Option<Notice>,
    /// After the end: mission control instead of the verdict.
    pub(crate) look_back: bool,
    /// After the end: when the screen closes by itself, unless a key is pressed.
    pub(crate) closes_at: Option<Millis>,
    /// Now.
    pub(crate) now: Millis,
    /// Who steers, for the audit log.
    pub(crate) actor: String,
}

impl App {
    /// A fresh screen.
    pub(crate) fn new(picture: Picture, theme: Theme, actor: String, now: Millis) -> Self {
        Self {
            theme,
            picture,
            frozen: None,
            history: History::default(),
            mode: Mode::Watch,
            notice: None,
            look_back: false,
            closes_at: None,
            now,
            actor,
        }
    }

    /// A new picture came.
    pub(crate) fn take(&mut self, picture: Picture, now: Millis) {
        self.now = now;
        if let Some(snapshot) = &picture.snapshot {
            self.history.take(snapshot);
        }
        self.picture = picture;
    }

    /// Time passed.
    pub(crate) fn tick(&mut self, now: Millis) {
        self.now = now;
        if self.notice.as_ref().is_some_and(|n| now.since(n.at) > NOTICE_MS) {
            self.notice = None;
        }
    }

    /// Says something in the key line.
    pub(crate) fn say(&mut self, bad: bool, text: impl Into<String>) {
        self.notice = Some(Notice {
            at: self.now,
            bad,
            text: text.into(),
        });
    }

    /// The picture to draw.
    pub(crate) fn shown(&self) -> &Picture {
        self.frozen.as_ref().map_or(&self.picture, |(_, p)| p)
    }

    /// The instant to count from: a frozen screen has a frozen clock.
    pub(crate) fn shown_now(&self) -> Millis {
        self.frozen.as_ref().map_or(self.now, |(at, _)| *at)
    }

    /// Whether the run is over.
    pub(crate) fn over(&self) -> bool {
        self.picture.verdict.is_some()
    }

    /// How trustworthy the shown numbers are.
    pub(crate) fn freshness(&self) -> Freshness {
        let picture = self.shown();
        if self.over() {
            return Freshness::Final;
        }
        let since = picture.snapshot.as_ref().map(|s| self.now.since(s.at).max(0));
        match (&picture.feed, since) {
            (Feed::Lost(_), since) => Freshness::Lost(since.map_or_else(|| "no data".to_owned(), age)),
            (_, None) => Freshness::None,
            (_, Some(ms)) if ms > STALE_AFTER_MS => Freshness::Stale(age(ms)),
            (_, Some(ms)) => Freshness::Live(age(ms)),
        }
    }

    /// Why nothing can be steered now, if so.
    pub(crate) fn read_only(&self) -> Option<String> {
        if self.over() {
            return Some("the run is over".to_owned());
        }
        match &self.picture.feed {
            Feed::Off => Some("the control API is not up yet".to_owned()),
            Feed::Lost(why) => Some(format!("the control API is away ({why})")),
            Feed::Live if self.picture.snapshot.is_none() => {
                Some("nothing is known about the sale yet".to_owned())
            }
            Feed::Live => None,
        }
    }
}
