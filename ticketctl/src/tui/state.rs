//! What the terminal shows, and nothing else: no socket, no clock, no screen. `input` changes it,
//! `view` draws it, `now` is passed in. Everything it keeps is bounded.

mod place;
mod trust;

pub(crate) use place::{Pane, View};
pub(crate) use trust::Freshness;

use super::{
    config::Options, history::History, keymap::Keymap, player::Player, steer::Proposal, theme::Theme,
};
use crate::picture::{Picture, Source};
use std::{collections::VecDeque, time::Duration};
use urr_core::{
    advice::{self, Advice},
    effect::Flow,
    live::Watch,
    slo::{self, Slo, Tally},
    snapshot::Snapshot,
    time::Millis,
};

/// How long a notice stays in the key line.
const NOTICE_MS: i64 = 5_000;

/// Seconds over which a burn rate is measured.
pub(crate) const BURN_WINDOW_S: usize = 60;

/// What the keys mean right now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Looking.
    Watch,
    /// Reading the keys, from this line on.
    Help(usize),
    /// Typing a command; which completion is marked.
    Palette(String, Option<usize>),
    /// Typing what rows must contain.
    Filter(String),
    /// Looking at what a change would do; what was typed of the sale's name.
    Confirm(Box<Proposal>, String),
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

/// A promise, what became of it in the last minute, and so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Burn {
    pub(crate) slo: Slo,
    pub(crate) minute: Tally,
    pub(crate) so_far: Tally,
}

/// The terminal's state.
#[derive(Debug, Clone)]
pub(crate) struct App {
    /// How to draw.
    pub(crate) theme: Theme,
    /// Which key does what.
    pub(crate) keymap: Keymap,
    /// The newest picture.
    pub(crate) picture: Picture,
    /// The picture on the screen while frozen.
    pub(crate) frozen: Option<(Millis, Box<Picture>)>,
    /// What happened, second by second.
    pub(crate) history: History,
    /// The laws as seen from here.
    pub(crate) laws: Watch,
    /// What should be looked at.
    pub(crate) advice: Vec<Advice>,
    /// Service levels of steps somebody took.
    pub(crate) burns: Vec<Burn>,
    /// What fills the screen.
    pub(crate) view: View,
    /// The pane of mission control that the keys go to.
    pub(crate) focus: Pane,
    /// Whether that pane fills the screen.
    pub(crate) expanded: bool,
    /// The selected row of a view's list.
    pub(crate) cursor: usize,
    /// Whether more about that row is shown.
    pub(crate) opened: bool,
    /// What rows must contain.
    pub(crate) filter: String,
    /// Time in a column, an index of `history::SCALES_S`.
    pub(crate) scale: usize,
    /// What the keys mean.
    pub(crate) mode: Mode,
    /// Feedback.
    pub(crate) notice: Option<Notice>,
    /// Whether steering is on.
    pub(crate) armed: bool,
    /// What takes the last change back.
    pub(crate) undo: Option<Proposal>,
    /// Where a replay stands.
    pub(crate) player: Option<Player>,
    /// After the end: when the screen closes by itself, unless a key is pressed.
    pub(crate) closes_at: Option<Millis>,
    /// Now, by the control plane's clock as far as it is known.
    pub(crate) now: Millis,
    /// Who steers, for the audit log.
    pub(crate) actor: String,
    /// The control plane's clock minus ours, by the newest snapshots.
    skews_ms: VecDeque<i64>,
}

impl App {
    /// A fresh screen.
    pub(crate) fn new(picture: Picture, options: Options, actor: String, now: Millis) -> Self {
        let Options { theme, keymap, armed } = options;
        Self {
            theme,
            keymap,
            picture,
            frozen: None,
            history: History::default(),
            laws: Watch::default(),
            advice: Vec::new(),
            burns: Vec::new(),
            view: View::Mission,
            focus: Pane::Funnel,
            expanded: false,
            cursor: 0,
            opened: false,
            filter: String::new(),
            scale: 0,
            mode: Mode::Watch,
            notice: None,
            armed,
            undo: None,
            player: None,
            closes_at: None,
            now,
            actor,
            skews_ms: VecDeque::new(),
        }
    }

    /// A new picture came at `now` by our clock.
    pub(crate) fn take(&mut self, picture: Picture, now: Millis) {
        if let Some(snapshot) = &picture.snapshot {
            let is_new = self
                .picture
                .snapshot
                .as_ref()
                .is_none_or(|last| last.at != snapshot.at);
            if is_new && matches!(picture.source, Source::Live { .. }) {
                self.learn_skew(snapshot.at.since(now));
            }
            self.history.take(snapshot, picture.load.as_deref());
            self.laws.look(snapshot);
        }
        self.picture = picture;
        self.now = self.shifted(now);
        self.judge();
    }

    /// Time passed; `now` by our clock.
    pub(crate) fn tick(&mut self, now: Millis) {
        self.now = self.shifted(now);
        if self
            .notice
            .as_ref()
            .is_some_and(|n| self.now.since(n.at) > NOTICE_MS)
        {
            self.notice = None;
        }
    }

    /// Forgets everything that was taken from pictures: a replay jumped.
    pub(crate) fn forget(&mut self) {
        self.history = History::default();
        self.laws = Watch::default();
    }

    fn judge(&mut self) {
        let latency = self
            .picture
            .load
            .as_ref()
            .map(|load| load.latency.as_slice())
            .unwrap_or_default();
        let burns = slo::ALL.into_iter().filter_map(|slo| {
            let step = latency.iter().find(|step| step.name == slo.step)?;
            Some(Burn {
                slo,
                minute: self.history.tally(slo, BURN_WINDOW_S).unwrap_or_default(),
                so_far: slo.tally(step)?,
            })
        });
        self.burns = burns.collect();
        let minutes: Vec<_> = self.burns.iter().map(|burn| (burn.slo, burn.minute)).collect();
        self.advice = match &self.picture.snapshot {
            Some(snapshot) if !self.over() => {
                advice::advise(snapshot, self.history.flow(), &minutes, &self.laws)
            }
            _ => Vec::new(),
        };
    }

    /// Says something in the key line.
    pub(crate) fn say(&mut self, bad: bool, text: impl Into<String>) {
        self.notice = Some(Notice {
            at: self.now,
            bad,
            text: text.into(),
        });
    }

    /// Another view, from its beginning.
    pub(crate) fn show(&mut self, view: View) {
        self.view = view;
        self.cursor = 0;
        self.opened = false;
        self.expanded = false;
        self.filter.clear();
    }

    /// The picture to draw.
    pub(crate) fn shown(&self) -> &Picture {
        self.frozen.as_ref().map_or(&self.picture, |(_, p)| p)
    }

    /// The instant to count from: a frozen screen has a frozen clock.
    pub(crate) fn shown_now(&self) -> Millis {
        match (&self.player, &self.frozen) {
            (Some(player), _) => player.at(),
            (None, Some((at, _))) => *at,
            (None, None) => self.now,
        }
    }

    /// How soon something on the screen changes though nothing is told: the clock, an age, a replay.
    pub(crate) fn changes_within(&self) -> Duration {
        let to_opening = self.picture.opens_at.map(|opens| self.now.since(opens));
        let ms = match (to_opening, self.player.as_ref().is_some_and(Player::is_playing)) {
            (_, true) | (Some(-10_500..=10_000), _) => 50,
            (Some(-610_000..-10_500), _) => 100,
            // A little after the next whole second.
            (Some(ms), _) => u64::try_from(1_005 - ms.rem_euclid(1_000)).unwrap_or(1_000),
            (None, _) => 1_000,
        };
        Duration::from_millis(ms)
    }

    /// Whether the run is over.
    pub(crate) fn over(&self) -> bool {
        self.picture.verdict.is_some()
    }

    /// Whether `text` passes the filter.
    pub(crate) fn passes(&self, text: &str) -> bool {
        self.filter.is_empty() || text.to_lowercase().contains(&self.filter.to_lowercase())
    }

    /// How fast people come in and seats go.
    pub(crate) fn flow(&self) -> Flow {
        self.history.flow()
    }

    /// The newest snapshot, or why there is none to steer by.
    pub(crate) fn snapshot(&self) -> Result<&Snapshot, String> {
        let snapshot = self.picture.snapshot.as_deref();
        snapshot.ok_or_else(|| "nothing is known about the sale yet".to_owned())
    }
}
