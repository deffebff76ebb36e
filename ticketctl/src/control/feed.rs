//! Follows a sale's stream of snapshots through restarts of the control plane.

use super::{ControlClient, ControlError, sse};
use futures::StreamExt;
use std::time::Duration;
use tokio::{sync::mpsc, time::timeout};
use tokio_util::sync::CancellationToken;
use urr_core::snapshot::Snapshot;

/// First pause after the stream broke; doubles up to [`SLOWEST_RETRY`].
const FIRST_RETRY: Duration = Duration::from_millis(100);
/// A control plane that is back is noticed within this.
const SLOWEST_RETRY: Duration = Duration::from_secs(2);
/// A stream silent for this long is dead: the control plane sends twice a second.
const SILENCE: Duration = Duration::from_secs(10);

/// What the feed tells its reader.
#[derive(Debug)]
pub(crate) enum Received {
    /// A snapshot.
    Snapshot(Box<Snapshot>),
    /// The stream broke, and why; the feed keeps trying.
    Lost(String),
}

/// Follows until `stop`, or until nobody reads any more.
pub(crate) async fn follow(control: ControlClient, to: mpsc::Sender<Received>, stop: CancellationToken) {
    let mut pause = FIRST_RETRY;
    loop {
        let broke = tokio::select! {
            () = stop.cancelled() => return,
            broke = read(&control, &to, &mut pause) => broke,
        };
        let Some(why) = broke else { return };
        if to.send(Received::Lost(why)).await.is_err() {
            return;
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
        pause = (pause * 2).min(SLOWEST_RETRY);
    }
}

/// One connection, until it breaks. `None` when the reader is gone.
async fn read(control: &ControlClient, to: &mpsc::Sender<Received>, pause: &mut Duration) -> Option<String> {
    let response = match timeout(SILENCE, control.stream()).await {
        Err(_) => return Some("no answer".to_owned()),
        Ok(Err(error)) => return Some(short(&error)),
        Ok(Ok(response)) => response,
    };
    let mut bytes = response.bytes_stream();
    let mut parser = sse::Parser::default();
    loop {
        let chunk = match timeout(SILENCE, bytes.next()).await {
            Err(_) => return Some(format!("silent for {} s", SILENCE.as_secs())),
            Ok(None) => return Some("the stream ended".to_owned()),
            Ok(Some(Err(_))) => return Some("the connection broke".to_owned()),
            Ok(Some(Ok(chunk))) => chunk,
        };
        let events = match parser.push(&chunk) {
            Ok(events) => events,
            Err(error) => return Some(error.to_string()),
        };
        for event in events {
            match serde_json::from_slice::<Snapshot>(&event) {
                Ok(snapshot) => {
                    *pause = FIRST_RETRY;
                    to.send(Received::Snapshot(Box::new(snapshot))).await.ok()?;
                }
                Err(error) => {
                    tracing::warn!(%error, "a snapshot that could not be read was skipped");
                }
            }
        }
    }
}

/// What fits into a status line.
fn short(error: &ControlError) -> String {
    match error {
        ControlError::Unreachable { source, .. } if source.is_connect() => "connection refused".to_owned(),
        other => other.to_string(),
    }
}
