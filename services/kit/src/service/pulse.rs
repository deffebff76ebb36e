//! `/actuator/pulse`: the last seconds of this process behind the door, for the rate that follows them
//! (`urr_core::pulse`).
//!
//! Beside the metrics and not out of them: Prometheus' counters tell of all time and of one replica, and
//! who asks here asks through an address that many replicas stand behind. Only what a visitor who was let
//! in does is counted; polls of the line are a thousand times as many and would hide it.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use urr_core::pulse::{EDGES_MS, Pulse, WINDOW_S};

/// Where people reserve.
const RESERVE: &str = "/api/seats/reserve";
/// Routes behind the door, by how their patterns begin.
const BEHIND_THE_DOOR: [&str; 5] = [
    "/api/seats",
    "/api/reservations",
    "/api/payments",
    "/internal/reservations",
    "/internal/payments",
];
const SECONDS: usize = WINDOW_S as usize;

/// Counts this process' requests.
static COUNTS: Mutex<Option<Counts>> = Mutex::new(None);

/// One class of counts for each second of the window, and the second that is under way.
struct Counts {
    began: Instant,
    seconds: [Second; SECONDS + 1],
}

#[derive(Clone, Copy, Default)]
struct Second {
    /// Which second since `began` this one is.
    number: u64,
    requests: u64,
    failures: u64,
    reservations: [u64; EDGES_MS.len() + 1],
}

impl Counts {
    fn new(now: Instant) -> Self {
        Self {
            began: now,
            seconds: [Second::default(); SECONDS + 1],
        }
    }

    fn second(&mut self, now: Instant) -> &mut Second {
        let number = now.duration_since(self.began).as_secs();
        let slot = usize::try_from(number).unwrap_or(0) % self.seconds.len();
        let second = &mut self.seconds[slot];
        if second.number != number {
            *second = Second {
                number,
                ..Second::default()
            };
        }
        second
    }

    fn count(&mut self, is_reservation: bool, is_failure: bool, took: Duration, now: Instant) {
        let second = self.second(now);
        second.requests += 1;
        second.failures += u64::from(is_failure);
        if is_reservation && let Some(class) = second.reservations.get_mut(Pulse::class_of(took.as_millis()))
        {
            *class += 1;
        }
    }

    /// The seconds of the window that are over, and the one under way.
    fn pulse(&self, now: Instant) -> Pulse {
        let current = now.duration_since(self.began).as_secs();
        let mut pulse = Pulse {
            reservations: vec![0; EDGES_MS.len() + 1],
            ..Pulse::default()
        };
        let is_recent = |second: &&Second| current.saturating_sub(second.number) <= u64::from(WINDOW_S);
        for second in self.seconds.iter().filter(is_recent) {
            pulse.requests += second.requests;
            pulse.failures += second.failures;
            for (class, count) in pulse.reservations.iter_mut().zip(second.reservations) {
                *class += count;
            }
        }
        pulse
    }
}

/// Counts a request that was answered, if it is one behind the door. `route` is its pattern.
pub(super) fn count(route: &str, is_failure: bool, took: Duration) {
    if !BEHIND_THE_DOOR
        .iter()
        .any(|beginning| route.starts_with(beginning))
    {
        return;
    }
    let now = Instant::now();
    COUNTS
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .get_or_insert_with(|| Counts::new(now))
        .count(route == RESERVE, is_failure, took, now);
}

/// This process' pulse; its pools are the caller's to add.
pub(super) fn pulse() -> Pulse {
    let now = Instant::now();
    COUNTS
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .get_or_insert_with(|| Counts::new(now))
        .pulse(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pulse_tells_of_the_last_seconds_only() {
        let began = Instant::now();
        let mut counts = Counts::new(began);
        let at = |seconds: u64| began + Duration::from_secs(seconds);
        let ms = Duration::from_millis;
        counts.count(true, false, ms(40), at(0));
        counts.count(true, true, ms(3500), at(3));
        counts.count(false, false, ms(3500), at(3));
        let pulse = counts.pulse(at(4));
        assert_eq!((pulse.requests, pulse.failures), (3, 1));
        assert_eq!(
            pulse.reservations.iter().sum::<u64>(),
            2,
            "the third is no reservation"
        );
        assert_eq!(pulse.reservations[Pulse::class_of(3500)], 1);
        let later = counts.pulse(at(8));
        assert_eq!(later.requests, 2, "the first has passed");
        assert_eq!(counts.pulse(at(60)).requests, 0);
        // A slot that comes round again begins anew.
        counts.count(true, false, ms(40), at(3 + SECONDS as u64 + 1));
        assert_eq!(counts.pulse(at(3 + SECONDS as u64 + 1)).requests, 1);
    }

    #[test]
    fn polls_of_the_line_are_no_part_of_it() {
        let before = pulse().requests;
        count("/api/queue/check/{event}", true, Duration::ZERO);
        count("/health", true, Duration::ZERO);
        assert_eq!(pulse().requests, before);
    }
}
