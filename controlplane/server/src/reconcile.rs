//! One step for one sale: observe, plan, apply, remember.
//!
//! Takes no input but the sale's id: what to do follows from the stores, the services and the
//! clock, so a step after a crash, a lost signal or a lost race does the same as any other. All
//! decisions are `urr_core::plan`'s; [`crate::targets`] turns them into records.
//!
//! Two control planes may step at once. What keeps them apart is the order of reading: **first the
//! records that will be written (room, limits), then the intent (the sale's record)**. A step that
//! holds an outdated intent therefore holds an outdated revision of the targets too once anybody
//! has acted on the newer intent, and its write is refused (law `fenced`). Reversing the two reads
//! lets an old intent overwrite a new one.

mod observe;

use crate::changes::{Change, phase_entry};
use crate::observe::Observer;
use crate::pace;
use crate::pulses::Pulses;
use crate::retire;
use crate::store::{NewAudit, SaleRecord, SalesStore, StoreError};
use crate::targets::{RoomStep, limits_step, room_step};
use observe::Seen;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use urr_core::last_seats::Seats;
use urr_core::plan::{Observed, Plan, phase, plan};
use urr_core::sale::{Phase, Sale, SaleId, WhenSoldOut};
use urr_core::time::Millis;
use urr_kit::SharedClock;
use urr_kit::error::chain;
use urr_kit::state::StateError;
use urr_kit::state::limits::{LimitsStore, Written};
use urr_kit::state::rooms::Rooms;

/// A lost race is decided by reading again. Joins that re-anchor an idle line also win races
/// against us, one per visitor at worst; five tries in a row lost means the next period will do.
const RACES_MAX: u32 = 5;

/// Why a step could not be made; the next one tries again.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// Our own record.
    #[error("the sale's record could not be read or written")]
    Store(#[from] StoreError),
    /// The waiting room's record.
    #[error("the waiting room's record could not be read or written")]
    Room(#[source] StateError),
}

impl ReconcileError {
    const fn is_lost_race(&self) -> bool {
        matches!(
            self,
            Self::Store(StoreError::Fenced) | Self::Room(StateError::Fenced { .. })
        )
    }
}

/// What a step found and did.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// There is no such sale (any more).
    Gone,
    /// The records are as the plan wants them, but for `problems`.
    Applied(Box<Applied>),
}

/// A finished step.
#[derive(Debug, Clone)]
pub struct Applied {
    /// The sale's record after the step.
    pub record: SaleRecord,
    /// What was planned.
    pub plan: Plan,
    /// Ready replicas the plan counted on.
    pub ready_replicas: u32,
    /// What could not be done, as sentences with a remedy. The next step tries again.
    pub problems: Vec<String>,
}

/// Executes steps. Cheap to clone.
#[derive(Clone)]
pub struct Reconciler {
    pub(crate) sales: SalesStore,
    pub(crate) rooms: Rooms,
    pub(crate) limits: LimitsStore,
    pub(crate) observer: Observer,
    pub(crate) pulses: Pulses,
    pub(crate) clock: SharedClock,
    /// The terms booking acknowledged to this process. Telling it twice does no harm.
    told_booking: Arc<Mutex<HashMap<SaleId, Sale>>>,
    /// What booking said last: a second without its answer must not let a crowd in for the last seats.
    seats_heard: Arc<Mutex<HashMap<SaleId, Seats>>>,
}

impl Reconciler {
    /// A reconciler over these stores.
    #[must_use]
    pub fn new(
        sales: SalesStore,
        rooms: Rooms,
        limits: LimitsStore,
        observer: Observer,
        pulses: Pulses,
        clock: SharedClock,
    ) -> Self {
        Self {
            sales,
            rooms,
            limits,
            observer,
            pulses,
            clock,
            told_booking: Arc::default(),
            seats_heard: Arc::default(),
        }
    }

    /// Makes the records of `sale` what they should be now.
    ///
    /// # Errors
    /// [`ReconcileError`] when a store failed or too many races were lost; whatever was written is
    /// right, and the next step does the rest.
    pub async fn step(&self, sale: SaleId) -> Result<Outcome, ReconcileError> {
        let mut races = 0;
        loop {
            match self.try_step(sale).await {
                Err(error) if error.is_lost_race() && races < RACES_MAX => races += 1,
                result => return result,
            }
        }
    }

    /// The plan as far as the record and the services' readiness tell it, without asking anybody:
    /// for lists. Whether the sale is sold out is not known to it.
    #[must_use]
    pub fn plan_without_observing(&self, record: &SaleRecord) -> Plan {
        let observed = Observed {
            ready_replicas: self.observer.ready_replicas(record),
            hand: record.hand_in_force(),
            sold_out: record.logged_phase == Some(Phase::SoldOut),
            pace_per_s: record.pace_in_force().map(|pace| pace.rate_per_s),
            ..Observed::default()
        };
        planned(record, &observed, self.clock.now())
    }

    async fn try_step(&self, sale: SaleId) -> Result<Outcome, ReconcileError> {
        let Some(seen) = self.observe(sale).await? else {
            lock(&self.told_booking).remove(&sale);
            lock(&self.seats_heard).remove(&sale);
            return Ok(Outcome::Gone);
        };
        if seen.record.retiring {
            retire::retire(self, &seen.record, seen.room.as_ref()).await?;
            return Ok(Outcome::Gone);
        }
        let now = self.clock.now();
        let seen = self.follow(seen, now).await?;
        let plan = planned(&seen.record, &seen.observed(), now);
        let (changes, mut problems) = self.apply(&seen, &plan, now).await?;
        let record = self.remember(seen.record, &plan, changes, now).await?;
        problems.extend(self.tell_booking(&record.sale).await);
        Ok(Outcome::Applied(Box::new(Applied {
            record,
            plan,
            ready_replicas: seen.ready_replicas,
            problems,
        })))
    }

    /// Moves the adaptive rate, if the services ask for it. Written before it is applied, under the
    /// record's revision: of two control planes one moves it, and the other reads again.
    async fn follow(&self, mut seen: Seen, now: Millis) -> Result<Seen, ReconcileError> {
        let is_open = phase(&seen.record.sale, &seen.observed(), now) == Phase::Open;
        if !is_open || seen.record.sale.admission.adaptive.is_none() {
            return Ok(seen);
        }
        let moved_ago = seen.record.pace.as_ref().map(|pace| now.since(pace.since));
        let signs = match moved_ago {
            None => self.pulses.signs(),
            Some(ago_ms) => self.pulses.signs_since(ago_ms),
        };
        let bearing = pace::of(&seen.record, signs, seen.ready_replicas, now);
        if let Some(pace) = bearing.and_then(|bearing| bearing.step) {
            metrics::counter!("control_pace_steps_total").increment(1);
            let next = SaleRecord {
                pace: Some(pace),
                ..seen.record.clone()
            };
            seen.record = self.sales.write(&next, None, now).await?;
        }
        Ok(seen)
    }

    /// Writes what differs. Returns what was changed and what could not be.
    async fn apply(
        &self,
        seen: &Seen,
        plan: &Plan,
        now: Millis,
    ) -> Result<(Vec<Change>, Vec<String>), ReconcileError> {
        let sale = &seen.record.sale;
        let (mut changes, mut problems) = (Vec::new(), Vec::new());
        let step = room_step(seen.room.as_ref(), sale, plan.room, now);
        let room = match step {
            RoomStep::Keep => seen.room.clone(),
            RoomStep::Create(room) => Some(self.rooms.create(&room).await.map_err(ReconcileError::Room)?),
            RoomStep::Replace {
                expected_revision,
                room,
            } => Some(
                self.rooms
                    .replace(expected_revision, &room)
                    .await
                    .map_err(ReconcileError::Room)?,
            ),
        };
        if let Some(change) = Change::of_room(seen.room.as_ref(), room.as_ref()) {
            changes.push(change);
        }
        let known = match &seen.limits {
            Ok(limits) => limits.as_ref(),
            Err(error) => {
                problems.push(redis_problem(error));
                return Ok((changes, problems));
            }
        };
        // Tier 2 sends everybody away from a sale that it knows to be sold out.
        let is_over = seen.sold_out && sale.admission.when_sold_out == WhenSoldOut::Drain;
        if let Some(limits) = limits_step(known, sale, &plan.limits, is_over, room.as_ref()) {
            match self.limits.write(&limits).await {
                Ok(Written::Applied) => changes.extend(Change::of_limits(known, &limits)),
                // Somebody else was first; the record decides who is right: read again.
                Ok(Written::Stale) => return Err(StoreError::Fenced.into()),
                Err(error) => problems.push(redis_problem(&error)),
            }
        }
        metrics::counter!("control_writes_total").increment(changes.len() as u64);
        Ok((changes, problems))
    }

    /// Puts transitions and changes into the audit log, each once whoever makes them.
    async fn remember(
        &self,
        mut record: SaleRecord,
        plan: &Plan,
        changes: Vec<Change>,
        now: Millis,
    ) -> Result<SaleRecord, ReconcileError> {
        let mut entries = Vec::new();
        if record.logged_phase != Some(plan.phase) {
            entries.push(phase_entry(record.logged_phase, plan));
        }
        entries.extend(changes.into_iter().map(|Change { what, old, new }| NewAudit {
            actor: "control-plane".to_owned(),
            action: what,
            reason: plan.reasons.join("; "),
            old,
            new,
        }));
        for entry in entries {
            let mut races = 0;
            record = loop {
                let next = SaleRecord {
                    logged_phase: Some(plan.phase),
                    ..record.clone()
                };
                match self.sales.write(&next, Some(entry.clone()), now).await {
                    Ok(written) => break written,
                    // The entry tells what was done: it belongs into the log whoever wrote since.
                    Err(StoreError::Fenced) if races < RACES_MAX => {
                        races += 1;
                        match self.sales.get(record.sale.id).await? {
                            // The other control plane logged this transition.
                            Some(newer)
                                if entry.action == "phase" && newer.logged_phase == Some(plan.phase) =>
                            {
                                break newer;
                            }
                            Some(newer) => record = newer,
                            None => return Ok(record),
                        }
                    }
                    Err(error) => return Err(error.into()),
                }
            };
        }
        Ok(record)
    }

    /// Hands booking the terms it does not have yet. Returns what to tell the operator if it could
    /// not be reached.
    async fn tell_booking(&self, sale: &Sale) -> Option<String> {
        let told = |told: &HashMap<SaleId, Sale>| told.get(&sale.id) == Some(sale);
        if told(&lock(&self.told_booking)) {
            return None;
        }
        match self.observer.tell_booking(sale).await {
            Ok(()) => {
                lock(&self.told_booking).insert(sale.id, sale.clone());
                None
            }
            Err(error) => Some(format!(
                "booking has not taken the terms of this sale ({}): check that it runs; it is told again every second",
                chain(&error)
            )),
        }
    }
}

fn lock<T>(known: &Mutex<T>) -> MutexGuard<'_, T> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The plan, with the words of the operator that holds the line.
fn planned(record: &SaleRecord, observed: &Observed, now: Millis) -> Plan {
    let mut plan = plan(&record.sale, observed, now);
    if let (Some(pace), None) = (record.pace_in_force(), observed.hand.rate_per_s) {
        plan.reasons.push(pace.reason.clone());
    }
    if let Some(held) = &record.held {
        plan.reasons.push(held.clone());
    }
    plan
}

fn redis_problem(error: &StateError) -> String {
    format!(
        "the queue's limits cannot be read or written ({}): check Redis; the limits in force stay",
        chain(error)
    )
}
