//! The waiting room's record and its serving clock (design.md section 4).
//!
//! One DynamoDB item per sale holds [`Room`]. The serving counter is a function of that record
//! and the time, so nothing has to tick for the line to move and every replica computes the same
//! number from its cached copy. What breaks if this changes: every replica in a rolling release
//! must agree on `serving`, so a change of meaning needs a new epoch.

use crate::{sale::SaleId, time::Millis};
use serde::{Deserialize, Serialize};

/// Whether the room takes people and whether its line moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Nobody can join; pollers are told to go on to tier 2, which decides by itself.
    Inactive,
    /// Takes people; the line moves once `clock.since` has come.
    Active,
    /// Takes people; the line stands.
    Paused,
    /// Takes nobody new; the line moves.
    Draining,
}

/// `base + rate x (now - since)`: how far the line would be served if it were endless.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServingClock {
    /// Served at `since`.
    pub base: u64,
    /// The instant from which `rate_per_s` counts. Before it the line stands at `base`, which is
    /// how an opening needs nobody to act at `opens_at`.
    pub since: Millis,
    /// Positions per second.
    pub rate_per_s: u32,
    /// Unused rate that may be saved up while nobody waits.
    pub burst: u32,
}

/// A sale's waiting room as stored: one item, written only under conditions on `epoch` (control
/// plane) or as `ADD issued` (joins).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Room {
    /// Whose room this is.
    pub sale: SaleId,
    /// Rises with every activation; a place token of another epoch is not of this line.
    pub epoch: u32,
    /// Rises with every write of the control plane; the fence against stale writers.
    pub revision: u64,
    /// Whether people may join and the line moves.
    pub mode: Mode,
    /// From here on visitors may join.
    pub pre_queue_at: Millis,
    /// When the line starts to move.
    pub opens_at: Millis,
    /// From here on nobody may join or is served.
    pub closes_at: Millis,
    /// Positions handed out (1..=issued).
    pub issued: u64,
    /// The serving clock.
    pub clock: ServingClock,
    /// Polls per second for everybody who waits.
    pub poll_budget_per_s: u32,
    /// Lifetime of the tier-1 token given on admission.
    pub token_ttl_s: u32,
}
