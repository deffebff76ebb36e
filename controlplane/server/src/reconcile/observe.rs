//! What one step reads, in the order that keeps two control planes apart: see [`super`].

use super::{ReconcileError, Reconciler, lock};
use crate::store::SaleRecord;
use std::time::Duration;
use urr_core::last_seats::Seats;
use urr_core::plan::{AppliedLimits, Observed};
use urr_core::room::Room;
use urr_core::sale::{Phase, Sale, SaleId};
use urr_core::turnout::Turnout;
use urr_kit::state::StateError;
use urr_kit::state::limits::Limits;

/// What a service does not say within this is unknown for this step: a dead service must not delay
/// the rate that takes its death into account.
const ANSWER_TIMEOUT: Duration = Duration::from_millis(500);

/// What one step reads.
pub(super) struct Seen {
    pub(super) record: SaleRecord,
    pub(super) room: Option<Room>,
    pub(super) limits: Result<Option<Limits>, StateError>,
    pub(super) sold_out: bool,
    pub(super) seats: Option<Seats>,
    pub(super) ready_replicas: u32,
    pub(super) turnout: Option<Turnout>,
}

impl Seen {
    /// As the plan takes it.
    pub(super) fn observed(&self) -> Observed {
        let limits = self.limits.as_ref().ok().and_then(Option::as_ref);
        Observed {
            ready_replicas: self.ready_replicas,
            sold_out: self.sold_out,
            seats: self.seats,
            hand: self.record.hand_in_force(),
            room: self.room.clone(),
            limits: limits.map(|limits| AppliedLimits {
                rate_per_s: limits.rate_per_s,
                cap: limits.cap,
                paused: limits.paused,
            }),
            turnout: self.turnout,
            pace_per_s: self.record.pace_in_force().map(|pace| pace.rate_per_s),
        }
    }
}

impl Reconciler {
    /// Targets first, intent last: see the module's documentation.
    pub(super) async fn observe(&self, sale: SaleId) -> Result<Option<Seen>, ReconcileError> {
        let (room, limits) = tokio::join!(self.rooms.get(sale), self.limits.read(sale));
        let room = room.map_err(ReconcileError::Room)?;
        let Some(record) = self.sales.get(sale).await? else {
            return Ok(None);
        };
        // What is not known stays as it was: the limits in force remember it.
        let known_sold_out = limits
            .as_ref()
            .ok()
            .and_then(Option::as_ref)
            .is_some_and(|limits| limits.sold_out)
            || record.logged_phase == Some(Phase::SoldOut);
        let (seats, turnout) = tokio::join!(self.seats(&record.sale), self.turnout(&record.sale));
        let sold_out = seats.map_or(known_sold_out, Seats::are_sold_out);
        let seats = {
            let mut heard = lock(&self.seats_heard);
            if let Some(seats) = seats {
                heard.insert(sale, seats);
            }
            heard.get(&sale).copied()
        };
        let ready_replicas = self.observer.ready_replicas(&record);
        Ok(Some(Seen {
            record,
            room,
            limits,
            sold_out,
            seats,
            ready_replicas,
            turnout,
        }))
    }

    /// The seats; `None` when they cannot be known or do not matter now.
    async fn seats(&self, sale: &Sale) -> Option<Seats> {
        let seats = self.while_open(sale, self.observer.seats(sale.id)).await?;
        Some(seats.left())
    }

    /// How many of those whom tier 1 let on have come; `None` when it cannot be known or does not
    /// matter now. Who left tier 2's line again counts as not come: nobody waits for him.
    async fn turnout(&self, sale: &Sale) -> Option<Turnout> {
        let queue = self.while_open(sale, self.observer.queue(sale.id)).await?;
        Some(Turnout {
            shown_up: queue.admitted_total.saturating_add(queue.waiting),
            waiting: queue.waiting,
            active: queue.active,
            cap: queue.cap,
        })
    }

    /// What `reading` says, asked only between the opening and the close.
    async fn while_open<T, E>(&self, sale: &Sale, reading: impl Future<Output = Result<T, E>>) -> Option<T> {
        let now = self.clock.now();
        if now < sale.schedule.opens_at || now >= sale.schedule.closes_at {
            return None;
        }
        tokio::time::timeout(ANSWER_TIMEOUT, reading).await.ok()?.ok()
    }
}
