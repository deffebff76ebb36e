//! A hand on the wheel, in two steps: a key makes a [`Proposal`] that shows what it would do,
//! Enter carries it out. Pure; sending is the loop's business.

use crate::{
    control::{Action, Override},
    text::{duration_s, grouped},
};
use urr_core::{
    sale::Phase,
    snapshot::{QueueView, Snapshot},
};

/// Highest rate a person may type: ten times what a whole national ticket office serves
/// (design.md section 5), so anything above is a slip of the finger.
const MOST_RATE_PER_S: u32 = 600_000;

/// A change not yet made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Proposal {
    /// What would be sent.
    pub(crate) action: Action,
    /// What is set now, to tell old from new.
    pub(crate) from: Option<u32>,
    /// What it would change, one sentence each.
    pub(crate) effects: Vec<String>,
}

/// Which number is being typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field {
    /// People per second.
    Rate,
    /// People inside.
    Cap,
}

impl Field {
    /// For the prompt.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Rate => "new rate (people per second)",
            Self::Cap => "new cap (people inside at once)",
        }
    }
}

impl Proposal {
    /// Pause when moving, resume when paused. `None` when the sale is in no state for either.
    pub(crate) fn pause_or_resume(snapshot: &Snapshot) -> Result<Self, &'static str> {
        let paused = snapshot.phase == Phase::Paused || snapshot.queue.as_ref().is_some_and(|q| q.paused);
        match snapshot.phase {
            Phase::SoldOut => return Err("the sale is sold out: there is no line to hold"),
            Phase::Closed => return Err("the sale is closed: there is no line to hold"),
            Phase::Scheduled | Phase::PreQueue | Phase::Open | Phase::Paused => {}
        }
        let waiting = waiting(snapshot);
        Ok(if paused {
            Self {
                action: Action::Resume,
                from: None,
                effects: vec![format!("the line moves again; {} people wait", grouped(waiting))],
            }
        } else {
            Self {
                action: Action::Pause,
                from: None,
                effects: vec![
                    format!(
                        "nobody is let in any more; {} people keep their places",
                        grouped(waiting)
                    ),
                    match &snapshot.queue {
                        Some(q) => format!("the {} inside go on buying", grouped(q.active)),
                        None => "who is inside goes on buying".to_owned(),
                    },
                ],
            }
        })
    }

    /// The rate by `percent` (e.g. +10 or −10), at least by one.
    pub(crate) fn rate_by(snapshot: &Snapshot, from: u32, percent: i32) -> Self {
        let step = (from / 100)
            .saturating_mul(percent.unsigned_abs())
            .saturating_add((from % 100).saturating_mul(percent.unsigned_abs()) / 100)
            .max(1);
        let to = if percent < 0 {
            from.saturating_sub(step).max(1)
        } else {
            from.saturating_add(step).min(MOST_RATE_PER_S)
        };
        Self::rate(snapshot, to)
    }

    /// A given rate.
    pub(crate) fn rate(snapshot: &Snapshot, to: u32) -> Self {
        let from = set_rate(snapshot);
        let waiting = waiting(snapshot);
        let mut effects = Vec::new();
        if waiting > 0 {
            let wait = |rate: u32| match rate {
                0 => "never".to_owned(),
                rate => duration_s(waiting.div_ceil(u64::from(rate))),
            };
            effects.push(format!(
                "last of {} waiting is served in {}{}",
                grouped(waiting),
                from.map(|f| format!("{} -> ", wait(f))).unwrap_or_default(),
                wait(to)
            ));
        } else {
            effects.push("nobody waits: no wait changes".to_owned());
        }
        if let Some(queue) = &snapshot.queue
            && queue.active >= u64::from(queue.cap)
            && from.is_some_and(|f| to > f)
        {
            effects.push(format!(
                "the cap of {} is full: people come in as slots come back, whatever the rate",
                grouped(u64::from(queue.cap))
            ));
        }
        Self {
            action: Action::Rate(to),
            from,
            effects,
        }
    }

    /// A given cap.
    pub(crate) fn cap(snapshot: &Snapshot, to: u32) -> Self {
        let queue = snapshot.queue.as_ref();
        let mut effects = Vec::new();
        if let Some(QueueView { active, .. }) = queue {
            let to = u64::from(to);
            effects.push(if *active > to {
                format!(
                    "{} are inside: nobody is put out, nobody comes in until {} have left",
                    grouped(*active),
                    grouped(active - to + 1)
                )
            } else {
                format!(
                    "{} are inside: {} slots are free at once",
                    grouped(*active),
                    grouped(to - active)
                )
            });
        }
        Self {
            action: Action::Cap(to),
            from: queue.map(|q| q.cap),
            effects,
        }
    }

    /// A typed number.
    pub(crate) fn typed(field: Field, text: &str, snapshot: &Snapshot) -> Result<Self, String> {
        let number: u32 = text
            .parse()
            .map_err(|_| format!("\"{text}\" is not a whole number"))?;
        match field {
            Field::Rate if number == 0 => {
                Err("a rate of 0 is a pause: use p, which says so to everybody".to_owned())
            }
            Field::Rate if number > MOST_RATE_PER_S => Err(format!(
                "the highest rate is {} a second",
                grouped(u64::from(MOST_RATE_PER_S))
            )),
            Field::Rate => Ok(Self::rate(snapshot, number)),
            Field::Cap if number == 0 => {
                Err("a cap of 0 is a pause: use p, which says so to everybody".to_owned())
            }
            Field::Cap => Ok(Self::cap(snapshot, number)),
        }
    }

    /// `rate 200 -> 220 a second`.
    pub(crate) fn title(&self) -> String {
        let old = |unit: &str| {
            self.from
                .map(|f| format!("{}{unit} -> ", grouped(u64::from(f))))
                .unwrap_or_default()
        };
        match self.action {
            Action::Pause => "pause the line".to_owned(),
            Action::Resume => "resume the line".to_owned(),
            Action::Rate(to) => format!("rate {}{} a second", old(""), grouped(u64::from(to))),
            Action::Cap(to) => format!("cap {}{} inside", old(""), grouped(u64::from(to))),
        }
    }

    /// What goes to the control API and into its audit log.
    pub(crate) fn into_override(self, actor: &str) -> Override {
        Override {
            reason: format!("from the terminal: {}", self.title()),
            action: self.action,
            actor: actor.to_owned(),
        }
    }
}

/// The rate as set, whichever tier could be read.
pub(crate) fn set_rate(snapshot: &Snapshot) -> Option<u32> {
    snapshot
        .queue
        .as_ref()
        .map(|q| q.rate_per_s)
        .or_else(|| snapshot.room.as_ref().map(|r| r.rate_per_s))
}

/// People waiting in both tiers.
pub(crate) fn waiting(snapshot: &Snapshot) -> u64 {
    let tier1 = snapshot
        .room
        .as_ref()
        .map_or(0, |r| r.issued.saturating_sub(r.serving));
    tier1 + snapshot.queue.as_ref().map_or(0, |q| q.waiting)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::fixtures;

    #[test]
    fn a_rate_is_previewed_with_the_wait_it_gives() {
        let proposal = Proposal::rate_by(&fixtures::snapshot(), 200, 10);
        assert_eq!(proposal.title(), "rate 200 -> 220 a second");
        assert_eq!(
            proposal.effects[0],
            "last of 3,640 waiting is served in 19 s -> 17 s"
        );
    }

    #[test]
    fn a_small_rate_still_moves_and_never_reaches_zero() {
        let snapshot = fixtures::snapshot();
        assert_eq!(Proposal::rate_by(&snapshot, 3, 10).action, Action::Rate(4));
        assert_eq!(Proposal::rate_by(&snapshot, 1, -10).action, Action::Rate(1));
        assert_eq!(
            Proposal::rate_by(&snapshot, u32::MAX, 10).action,
            Action::Rate(MOST_RATE_PER_S)
        );
    }

    #[test]
    fn a_full_room_is_named_when_the_rate_goes_up() {
        let mut snapshot = fixtures::snapshot();
        snapshot.queue.as_mut().unwrap().active = 300;
        let up = Proposal::rate(&snapshot, 400);
        assert!(up.effects[1].starts_with("the cap of 300 is full"));
        assert_eq!(Proposal::rate(&snapshot, 100).effects.len(), 1);
    }

    #[test]
    fn a_lower_cap_puts_nobody_out() {
        let proposal = Proposal::cap(&fixtures::snapshot(), 100);
        assert!(proposal.effects[0].contains("nobody is put out"));
        assert_eq!(proposal.title(), "cap 300 -> 100 inside");
    }

    #[test]
    fn typed_nonsense_is_refused_with_a_reason() {
        let snapshot = fixtures::snapshot();
        assert!(Proposal::typed(Field::Rate, "12x", &snapshot).is_err());
        assert!(Proposal::typed(Field::Rate, "0", &snapshot).is_err());
        assert!(Proposal::typed(Field::Cap, "0", &snapshot).is_err());
        assert!(Proposal::typed(Field::Rate, "600001", &snapshot).is_err());
        assert!(Proposal::typed(Field::Rate, "", &snapshot).is_err());
        assert!(Proposal::typed(Field::Rate, "250", &snapshot).is_ok());
    }

    #[test]
    fn nobody_pauses_a_sold_out_sale() {
        let mut snapshot = fixtures::snapshot();
        snapshot.phase = Phase::SoldOut;
        assert!(Proposal::pause_or_resume(&snapshot).is_err());
        snapshot.phase = Phase::Paused;
        assert_eq!(
            Proposal::pause_or_resume(&snapshot).unwrap().action,
            Action::Resume
        );
    }
}
