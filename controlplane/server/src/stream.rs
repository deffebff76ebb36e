//! Live pictures for whoever watches: one publisher per watched sale, as many watchers as like.
//!
//! A picture is taken and written as JSON once however many watch. Nobody waits for a slow
//! watcher: one that falls behind misses pictures and goes on with the newest, which is all a
//! screen wants. A sale nobody watches costs nothing.

use crate::snapshot::{Snapshotter, Subject};
use axum::response::sse::Event;
use futures::{Stream, StreamExt as _, stream};
use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;
use urr_core::sale::SaleId;
use urr_kit::error::chain;

/// Two pictures a second: a person sees movement, the stores do not notice.
const INTERVAL: Duration = Duration::from_millis(500);
/// Pictures a slow watcher may be behind: 4 s; after that the oldest are dropped.
const BEHIND_MAX: usize = 8;

/// A picture on its way: a number that rises, and the JSON.
#[derive(Debug, Clone)]
struct Frame {
    seq: u64,
    json: Arc<str>,
}

/// The publishers. Cheap to clone.
#[derive(Clone)]
pub struct Hub {
    snapshotter: Snapshotter,
    watched: Arc<Mutex<HashMap<SaleId, broadcast::Sender<Frame>>>>,
    shutdown: CancellationToken,
}

impl Hub {
    /// A hub that publishes until `shutdown`.
    #[must_use]
    pub fn new(snapshotter: Snapshotter, shutdown: CancellationToken) -> Self {
        Self {
            snapshotter,
            watched: Arc::default(),
            shutdown,
        }
    }

    /// The pictures of a sale from now on, as server-sent events. Ends when the sale is gone or
    /// the process ends.
    pub fn watch(
        &self,
        subject: Subject,
        sale: SaleId,
    ) -> impl Stream<Item = Result<Event, Infallible>> + use<> {
        let receiver = self.subscribe(subject, sale);
        let events = stream::unfold(receiver, |mut receiver| async move {
            loop {
                match receiver.recv().await {
                    Ok(Frame { seq, json }) => {
                        let event = Event::default()
                            .id(seq.to_string())
                            .event("snapshot")
                            .data(&*json);
                        return Some((Ok(event), receiver));
                    }
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return None,
                }
            }
        });
        events.take_until(self.shutdown.clone().cancelled_owned())
    }

    fn subscribe(&self, subject: Subject, sale: SaleId) -> broadcast::Receiver<Frame> {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = watched.get(&sale) {
            return sender.subscribe();
        }
        let (sender, receiver) = broadcast::channel(BEHIND_MAX);
        watched.insert(sale, sender.clone());
        let hub = self.clone();
        tokio::spawn(async move {
            // Whatever ends the publisher, also a panic: the next watcher starts another.
            let _forget = Forget {
                hub: hub.clone(),
                sale,
                sender: sender.clone(),
            };
            Box::pin(hub.publish(sale, subject, sender)).await;
        });
        receiver
    }

    async fn publish(&self, sale: SaleId, mut subject: Subject, sender: broadcast::Sender<Frame>) {
        let mut interval = tokio::time::interval(INTERVAL);
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        let mut seq = 0;
        loop {
            tokio::select! {
                () = self.shutdown.cancelled() => return,
                _ = interval.tick() => {}
            }
            let mut warnings = Vec::new();
            match self.snapshotter.subject(sale, Some(&subject)).await {
                Ok(Some(newer)) => subject = newer,
                Ok(None) => return,
                Err(error) => warnings.push(format!(
                    "the sale's own record cannot be read ({}): settings and events are the last known; check DynamoDB",
                    chain(&error)
                )),
            }
            let snapshot = Box::pin(self.snapshotter.take(&subject, warnings)).await;
            let json = match serde_json::to_string(&snapshot) {
                Ok(json) => json.into(),
                Err(error) => {
                    tracing::error!(%sale, error = chain(&error), "a picture cannot be written as JSON");
                    return;
                }
            };
            seq += 1;
            // Under the lock, so that nobody subscribes between the count and the end.
            let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
            if sender.send(Frame { seq, json }).is_err() {
                watched.remove(&sale);
                return;
            }
        }
    }
}

/// Takes a publisher off the list when it ends.
struct Forget {
    hub: Hub,
    sale: SaleId,
    sender: broadcast::Sender<Frame>,
}

impl Drop for Forget {
    fn drop(&mut self) {
        let mut watched = self.hub.watched.lock().unwrap_or_else(PoisonError::into_inner);
        // Only its own entry: after the last watcher left, another publisher may have begun.
        if watched
            .get(&self.sale)
            .is_some_and(|sender| sender.same_channel(&self.sender))
        {
            watched.remove(&self.sale);
        }
    }
}
