//! One letter per seat, kept up to date from what changed: `a`vailable, `l`ocked, `r`eserved. A hold
//! past its end is free for everybody and shown so, whether it was swept or not.

use crate::store::seating::{Changes, Horizon};
use std::collections::HashMap;
use urr_core::time::Millis;

/// The letters as of one read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Letters {
    letters: Vec<u8>,
    /// When the locked ones end.
    holds: HashMap<usize, Millis>,
    /// What the next read begins with.
    horizon: Horizon,
}

impl Letters {
    /// Of a hall nothing is known of yet.
    pub(super) fn blank(seats: usize) -> Self {
        Self {
            letters: vec![b'a'; seats],
            holds: HashMap::new(),
            horizon: Horizon::BEGINNING,
        }
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.letters
    }

    pub(super) const fn horizon(&self) -> Horizon {
        self.horizon
    }

    /// After `changes`, at `now`.
    pub(super) fn after(&self, changes: &Changes, now: Millis) -> Self {
        let mut next = Self {
            horizon: changes.horizon,
            ..self.clone()
        };
        for seat in &changes.seats {
            let Some(letter) = next.letters.get_mut(seat.at) else {
                continue;
            };
            next.holds.remove(&seat.at);
            *letter = seat.letter;
            if let Some(ends_at) = seat.ends_at {
                next.holds.insert(seat.at, ends_at);
            }
        }
        let letters = &mut next.letters;
        next.holds.retain(|at, ends_at| {
            let holds = *ends_at > now;
            if !holds {
                letters[*at] = b'a';
            }
            holds
        });
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::seating::Changed;
    use proptest::prelude::*;

    fn changed(at: usize, letter: u8, ends_at: Option<i64>) -> Changed {
        Changed {
            at,
            letter,
            ends_at: ends_at.map(Millis),
        }
    }

    fn changes(seats: Vec<Changed>) -> Changes {
        Changes {
            generation: uuid::Uuid::nil(),
            horizon: Horizon::BEGINNING,
            seats,
        }
    }

    proptest! {
        /// Telling a change again, or late ones together, makes no difference: reads may overlap.
        #[test]
        fn what_is_shown_depends_on_each_seats_last_change_and_the_time(
            steps in prop::collection::vec((0_usize..8, 0_u8..3, 0_i64..40), 1..40), now in 0_i64..50,
        ) {
            let steps: Vec<Changed> = steps
                .into_iter()
                .map(|(at, kind, ends)| match kind {
                    0 => changed(at, b'a', None),
                    1 => changed(at, b'l', Some(ends)),
                    _ => changed(at, b'r', None),
                })
                .collect();
            let mut one_by_one = Letters::blank(8);
            for at in 0..steps.len() {
                // Every read brings the last changes again.
                let overlap = steps[at.saturating_sub(2)..=at].to_vec();
                one_by_one = one_by_one.after(&changes(overlap), Millis(now));
            }
            let at_once = Letters::blank(8).after(&changes(steps.clone()), Millis(now));
            prop_assert_eq!(one_by_one.as_bytes(), at_once.as_bytes());
            for at in 0..8 {
                let expected = match steps.iter().rev().find(|step| step.at == at) {
                    Some(Changed { letter: b'l', ends_at: Some(ends), .. }) if ends.0 <= now => b'a',
                    Some(step) => step.letter,
                    None => b'a',
                };
                prop_assert_eq!(at_once.as_bytes()[at], expected);
            }
        }
    }

    #[test]
    fn a_seat_beyond_the_hall_is_left_alone() {
        let letters = Letters::blank(1).after(&changes(vec![changed(5, b'r', None)]), Millis(0));
        assert_eq!(letters.as_bytes(), b"a");
    }
}
