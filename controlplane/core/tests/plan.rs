//! The plan is total and puts capacity first.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use proptest::prelude::*;
use urr_core::testing::{OPENS_AT, sale};
use urr_core::{
    last_seats::Seats,
    plan::{AppliedLimits, Hand, Observed, Plan, REPLICAS_AT_REST, WARM_UP_S, phase, plan},
    room::{Mode, Room},
    sale::{Adaptive, CapacitySettings, Phase, Sale, WhenSoldOut},
    time::Millis,
};

fn hand() -> impl Strategy<Value = Hand> {
    (
        any::<bool>(),
        prop::option::of(0..500_u32),
        prop::option::of(0..5_000_u32),
    )
        .prop_map(|(paused, rate_per_s, cap)| Hand {
            paused,
            rate_per_s,
            cap,
            draining: false,
        })
}

fn some_sale() -> impl Strategy<Value = Sale> {
    let kind = (any::<bool>(), any::<bool>());
    (1..300_u32, 0..50_u32, 0..50_u32, kind).prop_map(|(rate_per_s, rate_per_replica, replicas, kind)| {
        let (is_adaptive, keeps_waiting) = kind;
        let mut sale = sale();
        sale.admission.rate_per_s = rate_per_s;
        sale.admission.adaptive = is_adaptive.then(|| Adaptive::between(1, 1000));
        if keeps_waiting {
            sale.admission.when_sold_out = WhenSoldOut::KeepWaiting;
        }
        sale.capacity = CapacitySettings {
            rate_per_replica,
            replicas,
        };
        sale
    })
}

/// An instant around the schedule, or anywhere at all.
fn instant() -> impl Strategy<Value = Millis> {
    prop_oneof![
        (-3_000_000..5_000_000_i64).prop_map(|ms| OPENS_AT.plus_ms(ms)),
        any::<i64>().prop_map(Millis)
    ]
}

fn observed() -> impl Strategy<Value = Observed> {
    let mode = prop_oneof![
        Just(Mode::Inactive),
        Just(Mode::Active),
        Just(Mode::Paused),
        Just(Mode::Draining)
    ];
    let room = (mode, 0..500_u32, 0..10_000_u64).prop_map(|(mode, rate_per_s, issued)| {
        let mut room = Room::new(&sale(), 1);
        (room.mode, room.clock.rate_per_s, room.issued) = (mode, rate_per_s, issued);
        room
    });
    let seats = (0..2_000_u64, 0..2_000_u64).prop_map(|(capacity, left)| Seats {
        capacity,
        left: left.min(capacity),
    });
    let limits =
        (0..500_u32, 0..5_000_u32, any::<bool>()).prop_map(|(rate_per_s, cap, paused)| AppliedLimits {
            rate_per_s,
            cap,
            paused,
        });
    (
        0..60_u32,
        any::<bool>(),
        prop::option::of(seats),
        hand(),
        prop::option::of(room),
        prop::option::of(limits),
        prop::option::of(0..500_u32),
    )
        .prop_map(
            |(ready_replicas, sold_out, seats, hand, room, limits, pace_per_s)| Observed {
                ready_replicas,
                sold_out,
                seats,
                hand,
                room,
                limits,
                turnout: None,
                pace_per_s,
            },
        )
}

fn bearable(sale: &Sale, replicas: u32) -> u32 {
    replicas * sale.capacity.rate_per_replica
}

/// What the executors make of a plan.
fn apply(sale: &Sale, observed: &mut Observed, plan: &Plan, now: Millis) {
    observed.limits = Some(AppliedLimits {
        rate_per_s: plan.limits.rate_per_s,
        cap: plan.limits.cap,
        paused: plan.limits.paused,
    });
    let Some(target) = plan.room else { return };
    let room = observed.room.take().unwrap_or_else(|| Room::new(sale, 1));
    let room = match target.mode {
        mode if mode == room.mode => room,
        Mode::Active => room.resumed(now),
        Mode::Paused => room.paused(now),
        Mode::Draining => room.draining(now),
        Mode::Inactive => room.deactivated(now),
    };
    observed.room = Some(if room.clock.rate_per_s == target.rate_per_s {
        room
    } else {
        room.with_rate(target.rate_per_s, now)
    });
}

fn rate_in_force(observed: &Observed) -> u32 {
    let limits = observed
        .limits
        .map_or(0, |limits| if limits.paused { 0 } else { limits.rate_per_s });
    let room = observed.room.as_ref().map_or(0, |room| match room.mode {
        Mode::Active | Mode::Draining => room.clock.rate_per_s,
        Mode::Paused | Mode::Inactive => 0,
    });
    limits.max(room)
}

proptest! {
    /// capacity-first: no rate in a plan exceeds what is ready, for all inputs.
    #[test]
    fn planned_rates_never_exceed_ready_capacity(sale in some_sale(), observed in observed(), now in instant()) {
        let plan = plan(&sale, &observed, now);
        let bearable = bearable(&sale, observed.ready_replicas);
        prop_assert!(plan.limits.rate_per_s <= bearable);
        prop_assert!(plan.room.is_none_or(|room| room.rate_per_s <= bearable));
    }

    /// capacity-first on the way down: as many replicas go as the rate in force can spare.
    #[test]
    fn capacity_is_kept_until_the_rate_is_down(sale in some_sale(), observed in observed(), after_open_ms in 0..5_000_000_i64) {
        let plan = plan(&sale, &observed, OPENS_AT.plus_ms(after_open_ms));
        let borne_before = rate_in_force(&observed).min(bearable(&sale, observed.ready_replicas));
        let left = plan.replicas.min(observed.ready_replicas);
        prop_assert!(bearable(&sale, left) >= borne_before, "{} replicas left for {}/s", left, borne_before);
    }

    /// The whole loop: at no instant is the rate in force above what is ready, however the
    /// operator changes his mind, as long as replicas go only where the plan lets them.
    #[test]
    fn the_rate_in_force_is_always_borne(
        sale in some_sale(),
        turns in prop::collection::vec((hand(), any::<bool>(), 1..600_i64, 0..6_u32), 1..40),
    ) {
        let mut now = sale.schedule.pre_queue_at.plus_s(-WARM_UP_S - 60);
        let mut observed = Observed { ready_replicas: 1, ..Observed::default() };
        for (hand, sold_out, wait_s, starting) in turns {
            (observed.hand, observed.sold_out) = (hand, sold_out);
            let planned = plan(&sale, &observed, now);
            apply(&sale, &mut observed, &planned, now);
            prop_assert!(rate_in_force(&observed) <= bearable(&sale, observed.ready_replicas));
            // Replicas come up a few at a time, and go at once.
            observed.ready_replicas = planned.replicas.min(observed.ready_replicas + starting);
            prop_assert!(rate_in_force(&observed) <= bearable(&sale, observed.ready_replicas), "{:?}", planned);
            now = now.plus_s(wait_s);
        }
    }

    #[test]
    fn it_is_total_and_settles(sale in some_sale(), observed in observed(), now in instant()) {
        let mut observed = observed;
        let first = plan(&sale, &observed, now);
        prop_assert_eq!(first.phase, phase(&sale, &observed, now));
        prop_assert!(first.next_transition_at.is_none_or(|at| at > now));
        // Executed often enough, the plan asks for nothing new.
        for _ in 0..4 {
            let planned = plan(&sale, &observed, now);
            apply(&sale, &mut observed, &planned, now);
            observed.ready_replicas = planned.replicas;
        }
        let settled = plan(&sale, &observed, now);
        apply(&sale, &mut observed, &settled, now);
        observed.ready_replicas = settled.replicas;
        prop_assert_eq!(plan(&sale, &observed, now), settled);
    }
}

#[test]
fn phases_follow_the_schedule_and_the_hand() {
    let sale = sale();
    let at = |ms, sold_out, paused| {
        let observed = Observed {
            sold_out,
            hand: Hand {
                paused,
                ..Hand::default()
            },
            ..Observed::default()
        };
        phase(&sale, &observed, OPENS_AT.plus_ms(ms))
    };
    assert_eq!(at(-300_001, false, false), Phase::Scheduled);
    assert_eq!(at(-300_000, true, true), Phase::PreQueue);
    assert_eq!(at(-1, false, false), Phase::PreQueue);
    assert_eq!(at(0, false, false), Phase::Open);
    assert_eq!(at(0, false, true), Phase::Paused);
    assert_eq!(at(0, true, true), Phase::SoldOut);
    assert_eq!(at(3_600_000, true, true), Phase::Closed);
}

#[test]
fn capacity_comes_up_before_anybody_may_come() {
    let sale = sale();
    let resting = Observed {
        ready_replicas: 1,
        ..Observed::default()
    };
    let warm_at = sale.schedule.pre_queue_at.plus_s(-WARM_UP_S);
    let before = plan(&sale, &resting, warm_at.plus_ms(-1));
    assert_eq!(
        (before.replicas, before.next_transition_at),
        (REPLICAS_AT_REST, Some(warm_at))
    );
    let warming = plan(&sale, &resting, warm_at);
    assert_eq!(warming.replicas, 4);
    // Until they are ready, only what is ready counts, and the plan says why.
    assert_eq!(warming.limits.rate_per_s, 5);
    assert!(
        warming.reasons[0].contains("1 ready replicas bear no more"),
        "{:?}",
        warming.reasons
    );
    let ready = Observed {
        ready_replicas: 4,
        ..Observed::default()
    };
    assert_eq!(plan(&sale, &ready, warm_at).limits.rate_per_s, 10);
}

#[test]
fn a_higher_rate_by_hand_asks_for_the_replicas_first() {
    let sale = sale();
    let mut observed = Observed {
        ready_replicas: 4,
        ..Observed::default()
    };
    observed.hand.rate_per_s = Some(50);
    let asked = plan(&sale, &observed, OPENS_AT);
    assert_eq!((asked.replicas, asked.limits.rate_per_s), (10, 20));
    observed.ready_replicas = 10;
    assert_eq!(plan(&sale, &observed, OPENS_AT).limits.rate_per_s, 50);
}

#[test]
fn a_sold_out_sale_lets_its_line_through_and_then_rests() {
    let sale = sale();
    let mut room = Room::new(&sale, 1);
    room.issued = 100;
    let mut observed = Observed {
        ready_replicas: 4,
        sold_out: true,
        room: Some(room),
        ..Observed::default()
    };
    let draining = plan(&sale, &observed, OPENS_AT.plus_s(1));
    let room = draining.room.unwrap();
    assert_eq!(
        (draining.limits.rate_per_s, room.mode, room.rate_per_s),
        (0, Mode::Draining, 10)
    );
    apply(&sale, &mut observed, &draining, OPENS_AT.plus_s(1));
    // Everybody has been let through: first the rate goes, then the replicas.
    let emptied = plan(&sale, &observed, OPENS_AT.plus_s(11));
    assert_eq!((emptied.room.unwrap().rate_per_s, emptied.replicas), (0, 2));
    apply(&sale, &mut observed, &emptied, OPENS_AT.plus_s(11));
    assert_eq!(
        plan(&sale, &observed, OPENS_AT.plus_s(12)).replicas,
        REPLICAS_AT_REST
    );
}

#[test]
fn a_sold_out_sale_may_keep_its_line_waiting_for_seats_that_come_back() {
    let mut sale = sale();
    sale.admission.when_sold_out = WhenSoldOut::KeepWaiting;
    let mut room = Room::new(&sale, 1);
    room.issued = 100;
    let mut observed = Observed {
        ready_replicas: 4,
        sold_out: true,
        room: Some(room),
        ..Observed::default()
    };
    let now = OPENS_AT.plus_s(1);
    let waiting = plan(&sale, &observed, now);
    assert_eq!(waiting.phase, Phase::SoldOut);
    assert_eq!(
        (
            waiting.limits.rate_per_s,
            waiting.limits.paused,
            waiting.room.unwrap().mode
        ),
        (0, true, Mode::Paused),
        "people may still join, and nobody moves"
    );
    assert_eq!(waiting.replicas, 4, "a seat that comes back is sold at once");
    apply(&sale, &mut observed, &waiting, now);
    let served = observed.room.as_ref().unwrap().serving(now.plus_s(60));
    observed.sold_out = false;
    let back = plan(&sale, &observed, now.plus_s(60));
    assert_eq!((back.phase, back.limits.rate_per_s), (Phase::Open, 10));
    apply(&sale, &mut observed, &back, now.plus_s(60));
    let room = observed.room.as_ref().unwrap();
    assert!(
        room.serving(now.plus_s(61)) > served,
        "it moves on from where it stood"
    );
    assert!(room.serving(now.plus_s(61)) <= served + 11);
}

#[test]
fn the_adaptive_rate_takes_the_sales_place_and_the_hand_takes_its() {
    let mut sale = sale();
    let rate = |sale: &Sale, pace_per_s, by_hand| {
        let hand = Hand {
            rate_per_s: by_hand,
            ..Hand::default()
        };
        let observed = Observed {
            ready_replicas: 4,
            hand,
            pace_per_s,
            ..Observed::default()
        };
        plan(sale, &observed, OPENS_AT.plus_s(1)).limits.rate_per_s
    };
    assert_eq!(
        rate(&sale, Some(15), None),
        10,
        "a pace without bounds is nobody's"
    );
    sale.admission.adaptive = Some(Adaptive::between(5, 20));
    assert_eq!(rate(&sale, None, None), 10);
    assert_eq!(rate(&sale, Some(15), None), 15);
    assert_eq!(rate(&sale, Some(15), Some(7)), 7);
    assert_eq!(rate(&sale, Some(90), None), 20, "capacity-first");
}

#[test]
fn the_last_seats_bound_the_line_but_neither_capacity_nor_the_hand() {
    let mut sale = sale();
    (sale.admission.rate_per_s, sale.admission.cap) = (200, 3000);
    sale.capacity.rate_per_replica = 100;
    let now = OPENS_AT.plus_s(60);
    let plenty = Observed {
        ready_replicas: 4,
        seats: Some(Seats {
            capacity: 60_000,
            left: 3_001,
        }),
        ..Observed::default()
    };
    let as_set = plan(&sale, &plenty, now);
    assert_eq!((as_set.limits.rate_per_s, as_set.limits.cap), (200, 3000));
    let mut last = plenty;
    last.seats = Some(Seats {
        capacity: 60_000,
        left: 200,
    });
    let bounded = plan(&sale, &last, now);
    assert_eq!((bounded.limits.rate_per_s, bounded.limits.cap), (128, 512));
    assert_eq!(
        bounded.room.unwrap().rate_per_s,
        128,
        "the door calls no more than tier 2 takes"
    );
    assert_eq!(bounded.replicas, as_set.replicas, "seats may come back");
    assert!(
        bounded.reasons.iter().any(|why| why.contains("512 inside")),
        "{:?}",
        bounded.reasons
    );
    last.hand = Hand {
        rate_per_s: Some(150),
        cap: Some(1000),
        ..Hand::default()
    };
    let by_hand = plan(&sale, &last, now);
    assert_eq!((by_hand.limits.rate_per_s, by_hand.limits.cap), (150, 1000));
    (last.hand, last.seats) = (Hand::default(), None);
    let unknown = plan(&sale, &last, now);
    assert_eq!(
        unknown.limits, as_set.limits,
        "what booking does not say bounds nothing"
    );
}
