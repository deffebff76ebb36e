//! Who may buy when: an artist's fans first, by tier, the general sale last (R-MEM-04).
//!
//! Catalog shows this plan, queue and booking enforce it (R-BOOK-14). All ask here, so that nobody is promised
//! an hour at which he is turned away.

use crate::time::Millis;
use serde::{Deserialize, Serialize};

/// Points from which a member is gold, and from which diamond (R-MEM-02).
pub const GOLD_POINTS: i32 = 500;
/// See [`GOLD_POINTS`].
pub const DIAMOND_POINTS: i32 = 1500;

/// What a fan is to an artist. The order is that of rank.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Tier {
    /// No active membership.
    Bronze,
    /// A member.
    Silver,
    /// A member with [`GOLD_POINTS`].
    Gold,
    /// A member with [`DIAMOND_POINTS`].
    Diamond,
}

impl Tier {
    /// All of them, lowest first.
    pub const ALL: [Self; 4] = [Self::Bronze, Self::Silver, Self::Gold, Self::Diamond];

    /// The tier of an active member with so many points.
    #[must_use]
    pub const fn of_points(points: i32) -> Self {
        match points {
            DIAMOND_POINTS.. => Self::Diamond,
            GOLD_POINTS.. => Self::Gold,
            _ => Self::Silver,
        }
    }

    /// The wire's word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bronze => "BRONZE",
            Self::Silver => "SILVER",
            Self::Gold => "GOLD",
            Self::Diamond => "DIAMOND",
        }
    }

    /// How long after the start of the sale this tier may buy, seconds.
    #[must_use]
    pub const fn wait_s(self) -> i64 {
        match self {
            Self::Diamond => 0,
            Self::Gold => 3600,
            Self::Silver => 24 * 3600,
            Self::Bronze => 48 * 3600,
        }
    }
}

/// The presale of one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Presale {
    /// When the first tier may buy.
    pub starts_at: Millis,
}

impl Presale {
    /// The presale of an artist's event that is sold from `starts_at` until `ends_at`. A sale that ends before
    /// its general part would begin has none: it is for everybody.
    #[must_use]
    pub fn of_sale(starts_at: Millis, ends_at: Option<Millis>) -> Option<Self> {
        let presale = Self { starts_at };
        ends_at
            .is_none_or(|ends_at| ends_at > presale.opens_at(Tier::Bronze))
            .then_some(presale)
    }

    /// From when on a fan of this tier may buy.
    #[must_use]
    pub const fn opens_at(self, tier: Tier) -> Millis {
        self.starts_at.plus_s(tier.wait_s())
    }

    /// Whether everybody may buy, so that nobody's tier matters any more.
    #[must_use]
    pub fn is_over(self, now: Millis) -> bool {
        now >= self.opens_at(Tier::Bronze)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn r_mem_02_tiers_begin_at_their_points() {
        for (points, tier) in [
            (-5, Tier::Silver),
            (0, Tier::Silver),
            (499, Tier::Silver),
            (500, Tier::Gold),
            (1499, Tier::Gold),
            (1500, Tier::Diamond),
        ] {
            assert_eq!(Tier::of_points(points), tier, "{points}");
        }
    }

    #[test]
    fn a_sale_too_short_for_its_general_part_is_for_everybody() {
        // R-MEM-04: "general last" must exist.
        let start = Millis(0);
        let general = start.plus_s(48 * 3600);
        assert_eq!(Presale::of_sale(start, Some(general)), None);
        assert!(Presale::of_sale(start, Some(general.plus_ms(1))).is_some());
        assert!(Presale::of_sale(start, None).is_some());
    }

    proptest! {
        #[test]
        fn r_mem_02_more_points_never_lower_a_tier(a: i32, b: i32) {
            prop_assert!(Tier::of_points(a.min(b)) <= Tier::of_points(a.max(b)));
        }

        #[test]
        fn r_mem_04_a_higher_tier_never_buys_later_and_all_buy_in_the_end(start in 0..1_i64 << 45, after in 0..200_000_i64) {
            let presale = Presale { starts_at: Millis(start) };
            let now = Millis(start).plus_s(after);
            for pair in Tier::ALL.windows(2) {
                prop_assert!(presale.opens_at(pair[1]) <= presale.opens_at(pair[0]));
            }
            let all = Tier::ALL.iter().all(|tier| now >= presale.opens_at(*tier));
            prop_assert_eq!(all, presale.is_over(now));
        }
    }
}
