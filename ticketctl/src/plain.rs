//! Progress as lines on stderr, for pipes, CI and screen readers: a line when something changes
//! stage, and one every two seconds while visitors are under way.

use crate::{
    picture::{Picture, Stage},
    text::{countdown, grouped},
    tui::steer,
};
use std::{io::Write as _, time::Duration};
use tokio::{sync::watch, time::MissedTickBehavior};
use urr_core::{sale::Phase, time::Millis};
use urr_kit::clock::SharedClock;

/// Often enough to see that it lives, seldom enough to read.
const EVERY: Duration = Duration::from_secs(2);

/// Prints until the verdict stands or the drill is gone.
pub(crate) async fn run(mut pictures: watch::Receiver<Picture>, clock: SharedClock) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut printed = Printed::default();
    loop {
        let due = tokio::select! {
            changed = pictures.changed() => {
                if changed.is_err() {
                    return;
                }
                false
            }
            _ = ticks.tick() => true,
        };
        let picture = pictures.borrow_and_update().clone();
        for line in printed.lines(&picture, due, clock.now()) {
            // A closed stderr must not end the drill.
            let _ = writeln!(std::io::stderr(), "{line}");
        }
        if picture.verdict.is_some() {
            return;
        }
    }
}

/// What has been said, so that nothing is said twice.
#[derive(Debug, Default)]
struct Printed {
    stage: Option<(Stage, String)>,
    last_note: Option<(Millis, String)>,
    warnings: Vec<String>,
}

impl Printed {
    /// The lines `picture` is worth; `due` when a progress line may be among them.
    fn lines(&mut self, picture: &Picture, due: bool, now: Millis) -> Vec<String> {
        let mut lines = Vec::new();
        let stage = (picture.stage, picture.doing.clone());
        if self.stage.as_ref() != Some(&stage) && picture.stage != Stage::Done {
            let doing = if stage.1.is_empty() {
                String::new()
            } else {
                format!(": {}", stage.1)
            };
            lines.push(format!(
                "[{}/{}] {}{doing}",
                picture.stage.number(),
                Stage::COUNT,
                picture.stage.words()
            ));
            self.stage = Some(stage);
        }
        let newest = self.last_note.clone();
        let unseen = picture
            .notes
            .iter()
            .rev()
            .take_while(|n| newest.as_ref() != Some(&(n.at, n.text.clone())))
            .count();
        for note in picture.notes.iter().skip(picture.notes.len() - unseen) {
            lines.push(format!("      {}: {}", note.actor, note.text));
            self.last_note = Some((note.at, note.text.clone()));
        }
        if let Some(snapshot) = &picture.snapshot {
            for warning in &snapshot.warnings {
                if !self.warnings.contains(warning) {
                    lines.push(format!("      ! {warning}"));
                }
            }
            self.warnings.clone_from(&snapshot.warnings);
        }
        if due && picture.stage == Stage::Load {
            lines.push(progress(picture, now));
        }
        lines
    }
}

/// `T+00:00:12.3 OPEN | arrived 5,000, let in 1,360, sold 412 | waiting 3,640, inside 212/300`
fn progress(picture: &Picture, now: Millis) -> String {
    let mut parts = Vec::new();
    let mut head = String::from("     ");
    if let Some(opens_at) = picture.opens_at {
        head.push_str(&format!(" {}", countdown(now, opens_at)));
    }
    if let Some(snapshot) = &picture.snapshot {
        head.push_str(&format!(" {}", word(snapshot.phase)));
    }
    parts.push(head);
    if let Some(load) = &picture.load {
        let funnel: Vec<String> = load
            .funnel
            .iter()
            .map(|s| format!("{} {}", s.label, grouped(s.count)))
            .collect();
        parts.push(funnel.join(", "));
        let alarms: Vec<String> = load
            .asides
            .iter()
            .filter(|a| a.alarming && a.count > 0)
            .map(|a| format!("! {} {}", a.label, grouped(a.count)))
            .collect();
        if !alarms.is_empty() {
            parts.push(alarms.join(", "));
        }
    }
    if let Some(snapshot) = &picture.snapshot {
        let mut room = format!("waiting {}", grouped(steer::waiting(snapshot)));
        if let Some(queue) = &snapshot.queue {
            room.push_str(&format!(
                ", inside {} of {}",
                grouped(queue.active),
                grouped(u64::from(queue.cap))
            ));
        }
        parts.push(room);
    }
    parts.join(" | ")
}

/// A phase in a progress line.
pub(crate) const fn word(phase: Phase) -> &'static str {
    match phase {
        Phase::Scheduled => "SCHEDULED",
        Phase::PreQueue => "PRE-QUEUE",
        Phase::Open => "OPEN",
        Phase::Paused => "PAUSED",
        Phase::SoldOut => "SOLD OUT",
        Phase::Closed => "CLOSED",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use urr_core::snapshot::EventLine;

    #[test]
    fn nothing_is_said_twice_and_nothing_is_left_out() {
        let mut printed = Printed::default();
        let mut picture = Picture::new("x");
        picture.stage = Stage::Engines;
        assert_eq!(
            printed.lines(&picture, false, Millis(0)),
            ["[2/10] starting engines"]
        );
        assert!(printed.lines(&picture, true, Millis(0)).is_empty());
        let note = |at, text: &str| EventLine {
            at: Millis(at),
            actor: "drill".to_owned(),
            text: text.to_owned(),
        };
        picture.notes.push_back(note(1, "one"));
        picture.notes.push_back(note(1, "two"));
        assert_eq!(
            printed.lines(&picture, false, Millis(0)),
            ["      drill: one", "      drill: two"]
        );
        picture.notes.push_back(note(2, "three"));
        assert_eq!(printed.lines(&picture, false, Millis(0)), ["      drill: three"]);
    }
}
