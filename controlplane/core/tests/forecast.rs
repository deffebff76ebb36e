//! Forecasts count down and never rise by themselves (AWS VWR #206: none shown; Cloudflare: "ETA
//! can go up"; upstream: 50 a second, hard-coded).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use proptest::prelude::*;
use urr_core::testing::{OPENS_AT, sale};
use urr_core::{forecast::forecast, room::Room, sale::Ordering};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn while_nothing_changes_neither_quantile_ever_rises(
        rate_per_s in 1..5_000_u32, place in 1..200_000_u64, start_ms in -30_000..30_000_i64, held_ms in 0..60_000_i64,
        steps in prop::collection::vec(1..700_i64, 80),
    ) {
        let mut room = Room::new(&sale(), 1);
        room.clock.rate_per_s = rate_per_s;
        room.issued = 200_000;
        if held_ms > 30_000 {
            room = room.paused(OPENS_AT.plus_s(2)).resumed(OPENS_AT.plus_ms(held_ms));
        }
        let mut now = OPENS_AT.plus_ms(start_ms.max(if held_ms > 30_000 { held_ms } else { i64::MIN }));
        let mut told = forecast(&room, Some(place), now);
        for step in steps {
            now = now.plus_ms(step);
            let next = forecast(&room, Some(place), now);
            prop_assert!(next.p50_s <= told.p50_s, "{:?} then {:?}", told, next);
            prop_assert!(next.p90_s <= told.p90_s, "{:?} then {:?}", told, next);
            prop_assert!(next.p50_s <= next.p90_s);
            told = next;
        }
    }

    /// Nobody who comes back when he was told to finds that he came in vain.
    #[test]
    fn the_middle_forecast_is_when_one_is_served(rate_per_s in 1..5_000_u32, place in 1..100_000_u64, start_ms in -30_000..30_000_i64) {
        let mut room = Room::new(&sale(), 1);
        room.clock.rate_per_s = rate_per_s;
        room.issued = 100_000;
        let now = OPENS_AT.plus_ms(start_ms);
        let told = i64::try_from(forecast(&room, Some(place), now).p50_s).unwrap();
        let then = now.plus_s(told);
        prop_assume!(then < room.closes_at);
        prop_assert!(room.serving(then) >= place);
        if told > 1 {
            prop_assert!(room.serving(then.plus_ms(-1001)) < place);
        }
    }
}

#[test]
fn a_line_that_stood_makes_the_cautious_forecast_longer() {
    let mut room = Room::new(&sale(), 1);
    room.issued = 10_000;
    let steady = forecast(&room, Some(1000), OPENS_AT.plus_s(60));
    assert_eq!((steady.p50_s, steady.p90_s), (40, 50));
    let stood = room.paused(OPENS_AT.plus_s(9)).resumed(OPENS_AT.plus_s(30));
    let told = forecast(&stood, Some(1000), OPENS_AT.plus_s(40));
    assert_eq!(told.p50_s, 80);
    // 200 people in 40 s so far, so the other 800 in 160.
    assert_eq!(told.p90_s, 160);
}

#[test]
fn before_the_draw_everybody_is_told_of_the_middle_and_of_the_end() {
    let mut sale = sale();
    sale.ordering = Ordering::Shuffle;
    let mut room = Room::new(&sale, 1);
    room.issued = 1000;
    let told = forecast(&room, None, OPENS_AT.plus_s(-10));
    assert_eq!((told.p50_s, told.p90_s), (60, 10 + 113));
}
