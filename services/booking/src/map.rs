//! The seat map: read by everybody who is let in, written by every hold.
//!
//! What does not change (labels, prices, places) is read once and kept serialised; what changes is
//! one letter per seat, read at most once per [`MAX_AGE_MS`] and event (large halls: less often) by whoever
//! comes first, while
//! the others wait for that one answer. A section's JSON is made when somebody asks for it and kept
//! until a letter changes. So the cost is that of two small queries a second, whatever the crowd.

use crate::store::seating::{self, Plan, SeatRow};
use bytes::Bytes;
use serde::Serialize;
use sqlx::PgPool;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use urr_core::snapshot::{SeatsView, SectionView};
use urr_core::time::Millis;
use urr_kit::SharedClock;
use urr_kit::wire;
use uuid::Uuid;

/// Age at which the letters of an ordinary hall are read again.
pub const MAX_AGE_MS: i64 = 400;
/// Nobody is shown anything older, however large the hall.
pub(crate) const OLDEST_MS: i64 = 1000;
/// Events whose maps are kept; the one unread for longest goes. A hall of 60,000 seats is about 20 MB.
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

/// A seat map at one instant.
pub struct View {
    read_at: Millis,
    hall: Arc<Fixed>,
    letters: String,
    counts: Vec<Counts>,
    bodies: Arc<Bodies>,
}

struct Bodies {
    whole: OnceLock<Bytes>,
    sections: Vec<OnceLock<Bytes>>,
}

/// The part that stays as it is.
struct Fixed {
    plan: Plan,
    sections: Vec<Block>,
    event: String,
    layout: String,
}

/// One section: its name and where its seats stand in the hall's order.
struct Block {
    name: String,
    price: i64,
    seats: Vec<usize>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    free: u64,
    held: u64,
    sold: u64,
}

/// A section in the summary every answer carries.
#[derive(Serialize)]
struct Summary<'a> {
    name: &'a str,
    total: u64,
    available: u64,
    price: i64,
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
        let Some((generation, letters)) = seating::statuses(&self.pool, event, wire::at(now)).await? else {
            return Ok(None);
        };
        let last = last.filter(|last| last.hall.plan.generation == generation);
        if let Some(last) = &last
            && last.letters == letters
        {
            let view = View {
                read_at: now,
                bodies: Arc::clone(&last.bodies),
                ..last.shallow()
            };
            return Ok(Some(Arc::new(view)));
        }
        let hall = match last {
            Some(last) => Arc::clone(&last.hall),
            None => match seating::plan(&self.pool, event).await? {
                Some(plan) => Arc::new(Fixed::new(event, plan)),
                None => return Ok(None),
            },
        };
        Ok(Some(Arc::new(View::new(now, hall, letters))))
    }
}

/// Reading costs Postgres 2 to 3 µs a seat while a sale runs (pg_stat_activity, arena.yaml); this keeps
/// it at a twentieth of a core.
fn max_age_ms(seats: usize) -> i64 {
    let ms = i64::try_from(seats).unwrap_or(i64::MAX).saturating_mul(6) / 100;
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
            .filter(|view| (0..max_age_ms(view.letters.len())).contains(&now.since(view.read_at)))
    }
}

impl Fixed {
    fn new(event: Uuid, plan: Plan) -> Self {
        let mut sections: Vec<Block> = Vec::new();
        let mut index: HashMap<&str, usize> = HashMap::new();
        for (at, seat) in plan.seats.iter().enumerate() {
            // A section may come in several blocks of rows; to people it is one.
            let block = *index.entry(&seat.section).or_insert_with(|| {
                sections.push(Block {
                    name: seat.section.clone(),
                    price: seat.price,
                    seats: Vec::new(),
                });
                sections.len() - 1
            });
            sections[block].seats.push(at);
        }
        let event = serde_json::json!({ "id": event, "title": plan.title }).to_string();
        let layout = plan.layout.to_string();
        Self {
            plan,
            sections,
            event,
            layout,
        }
    }
}

impl View {
    fn new(read_at: Millis, hall: Arc<Fixed>, letters: String) -> Self {
        let counts = hall
            .sections
            .iter()
            .map(|block| count(block, letters.as_bytes()))
            .collect();
        let sections = hall.sections.iter().map(|_| OnceLock::new()).collect();
        let bodies = Arc::new(Bodies {
            whole: OnceLock::new(),
            sections,
        });
        Self {
            read_at,
            hall,
            letters,
            counts,
            bodies,
        }
    }

    fn shallow(&self) -> Self {
        Self {
            read_at: self.read_at,
            hall: Arc::clone(&self.hall),
            letters: self.letters.clone(),
            counts: self.counts.clone(),
            bodies: Arc::clone(&self.bodies),
        }
    }

    /// The answer for the whole hall.
    #[must_use]
    pub fn whole(&self) -> Bytes {
        self.bodies
            .whole
            .get_or_init(|| self.render(0..self.hall.plan.seats.len()))
            .clone()
    }

    /// The answer for one section; `None` when the hall has none of that name.
    #[must_use]
    pub fn section(&self, name: &str) -> Option<Bytes> {
        let at = self.hall.sections.iter().position(|block| block.name == name)?;
        let seats = self.hall.sections[at].seats.iter().copied();
        Some(
            self.bodies
                .sections
                .get(at)?
                .get_or_init(|| self.render(seats))
                .clone(),
        )
    }

    /// Counts for the live picture of the sale.
    #[must_use]
    pub fn summary(&self) -> SeatsView {
        let sum = |of: fn(&Counts) -> u64| self.counts.iter().map(of).sum();
        let (free, held, sold) = (sum(|c| c.free), sum(|c| c.held), sum(|c| c.sold));
        SeatsView {
            capacity: free + held + sold,
            free,
            held,
            sold,
            sections: self
                .hall
                .sections
                .iter()
                .zip(&self.counts)
                .map(|(block, counts)| SectionView {
                    name: block.name.clone(),
                    capacity: counts.free + counts.held + counts.sold,
                    held: counts.held,
                    sold: counts.sold,
                })
                .collect(),
        }
    }

    fn render(&self, seats: impl ExactSizeIterator<Item = usize>) -> Bytes {
        let summary: Vec<_> = self
            .hall
            .sections
            .iter()
            .zip(&self.counts)
            .map(|(block, counts)| Summary {
                name: &block.name,
                total: counts.free + counts.held + counts.sold,
                available: counts.free,
                price: block.price,
            })
            .collect();
        let mut body = Vec::with_capacity(seats.len() * 180 + 1024);
        body.extend_from_slice(b"{\"event\":");
        body.extend_from_slice(self.hall.event.as_bytes());
        body.extend_from_slice(b",\"layout\":");
        body.extend_from_slice(self.hall.layout.as_bytes());
        body.extend_from_slice(b",\"sections\":");
        append(&mut body, &summary);
        body.extend_from_slice(b",\"seats\":[");
        for (count, at) in seats.enumerate() {
            if count > 0 {
                body.push(b',');
            }
            append(
                &mut body,
                &SeatJson::new(&self.hall.plan.seats[at], self.letters.as_bytes().get(at)),
            );
        }
        body.extend_from_slice(b"]}");
        body.into()
    }
}

/// Our own plain structs: neither serialising them nor writing to memory can fail.
fn append(body: &mut Vec<u8>, value: &impl Serialize) {
    let _ = serde_json::to_writer(body, value);
}

fn count(block: &Block, letters: &[u8]) -> Counts {
    let mut counts = Counts::default();
    for seat in &block.seats {
        match letters.get(*seat) {
            Some(b'r') => counts.sold += 1,
            Some(b'l') => counts.held += 1,
            _ => counts.free += 1,
        }
    }
    counts
}

#[derive(Serialize)]
struct SeatJson<'a> {
    id: Uuid,
    section: &'a str,
    row_number: i32,
    seat_number: i32,
    seat_label: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    grade: Option<&'a str>,
    price: i64,
    status: &'static str,
}

impl<'a> SeatJson<'a> {
    fn new(seat: &'a SeatRow, letter: Option<&u8>) -> Self {
        Self {
            id: seat.id,
            section: &seat.section,
            row_number: seat.row_number,
            seat_number: seat.seat_number,
            seat_label: &seat.seat_label,
            grade: seat.grade.as_deref(),
            price: seat.price,
            status: match letter {
                Some(b'r') => "reserved",
                Some(b'l') => "locked",
                _ => "available",
            },
        }
    }
}
