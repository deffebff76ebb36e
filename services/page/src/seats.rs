//! How many seats are left, for a crowd that may only look.
//!
//! The seat map needs an entry token and a database; a million waiting people must cost neither. One
//! answer of booking per sale and [`MAX_AGE_MS`] is shared by everybody, ids that nobody sells are
//! asked for a few times a second at most, and a failing booking is an answer too: not known.

use serde::Serialize;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};
use urr_core::{snapshot::SeatsView, time::Millis};
use urr_kit::{SharedClock, internal::InternalClient};
use uuid::Uuid;

/// Age at which a count is asked for again.
const MAX_AGE_MS: i64 = 2000;
/// The same when nothing was known: ids that nobody sells must not keep booking busy.
const UNKNOWN_AGE_MS: i64 = 10_000;
/// Sales remembered. A few run at once; the rest are ids that strangers made up, so the sales that
/// have seats are the last to be forgotten.
const SALES_MAX: usize = 256;
/// Questions a second for ids that were never seen to have seats.
const STRANGERS_PER_S: u32 = 5;

/// What a waiting visitor is told. Without `total` nothing is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Counted {
    /// All seats.
    pub(crate) total: Option<u64>,
    /// Nobody's.
    pub(crate) left: Option<u64>,
    /// Held and not paid: some of them come back.
    pub(crate) held: Option<u64>,
    /// Neither free nor held.
    pub(crate) sold_out: bool,
    /// When it was so, ms.
    pub(crate) as_of: Option<Millis>,
}

/// The counts of every sale somebody waits for. Cheap to clone.
#[derive(Clone)]
pub struct SeatCounts {
    internal: InternalClient,
    booking: Arc<str>,
    clock: SharedClock,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    sales: HashMap<Uuid, Arc<Slot>>,
    /// The second that is counted, and the strangers asked for in it.
    second: i64,
    strangers: u32,
}

#[derive(Default)]
struct Slot {
    known: Mutex<Option<(Millis, Counted)>>,
    /// One asks; the others have its answer or the last one.
    asking: tokio::sync::Mutex<()>,
}

impl SeatCounts {
    /// Counts from the booking service at `booking`.
    #[must_use]
    pub fn new(internal: InternalClient, booking: &str, clock: SharedClock) -> Self {
        Self {
            internal,
            booking: booking.trim_end_matches('/').into(),
            clock,
            state: Arc::default(),
        }
    }

    pub(crate) async fn of(&self, sale: Uuid) -> Counted {
        let now = self.clock.now();
        let Some(slot) = self.slot(sale, now) else {
            return Counted::default();
        };
        let last = slot.last();
        if let Some((at, counted)) = last
            && (0..counted.max_age_ms()).contains(&now.since(at))
        {
            return counted;
        }
        // Whoever comes while somebody asks is served what was: nobody queues up here.
        let Ok(_turn) = slot.asking.try_lock() else {
            return last.map_or_else(Counted::default, |(_, counted)| counted);
        };
        let counted = self.ask(sale, now).await;
        slot.put(now, counted);
        counted
    }

    async fn ask(&self, sale: Uuid, now: Millis) -> Counted {
        let url = format!("{}/internal/seats/summary/{sale}", self.booking);
        match self.internal.get_json::<SeatsView>(&url).await {
            Ok(seats) => Counted {
                total: Some(seats.capacity),
                left: Some(seats.free),
                held: Some(seats.held),
                sold_out: seats.capacity > 0 && seats.free == 0 && seats.held == 0,
                as_of: Some(now),
            },
            Err(error) => {
                tracing::debug!(%sale, %error, "seats left are not known");
                Counted::default()
            }
        }
    }

    /// The sale's slot; `None` when too many unknown ids were asked for this second.
    fn slot(&self, sale: Uuid, now: Millis) -> Option<Arc<Slot>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = state.sales.get(&sale) {
            return Some(Arc::clone(slot));
        }
        let second = now.0.div_euclid(1000);
        if state.second != second {
            (state.second, state.strangers) = (second, 0);
        }
        if state.strangers >= STRANGERS_PER_S {
            return None;
        }
        state.strangers += 1;
        if state.sales.len() >= SALES_MAX {
            let last = |slot: &Slot| {
                slot.last().map_or((false, Millis(i64::MIN)), |(at, counted)| {
                    (counted.total.is_some(), at)
                })
            };
            let out = state
                .sales
                .iter()
                .min_by_key(|(_, slot)| last(slot))
                .map(|(id, _)| *id);
            out.and_then(|id| state.sales.remove(&id));
        }
        Some(Arc::clone(state.sales.entry(sale).or_default()))
    }
}

impl Counted {
    const fn max_age_ms(&self) -> i64 {
        if self.total.is_some() {
            MAX_AGE_MS
        } else {
            UNKNOWN_AGE_MS
        }
    }
}

impl Slot {
    fn last(&self) -> Option<(Millis, Counted)> {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, at: Millis, counted: Counted) {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some((at, counted));
    }
}
