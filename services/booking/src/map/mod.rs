//! The seat map: read by everybody who is let in, written by every hold.
//!
//! What stays (labels, prices, places) is read and serialised once ([`hall`]); what changes is one letter
//! per seat ([`letters`]), of which only those that changed are read, at most once per [`MAX_AGE_MS`] and
//! event (large halls: less often) by whoever comes first, while the others wait for that one
//! answer. So the cost is that of a few small queries a second, whatever the crowd. The younger the
//! map, the fewer choose a seat that is gone.

mod hall;
mod letters;
mod view;

pub use view::View;

use crate::store::seating;
use hall::Hall;
use letters::Letters;
use serde::Serialize;
use sqlx::PgPool;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use urr_core::time::Millis;
use urr_kit::SharedClock;
use uuid::Uuid;

/// Age at which the letters of an ordinary hall are read again.
pub const MAX_AGE_MS: i64 = 200;
/// Nobody is shown anything older, however large the hall.
pub(crate) const OLDEST_MS: i64 = 1000;
/// Events whose maps are kept; the one unread for longest goes. A hall of 60,000 seats is about 12 MB.
const EVENTS_MAX: usize = 16;

/// The maps of all events this process was asked for. Cheap to clone.
#[derive(Clone)]
pub struct SeatMaps {
    pool: PgPool,
    clock: SharedClock,
    events: Arc<Mutex<HashMap<Uuid, Arc<Slot>>>>,
}

#[derive(Default)]
struct Slot {
    current: Mutex<Option<Arc<View>>>,
    /// One refresher at a time; the others find its result.
    refresh: tokio::sync::Mutex<()>,
}

impl SeatMaps {
    /// Maps read from `pool`.
    #[must_use]
    pub fn new(pool: PgPool, clock: SharedClock) -> Self {
        Self {
            pool,
            clock,
            events: Arc::default(),
        }
    }

    /// The map of an event, at most a second old; `None` when it has no seats.
    ///
    /// # Errors
    /// What the database fails with.
    pub async fn view(&self, event: Uuid) -> Result<Option<Arc<View>>, sqlx::Error> {
        let slot = self.slot(event);
        if let Some(view) = slot.fresh(self.clock.now()) {
            return Ok(Some(view));
        }
        let _turn = slot.refresh.lock().await;
        let now = self.clock.now();
        if let Some(view) = slot.fresh(now) {
            return Ok(Some(view));
        }
        let view = self.read(event, slot.last(), now).await?;
        *slot.current.lock().unwrap_or_else(PoisonError::into_inner) = view.clone();
        if view.is_none() {
            // Nothing is kept for ids that strangers make up.
            self.events
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .remove(&event);
        }
        Ok(view)
    }

    fn slot(&self, event: Uuid) -> Arc<Slot> {
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        if !events.contains_key(&event) && events.len() >= EVENTS_MAX {
            let oldest = events
                .iter()
                .min_by_key(|(_, slot)| slot.last().map_or(Millis(i64::MIN), |view| view.read_at))
                .map(|(id, _)| *id);
            oldest.and_then(|id| events.remove(&id));
        }
        Arc::clone(events.entry(event).or_default())
    }

    async fn read(
        &self,
        event: Uuid,
        last: Option<Arc<View>>,
        now: Millis,
    ) -> Result<Option<Arc<View>>, sqlx::Error> {
        if let Some(last) = last {
            let Some(changes) = seating::changes(&self.pool, event, last.letters.horizon()).await? else {
                return Ok(None);
            };
            if changes.generation == last.hall.generation {
                let letters = Arc::new(last.letters.after(&changes, now));
                let view = if letters.as_bytes() == last.letters.as_bytes() {
                    last.unchanged(now, letters)
                } else {
                    View::new(now, Arc::clone(&last.hall), letters)
                };
                return Ok(Some(Arc::new(view)));
            }
        }
        let Some(plan) = seating::plan(&self.pool, event).await? else {
            return Ok(None);
        };
        let hall = Arc::new(Hall::new(event, &plan));
        let blank = Letters::blank(hall.len());
        let Some(changes) = seating::changes(&self.pool, event, blank.horizon()).await? else {
            return Ok(None);
        };
        if changes.generation != hall.generation {
            // Made anew between the two questions: whoever asks next finds the new ones.
            return Ok(None);
        }
        let letters = Arc::new(blank.after(&changes, now));
        Ok(Some(Arc::new(View::new(now, hall, letters))))
    }
}

/// Finding what changed costs Postgres a look at each row version of the hall (docs/decisions/0021);
/// this keeps it below a twentieth of a core.
fn max_age_ms(seats: usize) -> i64 {
    let ms = i64::try_from(seats).unwrap_or(i64::MAX).saturating_mul(8) / 1000;
    ms.clamp(MAX_AGE_MS, OLDEST_MS)
}

impl Slot {
    fn last(&self) -> Option<Arc<View>> {
        self.current
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn fresh(&self, now: Millis) -> Option<Arc<View>> {
        // A clock set back makes the view look young for ever; its age must be neither.
        self.last()
            .filter(|view| (0..max_age_ms(view.hall.len())).contains(&now.since(view.read_at)))
    }
}

/// Our own plain structs: serialising them cannot fail.
fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
