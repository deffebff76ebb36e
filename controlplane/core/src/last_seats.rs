//! The last seats: nobody is let in for nothing.
//!
//! Towards the end of a sale there are fewer seats than people who are let in for them every second. They read
//! the map, reach for the same few seats, lose, and read again: in a rehearsal with a million visitors the last
//! hundredth of the seats cost more requests than all others together, and everybody inside lost against
//! somebody. So once little is left, the line goes in as the seats do: at most two people inside for each seat that
//! may still be had. Whoever waits keeps the place, and hears from the line that it is over.
//!
//! Only ever lowers what the sale says, so hard-cap and capacity-first cannot be hurt here. What an operator sets by
//! hand is not touched ([`crate::plan::Hand`]).

/// The bounds begin when one seat in so many is left: before that the map has room for everybody.
const LAST_ONE_IN: u64 = 20;
/// Half of those who are let in buy nothing.
const INSIDE_PER_SEAT: u64 = 2;
/// So many may be inside however few seats are left: people who buy nothing must not keep the last
/// seats from those who would.
const INSIDE_MIN: u64 = 128;
/// Seconds in which as many are let in as may be inside: about as long as somebody takes to choose.
const CHOOSING_S: u64 = 4;

/// Seats of a sale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seats {
    /// All of them.
    pub capacity: u64,
    /// Those that are not paid for. A held one may come back.
    pub left: u64,
}

impl Seats {
    /// Whether every seat is paid for. Without seats nothing is.
    #[must_use]
    pub const fn are_sold_out(self) -> bool {
        self.capacity > 0 && self.left == 0
    }
}

/// What the line may do at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// People inside at once.
    pub cap: u32,
    /// People let in per second.
    pub rate_per_s: u32,
}

/// The bounds while `seats` are left; `None` as long as there are plenty, and without seats at all.
///
/// They move in powers of two, so that the limits are not written anew for every seat.
#[must_use]
pub fn bounds(seats: Seats) -> Option<Bounds> {
    let are_last = seats.capacity > 0 && seats.left <= seats.capacity / LAST_ONE_IN;
    are_last.then(|| {
        let wanted = seats.left.saturating_mul(INSIDE_PER_SEAT);
        let cap = wanted.next_power_of_two().max(INSIDE_MIN);
        Bounds {
            cap: u32::try_from(cap).unwrap_or(u32::MAX),
            rate_per_s: u32::try_from(cap / CHOOSING_S).unwrap_or(u32::MAX),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn left(left: u64, capacity: u64) -> Option<Bounds> {
        bounds(Seats { capacity, left })
    }

    proptest! {
        #[test]
        fn fewer_seats_never_let_more_people_in(capacity in 1..200_000_u64, sold in 0..200_000_u64, more in 0..1000_u64) {
            let seats = capacity.saturating_sub(sold);
            let fewer = left(seats.saturating_sub(more), capacity);
            match (left(seats, capacity), fewer) {
                (Some(before), Some(after)) => {
                    prop_assert!(after.cap <= before.cap && after.rate_per_s <= before.rate_per_s);
                }
                (before, _) => prop_assert_eq!(before, None, "a bound does not go away as seats are sold"),
            }
        }

        #[test]
        fn there_may_always_be_two_inside_for_every_seat_left(capacity in 1..200_000_u64, seats in 0..200_000_u64) {
            if let Some(bounds) = left(seats.min(capacity), capacity) {
                prop_assert!(u64::from(bounds.cap) >= 2 * seats.min(capacity));
                prop_assert!(bounds.rate_per_s >= 1);
            }
        }
    }

    #[test]
    fn a_stadium_is_let_in_as_ever_until_one_seat_in_twenty_is_left() {
        assert_eq!(left(3001, 60_000), None);
        assert_eq!(
            left(3000, 60_000),
            Some(Bounds {
                cap: 8192,
                rate_per_s: 2048
            })
        );
        assert_eq!(
            left(200, 60_000),
            Some(Bounds {
                cap: 512,
                rate_per_s: 128
            })
        );
        assert_eq!(
            left(1, 60_000),
            Some(Bounds {
                cap: 128,
                rate_per_s: 32
            })
        );
    }

    #[test]
    fn without_seats_nothing_is_bounded_and_nothing_sold_out() {
        assert_eq!(left(0, 0), None);
        let none = Seats { capacity: 0, left: 0 };
        assert!(!none.are_sold_out());
    }
}
