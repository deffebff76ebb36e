//! When this process may append to a line again; the rule is `urr_core::commit`.

use std::time::Duration;
use tokio::time::Instant;
use urr_core::commit::gap_us;

/// Timers are late by up to a millisecond; a sale gets back what it lost to that, up to this many
/// gaps.
const CREDIT: u32 = 4;

#[derive(Default)]
pub(crate) struct Pace {
    next_at: Option<Instant>,
    refusals: u32,
}

impl Pace {
    /// Takes the turn of one append; it may go at the instant returned.
    pub(crate) fn take(&mut self, writers: u32, now: Instant) -> Instant {
        let gap = Duration::from_micros(gap_us(writers, self.refusals));
        let credit = if self.refusals == 0 {
            gap * CREDIT
        } else {
            Duration::ZERO
        };
        let earliest = now.checked_sub(credit).unwrap_or(now);
        let turn = self.next_at.map_or(earliest, |at| at.max(earliest));
        self.next_at = Some(turn + gap);
        turn.max(now)
    }

    /// The store did it.
    pub(crate) const fn done(&mut self) {
        self.refusals = 0;
    }

    /// The store throttled or failed: the next turn is further away. Returns when it is.
    pub(crate) fn refused(&mut self, writers: u32, now: Instant) -> Instant {
        self.refusals = self.refusals.saturating_add(1);
        let gap = Duration::from_micros(gap_us(writers, self.refusals));
        let next = self.next_at.map_or(now + gap, |at| at.max(now + gap));
        self.next_at = Some(next);
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_second_has_more_appends_than_the_budget_and_the_credit() {
        for writers in [1_u32, 2, 4, 9] {
            let start = Instant::now();
            let mut pace = Pace::default();
            let mut now = start;
            let mut turns = Vec::new();
            while now < start + Duration::from_secs(3) {
                let turn = pace.take(writers, now);
                turns.push(turn);
                // A timer that is late now and then.
                now = turn + Duration::from_micros(300 + 900 * (turns.len() as u64 % 3));
            }
            let allowed = 1_000_000 / gap_us(writers, 0);
            for (i, from) in turns.iter().enumerate() {
                let within = turns[i..]
                    .iter()
                    .take_while(|turn| **turn < *from + Duration::from_secs(1))
                    .count() as u64;
                assert!(within <= allowed + u64::from(CREDIT) + 1, "{within}");
            }
            // What lateness cost came back.
            assert!(
                turns.len() as u64 * 100 >= 3 * allowed * 95,
                "{} appends in 3 s",
                turns.len()
            );
        }
    }

    /// Section 8 of reference/waiting-rooms.md: one item takes a thousand writes a second, and a
    /// sale's counter is one. With so many replicas at work the budget is used up, and kept.
    #[test]
    fn nine_replicas_together_reach_the_budget_of_a_sale_and_keep_to_it() {
        const WRITERS: u32 = 9;
        let start = Instant::now();
        let mut turns = Vec::new();
        for replica in 0..u64::from(WRITERS) {
            let mut pace = Pace::default();
            let mut now = start + Duration::from_micros(700 * replica);
            while now < start + Duration::from_secs(3) {
                let turn = pace.take(WRITERS, now);
                turns.push(turn);
                now = turn + Duration::from_micros(100);
            }
        }
        // From the second second on: what was saved up before the first append is spent.
        let within = |from_s: u64| {
            let from = start + Duration::from_secs(from_s);
            let second = turns
                .iter()
                .filter(|turn| **turn >= from && **turn < from + Duration::from_secs(1));
            // A block and the counter.
            second.count() * 2
        };
        for second in [1, 2] {
            let writes = within(second);
            assert!((740..=800).contains(&writes), "{writes} item writes");
        }
    }

    #[test]
    fn the_first_append_after_a_quiet_moment_does_not_wait() {
        let now = Instant::now() + Duration::from_secs(5);
        let mut pace = Pace::default();
        assert_eq!(pace.take(5, now), now);
        assert_eq!(
            pace.take(5, now + Duration::from_secs(1)),
            now + Duration::from_secs(1)
        );
    }

    #[test]
    fn a_refusal_pushes_the_next_turn_away_and_success_forgets_it() {
        let now = Instant::now() + Duration::from_secs(5);
        let mut pace = Pace::default();
        pace.take(1, now);
        pace.refused(1, now);
        let turn = pace.take(1, now);
        assert!(turn >= now + Duration::from_millis(25));
        pace.done();
        assert!(pace.take(1, turn + Duration::from_millis(30)) <= turn + Duration::from_millis(30));
    }
}
