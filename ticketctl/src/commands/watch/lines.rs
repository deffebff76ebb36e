//! A sale in lines on stdout: sentences when something changed, figures once a second, or documents.

use super::super::{Done, complain, document, say};
use super::{Output, record};
use crate::{
    control::Received,
    exit::Exit,
    failure::Failure,
    plain,
    recording::{Recorder, Recording},
    signals::Interrupts,
    stream::Narrator,
    text::{countdown, grouped},
    tui::steer,
};
use tokio::sync::mpsc;
use urr_core::{snapshot::Snapshot, time::Millis};

/// A sentence a second is what a person, or a screen reader, can follow.
const SENTENCE_EVERY_MS: i64 = 1_000;

/// Prints what is received until interrupted.
pub(super) async fn lines(
    mut received: mpsc::Receiver<Received>,
    mut recorder: Option<Recorder>,
    interrupts: &Interrupts,
    output: Output,
) -> Done {
    let mut teller = Teller::new(output);
    loop {
        let next = tokio::select! {
            () = interrupts.asked() => return Ok(Exit::Interrupted),
            next = received.recv() => next,
        };
        match next {
            None => return Ok(Exit::Failure),
            Some(Received::Lost(why)) => teller.lost(&why),
            Some(Received::Snapshot(snapshot)) => {
                record(&mut recorder, &snapshot);
                teller.tell(&snapshot)?;
            }
        }
    }
}

/// Prints snapshots as lines, each in its way.
struct Teller {
    output: Output,
    printed_at: Option<Millis>,
    narrator: Narrator,
}

impl Teller {
    fn new(output: Output) -> Self {
        Self {
            output,
            printed_at: None,
            narrator: Narrator::default(),
        }
    }

    fn lost(&mut self, why: &str) {
        match self.output {
            Output::Stream | Output::Screen => {
                if let Some(sentence) = self.narrator.lost(why) {
                    say(&sentence);
                }
            }
            Output::Text | Output::Json => complain(&format!("stream lost ({why}), retrying")),
        }
    }

    fn tell(&mut self, snapshot: &Snapshot) -> Result<(), Failure> {
        match self.output {
            Output::Json => say(&document(snapshot)?.to_string()),
            Output::Stream | Output::Screen => self.narrator.take(snapshot).iter().for_each(|line| say(line)),
            Output::Text => {
                let due = self
                    .printed_at
                    .is_none_or(|at| snapshot.at.since(at) >= SENTENCE_EVERY_MS);
                if due {
                    self.printed_at = Some(snapshot.at);
                    say(&sentence(snapshot));
                }
            }
        }
        Ok(())
    }
}

/// Prints a recording.
pub(super) fn recorded_lines(mut recording: Recording, output: Output) -> Done {
    let mut teller = Teller::new(output);
    for index in 0..recording.times().len() {
        let snapshot = recording
            .read(index)
            .map_err(|error| Failure::bad_input("the recording breaks off").because(&error))?;
        teller.tell(&snapshot)?;
    }
    Ok(Exit::Ok)
}

fn sentence(snapshot: &Snapshot) -> String {
    let mut parts = vec![
        format!(
            "{} {}",
            countdown(snapshot.at, snapshot.opens_at),
            plain::word(snapshot.phase)
        ),
        format!("waiting {}", grouped(steer::waiting(snapshot))),
    ];
    if let Some(queue) = &snapshot.queue {
        parts.push(format!(
            "inside {} of {}, rate {} a second",
            grouped(queue.active),
            grouped(u64::from(queue.cap)),
            grouped(u64::from(queue.rate_per_s))
        ));
    }
    if let Some(pace) = &snapshot.pace {
        parts.push(format!(
            "adaptive {} to {}, {}: {}",
            grouped(u64::from(pace.min_rate_per_s)),
            grouped(u64::from(pace.max_rate_per_s)),
            pace.lean.word(),
            pace.because
        ));
    }
    if let Some(seats) = &snapshot.seats {
        parts.push(format!(
            "sold {}, held {}, free {}",
            grouped(seats.sold),
            grouped(seats.held),
            grouped(seats.free)
        ));
    }
    parts.extend(snapshot.warnings.iter().map(|w| format!("! {w}")));
    parts.join("; ")
}
