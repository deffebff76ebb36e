//! What a membership is worth, as pure decisions (R-MEM-01..03; api-contract.md section 9).

use chrono::{DateTime, Months, Utc};
use serde::{Deserialize, Serialize};
use urr_core::presale::{DIAMOND_POINTS, GOLD_POINTS, Tier};
use uuid::Uuid;

/// Length of a term, months.
const TERM_MONTHS: u32 = 12;
/// Points for joining, and for joining again after a term.
pub const TERM_POINTS: i32 = 200;
/// Points for a ticket.
pub const TICKET_POINTS: i32 = 100;

/// Where a membership is in its life, as stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[serde(rename_all = "lowercase")]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum Status {
    /// Offered, not paid.
    Pending,
    /// Paid.
    Active,
    /// Over.
    Expired,
}

impl Status {
    /// What it is at `now`: a term ends by the clock, not by a job.
    #[must_use]
    pub fn at(self, expires_at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Self {
        match self {
            Self::Active if expires_at.is_none_or(|end| end <= now) => Self::Expired,
            other => other,
        }
    }
}

/// The tier of somebody with this membership, or of somebody without one.
#[must_use]
pub fn tier(membership: Option<(Status, i32)>) -> Tier {
    match membership {
        Some((Status::Active, points)) => Tier::of_points(points),
        Some((Status::Pending | Status::Expired, _)) | None => Tier::Bronze,
    }
}

/// The end of a term that begins at `now`.
#[must_use]
pub fn term_end(now: DateTime<Utc>) -> DateTime<Utc> {
    now.checked_add_months(Months::new(TERM_MONTHS)).unwrap_or(now)
}

/// Percent of the price that reselling costs a seller of this tier; `None`: he may not (R-MEM-02).
#[must_use]
pub const fn transfer_fee_percent(tier: Tier) -> Option<i32> {
    match tier {
        Tier::Bronze => None,
        Tier::Silver => Some(10),
        Tier::Gold | Tier::Diamond => Some(5),
    }
}

/// What a tier brings, as the contract spells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Benefits {
    /// Which part of the presale is his; none for the general sale.
    pub pre_sale_phase: Option<u8>,
    /// Its name.
    pub pre_sale_label: &'static str,
    /// KRW.
    pub booking_fee_surcharge: i64,
    /// Whether tickets of this artist's events may be bought and sold.
    pub transfer_access: bool,
    /// What selling costs, percent.
    pub transfer_fee_percent: Option<i32>,
    /// Points of the next tier, if there is one for a member.
    pub next_tier_threshold: Option<i32>,
    /// The tier itself.
    pub tier: Tier,
}

impl Benefits {
    /// Of a tier.
    #[must_use]
    pub const fn of(tier: Tier) -> Self {
        let (pre_sale_phase, pre_sale_label, booking_fee_surcharge, next_tier_threshold) = match tier {
            Tier::Diamond => (Some(1), "선예매 1", 1000, None),
            Tier::Gold => (Some(2), "선예매 2", 2000, Some(DIAMOND_POINTS)),
            Tier::Silver => (Some(3), "선예매 3", 3000, Some(GOLD_POINTS)),
            Tier::Bronze => (None, "일반예매", 0, None),
        };
        Self {
            pre_sale_phase,
            pre_sale_label,
            booking_fee_surcharge,
            transfer_access: transfer_fee_percent(tier).is_some(),
            transfer_fee_percent: transfer_fee_percent(tier),
            next_tier_threshold,
            tier,
        }
    }
}

/// Why a membership cannot be paid for. The text is what the client reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is paid already.
    #[error("Membership is already active")]
    Active,
    /// Its term is over; a new one is offered by subscribing again.
    #[error("Membership is not pending")]
    NotPending,
    /// It is somebody else's.
    #[error("The membership belongs to another user")]
    NotOwner,
}

/// Whether `payer` may pay for it now.
///
/// # Errors
/// [`Refusal`].
pub fn may_pay(owner: Uuid, payer: Uuid, status: Status) -> Result<(), Refusal> {
    match status {
        _ if owner != payer => Err(Refusal::NotOwner),
        Status::Pending => Ok(()),
        Status::Active => Err(Refusal::Active),
        Status::Expired => Err(Refusal::NotPending),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn r_mem_02_every_tier_has_the_contracts_benefits() {
        let of = |tier| {
            let benefits = Benefits::of(tier);
            (
                benefits.pre_sale_phase,
                benefits.booking_fee_surcharge,
                benefits.transfer_fee_percent,
                benefits.next_tier_threshold,
            )
        };
        assert_eq!(of(Tier::Diamond), (Some(1), 1000, Some(5), None));
        assert_eq!(of(Tier::Gold), (Some(2), 2000, Some(5), Some(1500)));
        assert_eq!(of(Tier::Silver), (Some(3), 3000, Some(10), Some(500)));
        assert_eq!(of(Tier::Bronze), (None, 0, None, None));
        assert_eq!(
            serde_json::to_value(Benefits::of(Tier::Bronze)).unwrap(),
            serde_json::json!({"preSalePhase": null, "preSaleLabel": "일반예매", "bookingFeeSurcharge": 0,
                "transferAccess": false, "transferFeePercent": null, "nextTierThreshold": null, "tier": "BRONZE"})
        );
    }

    fn status() -> impl Strategy<Value = Status> {
        prop::sample::select(vec![Status::Pending, Status::Active, Status::Expired])
    }

    proptest! {
        #[test]
        fn r_mem_01_a_term_lasts_a_year_and_only_an_active_one_has_a_tier(
            stored in status(), points: i32, joined in 0..4_000_000_000_i64, later in 0..40_000_000_i64,
        ) {
            let at = |s| DateTime::from_timestamp(s, 0).unwrap();
            let end = term_end(at(joined));
            prop_assert!((365..=366).contains(&(end - at(joined)).num_days()));
            let now = at(joined + later);
            let status = stored.at(Some(end), now);
            let tier = tier(Some((status, points)));
            prop_assert_eq!(tier > Tier::Bronze, stored == Status::Active && now < end);
            prop_assert_eq!(Benefits::of(tier).transfer_access, tier > Tier::Bronze);
        }

        #[test]
        fn r_mem_01_only_the_owner_pays_and_only_while_it_is_pending(stored in status(), own: bool) {
            let (owner, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
            let payer = if own { owner } else { other };
            prop_assert_eq!(may_pay(owner, payer, stored).is_ok(), own && stored == Status::Pending);
        }
    }
}
