//! The one picture of a drill that every screen draws: the terminal, the progress lines, the
//! final summary.
//!
//! The drill writes it (through [`Board`]), screens only read it. It is a `watch` value rather
//! than a queue of messages: a slow terminal skips pictures, it never makes the drill wait and
//! nothing can pile up.

use crate::{exit::Exit, rate::Followed};
use std::{collections::VecDeque, path::PathBuf, sync::Arc, time::Duration};
use tokio::sync::watch;
use urr_core::{
    snapshot::{EventLine, Snapshot},
    time::Millis,
};

pub(crate) use urr_core::crowd::{Aside, CrowdView as LoadView, FunnelStep, StepLatency};

/// Notes kept for the event pane: more than any screen has lines.
const NOTES_KEPT: usize = 100;

/// How far a drill has come. The order is the order of the steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// Is everything there that the drill needs?
    Preflight,
    /// Postgres, Redis and the DynamoDB emulator.
    Engines,
    /// The services, each healthy.
    Services,
    /// Hall layout and event.
    Venue,
    /// The sale at the control API.
    Sale,
    /// Visitors.
    Load,
    /// Outboxes drained, holds ended.
    Quiesce,
    /// The laws, from the stores.
    Audit,
    /// Report files.
    Report,
    /// Children and engines.
    Stopping,
    /// The verdict stands.
    Done,
}

impl Stage {
    /// Steps a person counts; `Done` is none.
    pub(crate) const COUNT: usize = 10;

    /// 1-based position among the steps.
    pub(crate) const fn number(self) -> usize {
        let n = self as usize + 1;
        if n > Self::COUNT { Self::COUNT } else { n }
    }

    /// What is going on, for a status line.
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::Preflight => "checking this machine",
            Self::Engines => "starting engines",
            Self::Services => "starting services",
            Self::Venue => "building the hall",
            Self::Sale => "announcing the sale",
            Self::Load => "visitors",
            Self::Quiesce => "letting it settle",
            Self::Audit => "auditing the laws",
            Self::Report => "writing the report",
            Self::Stopping => "stopping",
            Self::Done => "done",
        }
    }
}

/// Whether the control plane's stream is being received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Feed {
    /// Nobody has tried yet.
    Off,
    /// Snapshots arrive.
    Live,
    /// It broke off, with the reason; the feed keeps trying.
    Lost(String),
}

/// Where this happens. Shown as a banner that cannot be missed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Environment {
    /// Real people, real money.
    Prod,
    /// Like it, without them.
    Staging,
    /// A rehearsal on one machine.
    Drill,
    /// Called otherwise.
    Named(String),
    /// Nobody said: expect the worst.
    Unnamed,
}

impl Environment {
    /// By the name the control plane or an operator gives it.
    pub(crate) fn named(name: Option<&str>) -> Self {
        match name.map(str::trim).map(str::to_ascii_lowercase).as_deref() {
            None | Some("") => Self::Unnamed,
            Some("prod" | "production") => Self::Prod,
            Some("staging" | "stage") => Self::Staging,
            Some("drill") => Self::Drill,
            Some(other) => Self::Named(other.to_owned()),
        }
    }

    /// What the banner says.
    pub(crate) fn word(&self) -> String {
        match self {
            Self::Prod => "PROD".to_owned(),
            Self::Staging => "STAGING".to_owned(),
            Self::Drill => "DRILL".to_owned(),
            Self::Named(name) => name.to_uppercase(),
            Self::Unnamed => "PROD?".to_owned(),
        }
    }

    /// Whether a slip of the finger costs nobody a ticket.
    pub(crate) const fn is_tame(&self) -> bool {
        matches!(self, Self::Drill | Self::Staging)
    }
}

/// Where the pictures come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// A drill that this process hosts.
    Drill,
    /// A control plane.
    Live {
        /// Its address.
        url: String,
    },
    /// A recording.
    Replay {
        /// Its file.
        file: String,
    },
}

/// How one law came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LawVerdict {
    /// Checked and true.
    Held,
    /// Checked and false.
    Broken,
    /// Not enough evidence either way.
    Unproven,
}

impl LawVerdict {
    /// The word screens and the summary print.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Broken => "BROKEN",
            Self::Unproven => "unproven",
        }
    }
}

/// One audited law.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LawLine {
    /// The law's name.
    pub(crate) name: &'static str,
    /// How it came out.
    pub(crate) verdict: LawVerdict,
    /// Things checked.
    pub(crate) checked: u64,
    /// One sentence.
    pub(crate) detail: String,
    /// A few counter-examples, when broken.
    pub(crate) examples: Vec<String>,
}

/// One judged threshold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ThresholdLine {
    /// As written in the scenario.
    pub(crate) rule: String,
    /// Whether it was met.
    pub(crate) met: bool,
    /// What was measured.
    pub(crate) actual: String,
}

/// The end of a drill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// What the process will exit with.
    pub(crate) exit: Exit,
    /// One sentence.
    pub(crate) headline: String,
    /// Why, where one sentence is not enough.
    pub(crate) reasons: Vec<String>,
    /// Every law.
    pub(crate) laws: Vec<LawLine>,
    /// Every threshold.
    pub(crate) thresholds: Vec<ThresholdLine>,
    /// From arrived to sold.
    pub(crate) funnel: Vec<FunnelStep>,
    /// Beside it.
    pub(crate) asides: Vec<Aside>,
    /// What was still open when the audit began; empty when all had settled.
    pub(crate) unsettled: Vec<String>,
    /// Each of several sales in a line; empty where there was one.
    pub(crate) sales: Vec<String>,
    /// How an adaptive rate followed the services; `None` of one that follows nothing.
    pub(crate) rate: Option<Followed>,
    /// What the run took: time, storage, memory, CPU.
    pub(crate) cost: Vec<(&'static str, String)>,
    /// The forecast's figures beside what happened, a line each.
    pub(crate) forecast: Vec<String>,
    /// Wall time of the whole drill.
    pub(crate) took: Duration,
    /// Where the run's files are.
    pub(crate) files: Vec<(&'static str, PathBuf)>,
}

/// Everything a screen may show.
#[derive(Debug, Clone)]
pub(crate) struct Picture {
    /// The sale's name.
    pub(crate) title: String,
    /// Where this happens.
    pub(crate) environment: Environment,
    /// Where it is seen.
    pub(crate) source: Source,
    /// How far the drill has come.
    pub(crate) stage: Stage,
    /// What exactly is happening in this stage.
    pub(crate) doing: String,
    /// The instant of the opening, once it is fixed.
    pub(crate) opens_at: Option<Millis>,
    /// The newest snapshot.
    pub(crate) snapshot: Option<Arc<Snapshot>>,
    /// Whether more will come.
    pub(crate) feed: Feed,
    /// The visitors' side.
    pub(crate) load: Option<Arc<LoadView>>,
    /// What the drill itself did: faults, restarts, overrides.
    pub(crate) notes: VecDeque<EventLine>,
    /// The end.
    pub(crate) verdict: Option<Arc<Verdict>>,
}

impl Picture {
    /// Before anything has happened in a drill.
    pub(crate) fn new(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            environment: Environment::Drill,
            source: Source::Drill,
            stage: Stage::Preflight,
            doing: String::new(),
            opens_at: None,
            snapshot: None,
            feed: Feed::Off,
            load: None,
            notes: VecDeque::new(),
            verdict: None,
        }
    }

    /// Before anything was heard from `source`, which is in `environment`.
    pub(crate) fn elsewhere(title: impl Into<String>, source: Source, environment: Environment) -> Self {
        Self {
            source,
            environment,
            ..Self::new(title)
        }
    }

    /// `snapshot` came: everything that can be known of a sale from outside.
    pub(crate) fn take(&mut self, snapshot: Snapshot) {
        self.feed = Feed::Live;
        self.opens_at = Some(snapshot.opens_at);
        if self.source != Source::Drill {
            self.title.clone_from(&snapshot.name);
            self.load = snapshot.crowd.clone().map(Arc::new);
            if let (Environment::Unnamed, Some(name)) = (&self.environment, &snapshot.environment) {
                self.environment = Environment::named(Some(name));
            }
        }
        self.snapshot = Some(Arc::new(snapshot));
    }
}

/// The drill's pen: writes the picture that screens watch.
#[derive(Debug, Clone)]
pub(crate) struct Board(Arc<watch::Sender<Picture>>);

impl Board {
    /// A board with its first picture.
    pub(crate) fn new(picture: Picture) -> Self {
        Self(Arc::new(watch::Sender::new(picture)))
    }

    /// For a screen.
    pub(crate) fn watch(&self) -> watch::Receiver<Picture> {
        self.0.subscribe()
    }

    /// A new step begins.
    pub(crate) fn stage(&self, stage: Stage, doing: impl Into<String>) {
        let doing = doing.into();
        tracing::info!(stage = stage.words(), doing, "stage");
        self.0.send_modify(|p| {
            p.stage = stage;
            p.doing = doing;
        });
    }

    /// The same step, something else.
    pub(crate) fn doing(&self, doing: impl Into<String>) {
        let doing = doing.into();
        self.0.send_if_modified(|p| {
            let changed = p.doing != doing;
            p.doing = doing;
            changed
        });
    }

    /// The instant of the opening is fixed.
    pub(crate) fn opens_at(&self, at: Millis) {
        self.0.send_modify(|p| p.opens_at = Some(at));
    }

    /// A snapshot came.
    pub(crate) fn snapshot(&self, snapshot: Snapshot) {
        self.0.send_modify(|p| p.take(snapshot));
    }

    /// The stream's state changed.
    pub(crate) fn feed(&self, feed: Feed) {
        self.0.send_if_modified(|p| {
            let changed = p.feed != feed;
            p.feed = feed;
            changed
        });
    }

    /// The visitors moved on.
    pub(crate) fn load(&self, load: LoadView) {
        self.0.send_modify(|p| p.load = Some(Arc::new(load)));
    }

    /// The drill did something worth a line.
    pub(crate) fn note(&self, at: Millis, actor: &str, text: impl Into<String>) {
        let text = text.into();
        tracing::info!(actor, text, "note");
        self.0.send_modify(|p| {
            if p.notes.len() == NOTES_KEPT {
                p.notes.pop_front();
            }
            p.notes.push_back(EventLine {
                at,
                actor: actor.to_owned(),
                text,
            });
        });
    }

    /// The end.
    pub(crate) fn verdict(&self, verdict: Verdict) {
        self.0.send_modify(|p| {
            p.stage = Stage::Done;
            p.doing.clear();
            p.verdict = Some(Arc::new(verdict));
        });
    }

    /// The newest picture.
    pub(crate) fn now_showing(&self) -> Picture {
        self.0.borrow().clone()
    }
}
