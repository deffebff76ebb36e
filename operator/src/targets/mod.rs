//! The workloads of a sale: how many replicas are ready, and how many there should be.
//!
//! Outside a sale's window its workloads are not touched. On the first touch the count that was
//! there is written down as an annotation on the object itself, in the same write, so giving it back
//! needs no memory: it works after a restart of the operator. The same place names the sale it is scaled
//! for: another sale in its own window leaves it alone and reports a conflict instead of two sales
//! pulling at one count. Where a HorizontalPodAutoscaler scales a workload, the sale moves its
//! `minReplicas` and never the Deployment's `replicas`: there would be two hands at one count again.

mod footprint;
mod placeholders;
mod quantity;
mod step;
mod workloads;

pub use placeholders::Placeholders;
use serde::{Deserialize, Serialize};
pub use step::{Step, Wish, step};
pub use workloads::{ApplyError, Workloads};

use urr_core::time::Millis;

/// Our name as a field manager.
pub const FIELD_MANAGER: &str = "urr-operator";
/// How many replicas there were before the first sale touched the workload.
pub const BEFORE_ANNOTATION: &str = "urr.guru/replicas-before";
/// Which sale touched it.
pub const SALE_ANNOTATION: &str = "urr.guru/scaled-for";
/// When more was asked for last, in milliseconds since 1970: times to ready are learned from it.
pub const ASKED_ANNOTATION: &str = "urr.guru/asked-at-ms";

/// A sale's hold on a workload, written on the object that is moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Claim {
    /// Name of the TicketSale.
    pub sale: String,
    /// What there was before it.
    pub before: u32,
    /// When more was asked for last.
    pub asked_at: Option<Millis>,
}

/// What the operator moves to have more replicas.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Moves {
    /// The Deployment's `replicas`.
    Replicas,
    /// `minReplicas` of the HorizontalPodAutoscaler of this name, which goes up to `max`.
    Floor {
        /// Its name.
        autoscaler: String,
        /// Its `maxReplicas`: the API server refuses a floor above.
        max: u32,
    },
}

impl Moves {
    /// What is moved, in a word for people.
    #[must_use]
    pub const fn what(&self) -> &'static str {
        match self {
            Self::Replicas => "replicas",
            Self::Floor { .. } => "minReplicas",
        }
    }

    /// As much of `wanted` as can be had.
    #[must_use]
    pub fn bounded(&self, wanted: u32) -> u32 {
        match self {
            Self::Replicas => wanted,
            Self::Floor { max, .. } => wanted.min(*max),
        }
    }
}

/// A workload as observed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Target {
    /// Its name.
    pub name: String,
    /// What is moved.
    pub moves: Moves,
    /// What that is set to now.
    pub count: u32,
    /// `status.readyReplicas` of the Deployment.
    pub ready: u32,
    /// Who touched it, if anybody did.
    pub claim: Option<Claim>,
    /// The HorizontalPodAutoscaler that scales it without the sale naming it: a second hand at its count.
    pub rival: Option<String>,
}

impl Target {
    /// The claim of `sale` on it.
    #[must_use]
    pub fn claim_of(&self, sale: &str) -> Option<&Claim> {
        self.claim.as_ref().filter(|claim| claim.sale == sale)
    }
}
