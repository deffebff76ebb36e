//! Under which terms an event is sold, and who is turned away by them (R-BOOK-14).
//!
//! Booking keeps them and tells the queue; both judge here, so that nobody is let in who is refused inside.

use crate::presale::{Presale, Tier};
use crate::time::Millis;
use serde::{Deserialize, Serialize};

/// Why somebody is turned away. The text is what the client reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The show was called off.
    #[error("The event has been cancelled")]
    Cancelled,
    /// Nobody may buy yet.
    #[error("The sale has not opened yet")]
    NotOpen {
        /// From when on somebody may.
        opens_at: Millis,
    },
    /// Fans of a higher tier come first.
    #[error("The sale is not open to {} yet: members of the artist come first, by tier", .tier.as_str())]
    Presale {
        /// What the caller is to the artist.
        tier: Tier,
        /// From when on he may buy.
        opens_at: Millis,
    },
    /// Nobody may buy any more.
    #[error("The sale is closed")]
    Closed,
}

impl Refusal {
    /// The word that programs go by, on the wire and in metrics.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Cancelled => "EVENT_CANCELLED",
            Self::NotOpen { .. } => "SALE_NOT_OPEN",
            Self::Presale { .. } => "PRESALE",
            Self::Closed => "SALE_CLOSED",
        }
    }

    /// When it is worth coming again, if ever.
    #[must_use]
    pub const fn opens_at(self) -> Option<Millis> {
        match self {
            Self::NotOpen { opens_at } | Self::Presale { opens_at, .. } => Some(opens_at),
            Self::Cancelled | Self::Closed => None,
        }
    }
}

/// The terms of one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Terms {
    /// From here on it is sold; without it, at any time.
    pub opens_at: Option<Millis>,
    /// Until here.
    pub closes_at: Option<Millis>,
    /// The show was called off.
    pub cancelled: bool,
    /// Whether the window is that of a declared sale, which people wait for in its line.
    pub declared: bool,
    /// Whose fans come first, if anybody's.
    pub presale: Option<Presale>,
}

impl Terms {
    /// Whether it is sold at `now`, to whomever.
    ///
    /// # Errors
    /// [`Refusal`], but `Presale`.
    pub fn on_sale(&self, now: Millis) -> Result<(), Refusal> {
        if self.cancelled {
            return Err(Refusal::Cancelled);
        }
        if let Some(opens_at) = self.opens_at.filter(|opens_at| now < *opens_at) {
            return Err(Refusal::NotOpen { opens_at });
        }
        match self.closes_at {
            Some(closes_at) if now >= closes_at => Err(Refusal::Closed),
            _ => Ok(()),
        }
    }

    /// Whether somebody may stand in line for it at `now`, by what holds for everybody. The line of a declared
    /// sale keeps its own window: people wait in it for the opening.
    ///
    /// # Errors
    /// [`Refusal`], but `Presale`.
    pub fn in_line(&self, now: Millis) -> Result<(), Refusal> {
        match self.on_sale(now) {
            Err(Refusal::NotOpen { .. } | Refusal::Closed) if self.declared => Ok(()),
            judged => judged,
        }
    }

    /// The presale that lasts when who comes at `now` may buy: at once, or at the opening. While it does, and only
    /// then, it matters who somebody is.
    #[must_use]
    pub fn presale_at(&self, now: Millis) -> Option<(Presale, Millis)> {
        let turn = self.opens_at.map_or(now, |opens_at| opens_at.max(now));
        self.presale
            .filter(|presale| !presale.is_over(turn))
            .map(|presale| (presale, turn))
    }

    /// Whether it is a fan's turn who comes at `now`.
    ///
    /// # Errors
    /// `Presale`.
    pub fn turn(&self, tier: Tier, now: Millis) -> Result<(), Refusal> {
        match self.presale_at(now) {
            Some((presale, turn)) if turn < presale.opens_at(tier) => Err(Refusal::Presale {
                tier,
                opens_at: presale.opens_at(tier),
            }),
            _ => Ok(()),
        }
    }
}

/// What somebody is to whose show it is, as booking tells the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fan {
    /// His tier.
    pub tier: Tier,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const OPENS: Millis = Millis(1000);
    const CLOSES: Millis = Millis(2000);

    fn terms() -> Terms {
        Terms {
            opens_at: Some(OPENS),
            closes_at: Some(CLOSES),
            ..Terms::default()
        }
    }

    #[test]
    fn r_book_14_the_window_is_open_from_its_first_to_before_its_last_instant() {
        let judged = |at| terms().on_sale(Millis(at));
        assert_eq!(judged(999), Err(Refusal::NotOpen { opens_at: OPENS }));
        assert_eq!((judged(1000), judged(1999)), (Ok(()), Ok(())));
        assert_eq!(judged(2000), Err(Refusal::Closed));
        let called_off = Terms {
            cancelled: true,
            ..terms()
        };
        assert_eq!(called_off.on_sale(Millis(1500)), Err(Refusal::Cancelled));
        assert_eq!(Terms::default().on_sale(Millis(0)), Ok(()));
    }

    #[test]
    fn a_declared_sale_is_waited_for_and_another_event_is_not() {
        for (declared, early) in [(true, Ok(())), (false, Err(Refusal::NotOpen { opens_at: OPENS }))] {
            let terms = Terms { declared, ..terms() };
            assert_eq!(terms.in_line(Millis(999)), early);
            assert_eq!(terms.in_line(CLOSES).is_ok(), declared);
            let called_off = Terms {
                cancelled: true,
                ..terms
            };
            assert_eq!(called_off.in_line(Millis(999)), Err(Refusal::Cancelled));
        }
    }

    #[test]
    fn who_waits_for_the_opening_is_judged_by_it() {
        let hour = |hours: i64| Millis(0).plus_s(hours * 3600);
        // The sale is declared an hour after the first fans' hour.
        let terms = Terms {
            opens_at: Some(hour(1)),
            declared: true,
            presale: Presale::of_sale(hour(0), None),
            ..Terms::default()
        };
        assert_eq!(terms.turn(Tier::Gold, hour(-1)), Ok(()));
        let refused = Err(Refusal::Presale {
            tier: Tier::Silver,
            opens_at: hour(24),
        });
        assert_eq!(terms.turn(Tier::Silver, hour(-1)), refused);
        assert_eq!(terms.turn(Tier::Silver, hour(24)), Ok(()));
        let general = Terms {
            opens_at: Some(hour(48)),
            ..terms
        };
        assert_eq!(general.presale_at(hour(-1)), None, "nobody need be asked");
    }

    proptest! {
        #[test]
        fn r_book_14_nobody_is_kept_out_of_the_line_who_could_buy(
            start in 0_i64..200_000, opens in prop::option::of(0_i64..400_000), length in 1_i64..400_000,
            at in 0_i64..500_000, declared: bool, rank in 0_usize..4,
        ) {
            let s = |s| Millis(0).plus_s(s);
            let terms = Terms {
                opens_at: opens.map(s),
                closes_at: Some(s(opens.unwrap_or(start) + length)),
                cancelled: false,
                declared,
                presale: Presale::of_sale(s(start), None),
            };
            let (tier, now) = (Tier::ALL[rank], s(at));
            let buys = terms.on_sale(now).and_then(|()| terms.turn(tier, now));
            let stands = terms.in_line(now).and_then(|()| terms.turn(tier, now));
            if buys.is_ok() {
                prop_assert_eq!(stands, Ok(()));
            }
            // And nobody stands in an open line who could not buy.
            if stands.is_ok() && terms.on_sale(now).is_ok() {
                prop_assert_eq!(buys, Ok(()));
            }
            if let Err(refusal) = stands {
                prop_assert!(refusal.opens_at().is_none_or(|hour| hour > now));
            }
        }
    }
}
