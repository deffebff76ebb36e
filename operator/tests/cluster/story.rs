//! Sales that are played from start to end, whatever happens to their operator meanwhile, and what is
//! compared afterwards.
//!
//! A story goes on when what it waits for has happened and not by the clock, so a busy machine or an
//! operator that was dead for seconds changes how long it takes and nothing else.

use crate::autopilot::pulse;
use crate::common::autoscaler;
use crate::places::allow_placeholders;
use crate::world::{World, holds, in_seconds, patch, phase, reason};
use http::{Method, StatusCode};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::coordination::v1::Lease;
use kube::ResourceExt as _;
use kube::api::ListParams;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use urr_api::TicketSale;
use urr_core::room::Mode;
use urr_operator::lease;
use urr_testkit::pods::Behaviour;
use urr_testkit::proxy::{Fault, Write};
use urr_testkit::{Scope, eventually};
use uuid::Uuid;

pub(crate) const SALE: &str = "club-night";
const FLOOR: &str = "payment-floor";
const PLACEHOLDER: &str = "placeholder-";
const ROOM: &str = "the end of the room";
/// For one step of a story, on a machine that does everything else first.
pub(crate) const STEP: Duration = Duration::from_secs(120);
/// How often a closing is asked for that was refused for coming too soon.
const CLOSINGS_MAX: u32 = 5;
/// From where a pre-queue is moved to until it comes: time to hear of it, and to be killed.
const NOTICE_S: i64 = 20;
/// The rate to which a sale may be slowed down.
const SLOWEST: i32 = 15;

/// What is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Story {
    /// Opened, and closed by its schedule.
    Closes,
    /// Opened, held, let go, and ended by its spec.
    IsAborted,
    /// Places on nodes are held for it ahead; opened, slowed down as far as it goes by services that are not
    /// well, and ended by its spec.
    Reserves,
}

/// What is compared. Reports of readiness and status follow what Pods do at their own times; who was
/// dead for a second reports a phase less. What is *done* must be the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct End {
    /// `replicas` of booking, `minReplicas` of payment's autoscaler.
    counts: [Option<i32>; 2],
    /// Placeholders that are left.
    places: usize,
    /// How often booking's spec was changed, as the API server counts.
    changes: Option<i64>,
    annotations: Vec<String>,
    phase: String,
    conditions: BTreeMap<String, String>,
    room: Option<(Mode, u32)>,
    /// Whether the line was to be held, each time that changed.
    held: Vec<bool>,
    /// Carried-out writes, by what they are about; for workloads the counts that were asked for.
    pub(crate) done: BTreeMap<&'static str, Vec<String>>,
}

impl End {
    /// As if nothing had been said twice in a row: the same write again changes nothing in a store.
    pub(crate) fn effects(mut self) -> Self {
        for done in self.done.values_mut() {
            done.dedup();
        }
        // The API server counts a change of annotations too, and when more was asked for is one.
        self.changes = None;
        self
    }

    /// What the stores themselves show, whoever did it.
    pub(crate) fn without_deeds(mut self) -> Self {
        self.done.clear();
        self
    }
}

/// Makes the workloads: two stages, of which an autoscaler scales the second.
pub(crate) async fn set_up(scope: &Scope) {
    for name in ["booking", "payment"] {
        scope.deployment(name, 1, &Behaviour::default()).await.unwrap();
    }
    autoscaler(scope, FLOOR, "payment", [1, 5]).await;
}

/// Applies the sale of `story`; returns its event.
pub(crate) async fn announce(world: &World, story: Story) -> Uuid {
    let targets = json!([
        {"name": "booking"},
        {"name": "payment", "stage": 1, "autoscaler": {"name": FLOOR}}
    ]);
    let mut fields = vec![
        ("/spec/targets", targets),
        ("/spec/capacity/replicas", json!(2)),
        ("/spec/admission/ratePerSecond", json!(20)),
    ];
    if story != Story::Reserves {
        return world.announce_with(SALE, [-10, 0, 900], &fields).await;
    }
    *world.services.pulse.lock().unwrap() = Some(pulse(2500));
    fields.extend([
        ("/spec/capacity/placeholders", json!("Reserve")),
        ("/spec/capacity/leadSeconds", json!(0)),
        (
            "/spec/admission/adaptive",
            json!({"minRatePerSecond": SLOWEST, "maxRatePerSecond": 20}),
        ),
    ]);
    // Within the ten minutes for which places are held.
    world.announce_with(SALE, [500, 510, 1200], &fields).await
}

/// Does what people do in `story`, each time when it is time. `false`: the end did not come within `limit`.
pub(crate) async fn act(scope: Scope, story: Story, limit: Duration) -> bool {
    let is_ready = |sale: &TicketSale| phase(sale) == "Open" && holds(sale, "Ready");
    if story != Story::Reserves {
        sees(&scope, "open and ready", STEP, is_ready).await.unwrap();
    }
    let given_back = |sale: &TicketSale| {
        let status = sale.status.clone().unwrap_or_default();
        status.ready_replicas == Some(1)
    };
    match story {
        Story::Closes => {
            let is_over =
                |sale: &TicketSale| phase(sale) == "Closed" && holds(sale, "Ready") && given_back(sale);
            close(&scope, limit, is_over).await
        }
        Story::IsAborted => {
            patch(&scope, SALE, json!({"hold": true})).await;
            let is_held = |sale: &TicketSale| phase(sale) == "Paused" && reason(sale, "Ready") == "Held";
            sees(&scope, "held", STEP, is_held).await.unwrap();
            patch(&scope, SALE, json!({"hold": false})).await;
            sees(&scope, "open again", STEP, is_ready).await.unwrap();
            patch(&scope, SALE, json!({"abort": true})).await;
            let is_over = |sale: &TicketSale| phase(sale) == "Aborted" && given_back(sale);
            sees(&scope, "the end", limit, is_over).await.is_ok()
        }
        Story::Reserves => {
            let has_places = |sale: &TicketSale| {
                let targets = sale.status.iter().flat_map(|status| &status.targets);
                let held: Vec<_> = targets.map(|target| target.reserved).collect();
                !held.is_empty() && held.iter().all(Option::is_some)
            };
            sees(&scope, "places are held", STEP, has_places).await.unwrap();
            // Once the pre-queue has begun it cannot be moved again: who is dead now must not miss the notice.
            await_leader(&scope).await;
            let soon = json!({"preQueueAt": in_seconds(NOTICE_S), "opensAt": in_seconds(NOTICE_S + 1)});
            patch(&scope, SALE, json!({"schedule": soon})).await;
            let is_slow = |sale: &TicketSale| {
                let rate = sale.status.as_ref().and_then(|status| status.rate_per_second);
                is_ready(sale) && rate == Some(SLOWEST)
            };
            sees(&scope, "slowed down", STEP, is_slow).await.unwrap();
            patch(&scope, SALE, json!({"abort": true})).await;
            let is_over = |sale: &TicketSale| phase(sale) == "Aborted" && given_back(sale);
            sees(&scope, "the end", limit, is_over).await.is_ok()
        }
    }
}

/// Moves the closing near and waits for it; again where that was refused for coming too soon: the control
/// plane wants five seconds' notice, and an operator may be dead for some of it.
async fn close(scope: &Scope, limit: Duration, is_over: impl Fn(&TicketSale) -> bool) -> bool {
    let is_refused = |sale: &TicketSale| {
        let seen = sale.status.as_ref().and_then(|status| status.observed_generation);
        reason(sale, "RoomActive") == "Refused" && seen == sale.metadata.generation
    };
    for _ in 0..CLOSINGS_MAX {
        patch(scope, SALE, json!({"schedule": {"closesAt": in_seconds(9)}})).await;
        let either = |sale: &TicketSale| is_over(sale) || is_refused(sale);
        match sees(scope, "the end", limit, either).await {
            Ok(sale) if is_refused(&sale) => {}
            outcome => return outcome.is_ok(),
        }
    }
    false
}

/// Waits until an operator that leads is seen to live.
async fn await_leader(scope: &Scope) {
    let leases = scope.api::<Lease>();
    let renewed = async || {
        let lease = leases.get_opt(lease::NAME).await.unwrap();
        let renewed = lease.and_then(|lease| lease.spec?.renew_time);
        renewed.map(|at| at.0)
    };
    let before = renewed().await;
    eventually(STEP, "a renewed lease", async || {
        let now = renewed().await;
        (now > before).then_some(()).ok_or_else(|| format!("{now:?}"))
    })
    .await
    .unwrap();
}

async fn sees(
    scope: &Scope,
    what: &str,
    limit: Duration,
    look: impl Fn(&TicketSale) -> bool,
) -> Result<TicketSale, urr_testkit::Error> {
    let seen = |sale: &TicketSale| {
        if look(sale) {
            Ok(())
        } else {
            Err(format!("{:?}", sale.status))
        }
    };
    scope.await_object(SALE, what, limit, seen).await
}

/// What is there in the end, and what was done for it.
pub(crate) async fn end(world: &World, event: Uuid) -> End {
    let booking: Deployment = world.scope.api().get("booking").await.unwrap();
    let floor: HorizontalPodAutoscaler = world.scope.api().get(FLOOR).await.unwrap();
    let sale: TicketSale = world.scope.api().get(SALE).await.unwrap();
    let room = world.rooms.get(event).await.unwrap();
    let deployments = world.scope.api::<Deployment>();
    let deployments = deployments.list(&ListParams::default()).await.unwrap();
    let is_placeholder = |found: &&Deployment| found.name_any().starts_with(PLACEHOLDER);
    let ours = [booking.annotations(), floor.annotations()].map(|all| {
        let ours = all.keys().filter(|key| key.starts_with("urr.guru"));
        ours.cloned().collect::<Vec<_>>()
    });
    let conditions = sale.status.iter().flat_map(|status| &status.conditions);
    // A crash after the write: it was carried out, and its answer is on record.
    let writes = world.faults.writes();
    let carried_out = writes
        .iter()
        .filter(|write| write.status.is_some_and(|status| status.is_success()));
    let mut done: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (about, what) in carried_out.clone().filter_map(deed) {
        done.entry(about).or_default().push(what);
    }
    if let Some(ends) = done.get_mut(ROOM) {
        ends.dedup();
    }
    let mut held: Vec<bool> = carried_out.filter_map(says_held).collect();
    held.dedup();
    End {
        places: deployments.iter().filter(is_placeholder).count(),
        counts: [
            booking.spec.and_then(|spec| spec.replicas),
            floor.spec.and_then(|spec| spec.min_replicas),
        ],
        changes: booking.metadata.generation,
        annotations: ours.concat(),
        phase: phase(&sale).to_owned(),
        conditions: conditions
            // How late one is who was dead is another matter.
            .filter(|condition| condition.type_ != "ScheduleHonoured")
            .map(|condition| (condition.type_.clone(), condition.status.clone()))
            .collect(),
        room: room.map(|room| (room.mode, room.clock.rate_per_s)),
        held,
        done,
    }
}

/// What a write did, and to what; nothing where it only told.
pub(crate) fn deed(write: &Write) -> Option<(&'static str, String)> {
    let path = &write.call.path;
    let asked = |pointer: &str| {
        let body: Value = serde_json::from_slice(&write.call.body).unwrap_or_default();
        body.pointer(pointer).map(Value::to_string).unwrap_or_default()
    };
    if path.contains(&format!("/deployments/{PLACEHOLDER}")) {
        let of = if path.contains("booking") {
            "places for booking"
        } else {
            "places for payment"
        };
        Some((of, asked("/spec/replicas")))
    } else if path.contains("/deployments/") {
        Some(("booking", asked("/spec/replicas")))
    } else if path.contains("/horizontalpodautoscalers/") {
        Some(("payment's floor", asked("/spec/minReplicas")))
    } else if path.contains("/ticketsales/") && !path.ends_with("/status") {
        Some(("finalizer", String::new()))
    } else if path.contains("/control/") && write.call.method == Method::DELETE {
        // Asked for until it is done, and again by who does not know it: once it is, that changes nothing.
        (write.status == Some(StatusCode::NO_CONTENT)).then(|| (ROOM, String::new()))
    } else {
        None
    }
}

/// Of what is said to the control plane of a sale: whether its line is to be held.
fn says_held(write: &Write) -> Option<bool> {
    let is_said = write.call.path.contains("/control/") && write.call.method == Method::PUT;
    let in_query = write.call.query.split('&').any(|pair| pair.starts_with("held="));
    let body: Value = serde_json::from_slice(&write.call.body).unwrap_or_default();
    is_said.then(|| in_query || body.get("held").is_some_and(Value::is_string))
}

/// Plays `story`; the operator is killed where `crash` says, and started again. Returns how many writes
/// there were, too.
pub(crate) async fn play(
    story: Story,
    process: Option<&'static str>,
    crash: impl FnOnce(&World),
    limit: Duration,
) -> (End, Vec<Write>) {
    let mut world = World::with_every_write_counted("story").await;
    world.kill_operator().await;
    (world.lease_seconds, world.process) = (3, process);
    set_up(&world.scope).await;
    if story == Story::Reserves {
        allow_placeholders(&world.scope).await;
    }
    let before = world.faults.write_count();
    assert_eq!(before, 0, "written before there was a sale");
    crash(&world);
    world.start_operator();
    let event = announce(&world, story).await;
    let mut acting = Box::pin(act(world.scope.clone(), story, limit));
    let crashed = tokio::select! {
        biased;
        _ = world.faults.crashed() => true,
        // Another run may have taken a report less.
        _ = &mut acting => false,
    };
    if crashed {
        world.kill_operator().await;
        world.faults.revive();
        world.start_operator();
        acting.await;
    }
    let end = end(&world, event).await;
    clear(&world.scope).await;
    (end, world.faults.writes())
}

/// Takes the workloads away: an autoscaler without metrics keeps its controller busy every second.
pub(crate) async fn clear(scope: &Scope) {
    let delete = ["delete", "hpa,deployments", "--all", "--wait=false"];
    scope.kubectl(&delete).await.unwrap().ok().unwrap();
}

/// As [`play`], with the `number`th write going wrong.
pub(crate) async fn play_with(story: Story, crash: Option<(u64, Fault)>) -> (End, usize) {
    let plan = |world: &World| {
        if let Some((number, fault)) = crash {
            world.faults.at_write(number, fault);
        }
    };
    let (end, writes) = Box::pin(play(story, None, plan, STEP)).await;
    (end, writes.len())
}

/// Waits until `look` is content with what was written so far.
pub(crate) async fn await_writes(world: &World, what: &str, look: impl Fn(&[Write]) -> bool) {
    eventually(STEP, what, async || {
        let writes = world.faults.writes();
        if look(&writes) {
            Ok(())
        } else {
            Err(format!("{} writes", writes.len()))
        }
    })
    .await
    .unwrap();
}
