//! What a hand on the wheel would do, before it does it: the forecast beside every proposal.
//!
//! Estimates from one snapshot and the flow just measured; whoever shows them says "about". The
//! model is Little's law: a full hall admits as many as leave, and who is inside stays as long as
//! before. What breaks if this flatters: somebody steers an opening into the wall by it, so where
//! something is not known the answer is `None`, never a guess.

use crate::{
    capacity::bearable_rate_per_s,
    snapshot::{QueueView, Snapshot},
};

/// A figure now and after the change; `None` where nobody can know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change<T> {
    /// As it is.
    pub now: Option<T>,
    /// As it would be.
    pub then: Option<T>,
}

/// What was measured lately and is in no single snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flow {
    /// People let in per second over the last seconds.
    pub let_in_per_s: Option<u64>,
    /// Seats sold per second over the last seconds.
    pub sold_per_s: Option<u64>,
    /// People who joined the line per second over the last seconds.
    pub joined_per_s: Option<u64>,
}

/// What a change would bring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Effect {
    /// Seconds until the last who waits now comes in.
    pub wait_s: Change<u64>,
    /// Percent of the ready capacity that is not asked for.
    pub headroom_percent: Change<u32>,
    /// Seconds until the last seat is sold.
    pub sold_out_s: Change<u64>,
    /// People per second that come in.
    pub admitted_per_s: Change<u64>,
    /// What decides that figure after the change.
    pub limit: Limit,
}

/// What decides how many come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// The rate.
    Rate,
    /// Slots: the hall is (or will be) full, people come in as others leave.
    Slots,
    /// Ready capacity: the control plane applies no more than it bears (law capacity-first).
    Capacity,
    /// Somebody holds the line.
    Held,
}

/// The settings an operator moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Settings {
    rate_per_s: u32,
    cap: Option<u32>,
    paused: bool,
}

/// The rate that is set, whichever tier could be read.
#[must_use]
pub fn set_rate(snapshot: &Snapshot) -> Option<u32> {
    let queue = snapshot.queue.as_ref().map(|queue| queue.rate_per_s);
    queue.or_else(|| snapshot.room.as_ref().map(|room| room.rate_per_s))
}

/// People waiting in both tiers.
#[must_use]
pub fn waiting(snapshot: &Snapshot) -> u64 {
    let room = snapshot.room.as_ref();
    let tier1 = room.map_or(0, |room| room.issued.saturating_sub(room.serving));
    tier1 + snapshot.queue.as_ref().map_or(0, |queue| queue.waiting)
}

/// People per second that the capacity that is ready bears.
#[must_use]
pub fn bearable(snapshot: &Snapshot) -> Option<u32> {
    let capacity = snapshot.capacity.as_ref()?;
    Some(bearable_rate_per_s(
        capacity.ready_replicas,
        capacity.rate_per_replica,
    ))
}

/// Percent of the ready capacity left at `rate_per_s`.
#[must_use]
pub fn headroom_percent(snapshot: &Snapshot, rate_per_s: u32) -> Option<u32> {
    let bearable = bearable(snapshot)?;
    let used = (u64::from(rate_per_s) * 100).div_ceil(u64::from(bearable.max(1)));
    Some(u32::try_from(100u64.saturating_sub(used)).unwrap_or(0))
}

/// Seconds until the last who waits now comes in, if nothing is changed.
#[must_use]
pub fn wait_s(snapshot: &Snapshot, flow: Flow) -> Option<u64> {
    let settings = settings(snapshot)?;
    wait(snapshot, admitted(snapshot, settings, flow).0)
}

/// Seconds until the last seat is sold at the pace of the last seconds.
#[must_use]
pub fn sold_out_s(snapshot: &Snapshot, flow: Flow) -> Option<u64> {
    let seats = snapshot.seats.as_ref()?;
    let unsold = seats.capacity.saturating_sub(seats.sold);
    (flow.sold_per_s? > 0).then(|| unsold.div_ceil(flow.sold_per_s.unwrap_or(1)))
}

/// How many would wait in `s` seconds if people came and went as they did lately.
#[must_use]
pub fn waiting_in(snapshot: &Snapshot, flow: Flow, s: u64) -> Option<u64> {
    let more = flow.joined_per_s?.saturating_mul(s);
    let fewer = flow.let_in_per_s?.saturating_mul(s);
    Some(waiting(snapshot).saturating_add(more).saturating_sub(fewer))
}

/// If the rate were `to`.
#[must_use]
pub fn of_rate(snapshot: &Snapshot, flow: Flow, to: u32) -> Option<Effect> {
    let now = settings(snapshot)?;
    let then = Settings {
        rate_per_s: to,
        ..now
    };
    Some(between(snapshot, flow, now, then))
}

/// If the cap were `to`.
#[must_use]
pub fn of_cap(snapshot: &Snapshot, flow: Flow, to: u32) -> Option<Effect> {
    let now = settings(snapshot)?;
    let then = Settings { cap: Some(to), ..now };
    Some(between(snapshot, flow, now, then))
}

/// If the line were held, or let go.
#[must_use]
pub fn of_hold(snapshot: &Snapshot, flow: Flow, paused: bool) -> Option<Effect> {
    let now = settings(snapshot)?;
    Some(between(snapshot, flow, now, Settings { paused, ..now }))
}

fn settings(snapshot: &Snapshot) -> Option<Settings> {
    Some(Settings {
        rate_per_s: set_rate(snapshot)?,
        cap: snapshot.queue.as_ref().map(|queue| queue.cap),
        paused: snapshot.queue.as_ref().is_some_and(|queue| queue.paused),
    })
}

fn between(snapshot: &Snapshot, flow: Flow, now: Settings, then: Settings) -> Effect {
    let (admitted_now, _) = admitted(snapshot, now, flow);
    let (admitted_then, limit) = admitted(snapshot, then, flow);
    // Sales follow admissions: who comes in faster buys sooner, in the proportion seen so far.
    let sold_out_now = sold_out_s(snapshot, flow);
    let sold_out_then = match (sold_out_now, admitted_now, admitted_then) {
        (Some(s), Some(was), Some(is)) if is > 0 => s.checked_mul(was).map(|work| work.div_ceil(is)),
        _ => None,
    };
    Effect {
        wait_s: Change {
            now: wait(snapshot, admitted_now),
            then: wait(snapshot, admitted_then),
        },
        headroom_percent: Change {
            now: headroom_percent(snapshot, now.rate_per_s),
            then: headroom_percent(snapshot, then.rate_per_s),
        },
        sold_out_s: Change {
            now: sold_out_now,
            then: sold_out_then,
        },
        admitted_per_s: Change {
            now: admitted_now,
            then: admitted_then,
        },
        limit,
    }
}

/// How many come in per second under `settings`, and what decides it. `None` where slots decide
/// and nobody has measured how soon they come back.
fn admitted(snapshot: &Snapshot, settings: Settings, flow: Flow) -> (Option<u64>, Limit) {
    if settings.paused {
        return (Some(0), Limit::Held);
    }
    let rate = u64::from(settings.rate_per_s);
    let (rate, limit) = match bearable(snapshot).map(u64::from) {
        Some(bearable) if bearable < rate => (bearable, Limit::Capacity),
        _ => (rate, Limit::Rate),
    };
    match slots(snapshot.queue.as_ref(), settings.cap, flow) {
        Slots::Enough => (Some(rate), limit),
        Slots::Turnover(per_s) if per_s >= rate => (Some(rate), limit),
        Slots::Turnover(per_s) => (Some(per_s), Limit::Slots),
        Slots::Unknown => (None, Limit::Slots),
    }
}

enum Slots {
    /// They do not matter.
    Enough,
    /// So many come back per second.
    Turnover(u64),
    /// Full, and nobody has measured.
    Unknown,
}

/// A full hall of `cap` turns over `cap / stay` people a second; the stay is what the present
/// hall shows (`active / let in per second`). A hall that is not full limits nothing yet.
fn slots(queue: Option<&QueueView>, cap: Option<u32>, flow: Flow) -> Slots {
    let (Some(queue), Some(cap)) = (queue, cap) else {
        return Slots::Enough;
    };
    let full_now = queue.active >= u64::from(queue.cap);
    let full_then = queue.active >= u64::from(cap);
    if !full_now && !full_then {
        return Slots::Enough;
    }
    match flow.let_in_per_s {
        Some(let_in) if let_in > 0 && queue.active > 0 => {
            Slots::Turnover(let_in.saturating_mul(u64::from(cap)) / queue.active)
        }
        _ => Slots::Unknown,
    }
}

fn wait(snapshot: &Snapshot, admitted_per_s: Option<u64>) -> Option<u64> {
    match (waiting(snapshot), admitted_per_s?) {
        (0, _) => Some(0),
        (_, 0) => None,
        (waiting, per_s) => Some(waiting.div_ceil(per_s)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        sale::Phase,
        snapshot::{CapacityView, RoomView, SeatsView},
        time::Millis,
    };
    use proptest::prelude::*;

    /// 2,448,000 people wait; 1,200 a second come in; four replicas bear 510 each.
    fn tour() -> Snapshot {
        Snapshot {
            at: Millis(0),
            phase: Phase::Open,
            room: Some(RoomView {
                epoch: 1,
                issued: 3_000_000,
                serving: 552_000,
                rate_per_s: 1_200,
                drain_s: Some(2_040),
            }),
            queue: Some(QueueView {
                waiting: 0,
                active: 20_000,
                cap: 60_000,
                rate_per_s: 1_200,
                admitted_total: 552_000,
                paused: false,
            }),
            seats: Some(SeatsView {
                capacity: 60_000,
                free: 30_000,
                held: 6_000,
                sold: 24_000,
                sections: Vec::new(),
            }),
            capacity: Some(CapacityView {
                ready_replicas: 4,
                desired_replicas: 4,
                rate_per_replica: 510,
            }),
            ..Snapshot::unknown(uuid::Uuid::nil())
        }
    }

    const FLOW: Flow = Flow {
        let_in_per_s: Some(1_200),
        sold_per_s: Some(60),
        joined_per_s: Some(200),
    };

    #[test]
    fn a_higher_rate_shortens_the_wait_and_eats_headroom() {
        let effect = of_rate(&tour(), FLOW, 1_500).unwrap();
        assert_eq!(effect.wait_s.now.map(|s| s / 60), Some(34));
        assert_eq!(effect.wait_s.then.map(|s| s / 60), Some(27));
        assert_eq!(effect.headroom_percent.now, Some(41));
        assert_eq!(effect.headroom_percent.then, Some(26));
        assert_eq!(
            (effect.sold_out_s.now, effect.sold_out_s.then),
            (Some(600), Some(480))
        );
        assert_eq!(effect.limit, Limit::Rate);
    }

    #[test]
    fn a_rate_beyond_ready_capacity_brings_no_more_than_that() {
        // Law capacity-first.
        let effect = of_rate(&tour(), FLOW, 5_000).unwrap();
        assert_eq!(effect.limit, Limit::Capacity);
        assert_eq!(effect.admitted_per_s.then, Some(2_040));
        assert_eq!(effect.headroom_percent.then, Some(0));
    }

    #[test]
    fn behind_a_full_hall_a_rate_changes_nothing_and_a_cap_does() {
        let mut full = tour();
        if let Some(queue) = &mut full.queue {
            queue.active = 60_000;
        }
        let flow = Flow {
            let_in_per_s: Some(300),
            ..FLOW
        };
        let rate = of_rate(&full, flow, 1_500).unwrap();
        assert_eq!(rate.limit, Limit::Slots);
        assert_eq!(rate.wait_s.now, rate.wait_s.then);
        let cap = of_cap(&full, flow, 120_000).unwrap();
        assert_eq!(cap.admitted_per_s.then, Some(600));
    }

    #[test]
    fn what_nobody_measured_is_not_guessed() {
        let mut full = tour();
        if let Some(queue) = &mut full.queue {
            queue.active = 60_000;
        }
        let effect = of_rate(&full, Flow::default(), 1_500).unwrap();
        assert_eq!((effect.wait_s.now, effect.wait_s.then), (None, None));
        assert_eq!(effect.sold_out_s.now, None);
        let mut blind = tour();
        blind.capacity = None;
        assert_eq!(of_rate(&blind, FLOW, 9).unwrap().headroom_percent.then, None);
        blind.queue = None;
        blind.room = None;
        assert_eq!(of_rate(&blind, FLOW, 9), None);
    }

    #[test]
    fn the_line_grows_by_what_comes_in_beyond_what_goes() {
        assert_eq!(waiting_in(&tour(), FLOW, 60), Some(2_448_000 - 60_000));
        assert_eq!(waiting_in(&tour(), FLOW, 1_000_000), Some(0));
        assert_eq!(waiting_in(&tour(), Flow::default(), 60), None);
    }

    #[test]
    fn a_held_line_admits_nobody() {
        let effect = of_hold(&tour(), FLOW, true).unwrap();
        assert_eq!(effect.limit, Limit::Held);
        assert_eq!((effect.admitted_per_s.then, effect.wait_s.then), (Some(0), None));
    }

    proptest! {
        /// Whatever is set: more rate never means a longer wait or more headroom, and nothing panics.
        #[test]
        fn more_rate_is_never_worse_for_who_waits(
            issued in 0u64..10_000_000, active in 0u64..100_000, cap in 1u32..100_000,
            low in 1u32..50_000, more in 0u32..50_000, let_in in proptest::option::of(0u64..50_000),
        ) {
            let mut snapshot = tour();
            if let Some(room) = &mut snapshot.room { room.issued = issued; }
            if let Some(queue) = &mut snapshot.queue { queue.active = active; queue.cap = cap; }
            let flow = Flow { let_in_per_s: let_in, ..Flow::default() };
            let (a, b) = (of_rate(&snapshot, flow, low).unwrap(), of_rate(&snapshot, flow, low + more).unwrap());
            if let (Some(a), Some(b)) = (a.wait_s.then, b.wait_s.then) { prop_assert!(b <= a); }
            prop_assert!(b.headroom_percent.then <= a.headroom_percent.then);
        }
    }
}
