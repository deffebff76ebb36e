//! One look at one sale, as it is written down: what it saw, and what it decided.
//!
//! A line of a trace is a wire format between versions: fields and kinds are added, never changed. What a
//! newer version needs and an older one did not write down makes a line unreadable, and replay says so.

use super::saw::Saw;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A line of a trace.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Look {
    /// Namespace and name.
    pub sale: String,
    /// The object, in case there was another of that name.
    pub uid: String,
    /// Which look of the process that wrote it, from 1.
    pub look: u64,
    /// The version that decided.
    pub version: String,
    /// What it saw.
    pub saw: Saw,
    /// What it decided, as JSON, so that also a decision in older words can be compared.
    pub decided: Value,
}

impl Look {
    /// As it was written. The first versions wrote down only sales that are kept, and did not say so.
    ///
    /// # Errors
    /// What is missing or unknown, and which version wrote it.
    pub fn read(line: &[u8]) -> Result<Self, Unreadable> {
        let mut line: Value = serde_json::from_slice(line).map_err(|source| Unreadable {
            version: None,
            source,
        })?;
        if let Some(saw) = line.get_mut("saw").and_then(Value::as_object_mut) {
            saw.entry("kind").or_insert_with(|| "kept".into());
        }
        let version = line.get("version").and_then(Value::as_str).map(str::to_owned);
        serde_json::from_value(line).map_err(|source| Unreadable { version, source })
    }
}

/// A line that this version does not understand.
#[derive(Debug, thiserror::Error)]
#[error("written by version {}", version.as_deref().unwrap_or("unknown"))]
pub struct Unreadable {
    version: Option<String>,
    source: serde_json::Error,
}
