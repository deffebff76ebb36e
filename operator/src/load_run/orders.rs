//! What runners are told: the run they belong to, the sale, and where to send its visitors. Written once,
//! before they are made, so that a scenario or a sale that is edited meanwhile changes nothing for half
//! of them.

use super::names;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use urr_core::sale::Sale;
use urr_core::time::Millis;

/// Orders for all runners of a run. Which segment is theirs they know from their index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Orders {
    /// UID of the LoadRun.
    pub run_uid: String,
    /// Name of the Job, with which all other names begin.
    pub job: String,
    /// How many runners there are.
    pub runners: u32,
    /// The seed.
    pub seed: u64,
    /// Of scenario and seed.
    pub fingerprint: String,
    /// The sale that is rehearsed.
    pub sale: Sale,
    /// Root of its public entry.
    pub target_url: String,
    /// When the run is to begin.
    pub due: Millis,
    /// Until when all runners must be ready.
    pub ready_by: Millis,
    /// Whoever was not told to begin by then gives up.
    pub start_by: Millis,
    /// What each may hand in, in bytes.
    pub hand_in_bytes_max: usize,
}

impl Orders {
    /// As they stand in a ConfigMap's `data`.
    #[must_use]
    pub fn read(data: &BTreeMap<String, String>) -> Option<Self> {
        serde_json::from_str(data.get(names::ORDERS_KEY)?).ok()
    }
}
