//! Follows a sale's stream of snapshots through restarts of the control plane, over all of its
//! replicas that are known.

use super::{ControlClient, ControlError, backoff, merge::Merge, sse};
use futures::StreamExt;
use std::time::Duration;
use tokio::{sync::mpsc, time::timeout};
use tokio_util::sync::CancellationToken;
use urr_core::snapshot::Snapshot;

/// A stream silent for this long is dead: the control plane sends twice a second.
const SILENCE: Duration = Duration::from_secs(10);
/// News of replicas on their way into one picture; it is made at once.
const UNMERGED: usize = 16;

/// What the feed tells its reader.
#[derive(Debug)]
pub(crate) enum Received {
    /// A snapshot.
    Snapshot(Box<Snapshot>),
    /// The stream broke, and why; the feed keeps trying.
    Lost(String),
}

/// Follows one control plane until `stop`, or until nobody reads any more.
pub(crate) async fn follow(control: ControlClient, to: mpsc::Sender<Received>, stop: CancellationToken) {
    let mut failures = 0;
    loop {
        let broke = tokio::select! {
            () = stop.cancelled() => return,
            broke = read(&control, &to, &mut failures) => broke,
        };
        let Some(why) = broke else { return };
        if to.send(Received::Lost(why)).await.is_err() {
            return;
        }
        failures += 1;
        let pause = backoff::pause(failures, rand::random());
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Follows all `replicas` of a control plane as one.
pub(crate) async fn follow_all(
    replicas: Vec<ControlClient>,
    to: mpsc::Sender<Received>,
    stop: CancellationToken,
) {
    let mut merge = Merge::of(replicas.len());
    let (from_each, mut received) = mpsc::channel(UNMERGED);
    // Whatever ends this ends every one of them.
    let stop = stop.child_token();
    let _ended = stop.clone().drop_guard();
    for (number, replica) in replicas.into_iter().enumerate() {
        let (each, mut of_one) = mpsc::channel(UNMERGED);
        tokio::spawn(follow(replica, each, stop.clone()));
        let from_each = from_each.clone();
        tokio::spawn(async move {
            while let Some(news) = of_one.recv().await {
                if from_each.send((number, news)).await.is_err() {
                    return;
                }
            }
        });
    }
    drop(from_each);
    while let Some((number, news)) = received.recv().await {
        let news = match news {
            Received::Snapshot(snapshot) => merge
                .take(number, *snapshot)
                .map(Box::new)
                .map(Received::Snapshot),
            Received::Lost(why) => merge.lose(number, why).map(Received::Lost),
        };
        if let Some(news) = news
            && to.send(news).await.is_err()
        {
            return;
        }
    }
}

/// One connection, until it breaks. `None` when the reader is gone.
async fn read(control: &ControlClient, to: &mpsc::Sender<Received>, failures: &mut u32) -> Option<String> {
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
                    *failures = 0;
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
