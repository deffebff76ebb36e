//! A sale as everyone agrees on it: identity, schedule, limits. Phase is derived, never stored.
//!
//! This is the document the control API takes, the operator translates a `TicketSale` into, and
//! a scenario describes. Field names are camelCase on the wire. Changing one changes the control
//! API, the custom resource's mapping and the stored records.

mod validate;

pub use validate::Problem;

use crate::time::Millis;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Identity of a sale: the id of the event it sells (api-contract.md calls it `eventId`).
pub type SaleId = Uuid;

/// A ticket sale: what is sold, when, to how many at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Sale {
    /// The event's id; also the key of every store.
    pub id: SaleId,
    /// Human name, for screens and logs.
    pub name: String,
    /// When things happen.
    pub schedule: Schedule,
    /// How those who come before the opening are put in line.
    #[serde(default)]
    pub ordering: Ordering,
    /// Seats on sale.
    pub seats: u32,
    /// How many people are expected at the door.
    pub expected_visitors: u64,
    /// Tier 1 and tier 2 settings.
    pub admission: AdmissionSettings,
    /// What the services behind the door can bear.
    pub capacity: CapacitySettings,
}

/// How those who come before the opening are put in line. Who comes after it always stands first
/// come first served behind them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ordering {
    /// First come, first served from the first second of the pre-queue.
    #[default]
    Fifo,
    /// By lot ([`crate::draw`]): coming early wins nothing, so nobody needs to race to the door.
    Shuffle,
}

/// The instants of a sale. Invariant (checked by `Sale::validate`):
/// `pre_queue_at <= opens_at < closes_at`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Schedule {
    /// From here on visitors may join the waiting room.
    pub pre_queue_at: Millis,
    /// From here on the line moves and seats can be held.
    pub opens_at: Millis,
    /// From here on nobody is let in and nothing can be held.
    pub closes_at: Millis,
}

/// How people are let in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AdmissionSettings {
    /// People let in per second (design.md section 5: 10 by default).
    pub rate_per_s: u32,
    /// People inside at once, never exceeded.
    pub cap: u32,
    /// Unused admissions that may be saved up while the line is empty.
    pub burst: u32,
    /// Polls per second the waiting room accepts from all waiting visitors together.
    pub poll_budget_per_s: u32,
    /// An active visitor silent for this long is out.
    pub silence_s: u32,
    /// An active slot ends after this long whatever happens.
    pub active_ttl_s: u32,
    /// Lifetime of tier-1 and entry tokens.
    pub token_ttl_s: u32,
    /// How long a seat hold lasts.
    pub hold_ttl_s: u32,
    /// Whether who waits in another sale that says so too is turned away (R-QUE-11).
    #[serde(default)]
    pub one_line_per_user: bool,
    /// Lets the rate follow what the services bear; it stays at `rate_per_s` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adaptive: Option<Adaptive>,
    /// What happens to the line when every seat is sold.
    #[serde(default, skip_serializing_if = "WhenSoldOut::is_usual")]
    pub when_sold_out: WhenSoldOut,
}

/// Bounds of a rate that follows the services, and the limits of the signs it follows
/// ([`crate::adaptive`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Adaptive {
    /// People per second, never fewer while capacity for it is ready.
    pub min_rate_per_s: u32,
    /// Never more.
    pub max_rate_per_s: u32,
    /// Slower when the 99th percentile of reservations takes longer, in milliseconds.
    pub reservation_p99_ms: u32,
    /// Slower when a connection pool is fuller, in percent.
    pub pool_percent: u32,
    /// Slower when more of a thousand requests fail on our side.
    pub errors_per_thousand: u32,
}

impl Adaptive {
    /// Between these bounds, with the usual limits: a reservation takes less than a second (design.md
    /// section 5), a fifth of the connections stays free, and of a hundred requests one may fail.
    #[must_use]
    pub const fn between(min_rate_per_s: u32, max_rate_per_s: u32) -> Self {
        Self {
            min_rate_per_s,
            max_rate_per_s,
            reservation_p99_ms: 1000,
            pool_percent: 80,
            errors_per_thousand: 10,
        }
    }
}

/// What happens to the line when every seat is sold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WhenSoldOut {
    /// Nobody new may join; who waits is let through to hear it.
    #[default]
    Drain,
    /// The line stands where it is, and moves on when a seat comes back.
    KeepWaiting,
}

impl WhenSoldOut {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
    fn is_usual(&self) -> bool {
        *self == Self::default()
    }
}

impl Default for AdmissionSettings {
    /// The figures of design.md section 5 and api-contract.md sections 4 and 6.
    fn default() -> Self {
        Self {
            rate_per_s: 10,
            cap: 1000,
            burst: 50,
            poll_budget_per_s: 5000,
            silence_s: 30,
            active_ttl_s: 600,
            token_ttl_s: 600,
            hold_ttl_s: 300,
            one_line_per_user: false,
            adaptive: None,
            when_sold_out: WhenSoldOut::Drain,
        }
    }
}

/// What one ready replica of the services behind the door can bear.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CapacitySettings {
    /// Admissions per second that one ready replica bears.
    pub rate_per_replica: u32,
    /// Replicas wanted while the sale is open.
    pub replicas: u32,
}

/// Where a sale is in its life. Derived from the schedule, `now` and the operator's hand
/// (`crate::plan::phase`), never stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Phase {
    /// Before the pre-queue: nobody can join.
    Scheduled,
    /// Visitors gather; the line does not move.
    PreQueue,
    /// The line moves.
    Open,
    /// Open, but held by an operator: the line does not move.
    Paused,
    /// Every seat is sold; nobody is let in.
    SoldOut,
    /// Past `closes_at`.
    Closed,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::sale;

    #[test]
    fn a_sound_sale_has_no_problem_and_its_json_comes_back_the_same() {
        let sale = sale();
        assert_eq!(sale.validate(), Ok(()));
        let json = serde_json::to_string(&sale).unwrap();
        assert!(json.contains("\"preQueueAt\""), "{json}");
        assert_eq!(serde_json::from_str::<Sale>(&json).unwrap(), sale);
    }

    #[test]
    fn unknown_fields_are_refused() {
        let json = serde_json::to_string(&sale())
            .unwrap()
            .replacen("\"seats\"", "\"seets\":1,\"seats\"", 1);
        assert!(
            serde_json::from_str::<Sale>(&json)
                .unwrap_err()
                .to_string()
                .contains("seets")
        );
    }
}
