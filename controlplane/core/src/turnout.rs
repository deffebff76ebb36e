//! No-shows: the line at the door must not be slowed by people who have left it.
//!
//! Who is served in tier 1 may have gone home. Then tier 2 gets fewer people a second than it was
//! set to take, while others wait outside for slots that stand empty. So as long as tier 2 has room
//! the door's clock runs faster, by as much as people fail to show up: with half of them gone it
//! calls twice as many. It never decides who goes in: tier 2's own rate and cap do, in one atomic
//! script, so capacity-first and hard-cap do not depend on anything here, and a wrong guess costs a
//! short line in tier 2.

/// What tier 2 has seen of those whom tier 1 has let on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turnout {
    /// Places of tier 1 that somebody has shown in tier 2, since the line began.
    pub shown_up: u64,
    /// People in tier 2's line.
    pub waiting: u64,
    /// People inside.
    pub active: u64,
    /// Most that may be inside.
    pub cap: u32,
}

/// How long somebody who is served takes to come: a poll, and a page.
pub const COMING_MS: i64 = 10_000;
/// Fewer served than this say nothing about how many come.
const SERVED_MIN: u64 = 50;
/// The clock runs at most this many times as fast: somebody always comes.
const FASTER_MAX: u64 = 4;
/// In quarters of the rate, so that the record is not written for every visitor.
const STEPS: u64 = 4;
/// Seconds of admissions that tier 2's line may hold before the door goes back to its own rate.
const AHEAD_S: u64 = 2;

/// The rate of tier 1's clock, for a tier 2 that takes `rate_per_s`: at least that, more while
/// people do not come. `served` is tier 1's counter as of [`COMING_MS`] ago.
#[must_use]
pub fn door_rate_per_s(rate_per_s: u32, served: u64, turnout: &Turnout) -> u32 {
    let inside_or_coming = turnout.active.saturating_add(turnout.waiting);
    let has_room = inside_or_coming < u64::from(turnout.cap)
        && turnout.waiting < u64::from(rate_per_s).saturating_mul(AHEAD_S);
    if !has_room || served < SERVED_MIN || turnout.shown_up >= served {
        return rate_per_s;
    }
    // Rounded up: too many make a short line in tier 2, which ends it; too few leave slots empty.
    let quarters = served.saturating_mul(STEPS).div_ceil(turnout.shown_up.max(1));
    let quarters = quarters.clamp(STEPS, STEPS * FASTER_MAX);
    u32::try_from(u64::from(rate_per_s).saturating_mul(quarters) / STEPS).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const EMPTY: Turnout = Turnout {
        shown_up: 0,
        waiting: 0,
        active: 0,
        cap: 1000,
    };

    proptest! {
        #[test]
        fn the_door_is_never_slower_than_the_rate_nor_faster_than_four_times(
            rate in 0..10_000_u32, served in 0..1_000_000_u64, shown_up in 0..1_000_000_u64,
            waiting in 0..5_000_u64, active in 0..5_000_u64, cap in 1..5_000_u32,
        ) {
            let door = door_rate_per_s(rate, served, &Turnout { shown_up, waiting, active, cap });
            prop_assert!(door >= rate && u64::from(door) <= 4 * u64::from(rate));
            // Bounded by the hard cap downstream: without a free slot nobody is called early.
            if active + waiting >= u64::from(cap) {
                prop_assert_eq!(door, rate);
            }
        }
    }

    #[test]
    fn with_half_of_them_gone_twice_as_many_are_called() {
        let half = Turnout {
            shown_up: 500,
            ..EMPTY
        };
        assert_eq!(door_rate_per_s(100, 1000, &half), 200);
        let all = Turnout {
            shown_up: 1000,
            ..EMPTY
        };
        assert_eq!(door_rate_per_s(100, 1000, &all), 100);
        assert_eq!(door_rate_per_s(100, 1000, &EMPTY), 400);
    }

    #[test]
    fn a_line_in_tier_2_or_too_few_figures_leave_the_door_alone() {
        let line = Turnout {
            shown_up: 500,
            waiting: 250,
            ..EMPTY
        };
        assert_eq!(door_rate_per_s(100, 1000, &line), 100);
        assert_eq!(door_rate_per_s(100, 49, &EMPTY), 100);
    }

    /// AWS VWR #154 "waiting room is stuck", Cloudflare's head-of-line blocking: half of the people
    /// leave, and still the booking services get what they can bear.
    #[test]
    fn no_shows_do_not_slow_what_arrives_in_tier_2() {
        const RATE: u32 = 100;
        let admitted = |with_turnout: bool| {
            let (mut served, mut shown_up, mut waiting, mut door) = (0_u64, 0_u64, 0_u64, RATE);
            let (mut history, mut let_in) = (Vec::new(), 0);
            for second in 0..180 {
                served += u64::from(door);
                let come = u64::from(door) / 2;
                (shown_up, waiting) = (shown_up + come, waiting + come);
                let admits = waiting.min(u64::from(RATE));
                waiting -= admits;
                if second >= 60 {
                    let_in += admits;
                }
                history.push(served);
                let then = history[usize::saturating_sub(second, 10)];
                if with_turnout {
                    let turnout = Turnout {
                        shown_up,
                        waiting,
                        ..EMPTY
                    };
                    door = door_rate_per_s(RATE, then, &turnout);
                }
                assert!(waiting < 3 * u64::from(RATE), "a line in tier 2: {waiting}");
            }
            let_in / 120
        };
        assert_eq!(
            admitted(false),
            50,
            "without it half of the capacity stands empty"
        );
        assert!(admitted(true) >= 90, "{} a second of 100", admitted(true));
    }
}
