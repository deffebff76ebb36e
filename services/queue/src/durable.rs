//! What outlives Redis: the waiting room's record says that there is a sale.
//!
//! A replica that has just started beside a Redis that has just lost everything knows nothing, and
//! would take the sale for an event without limits: another cap, and no place asked for (laws
//! `hard-cap`, `fair-order`). So before it goes by the defaults it looks for the record; if there is
//! one, it waits for somebody who knows the limits: the control plane, or an older replica.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};
use urr_core::{sale::SaleId, time::Millis};
use urr_kit::{error::chain, state::rooms::Rooms};

/// How long an answer holds. A sale is announced minutes before anybody can stand in its line.
const FRESH_MS: i64 = 10_000;
/// Events remembered; forgotten as a whole when full, which costs one read each.
const EVENTS_MAX: usize = 4096;

/// Events by whether there is a record.
pub(crate) struct Durable {
    rooms: Option<Rooms>,
    known: Mutex<HashMap<SaleId, (bool, Millis)>>,
}

impl Durable {
    /// Without `rooms` no event has a record.
    pub(crate) fn new(rooms: Option<Rooms>) -> Self {
        Self {
            rooms,
            known: Mutex::default(),
        }
    }

    /// Whether there is a record. If DynamoDB does not answer either, the event is served as one
    /// without a sale.
    pub(crate) async fn has_sale(&self, sale: SaleId, now: Millis) -> bool {
        let Some(rooms) = &self.rooms else { return false };
        let remembered = self.known().get(&sale).copied();
        if let Some((exists, at)) = remembered
            && (0..FRESH_MS).contains(&now.since(at))
        {
            return exists;
        }
        let exists = match rooms.get(sale).await {
            Ok(room) => room.is_some(),
            Err(error) => {
                tracing::debug!(%sale, error = chain(&error), "the waiting room's record cannot be read");
                false
            }
        };
        let mut known = self.known();
        if known.len() >= EVENTS_MAX {
            known.clear();
        }
        known.insert(sale, (exists, now));
        exists
    }

    fn known(&self) -> MutexGuard<'_, HashMap<SaleId, (bool, Millis)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
