//! hard-cap and the rate, for every sequence of steps.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use proptest::prelude::*;
use urr_core::{
    admission::{Bucket, Limits, LogEntry, LogKind, admit},
    time::Millis,
};

const OPENS_AT: Millis = Millis(1_796_122_800_000);

#[derive(Debug, Clone)]
struct Step {
    /// Clocks may step back.
    wait_ms: i64,
    arrive: u64,
    leave: u64,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (-500..5_000_i64, 0..100_u64, 0..20_u64).prop_map(|(wait_ms, arrive, leave)| Step {
        wait_ms,
        arrive,
        leave,
    });
    prop::collection::vec(step, 1..80)
}

proptest! {
    #[test]
    fn no_window_sees_more_than_rate_and_burst_and_the_cap_is_never_passed(
        steps in steps(), rate_per_s in 0..200_u32, burst in 0..100_u32, cap in 0..200_u32,
    ) {
        let limits = Limits { rate_per_s, burst, cap };
        let mut bucket = Bucket::at_opening(OPENS_AT, limits);
        let (mut now, mut waiting, mut active) = (OPENS_AT, 0_u64, 0_u64);
        let mut admitted: Vec<(Millis, u64)> = Vec::new();
        for step in steps {
            now = now.plus_ms(step.wait_ms);
            waiting += step.arrive;
            active = active.saturating_sub(step.leave);
            let (n, after) = admit(bucket, limits, now, waiting, active);
            prop_assert!(n <= waiting);
            prop_assert!(n == 0 || active + n <= u64::from(cap));
            prop_assert!((0..=limits.depth_milli()).contains(&after.tokens_milli));
            prop_assert!(after.at >= bucket.at);
            bucket = after;
            waiting -= n;
            active += n;
            // By the bucket's clock, which never goes back.
            admitted.push((bucket.at, n));
        }
        for from in 0..admitted.len() {
            let mut sum_milli = 0_i64;
            for (at, n) in &admitted[from..] {
                sum_milli += i64::try_from(*n).unwrap() * 1000;
                let window_ms = at.since(admitted[from].0);
                let allowed_milli = window_ms * i64::from(rate_per_s) + limits.depth_milli();
                prop_assert!(sum_milli <= allowed_milli, "{} milli in {} ms", sum_milli, window_ms);
            }
        }
    }

    /// The other side of the bound: a line that is never empty gets its full rate.
    #[test]
    fn run_every_tick_a_waiting_line_gets_the_whole_rate(rate_per_s in 1..2_000_u32, burst in 1..200_u32) {
        let limits = Limits { rate_per_s, burst, cap: u32::MAX };
        // A tick's earnings and the begun admission before it must fit.
        prop_assume!(u64::from(rate_per_s) * limits.tick_ms() + 999 <= u64::from(burst) * 1000);
        let mut bucket = Bucket { tokens_milli: 0, at: OPENS_AT };
        let (mut now, mut total) = (OPENS_AT, 0_u64);
        while now.since(OPENS_AT) < 20_000 {
            now = now.plus_ms(i64::try_from(limits.tick_ms()).unwrap());
            let (n, after) = admit(bucket, limits, now, u64::MAX, 0);
            bucket = after;
            total += n;
        }
        let due = u64::from(rate_per_s) * now.since(OPENS_AT).unsigned_abs() / 1000;
        prop_assert!(total == due || total + 1 == due, "{} of {}", total, due);
    }

    #[test]
    fn it_is_total(tokens_milli: i64, at: i64, now: i64, waiting: u64, active: u64, rate_per_s: u32, burst: u32, cap: u32) {
        let limits = Limits { rate_per_s, burst, cap };
        let (n, after) = admit(Bucket { tokens_milli, at: Millis(at) }, limits, Millis(now), waiting, active);
        prop_assert!(n <= waiting && n <= u64::from(cap).saturating_sub(active));
        prop_assert!((0..=limits.depth_milli()).contains(&after.tokens_milli));
    }
}

#[test]
fn a_clock_that_steps_back_earns_nothing_twice() {
    let limits = Limits {
        rate_per_s: 10,
        burst: 10,
        cap: 1_000,
    };
    let start = Bucket {
        tokens_milli: 0,
        at: OPENS_AT,
    };
    let (first, bucket) = admit(start, limits, OPENS_AT.plus_s(1), 100, 0);
    let (again, bucket) = admit(bucket, limits, OPENS_AT, 100, 0);
    let (same, _) = admit(bucket, limits, OPENS_AT.plus_s(1), 100, 0);
    assert_eq!((first, again, same), (10, 0, 0));
}

#[test]
fn the_streams_names_come_back_and_others_are_unknown() {
    for kind in LogKind::ALL {
        assert_eq!(LogKind::from_name(kind.name()), Some(kind));
        let entry = LogEntry {
            kind,
            at: OPENS_AT,
            user: None,
            position: None,
            active_after: 0,
            cap: 1,
            rate_per_s: 1,
            reason: None,
        };
        let json = serde_json::to_string(&entry).unwrap();
        assert!(json.contains("\"activeAfter\":0"), "{json}");
        assert_eq!(serde_json::from_str::<LogEntry>(&json).unwrap(), entry);
    }
    assert_eq!(LogKind::from_name("opened"), None);
}
