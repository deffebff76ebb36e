//! Who may sell a ticket on, who may buy it and for how much, as pure decisions (R-TRF-01, -02).

use crate::membership::transfer_fee_percent;
use crate::reservation;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use urr_core::presale::Tier;
use uuid::Uuid;

/// What selling costs where no artist's club has a say: as for its lowest members.
const FEE_PERCENT_WITHOUT_ARTIST: i32 = 10;

/// Where a listing is in its life. It leaves `listed` once and never comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[serde(rename_all = "lowercase")]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum Status {
    /// To be had.
    Listed,
    /// Bought.
    Completed,
    /// Withdrawn, by the seller or with the reservation.
    Cancelled,
}

/// Why a step is refused. The text is what the client reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Not the seller's.
    #[error("Only the owner can sell this ticket")]
    NotOwner,
    /// There is no ticket yet, or none any more.
    #[error("Only confirmed reservations can be transferred")]
    NotConfirmed,
    /// It cost nothing, and nothing cannot be paid.
    #[error("Free tickets cannot be transferred")]
    Free,
    /// The show has begun or was called off.
    #[error("The event is over or cancelled")]
    ShowOver,
    /// An artist's tickets change hands among members only.
    #[error("An active membership is required")]
    NoMembership,
    /// One open listing each.
    #[error("Already listed for transfer")]
    AlreadyListed,
    /// Bought by somebody else, or withdrawn.
    #[error("The transfer is no longer for sale")]
    NotForSale,
    /// The seller is the buyer.
    #[error("You cannot buy your own ticket")]
    OwnTicket,
    /// R-BOOK-04.
    #[error(
        "At most {} tickets per person for this event",
        crate::holds::TICKETS_PER_USER_MAX
    )]
    OverLimit,
    /// This payment was turned down or paid back before: it buys nothing any more.
    #[error("The payment was turned down before")]
    PaymentOver,
}

/// What is known of the show.
#[derive(Debug, Clone, Copy)]
pub struct Show {
    /// When it begins, if catalog told us.
    pub starts_at: Option<DateTime<Utc>>,
    /// It was called off.
    pub cancelled: bool,
}

impl Show {
    fn check(self, now: DateTime<Utc>) -> Result<(), Refusal> {
        let over = self.cancelled || self.starts_at.is_some_and(|starts_at| starts_at <= now);
        if over { Err(Refusal::ShowOver) } else { Ok(()) }
    }
}

/// A ticket whose seller wants to list it.
#[derive(Debug, Clone, Copy)]
pub struct Ticket {
    /// Whose it is.
    pub owner: Uuid,
    /// Where its reservation is.
    pub status: reservation::Status,
    /// What it cost, KRW.
    pub price_krw: i64,
    /// What it is for.
    pub show: Show,
}

/// What a listing costs its buyer, KRW.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Price {
    /// What the ticket cost at first; goes to the seller.
    pub original: i64,
    /// Stays with the house.
    pub fee: i64,
    /// The same, percent.
    pub fee_percent: i32,
    /// Both.
    pub total: i64,
}

/// The fee of a seller of this tier; `None` as tier when the event is no artist's.
///
/// # Errors
/// [`Refusal::NoMembership`].
pub fn price(original: i64, tier: Option<Tier>) -> Result<Price, Refusal> {
    let fee_percent = match tier {
        None => FEE_PERCENT_WITHOUT_ARTIST,
        Some(tier) => transfer_fee_percent(tier).ok_or(Refusal::NoMembership)?,
    };
    // Truncated, as the contract says.
    let fee = original.saturating_mul(i64::from(fee_percent)) / 100;
    Ok(Price {
        original,
        fee,
        fee_percent,
        total: original.saturating_add(fee),
    })
}

/// Whether `seller` may list the ticket now, and for how much.
///
/// # Errors
/// [`Refusal`].
pub fn may_list(
    ticket: &Ticket,
    seller: Uuid,
    tier: Option<Tier>,
    now: DateTime<Utc>,
) -> Result<Price, Refusal> {
    if ticket.owner != seller {
        return Err(Refusal::NotOwner);
    }
    if ticket.status != reservation::Status::Confirmed {
        return Err(Refusal::NotConfirmed);
    }
    if ticket.price_krw <= 0 {
        return Err(Refusal::Free);
    }
    ticket.show.check(now)?;
    price(ticket.price_krw, tier)
}

/// A listing that somebody wants to buy.
#[derive(Debug, Clone, Copy)]
pub struct Offer {
    /// Who sells.
    pub seller: Uuid,
    /// Where it is.
    pub status: Status,
    /// What it is for.
    pub show: Show,
    /// Tickets in it.
    pub tickets: i32,
}

/// Whether `buyer`, who has `in_hand` tickets for the event, may pay for it now. Asked before the charge; what
/// a charge buys is decided when it is done.
///
/// # Errors
/// [`Refusal`].
pub fn may_buy(
    offer: &Offer,
    buyer: Uuid,
    tier: Option<Tier>,
    in_hand: i32,
    now: DateTime<Utc>,
) -> Result<(), Refusal> {
    if offer.status != Status::Listed {
        return Err(Refusal::NotForSale);
    }
    if offer.seller == buyer {
        return Err(Refusal::OwnTicket);
    }
    offer.show.check(now)?;
    if tier.is_some_and(|tier| transfer_fee_percent(tier).is_none()) {
        return Err(Refusal::NoMembership);
    }
    if in_hand.saturating_add(offer.tickets) > crate::holds::TICKETS_PER_USER_MAX {
        return Err(Refusal::OverLimit);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SELLER: Uuid = Uuid::from_u128(1);
    const OTHER: Uuid = Uuid::from_u128(2);

    fn at(s: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(s, 0).unwrap()
    }

    fn tier() -> impl Strategy<Value = Option<Tier>> {
        prop::option::of(prop::sample::select(Tier::ALL.to_vec()))
    }

    fn show() -> impl Strategy<Value = Show> {
        (prop::option::of(0..100_i64), any::<bool>()).prop_map(|(starts_at, cancelled)| Show {
            starts_at: starts_at.map(at),
            cancelled,
        })
    }

    fn goes_on(show: Show, now: i64) -> bool {
        !show.cancelled && show.starts_at.is_none_or(|start| at(now) < start)
    }

    proptest! {
        #[test]
        fn r_trf_01_price_and_fee_add_up_and_no_member_pays_more_than_ten_percent(
            original in 1..10_000_000_i64, tier in tier(),
        ) {
            match price(original, tier) {
                Ok(price) => {
                    prop_assert_eq!(price.total, price.original + price.fee);
                    let wanted = if tier >= Some(Tier::Gold) { 5 } else { 10 };
                    prop_assert_eq!(price.fee_percent, wanted);
                    prop_assert!(price.fee * 100 <= original * i64::from(wanted));
                    prop_assert!((price.fee + 1) * 100 > original * i64::from(wanted));
                }
                Err(refusal) => prop_assert!(tier == Some(Tier::Bronze) && refusal == Refusal::NoMembership),
            }
        }

        #[test]
        fn r_trf_01_only_the_owner_of_a_paid_ticket_of_a_coming_show_lists_it(
            owner: bool, status in prop::sample::select(vec![
                reservation::Status::Pending, reservation::Status::Confirmed,
                reservation::Status::Cancelled, reservation::Status::Expired]),
            price_krw in 0..3_i64, show in show(), now in 0..100_i64, tier in tier(),
        ) {
            let ticket = Ticket { owner: if owner { SELLER } else { OTHER }, status, price_krw, show };
            let listed = may_list(&ticket, SELLER, tier, at(now));
            prop_assert_eq!(
                listed.is_ok(),
                owner && status == reservation::Status::Confirmed && price_krw > 0 && goes_on(show, now)
                    && tier != Some(Tier::Bronze)
            );
        }

        #[test]
        fn r_trf_02_only_another_member_within_the_limit_buys_what_is_listed(
            own: bool, status in prop::sample::select(vec![Status::Listed, Status::Completed, Status::Cancelled]),
            show in show(), now in 0..100_i64, tier in tier(), in_hand in 0..6_i32, tickets in 1..4_i32,
        ) {
            let offer = Offer { seller: SELLER, status, show, tickets };
            let buyer = if own { SELLER } else { OTHER };
            prop_assert_eq!(
                may_buy(&offer, buyer, tier, in_hand, at(now)).is_ok(),
                !own && status == Status::Listed && goes_on(show, now) && tier != Some(Tier::Bronze)
                    && in_hand + tickets <= 4
            );
        }
    }
}
