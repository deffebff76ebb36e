//! `ticketctl watch`: a running sale, a line at a time; the same stream the terminal UI draws.

use super::{complain, say, validate::with_causes};
use crate::{
    cli::{Output, WatchArgs},
    control::{ControlClient, Received, follow},
    exit::Exit,
    plain,
    signals::Interrupts,
    text::{countdown, grouped},
    tui::steer,
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use urr_core::{snapshot::Snapshot, time::Millis};

/// Snapshots not yet printed: a slow pipe makes us skip, not grow.
const UNPRINTED: usize = 4;
/// A sentence a second is what a person, or a screen reader, can follow.
const SENTENCE_EVERY_MS: i64 = 1_000;

/// Follows until interrupted.
pub(crate) async fn run(args: WatchArgs) -> Exit {
    let token = match std::fs::read_to_string(&args.token_file) {
        Ok(token) => token.trim().to_owned(),
        Err(error) => {
            complain(&format!(
                "cannot read the token in {}: {error}",
                args.token_file.display()
            ));
            return Exit::BadInput;
        }
    };
    let control = match ControlClient::new(&args.url, &token, args.sale) {
        Ok(control) => control,
        Err(error) => {
            complain(&format!("cannot build an HTTP client: {error}"));
            return Exit::Failure;
        }
    };
    // A wrong token or an unknown sale is said once, not retried for ever.
    if let Err(error) = control.snapshot().await {
        complain(&with_causes(&error));
        return Exit::Failure;
    }
    let interrupts = Interrupts::new();
    if let Err(error) = interrupts.listen() {
        complain(&with_causes(&error));
        return Exit::Failure;
    }
    let (to, mut received) = mpsc::channel(UNPRINTED);
    tokio::spawn(follow(control, to, CancellationToken::new()));
    let mut printed_at: Option<Millis> = None;
    loop {
        let next = tokio::select! {
            () = interrupts.asked() => return Exit::Interrupted,
            next = received.recv() => next,
        };
        match next {
            None => return Exit::Failure,
            Some(Received::Lost(why)) => complain(&format!("stream lost ({why}), retrying")),
            Some(Received::Snapshot(snapshot)) => match args.output {
                Output::Json => match serde_json::to_string(&snapshot) {
                    Ok(line) => say(&line),
                    Err(error) => complain(&format!("a snapshot could not be printed: {error}")),
                },
                Output::Text => {
                    let due = printed_at.is_none_or(|at| snapshot.at.since(at) >= SENTENCE_EVERY_MS);
                    if due {
                        printed_at = Some(snapshot.at);
                        say(&sentence(&snapshot));
                    }
                }
            },
        }
    }
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
