//! What the control plane remembers: one record per sale and an audit log, both in DynamoDB.
//!
//! Two tables, `{prefix}sales` and `{prefix}control-audit`. A change of the record and the audit
//! entry that explains it are one transaction under a condition on the record's revision, so
//! there is no change without its reason, no reason without its change, and no lost update: the
//! control plane that read an older revision is refused and has to read again (law `fenced`).
//!
//! Not here: the waiting room's record (`urr_kit::state::rooms`) and the queue limits
//! (`urr_kit::state::limits`), which the services read. The control plane can lose its memory of
//! those and rebuild them from this record; it cannot rebuild this record.

mod audit;
mod item;
mod record;
mod sales;
mod tables;

pub use audit::AuditEntry;
pub use record::SaleRecord;
pub use sales::{NewAudit, SalesStore};

use urr_kit::BoxError;

/// Why the store did not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The record changed since it was read: read again.
    #[error("somebody else changed the sale first")]
    Fenced,
    /// A stored item does not have the shape this version writes.
    #[error("the stored item's attribute `{attribute}` cannot be read")]
    Corrupt {
        /// Which attribute.
        attribute: &'static str,
        /// What the parser said, if it said anything.
        #[source]
        source: Option<BoxError>,
    },
    /// DynamoDB refused or could not be reached.
    #[error("DynamoDB did not {action}")]
    Engine {
        /// What was asked, as a verb and an object.
        action: &'static str,
        /// What the client says.
        #[source]
        source: BoxError,
    },
}

impl StoreError {
    fn engine(action: &'static str, source: impl Into<BoxError>) -> Self {
        Self::Engine {
            action,
            source: source.into(),
        }
    }
}
