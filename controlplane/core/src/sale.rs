//! A sale as everyone agrees on it: identity, schedule, limits. Phase is derived, never stored.
//!
//! This is the document the control API takes, the operator translates a `TicketSale` into, and
//! a scenario describes. Field names are camelCase on the wire. Changing one changes the control
//! API, the custom resource's mapping and the stored records.

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
    /// Seats on sale.
    pub seats: u32,
    /// How many people are expected at the door.
    pub expected_visitors: u64,
    /// Tier 1 and tier 2 settings.
    pub admission: AdmissionSettings,
    /// What the services behind the door can bear.
    pub capacity: CapacitySettings,
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
