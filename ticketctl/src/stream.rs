//! A sale in plain sentences, one only when something changed: for screen readers, logs and pagers.
//! Pure: snapshots in, sentences out. What has been said is remembered, so nothing is said twice.

mod sentences;

use crate::plain::word;
use sentences::{changed_settings, happened, milestone, moved, moved_by_itself, readiness, whole};
use urr_core::{
    effect::waiting,
    law::Law,
    live::{Seen, Watch},
    sale::Phase,
    snapshot::{CapacityView, ServiceView, Snapshot},
    time::Millis,
};

/// Figures that move all the time are told at most this often.
const FIGURES_EVERY_MS: i64 = 5_000;
/// Warnings remembered: more than a control plane sends at once.
const WARNINGS_MAX: usize = 64;

/// Tells what changed since it last spoke.
#[derive(Debug, Default)]
pub(crate) struct Narrator {
    last: Option<Told>,
    laws: Watch,
    told_broken: Vec<Law>,
    lost: bool,
    newest_event: Option<Millis>,
}

/// What has been said.
#[derive(Debug)]
struct Told {
    phase: Phase,
    seconds_to_go: i64,
    settings: Option<(u32, u32, bool)>,
    /// When an adaptive rate had moved last.
    paced_since: Option<Millis>,
    figures: Figures,
    figures_at: Millis,
    warnings: Vec<String>,
    capacity: Option<CapacityView>,
    services: Vec<ServiceView>,
}

/// What moves all the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Figures {
    waiting: u64,
    inside: u64,
    sold: u64,
}

impl Narrator {
    /// The stream broke.
    pub(crate) fn lost(&mut self, why: &str) -> Option<String> {
        let news = !std::mem::replace(&mut self.lost, true);
        news.then(|| format!("The control plane is lost: {why}. What was said last is old. Retrying."))
    }

    /// What `snapshot` is worth saying.
    pub(crate) fn take(&mut self, snapshot: &Snapshot) -> Vec<String> {
        let mut say = Vec::new();
        if std::mem::take(&mut self.lost) {
            say.push("The control plane is back.".to_owned());
        }
        let figures = Figures::of(snapshot);
        let settings = settings(snapshot);
        let to_go_ms = snapshot.opens_at.since(snapshot.at);
        let seconds_to_go = to_go_ms.div_euclid(1000) + i64::from(to_go_ms.rem_euclid(1000) > 0);
        let mut figures_at = snapshot.at;
        match &self.last {
            None => say.push(whole(snapshot, figures)),
            Some(told) => {
                if told.phase != snapshot.phase {
                    say.push(format!(
                        "The sale is now {}.",
                        word(snapshot.phase).to_lowercase()
                    ));
                }
                say.extend(milestone(told.seconds_to_go, seconds_to_go));
                say.extend(changed_settings(
                    told.settings,
                    settings,
                    moved_by_itself(told, snapshot),
                ));
                say.extend(readiness(told, snapshot));
                let due = snapshot.at.since(told.figures_at) >= FIGURES_EVERY_MS;
                if due && told.figures != figures {
                    say.push(moved(snapshot, told.figures, figures));
                } else {
                    figures_at = told.figures_at;
                }
            }
        }
        let shown = if self.last.is_none() || figures_at == snapshot.at {
            figures
        } else {
            self.last.as_ref().map_or(figures, |told| told.figures)
        };
        say.extend(self.warnings(snapshot));
        say.extend(self.events(snapshot));
        say.extend(self.laws(snapshot));
        self.last = Some(Told {
            phase: snapshot.phase,
            seconds_to_go,
            settings,
            paced_since: snapshot.pace.as_ref().and_then(|pace| pace.since),
            figures: shown,
            figures_at,
            warnings: snapshot.warnings.iter().take(WARNINGS_MAX).cloned().collect(),
            capacity: snapshot.capacity,
            services: snapshot.services.clone(),
        });
        say
    }

    fn warnings(&self, snapshot: &Snapshot) -> Vec<String> {
        let before = self
            .last
            .as_ref()
            .map(|told| told.warnings.as_slice())
            .unwrap_or_default();
        let new = snapshot
            .warnings
            .iter()
            .filter(|warning| !before.contains(warning));
        let gone = before
            .iter()
            .filter(|warning| !snapshot.warnings.contains(warning));
        new.map(|warning| format!("Warning: {warning}."))
            .chain(gone.map(|warning| format!("No longer: {warning}.")))
            .collect()
    }

    /// Events after the newest that was told; at first only from then on.
    fn events(&mut self, snapshot: &Snapshot) -> Vec<String> {
        let newest = snapshot.events.iter().map(|event| event.at).max();
        let told = match self.newest_event {
            Some(told) => snapshot
                .events
                .iter()
                .filter(|event| event.at > told)
                .map(happened)
                .collect(),
            None => Vec::new(),
        };
        self.newest_event = self.newest_event.max(newest).or(Some(snapshot.at));
        told
    }

    fn laws(&mut self, snapshot: &Snapshot) -> Vec<String> {
        self.laws.look(snapshot);
        let mut say = Vec::new();
        for law in Law::ALL {
            if let Seen::Broken { detail, .. } = self.laws.seen(law)
                && !self.told_broken.contains(&law)
            {
                self.told_broken.push(law);
                say.push(format!("Alarm: the law {law} was seen broken: {detail}."));
            }
        }
        say
    }
}

impl Figures {
    fn of(snapshot: &Snapshot) -> Self {
        Self {
            waiting: waiting(snapshot),
            inside: snapshot.queue.as_ref().map_or(0, |queue| queue.active),
            sold: snapshot.seats.as_ref().map_or(0, |seats| seats.sold),
        }
    }
}

fn settings(snapshot: &Snapshot) -> Option<(u32, u32, bool)> {
    let queue = snapshot.queue.as_ref()?;
    Some((queue.rate_per_s, queue.cap, queue.paused))
}

#[cfg(test)]
mod tests {
    use super::*;
    use urr_core::{
        adaptive::Lean,
        snapshot::{EventLine, PaceView, QueueView, SeatsView},
    };

    const OPENS: Millis = Millis(1_000_000);

    fn at(ms: i64) -> Snapshot {
        Snapshot {
            name: "Club night".to_owned(),
            at: OPENS.plus_ms(ms),
            phase: if ms < 0 { Phase::PreQueue } else { Phase::Open },
            opens_at: OPENS,
            environment: Some("drill".to_owned()),
            queue: Some(QueueView {
                waiting: 0,
                active: 0,
                cap: 300,
                rate_per_s: 200,
                admitted_total: 0,
                paused: false,
            }),
            seats: Some(SeatsView {
                capacity: 1_000,
                free: 1_000,
                held: 0,
                sold: 0,
                sections: Vec::new(),
            }),
            ..Snapshot::unknown(uuid::Uuid::nil())
        }
    }

    #[test]
    fn first_everything_then_only_what_changed() {
        let mut narrator = Narrator::default();
        assert_eq!(
            narrator.take(&at(-60_500)),
            [
                "Club night in drill: pre-queue, T-00:01:00.5. 0 wait, 0 are inside, 200 a second are to be let in, \
              0 of 1,000 seats are sold."
            ]
        );
        assert_eq!(narrator.take(&at(-60_400)), [] as [&str; 0]);
        assert_eq!(narrator.take(&at(-60_000)), ["1 min to the opening."]);
        assert_eq!(narrator.take(&at(-59_000)), [] as [&str; 0]);
        assert_eq!(narrator.take(&at(0)), ["The sale is now open."]);
    }

    #[test]
    fn figures_are_told_together_and_not_too_often() {
        let mut narrator = Narrator::default();
        narrator.take(&at(0));
        let busy = |ms, sold| {
            let mut snapshot = at(ms);
            snapshot.queue.as_mut().unwrap().waiting = 40;
            let seats = snapshot.seats.as_mut().unwrap();
            (seats.sold, seats.free) = (sold, 1_000 - sold);
            snapshot
        };
        assert_eq!(narrator.take(&busy(500, 1)), [] as [&str; 0]);
        assert_eq!(
            narrator.take(&busy(5_000, 7)),
            ["40 wait, 7 of 1,000 seats are sold."]
        );
        assert_eq!(
            narrator.take(&busy(10_000, 7)),
            [] as [&str; 0],
            "nothing changed"
        );
        assert_eq!(narrator.take(&busy(10_500, 8)), ["8 of 1,000 seats are sold."]);
    }

    #[test]
    fn settings_warnings_and_events_are_told_when_they_change() {
        let mut narrator = Narrator::default();
        narrator.take(&at(0));
        let mut next = at(500);
        let queue = next.queue.as_mut().unwrap();
        (queue.rate_per_s, queue.paused) = (220, true);
        next.warnings.push("Redis is slow: look at it".to_owned());
        next.events.push(EventLine {
            at: OPENS.plus_ms(400),
            actor: "mk".to_owned(),
            text: "rate: 200/s → 220/s".to_owned(),
        });
        assert_eq!(
            narrator.take(&next),
            [
                "The rate went from 200 to 220 a second.",
                "The line is held by an operator.",
                "Warning: Redis is slow: look at it.",
                "mk: rate: 200/s → 220/s.",
            ]
        );
        next.at = next.at.plus_ms(500);
        assert_eq!(narrator.take(&next), [] as [&str; 0]);
        next.warnings.clear();
        assert_eq!(narrator.take(&next), ["No longer: Redis is slow: look at it."]);
    }

    #[test]
    fn an_adaptive_rate_says_why_it_moved_once() {
        let mut narrator = Narrator::default();
        let paced = |ms, since: Option<i64>| Snapshot {
            pace: Some(PaceView {
                rate_per_s: 150,
                min_rate_per_s: 20,
                max_rate_per_s: 400,
                lean: Lean::Falling,
                because: "reservations p99 1300 ms".to_owned(),
                since: since.map(|ms| OPENS.plus_ms(ms)),
                reason: since.map(|_| "150/s instead of 200/s: reservations take 1300 ms".to_owned()),
                signs: None,
            }),
            ..at(ms)
        };
        narrator.take(&paced(0, None));
        assert_eq!(
            narrator.take(&paced(1000, Some(900))),
            ["The adaptive rate is 150/s instead of 200/s: reservations take 1300 ms."]
        );
        assert_eq!(narrator.take(&paced(1500, Some(900))), [] as [&str; 0]);
    }

    #[test]
    fn a_lost_control_plane_and_a_broken_law_are_told_once() {
        let mut narrator = Narrator::default();
        narrator.take(&at(0));
        assert!(
            narrator
                .lost("connection refused")
                .unwrap()
                .contains("connection refused")
        );
        assert_eq!(narrator.lost("connection refused"), None);
        let mut broken = at(500);
        broken.seats.as_mut().unwrap().sold = 1;
        let said = narrator.take(&broken);
        assert_eq!(said[0], "The control plane is back.");
        assert!(
            said[1].starts_with("Alarm: the law no-oversell was seen broken"),
            "{said:?}"
        );
        assert_eq!(narrator.take(&broken), [] as [&str; 0]);
    }
}
