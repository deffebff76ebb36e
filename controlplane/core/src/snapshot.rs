//! The live picture of a sale: what the control plane streams and every screen draws.
//!
//! Wire format of `GET /control/v1/sales/{id}/stream` (SSE, one JSON document per event) and of
//! recordings. Add fields as optional; never change a meaning.

use crate::{
    adaptive::Lean, crowd::CrowdView, last_seats::Seats, pulse::Signs, sale::Phase, sale::SaleId,
    time::Millis,
};
use serde::{Deserialize, Serialize};

/// A sale at one instant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Snapshot {
    /// Which sale.
    pub sale: SaleId,
    /// Its human name.
    pub name: String,
    /// When this was observed, by the control plane's clock.
    pub at: Millis,
    /// Derived phase.
    pub phase: Phase,
    /// When it opens or opened.
    pub opens_at: Millis,
    /// When it closes.
    pub closes_at: Millis,
    /// Tier 1, if its record could be read.
    pub room: Option<RoomView>,
    /// Tier 2, if Redis could be read.
    pub queue: Option<QueueView>,
    /// Seats, if booking answered.
    pub seats: Option<SeatsView>,
    /// Sentences about what is wrong right now, each with a remedy.
    pub warnings: Vec<String>,
    /// The newest entries of the audit log and of the sale's own events, oldest first, bounded.
    pub events: Vec<EventLine>,
    /// Where this happens: `prod`, `staging`, `drill` or another name. Absent: nobody said, and a
    /// screen must then expect the worst.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// What the services behind the door bear, where somebody counts them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<CapacityView>,
    /// The services behind the door, where somebody looks at them; else empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<ServiceView>,
    /// How the rate follows the services, where it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pace: Option<PaceView>,
    /// The visitors' side, where somebody stands there (in a drill the load generator).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crowd: Option<CrowdView>,
}

impl Snapshot {
    /// A picture of `sale` in which nothing is known, to be filled.
    #[must_use]
    pub const fn unknown(sale: SaleId) -> Self {
        Self {
            sale,
            name: String::new(),
            at: Millis(0),
            phase: Phase::Scheduled,
            opens_at: Millis(0),
            closes_at: Millis(0),
            room: None,
            queue: None,
            seats: None,
            warnings: Vec::new(),
            events: Vec::new(),
            environment: None,
            capacity: None,
            services: Vec::new(),
            pace: None,
            crowd: None,
        }
    }
}

/// What the services behind the door bear at one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CapacityView {
    /// Replicas that are ready: the fewest of all services behind the door.
    pub ready_replicas: u32,
    /// Replicas the sale wants.
    pub desired_replicas: u32,
    /// People per second that one ready replica bears.
    pub rate_per_replica: u32,
}

/// A rate that follows the services, at one instant ([`crate::adaptive`]).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PaceView {
    /// People per second that it has come to. A hand, or capacity that is not ready, may let in others.
    pub rate_per_s: u32,
    /// Never fewer.
    pub min_rate_per_s: u32,
    /// Never more.
    pub max_rate_per_s: u32,
    /// Where it leans.
    pub lean: Lean,
    /// Why it leans there, without a full stop: `reservations p99 640 ms`.
    pub because: String,
    /// When it moved last; absent before it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Millis>,
    /// Why it moved last, as a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What the services say of their last seconds; absent while they say nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signs: Option<Signs>,
}

/// A service behind the door.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceView {
    /// Its name, or the address at which it is asked.
    pub name: String,
    /// Replicas that are ready.
    pub ready: u32,
    /// Replicas that should be.
    pub desired: u32,
}

/// Tier 1 at one instant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RoomView {
    /// Fencing epoch of the line.
    pub epoch: u32,
    /// Positions handed out.
    pub issued: u64,
    /// Positions served.
    pub serving: u64,
    /// Rate the serving clock runs at, people per second; 0 while paused.
    pub rate_per_s: u32,
    /// Seconds until the last in line is served at this rate; absent while the line stands.
    pub drain_s: Option<u64>,
}

/// Tier 2 at one instant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QueueView {
    /// People queued for a slot.
    pub waiting: u64,
    /// People inside.
    pub active: u64,
    /// Most that may be inside.
    pub cap: u32,
    /// People let in per second, as set.
    pub rate_per_s: u32,
    /// People let in since the sale began.
    pub admitted_total: u64,
    /// Whether an operator holds the line.
    pub paused: bool,
}

/// Seats at one instant. `free + held + sold = capacity`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SeatsView {
    /// All seats.
    pub capacity: u64,
    /// Nobody's.
    pub free: u64,
    /// Held, not yet paid.
    pub held: u64,
    /// Paid.
    pub sold: u64,
    /// The same by section, in the hall's order.
    pub sections: Vec<SectionView>,
}

impl SeatsView {
    /// What may still be had; a held seat may come back.
    #[must_use]
    pub const fn left(&self) -> Seats {
        Seats {
            capacity: self.capacity,
            left: self.free + self.held,
        }
    }
}

/// One section of the hall.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SectionView {
    /// Its name, as on the tickets.
    pub name: String,
    /// All its seats.
    pub capacity: u64,
    /// Held, not yet paid.
    pub held: u64,
    /// Paid.
    pub sold: u64,
}

/// A line of the sale's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EventLine {
    /// When.
    pub at: Millis,
    /// Who: an operator's name, or the part of the system that acted.
    pub actor: String,
    /// What, as a sentence.
    pub text: String,
}
