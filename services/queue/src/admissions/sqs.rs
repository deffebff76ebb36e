//! Telling an SQS FIFO queue: `{action, eventId, userId, entryToken, timestamp}`, grouped by event,
//! deduplicated by user and event (api-contract.md section 13; docs/decisions/0023).
//!
//! SQS says of each message of a request by itself whether it was accepted. If two of one line went
//! together, the second could be accepted and the first not, and nothing puts them right again. So
//! a request carries at most one admission of each line: up to ten lines at once, and of one line
//! one after the other.

use super::{Admission, Destination, Settled, Told};
use crate::store::Store;
use futures::future::BoxFuture;
use serde::Serialize;
use std::sync::Arc;
use urr_core::{
    sale::SaleId,
    token::{Keyring, entry},
};
use urr_kit::{
    error::BoxError,
    store::{
        FifoQueue,
        sqs::{BATCH_MAX, FifoMessage, Sent},
    },
};
use uuid::Uuid;

/// An SQS FIFO queue as a destination.
pub(crate) struct Sqs {
    pub(crate) queue: FifoQueue,
    pub(crate) store: Arc<Store>,
    pub(crate) entry_keys: Keyring,
}

/// The contract's body.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    action: &'static str,
    event_id: SaleId,
    user_id: Uuid,
    entry_token: String,
    timestamp: i64,
}

impl Sqs {
    pub(crate) const NAME: &'static str = "sqs";

    /// Nothing in it depends on when it is made, so a repetition says the same.
    fn message(&self, admission: &Admission) -> Result<FifoMessage, serde_json::Error> {
        let Admission { sale, user, at, .. } = admission;
        let life_s = self.store.entry_life_s(*sale);
        let body = Body {
            action: "admitted",
            event_id: *sale,
            user_id: *user,
            entry_token: entry::issue(&self.entry_keys, &entry::Claims::new(*sale, *user, *at, life_s)),
            timestamp: at.0,
        };
        Ok(FifoMessage {
            group: sale.to_string(),
            deduplication_id: format!("{user}:{sale}"),
            body: serde_json::to_string(&body)?,
        })
    }

    async fn send(&self, lines: &[&[Admission]], told: &mut Told) -> Result<(), BoxError> {
        let mut waits = vec![false; lines.len()];
        loop {
            let next = |line: usize| lines[line].get(told.lines[line].count).filter(|_| !waits[line]);
            let turn: Vec<(usize, &Admission)> = (0..lines.len())
                .filter_map(|line| next(line).map(|admission| (line, admission)))
                .collect();
            if turn.is_empty() {
                return Ok(());
            }
            for request in turn.chunks(BATCH_MAX) {
                let messages = request.iter().map(|(_, admission)| self.message(admission));
                let messages = messages.collect::<Result<Vec<_>, _>>()?;
                for (&(line, _), sent) in request.iter().zip(self.queue.send(&messages).await?) {
                    let settled = &mut told.lines[line];
                    match sent {
                        Sent::Accepted => settled.count += 1,
                        Sent::Refused(why) => {
                            settled.refused.push((settled.count, why));
                            settled.count += 1;
                        }
                        Sent::NotNow(why) => {
                            waits[line] = true;
                            told.failure = Some(why.into());
                        }
                    }
                }
            }
        }
    }
}

impl Destination for Sqs {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn tell<'a>(&'a self, lines: &'a [&'a [Admission]]) -> BoxFuture<'a, Told> {
        Box::pin(async move {
            let mut told = Told {
                lines: vec![Settled::default(); lines.len()],
                failure: None,
            };
            if let Err(error) = self.send(lines, &mut told).await {
                told.failure = Some(error);
            }
            told
        })
    }
}
