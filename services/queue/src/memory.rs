//! The limits this process has seen, so that a Redis that comes back empty does not turn a sale
//! into an event without limits.
//!
//! Without this, between the loss and the control plane's next write anybody could join by the
//! defaults: another cap, and no place asked for (laws `hard-cap`, `fair-order`). The script
//! refuses to act for a sale that is known here and has no limits there; then they are written
//! back, fenced by their own revision, so newer ones of the control plane win.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};
use urr_core::{sale::SaleId, time::Millis};
use urr_kit::{
    Redis,
    state::{
        StateError,
        limits::{Limits, LimitsStore},
    },
};

/// Sales remembered; forgotten as a whole when full, which costs one read each.
const SALES_MAX: usize = 1024;

/// How old a remembered copy may get while the sale is in use.
const FRESH_MS: i64 = 1000;

struct Seen {
    limits: Option<Limits>,
    read_at: Millis,
}

/// Limits by sale.
pub(crate) struct Memory {
    store: LimitsStore,
    seen: Mutex<HashMap<SaleId, Seen>>,
}

impl Memory {
    pub(crate) fn new(redis: Redis) -> Self {
        Self {
            store: LimitsStore::new(redis),
            seen: Mutex::default(),
        }
    }

    /// Whether the sale had limits when this process last looked.
    pub(crate) fn knows(&self, sale: SaleId) -> bool {
        self.seen().get(&sale).is_some_and(|seen| seen.limits.is_some())
    }

    /// Looks again if the copy is old. A sale whose limits are gone keeps the ones remembered.
    pub(crate) async fn refresh(&self, sale: SaleId, now: Millis) -> Result<(), StateError> {
        {
            let mut seen = self.seen();
            if seen.len() >= SALES_MAX && !seen.contains_key(&sale) {
                seen.clear();
            }
            let entry = seen.entry(sale).or_insert(Seen {
                limits: None,
                read_at: Millis(i64::MIN),
            });
            if (0..FRESH_MS).contains(&now.since(entry.read_at)) {
                return Ok(());
            }
            // Before reading, so that a crowd reads once.
            entry.read_at = now;
        }
        let limits = self.store.read(sale).await?;
        if let (Some(limits), Some(entry)) = (limits, self.seen().get_mut(&sale)) {
            entry.limits = Some(limits);
        }
        Ok(())
    }

    /// Writes what is remembered back into an empty Redis.
    pub(crate) async fn restore(&self, sale: SaleId) -> Result<(), StateError> {
        let remembered = self.seen().get(&sale).and_then(|seen| seen.limits.clone());
        let Some(limits) = remembered else { return Ok(()) };
        let written = self.store.write(&limits).await?;
        tracing::warn!(%sale, revision = limits.revision, ?written, "Redis lost the limits of a sale");
        Ok(())
    }

    /// The sale is over.
    pub(crate) fn forget(&self, sale: SaleId) {
        self.seen().remove(&sale);
    }

    fn seen(&self) -> MutexGuard<'_, HashMap<SaleId, Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
