//! `plan(sale, observed, now)`: what should be true now, fully decided.
//!
//! Total, deterministic, without effects. The control plane and the operator execute the same plan
//! through different hands and decide nothing. What breaks if this changes: capacity-first lives
//! here. The rate follows what is ready, and capacity is only given back once the rate that
//! is in force no longer needs it.

use crate::{
    capacity::{bearable_rate_per_s, replicas_for_rate},
    last_seats::{self, Bounds, Seats},
    room::{Mode, Room},
    sale::{Phase, Sale, WhenSoldOut},
    time::Millis,
    turnout::{COMING_MS, Turnout, door_rate_per_s},
};
use serde::{Deserialize, Serialize};

/// Replicas are wanted this long before the first visitor may come (R-DEP-02: T-30 min).
pub const WARM_UP_S: i64 = 1800;
/// Replicas that stay while no sale needs more: the services answer, and a sale created late
/// has something to grow from.
pub const REPLICAS_AT_REST: u32 = 1;

/// What is the case, as far as known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Observed {
    /// Replicas ready to serve, the fewest of all services behind the door.
    pub ready_replicas: u32,
    /// Every seat is sold.
    pub sold_out: bool,
    /// The seats, as far as known; the last ones bound the line ([`crate::last_seats`]).
    pub seats: Option<Seats>,
    /// The operator's overrides.
    pub hand: Hand,
    /// The waiting room's record, if there is one.
    pub room: Option<Room>,
    /// Tier 2's limits in force, if there are any.
    pub limits: Option<AppliedLimits>,
    /// How many of those whom tier 1 let on have come to tier 2, as far as known.
    pub turnout: Option<Turnout>,
    /// The adaptive rate ([`crate::adaptive`]) in place of the sale's figure.
    pub pace_per_s: Option<u32>,
}

/// What an operator set by hand; it stays until taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Hand {
    /// The line is held.
    #[serde(default)]
    pub paused: bool,
    /// Nobody new is taken; the line moves.
    #[serde(default)]
    pub draining: bool,
    /// People per second instead of the sale's figure; still bounded by what is ready.
    #[serde(default)]
    pub rate_per_s: Option<u32>,
    /// People inside at once instead of the sale's figure.
    #[serde(default)]
    pub cap: Option<u32>,
}

/// Tier 2's limits as they stand in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AppliedLimits {
    /// People let in per second.
    pub rate_per_s: u32,
    /// People inside at once.
    pub cap: u32,
    /// Whether the line is held.
    pub paused: bool,
}

/// What should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// Where the sale is in its life.
    pub phase: Phase,
    /// Replicas to have.
    pub replicas: u32,
    /// What the waiting room should be; `None`: leave it, there is none to make.
    pub room: Option<RoomTarget>,
    /// What tier 2's limits should be.
    pub limits: LimitsTarget,
    /// When the schedule next changes the plan by itself; look again then at the latest.
    pub next_transition_at: Option<Millis>,
    /// Why, in sentences for events and logs.
    pub reasons: Vec<String>,
}

/// What the waiting room should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RoomTarget {
    /// Its mode.
    pub mode: Mode,
    /// Its clock's rate. Before the opening already the opening's: replicas start the line by
    /// their own clocks. Above tier 2's while people who were let on do not come
    /// ([`crate::turnout`]); tier 2 still takes no more than its own.
    pub rate_per_s: u32,
}

/// What tier 2's limits should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LimitsTarget {
    /// People let in per second.
    pub rate_per_s: u32,
    /// People inside at once.
    pub cap: u32,
    /// Whether the line is held.
    pub paused: bool,
}

/// Where the sale is in its life. Total: every `now` and every observation has one phase.
#[must_use]
pub fn phase(sale: &Sale, observed: &Observed, now: Millis) -> Phase {
    let schedule = &sale.schedule;
    if now >= schedule.closes_at {
        Phase::Closed
    } else if now >= schedule.opens_at {
        match (observed.sold_out, observed.hand.paused) {
            (true, _) => Phase::SoldOut,
            (false, true) => Phase::Paused,
            (false, false) => Phase::Open,
        }
    } else if now >= schedule.pre_queue_at {
        Phase::PreQueue
    } else {
        Phase::Scheduled
    }
}

/// What the executor knows beside the sale: how early its capacity must be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// Capacity is asked for this long before the first visitor may come ([`crate::lead`]).
    pub warm_up_s: i64,
}

impl Default for Terms {
    fn default() -> Self {
        Self { warm_up_s: WARM_UP_S }
    }
}

/// When capacity is asked for.
#[must_use]
pub const fn warm_at(sale: &Sale, terms: Terms) -> Millis {
    sale.schedule.pre_queue_at.plus_s(-terms.warm_up_s)
}

/// People per second that `ready` replicas of the sale's kind bear.
#[must_use]
pub const fn bearable(sale: &Sale, ready: u32) -> u32 {
    bearable_rate_per_s(ready, sale.capacity.rate_per_replica)
}

/// [`plan_on`] the house's terms.
#[must_use]
pub fn plan(sale: &Sale, observed: &Observed, now: Millis) -> Plan {
    plan_on(Terms::default(), sale, observed, now)
}

/// Whether the schedule wants capacity at `now`: from the warm-up until the line stands for good.
#[must_use]
pub fn wants_capacity(terms: Terms, sale: &Sale, observed: &Observed, now: Millis) -> bool {
    let phase = phase(sale, observed, now);
    (line_moves(sale, observed, phase, now) || keeps_waiting(sale, phase)) && now >= warm_at(sale, terms)
}

/// Sold out, and the line stands for seats that may come back: capacity stays with it.
fn keeps_waiting(sale: &Sale, phase: Phase) -> bool {
    phase == Phase::SoldOut && sale.admission.when_sold_out == WhenSoldOut::KeepWaiting
}

/// People per second that somebody or something set: the hand, the adaptive rate, the sale.
fn set_rate(sale: &Sale, observed: &Observed) -> u32 {
    let paced = sale.admission.adaptive.and(observed.pace_per_s);
    observed
        .hand
        .rate_per_s
        .or(paced)
        .unwrap_or(sale.admission.rate_per_s)
}

fn line_moves(sale: &Sale, observed: &Observed, phase: Phase, now: Millis) -> bool {
    match phase {
        Phase::Closed => false,
        Phase::SoldOut if keeps_waiting(sale, phase) => false,
        // Who still stands in tier 1 is let through to hear it from tier 2.
        Phase::SoldOut => observed.room.as_ref().is_some_and(|room| room.waiting(now) > 0),
        Phase::Scheduled | Phase::PreQueue | Phase::Open | Phase::Paused => true,
    }
}

/// What should be true at `now`. The rate at which tier 2 admits never exceeds what
/// `ready_replicas` bear, nor does tier 1's but by no-shows, and `replicas` never falls below what
/// the rate in force needs.
#[must_use]
pub fn plan_on(terms: Terms, sale: &Sale, observed: &Observed, now: Millis) -> Plan {
    let phase = phase(sale, observed, now);
    let mut reasons = Vec::new();
    let line_moves = line_moves(sale, observed, phase, now);
    let is_warm = now >= warm_at(sale, terms);
    let lets_in = !matches!(phase, Phase::Closed | Phase::SoldOut);
    let keeps_waiting = keeps_waiting(sale, phase);
    if keeps_waiting {
        reasons.push("every seat is sold: the line stands until one comes back".to_owned());
    } else if !lets_in {
        reasons.push("nobody is let in any more".to_owned());
    }
    let wanted_rate = match line_moves {
        true => set_rate(sale, observed),
        false => 0,
    };
    let last = (lets_in.then_some(observed.seats).flatten()).and_then(last_seats::bounds);
    let let_in = let_in(sale, observed, last, wanted_rate, &mut reasons);
    let rate_per_s = bounded_rate(sale, observed.ready_replicas, let_in.rate_per_s, &mut reasons);
    let is_held = observed.hand.paused && lets_in;
    if is_held {
        reasons.push("held by the operator".to_owned());
    }
    Plan {
        phase,
        replicas: replicas(
            sale,
            observed,
            wanted_rate,
            line_moves || keeps_waiting,
            is_warm,
            &mut reasons,
        ),
        room: room_target(
            observed,
            phase,
            keeps_waiting,
            door_rate(observed, phase, rate_per_s, now, &mut reasons),
        ),
        limits: LimitsTarget {
            rate_per_s: if lets_in { rate_per_s } else { 0 },
            cap: let_in.cap,
            paused: is_held || keeps_waiting,
        },
        next_transition_at: next_transition_at(terms, sale, now),
        reasons,
    }
}

/// What the line may do: as set, but for the last seats. Who steers by hand has seen them.
fn let_in(
    sale: &Sale,
    observed: &Observed,
    last: Option<Bounds>,
    wanted_rate: u32,
    reasons: &mut Vec<String>,
) -> Bounds {
    let hand = observed.hand;
    let cap = hand.cap.unwrap_or(sale.admission.cap);
    let set = Bounds {
        cap,
        rate_per_s: wanted_rate,
    };
    let Some(last) = last else { return set };
    let bounded = Bounds {
        cap: hand.cap.unwrap_or_else(|| cap.min(last.cap)),
        rate_per_s: match hand.rate_per_s {
            Some(_) => wanted_rate,
            None => wanted_rate.min(last.rate_per_s),
        },
    };
    if bounded != set {
        reasons.push(format!(
            "{}/s and {} inside at most: fewer seats are left than would come for them",
            bounded.rate_per_s, bounded.cap
        ));
    }
    bounded
}

fn bounded_rate(sale: &Sale, ready_replicas: u32, wanted: u32, reasons: &mut Vec<String>) -> u32 {
    let bearable = bearable_rate_per_s(ready_replicas, sale.capacity.rate_per_replica);
    if wanted > bearable {
        reasons.push(format!(
            "rate {bearable}/s instead of {wanted}/s: {ready_replicas} ready replicas bear no more"
        ));
    }
    wanted.min(bearable)
}

fn replicas(
    sale: &Sale,
    observed: &Observed,
    wanted_rate: u32,
    is_needed: bool,
    is_warm: bool,
    reasons: &mut Vec<String>,
) -> u32 {
    let needed_for = |rate| match sale.capacity.rate_per_replica {
        // No number of replicas is enough (`Sale::validate` refuses it); asking for all is worse.
        0 => 0,
        per_replica => replicas_for_rate(rate, per_replica),
    };
    let for_schedule = if is_needed && is_warm {
        sale.capacity
            .replicas
            .max(needed_for(wanted_rate))
            .max(REPLICAS_AT_REST)
    } else {
        REPLICAS_AT_REST
    };
    // The rate goes down before capacity does: what is in force is still being admitted. What is
    // not ready bears nothing and is not worth keeping.
    let to_keep = needed_for(rate_in_force(observed)).min(observed.ready_replicas);
    // Before warming up the opening's rate stands in the records already; nobody can be let in.
    let to_keep = if is_warm { to_keep } else { 0 };
    if to_keep > for_schedule {
        reasons.push(format!("keeping {to_keep} replicas until the rate is down"));
    }
    for_schedule.max(to_keep)
}

/// The highest rate at which somebody may be let in until the next plan is applied.
fn rate_in_force(observed: &Observed) -> u32 {
    let room = observed.room.as_ref().map_or(0, |room| match room.mode {
        Mode::Active | Mode::Draining => room.clock.rate_per_s,
        Mode::Paused | Mode::Inactive => 0,
    });
    let limits = observed
        .limits
        .map_or(0, |limits| if limits.paused { 0 } else { limits.rate_per_s });
    match observed.turnout {
        // The door runs ahead of those who do not come; what tier 2 admits is what must be borne.
        Some(_) if observed.limits.is_some() => limits,
        _ => room.max(limits),
    }
}

/// The rate of tier 1's clock, for a tier 2 that takes `rate_per_s`.
fn door_rate(
    observed: &Observed,
    phase: Phase,
    rate_per_s: u32,
    now: Millis,
    reasons: &mut Vec<String>,
) -> u32 {
    let (Phase::Open, Some(turnout), Some(room)) = (phase, &observed.turnout, &observed.room) else {
        return rate_per_s;
    };
    let served = room.serving(now.plus_ms(-COMING_MS));
    let door = door_rate_per_s(rate_per_s, served, turnout);
    if door > rate_per_s {
        reasons.push(format!(
            "the door calls {door}/s for {rate_per_s}/s: {} of {served} who were called have come",
            turnout.shown_up
        ));
    }
    door
}

fn room_target(
    observed: &Observed,
    phase: Phase,
    keeps_waiting: bool,
    rate_per_s: u32,
) -> Option<RoomTarget> {
    let mode = match phase {
        // No room is made for a sale that is over.
        Phase::Closed if observed.room.is_none() => return None,
        Phase::Closed => Mode::Inactive,
        Phase::SoldOut if keeps_waiting => Mode::Paused,
        // Takes nobody new. Not switched off: places stay good if seats come back.
        Phase::SoldOut => Mode::Draining,
        // A hold before the opening holds the opening.
        Phase::Scheduled | Phase::PreQueue | Phase::Open | Phase::Paused if observed.hand.paused => {
            Mode::Paused
        }
        Phase::Scheduled | Phase::PreQueue | Phase::Open | Phase::Paused if observed.hand.draining => {
            Mode::Draining
        }
        Phase::Scheduled | Phase::PreQueue | Phase::Open | Phase::Paused => Mode::Active,
    };
    Some(RoomTarget { mode, rate_per_s })
}

fn next_transition_at(terms: Terms, sale: &Sale, now: Millis) -> Option<Millis> {
    let schedule = &sale.schedule;
    [
        warm_at(sale, terms),
        schedule.pre_queue_at,
        schedule.opens_at,
        schedule.closes_at,
    ]
    .into_iter()
    .filter(|at| *at > now)
    .min()
}
