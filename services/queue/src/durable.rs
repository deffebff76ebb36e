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
/// How long nobody asks again after there was no answer, so that a crowd does not wait for it one by one.
const UNKNOWN_MS: i64 = 1_000;
/// Events remembered; forgotten as a whole when full, which costs one read each.
const EVENTS_MAX: usize = 4096;

/// Whether an event has a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Record {
    There,
    Absent,
    /// DynamoDB did not say.
    Unknown,
}

/// Which events have a record.
pub(crate) struct Durable {
    rooms: Option<Rooms>,
    known: Mutex<HashMap<SaleId, (Record, Millis)>>,
}

impl Durable {
    /// Without `rooms` no event has a record.
    pub(crate) fn new(rooms: Option<Rooms>) -> Self {
        Self {
            rooms,
            known: Mutex::default(),
        }
    }

    /// Whether the event may be that of a sale: it is, or DynamoDB does not say. Only who has read that there
    /// is no record goes by the defaults (R-QUE-13: never free entry). A sale whose limits Redis
    /// has is served all the same.
    pub(crate) async fn may_be_a_sale(&self, sale: SaleId, now: Millis) -> bool {
        let Some(rooms) = &self.rooms else { return false };
        let remembered = self.known().get(&sale).copied();
        if let Some((record, at)) = remembered
            && (0..record.fresh_ms()).contains(&now.since(at))
        {
            return record != Record::Absent;
        }
        let record = match rooms.get(sale).await {
            Ok(Some(_)) => Record::There,
            Ok(None) => Record::Absent,
            Err(error) => {
                tracing::debug!(%sale, error = chain(&error), "the waiting room's record cannot be read");
                Record::Unknown
            }
        };
        let mut known = self.known();
        if known.len() >= EVENTS_MAX {
            known.clear();
        }
        known.insert(sale, (record, now));
        record != Record::Absent
    }

    fn known(&self) -> MutexGuard<'_, HashMap<SaleId, (Record, Millis)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Record {
    const fn fresh_ms(self) -> i64 {
        match self {
            Self::There | Self::Absent => FRESH_MS,
            Self::Unknown => UNKNOWN_MS,
        }
    }
}
