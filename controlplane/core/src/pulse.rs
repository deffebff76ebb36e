//! How the services behind the door feel: what one of their processes says of its last seconds, and the
//! signs that the adaptive rate follows.
//!
//! A pulse tells of a window that has just passed and is complete in itself: behind one address stand
//! many replicas, and counters that are read now from one and then from another would differ by anything.
//! Pulses of several are added up; what breaks if their edges change: processes of two versions would add
//! what does not belong together, so a pulse with another number of them is left out.

use serde::{Deserialize, Serialize};

/// Seconds a pulse tells of: long enough for some dozens of reservations at the house's rates, short
/// enough that what was before the last change of the rate has passed when the next is due.
pub const WINDOW_S: u32 = 5;
/// Upper edges of the classes of a reservation's time, in milliseconds: a quarter apart around the
/// requirement of one second.
pub const EDGES_MS: [u32; 18] = [
    10, 25, 50, 100, 150, 200, 300, 400, 500, 640, 800, 1000, 1250, 1600, 2000, 3000, 5000, 10_000,
];
/// Below so many requests a ratio or a percentile says nothing.
const SAMPLES_MIN: u64 = 5;

/// The last [`WINDOW_S`] seconds of a process behind the door.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Pulse {
    /// Requests behind the door that were answered.
    pub requests: u64,
    /// Of them, those that failed on our side (5xx).
    pub failures: u64,
    /// Reservations by the time they took: one class for each of [`EDGES_MS`], and one beyond.
    pub reservations: Vec<u64>,
    /// Database connections in use.
    pub pool_used: u32,
    /// And how many there may be; 0 where there is no pool.
    pub pool_max: u32,
}

/// What the adaptive rate looks at; each is absent when too little happened to tell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Signs {
    /// 99th percentile of reservations, in milliseconds.
    pub reservation_p99_ms: Option<u32>,
    /// The fullest connection pool, in percent.
    pub pool_percent: Option<u32>,
    /// Requests of a thousand that fail on our side.
    pub errors_per_thousand: Option<u32>,
}

impl Pulse {
    /// The class of [`Pulse::reservations`] that a reservation of `ms` belongs to.
    #[must_use]
    pub fn class_of(ms: u128) -> usize {
        EDGES_MS
            .iter()
            .position(|edge| ms <= u128::from(*edge))
            .unwrap_or(EDGES_MS.len())
    }
}

/// The signs in `pulses`, of one process or of many; `None` when there is no pulse to read.
#[must_use]
pub fn signs<'a>(pulses: impl IntoIterator<Item = &'a Pulse>) -> Option<Signs> {
    let (mut seen, mut requests, mut failures) = (false, 0_u64, 0_u64);
    let mut classes = [0_u64; EDGES_MS.len() + 1];
    let mut pool_percent = None;
    for pulse in pulses {
        seen = true;
        requests = requests.saturating_add(pulse.requests);
        failures = failures.saturating_add(pulse.failures);
        if pulse.reservations.len() == classes.len() {
            for (class, count) in classes.iter_mut().zip(&pulse.reservations) {
                *class = class.saturating_add(*count);
            }
        }
        // One that is full keeps its visitors waiting, however empty the others are.
        pool_percent = pool_percent.max(percent(pulse.pool_used, pulse.pool_max));
    }
    let errors = (requests >= SAMPLES_MIN).then(|| {
        let of_thousand = failures.saturating_mul(1000) / requests.max(1);
        u32::try_from(of_thousand).unwrap_or(u32::MAX)
    });
    seen.then(|| Signs {
        reservation_p99_ms: p99_ms(&classes),
        pool_percent,
        errors_per_thousand: errors,
    })
}

fn percent(used: u32, max: u32) -> Option<u32> {
    let percent = (u64::from(used) * 100).checked_div(u64::from(max))?;
    u32::try_from(percent).ok()
}

/// The 99th percentile, straight between the edges of its class.
fn p99_ms(classes: &[u64]) -> Option<u32> {
    let total = classes
        .iter()
        .fold(0_u64, |sum, count| sum.saturating_add(*count));
    if total < SAMPLES_MIN {
        return None;
    }
    let rank = total.saturating_mul(99).div_ceil(100);
    let mut before = 0_u64;
    for (index, count) in classes.iter().enumerate() {
        let here = before.saturating_add(*count);
        if here >= rank {
            let Some(upper) = EDGES_MS.get(index) else {
                // Beyond the last edge nothing is known but that it is too long.
                return EDGES_MS.last().map(|edge| edge.saturating_mul(2));
            };
            let lower = index
                .checked_sub(1)
                .and_then(|below| EDGES_MS.get(below))
                .copied();
            let (lower, upper) = (u64::from(lower.unwrap_or(0)), u64::from(*upper));
            let within = (upper - lower)
                .saturating_mul(rank - before)
                .div_ceil((*count).max(1));
            return u32::try_from(lower + within).ok();
        }
        before = here;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(times_ms: &[u32]) -> Pulse {
        let mut reservations = vec![0; EDGES_MS.len() + 1];
        for ms in times_ms {
            reservations[Pulse::class_of(u128::from(*ms))] += 1;
        }
        Pulse {
            requests: times_ms.len() as u64,
            reservations,
            ..Pulse::default()
        }
    }

    #[test]
    fn nothing_heard_is_nothing_known_and_too_little_is_not_enough() {
        assert_eq!(signs(&[]), None);
        let few = signs(&[of(&[9000, 9000])]).unwrap();
        assert_eq!((few.reservation_p99_ms, few.errors_per_thousand), (None, None));
        assert_eq!(few.pool_percent, None, "a process without a pool");
    }

    #[test]
    fn replicas_are_added_up_and_the_fullest_pool_counts() {
        let mut one = of(&[30; 50]);
        (one.failures, one.pool_used, one.pool_max) = (1, 2, 10);
        let mut other = of(&[30; 50]);
        (other.pool_used, other.pool_max) = (9, 10);
        let signs = signs(&[one, other]).unwrap();
        assert_eq!(signs.errors_per_thousand, Some(10));
        assert_eq!(signs.pool_percent, Some(90));
        assert!(
            (26..=50).contains(&signs.reservation_p99_ms.unwrap()),
            "{signs:?}"
        );
    }

    #[test]
    fn a_pulse_of_another_version_is_no_evidence_of_speed() {
        let strange = Pulse {
            reservations: vec![1000, 5],
            ..of(&[])
        };
        assert_eq!(signs(&[strange]).unwrap().reservation_p99_ms, None);
    }

    proptest! {
        /// Between the two edges that the true percentile lies between.
        #[test]
        fn the_percentile_is_right_to_within_its_class(times in prop::collection::vec(0..20_000_u32, 5..200)) {
            let told = signs(&[of(&times)]).unwrap().reservation_p99_ms.unwrap();
            let mut sorted = times;
            sorted.sort_unstable();
            let exact = sorted[(sorted.len() * 99).div_ceil(100) - 1];
            prop_assert!(
                Pulse::class_of(u128::from(told)) == Pulse::class_of(u128::from(exact)),
                "{told} for {exact}"
            );
        }
    }
}
