//! Takes the live picture of a sale. A part that cannot be read is missing from the picture and
//! explained by a warning; the picture itself never fails for it.

use crate::observe::Observer;
use crate::pace;
use crate::pulses::Pulses;
use crate::store::{SaleRecord, SalesStore, StoreError};
use crate::supervisor::Problems;
use std::future::Future;
use std::time::Duration;
use urr_core::plan::{AppliedLimits, Observed, phase};
use urr_core::room::Room;
use urr_core::sale::SaleId;
use urr_core::snapshot::{CapacityView, EventLine, PaceView, QueueView, RoomView, SeatsView, Snapshot};
use urr_core::time::Millis;
use urr_kit::SharedClock;
use urr_kit::error::chain;
use urr_kit::state::rooms::Rooms;

/// A part that takes longer is left out: figures older than a second mislead.
const PART_TIMEOUT: Duration = Duration::from_secs(1);
/// Lines of the audit log in a picture: what fits beside the figures on a terminal.
const EVENTS_MAX: u16 = 30;

/// Takes pictures. Cheap to clone.
#[derive(Clone)]
pub struct Snapshotter {
    sales: SalesStore,
    rooms: Rooms,
    observer: Observer,
    pulses: Pulses,
    problems: Problems,
    clock: SharedClock,
    environment: Option<String>,
}

/// What hardly changes between two pictures: read again when the record's revision did.
#[derive(Debug, Clone)]
pub struct Subject {
    record: SaleRecord,
    events: Vec<EventLine>,
}

impl Snapshotter {
    /// A snapshotter over these stores.
    #[must_use]
    pub const fn new(
        sales: SalesStore,
        rooms: Rooms,
        observer: Observer,
        pulses: Pulses,
        problems: Problems,
        clock: SharedClock,
    ) -> Self {
        Self {
            sales,
            rooms,
            observer,
            pulses,
            problems,
            clock,
            environment: None,
        }
    }

    /// Pictures say that they are of this environment (`prod`, `staging`, `drill`).
    #[must_use]
    pub fn in_environment(mut self, environment: Option<String>) -> Self {
        self.environment = environment;
        self
    }

    /// The subject of pictures of `sale`, or `None` when there is no such sale. `known` is what
    /// the previous picture used.
    ///
    /// # Errors
    /// [`StoreError`] when the stores cannot be read.
    pub async fn subject(
        &self,
        sale: SaleId,
        known: Option<&Subject>,
    ) -> Result<Option<Subject>, StoreError> {
        let Some(record) = self.sales.get(sale).await? else {
            return Ok(None);
        };
        if let Some(known) = known
            && known.record.revision == record.revision
        {
            return Ok(Some(known.clone()));
        }
        let entries = self.sales.audit(sale, EVENTS_MAX).await?;
        let events = entries.iter().map(crate::store::AuditEntry::to_line).collect();
        Ok(Some(Subject { record, events }))
    }

    /// The picture of `subject` now. `warnings` are told before those found on the way.
    pub async fn take(&self, subject: &Subject, mut warnings: Vec<String>) -> Snapshot {
        let Subject { record, events } = subject;
        let sale = &record.sale;
        let (room, queue, seats) = tokio::join!(
            part("the waiting room", "DynamoDB", self.rooms.get(sale.id)),
            part("the queue", "the queue service", self.observer.queue(sale.id)),
            part("the seats", "the booking service", self.observer.seats(sale.id)),
        );
        // After the reading: a figure is at most as old as it says, never newer.
        let now = self.clock.now();
        let room = room.unwrap_or_else(|warning| {
            warnings.push(warning);
            None
        });
        let queue = queue.map_err(|warning| warnings.push(warning)).ok();
        let seats = seats.map_err(|warning| warnings.push(warning)).ok();
        warnings.extend(self.own_warnings(record, now));
        let ready_replicas = self.observer.ready_replicas(record);
        let observed = observed(
            record,
            ready_replicas,
            room.as_ref(),
            queue.as_ref(),
            seats.as_ref(),
        );
        Snapshot {
            sale: sale.id,
            name: sale.name.clone(),
            at: now,
            phase: phase(sale, &observed, now),
            opens_at: sale.schedule.opens_at,
            closes_at: sale.schedule.closes_at,
            room: room.map(|room| view(&room, now)),
            queue,
            seats,
            warnings,
            events: events.clone(),
            environment: self.environment.clone(),
            capacity: Some(CapacityView {
                ready_replicas,
                desired_replicas: sale.capacity.replicas,
                rate_per_replica: sale.capacity.rate_per_replica,
            }),
            services: self.observer.services(record),
            pace: self.pace(record, ready_replicas, now),
            crowd: None,
        }
    }

    /// Where the rate follows the services; who does not follow them is not asked for.
    fn pace(&self, record: &SaleRecord, ready_replicas: u32, now: Millis) -> Option<PaceView> {
        record.sale.admission.adaptive?;
        pace::view(record, self.pulses.signs(), ready_replicas, now)
    }

    fn own_warnings(&self, record: &SaleRecord, now: Millis) -> Vec<String> {
        let mut warnings = self.problems.of(record.sale.id);
        let silent = self.observer.silent();
        if !silent.is_empty() {
            warnings.push(format!(
                "{} does not answer, so nobody is let in: start it, or look at its log",
                silent.join(" and ")
            ));
        }
        let planned = record.sale.capacity.replicas;
        let schedule = &record.sale.schedule;
        if let Some(ready) = record.ready_replicas
            && ready < planned
            && now >= schedule.pre_queue_at
            && now < schedule.closes_at
        {
            warnings.push(format!(
                "{ready} of {planned} replicas are ready: the rate is bounded by what they bear; scale up or lower the rate"
            ));
        }
        warnings
    }
}

/// The sale as the phase sees it. Sold out is what booking says now, else what it said last
/// is not known here and the phase follows the schedule.
fn observed(
    record: &SaleRecord,
    ready_replicas: u32,
    room: Option<&Room>,
    queue: Option<&QueueView>,
    seats: Option<&SeatsView>,
) -> Observed {
    Observed {
        ready_replicas,
        sold_out: seats.is_some_and(|seats| seats.left().are_sold_out()),
        seats: seats.map(SeatsView::left),
        hand: record.hand_in_force(),
        room: room.cloned(),
        limits: queue.map(|queue| AppliedLimits {
            rate_per_s: queue.rate_per_s,
            cap: queue.cap,
            paused: queue.paused,
        }),
        turnout: None,
        pace_per_s: record.pace_in_force().map(|pace| pace.rate_per_s),
    }
}

fn view(room: &Room, now: Millis) -> RoomView {
    let rate_per_s = if room.is_moving(now) {
        room.clock.rate_per_s
    } else {
        0
    };
    RoomView {
        epoch: room.epoch,
        issued: room.issued,
        serving: room.serving(now),
        rate_per_s,
        drain_s: (rate_per_s > 0).then(|| room.waiting(now).div_ceil(u64::from(rate_per_s))),
    }
}

async fn part<T, E: std::error::Error + 'static>(
    what: &str,
    who: &str,
    reading: impl Future<Output = Result<T, E>>,
) -> Result<T, String> {
    match tokio::time::timeout(PART_TIMEOUT, reading).await {
        Ok(Ok(part)) => Ok(part),
        Ok(Err(error)) => Err(format!(
            "{what} cannot be read ({}): check that {who} runs",
            chain(&error)
        )),
        Err(_) => Err(format!(
            "{what} cannot be read in time: {who} is overloaded or down"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use urr_core::testing::{OPENS_AT, sale};

    #[test]
    fn a_standing_line_has_no_drain_time() {
        let (sale, opens_at) = (sale(), OPENS_AT);
        let room = Room {
            issued: 95,
            ..Room::new(&sale, 1)
        };
        let before = view(&room, opens_at.plus_ms(-1));
        assert_eq!((before.serving, before.rate_per_s, before.drain_s), (0, 0, None));
        let moving = view(&room, opens_at.plus_s(1));
        assert_eq!(
            (moving.serving, moving.rate_per_s, moving.drain_s),
            (10, 10, Some(9))
        );
    }
}
