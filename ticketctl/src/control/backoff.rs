//! How long to wait before asking a control plane again. Pure: the number of failures in a row and
//! a random number come in, a pause comes out.
//!
//! Exponential with full jitter: when a control plane comes back, everybody who watches it comes
//! back spread over the pause, not at one instant.

use std::time::Duration;

/// The longest pause after the first failure; it doubles with every further one.
const FIRST: Duration = Duration::from_millis(200);
/// A control plane that is back is noticed within this.
const LONGEST: Duration = Duration::from_secs(5);
/// Never at once again: a refused connection costs nothing and would be retried in a circle.
const SHORTEST: Duration = Duration::from_millis(50);

/// The pause after `failures` in a row (from 1), spread by `random` (0 to 1).
pub(super) fn pause(failures: u32, random: f64) -> Duration {
    let doubled = 2u32.saturating_pow(failures.saturating_sub(1).min(16));
    let most = FIRST.saturating_mul(doubled).min(LONGEST);
    SHORTEST + (most - SHORTEST).mul_f64(random.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn pauses_double_up_to_five_seconds() {
        let most: Vec<u128> = (1..8).map(|n| pause(n, 1.0).as_millis()).collect();
        assert_eq!(most, [200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
        assert_eq!(pause(u32::MAX, 1.0), LONGEST);
    }

    proptest! {
        #[test]
        fn a_pause_is_never_none_and_never_long(failures in 0u32.., random in -1.0f64..2.0) {
            let pause = pause(failures, random);
            prop_assert!((SHORTEST..=LONGEST).contains(&pause));
        }

        #[test]
        fn watchers_come_back_spread(failures in 4u32..20, a in 0.0f64..1.0, b in 0.0f64..1.0) {
            prop_assert_eq!(a < b, pause(failures, a) < pause(failures, b));
        }
    }
}
