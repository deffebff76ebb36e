//! Who changed what, when and why. Entries are written once and never change.
//!
//! An entry's sequence number is the revision of the sale's record that it explains, so the log is
//! ordered as the changes were, whichever control plane wrote them.

use super::StoreError;
use super::item::{Item, number, read_number, read_text, text};
use serde::{Deserialize, Serialize};
use urr_core::sale::SaleId;
use urr_core::snapshot::EventLine;
use urr_core::time::Millis;

pub(super) const SALE_ID: &str = "saleId";
pub(super) const SEQ: &str = "seq";
const AT: &str = "at";
const ACTOR: &str = "actor";
const ACTION: &str = "action";
const REASON: &str = "reason";
const OLD: &str = "old";
const NEW: &str = "new";

/// One line of a sale's audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditEntry {
    /// Revision of the record after the change; rises, may skip.
    pub seq: u64,
    /// When.
    pub at: Millis,
    /// Who: an operator's name, or `schedule` / `control-plane` for what happened by itself.
    pub actor: String,
    /// What was done: `put`, `pause`, `resume`, `rate`, `cap`, `delete`, `phase`, `apply`.
    pub action: String,
    /// Why.
    pub reason: String,
    /// What held before.
    pub old: String,
    /// What holds since.
    pub new: String,
}

impl AuditEntry {
    /// The entry as a line for screens.
    #[must_use]
    pub fn to_line(&self) -> EventLine {
        let Self {
            action,
            reason,
            old,
            new,
            ..
        } = self;
        let change = if old == new || old.is_empty() {
            format!("{action}: {new}")
        } else {
            format!("{action}: {old} → {new}")
        };
        let text = if reason.is_empty() {
            change
        } else {
            format!("{change} ({reason})")
        };
        EventLine {
            at: self.at,
            actor: self.actor.clone(),
            text,
        }
    }

    pub(super) fn to_item(&self, sale: SaleId) -> Item {
        Item::from([
            (SALE_ID.to_owned(), text(sale.to_string())),
            (SEQ.to_owned(), number(&self.seq)),
            (AT.to_owned(), number(&self.at.0)),
            (ACTOR.to_owned(), text(&self.actor)),
            (ACTION.to_owned(), text(&self.action)),
            (REASON.to_owned(), text(&self.reason)),
            (OLD.to_owned(), text(&self.old)),
            (NEW.to_owned(), text(&self.new)),
        ])
    }

    pub(super) fn from_item(item: &Item) -> Result<Self, StoreError> {
        Ok(Self {
            seq: read_number(item, SEQ)?,
            at: Millis(read_number(item, AT)?),
            actor: read_text(item, ACTOR)?.to_owned(),
            action: read_text(item, ACTION)?.to_owned(),
            reason: read_text(item, REASON)?.to_owned(),
            old: read_text(item, OLD)?.to_owned(),
            new: read_text(item, NEW)?.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_the_change_and_the_reason() {
        let entry = AuditEntry {
            seq: 3,
            at: Millis(5),
            actor: "mina".into(),
            action: "rate".into(),
            reason: "p99 too high".into(),
            old: "500/s".into(),
            new: "200/s".into(),
        };
        assert_eq!(entry.to_line().text, "rate: 500/s → 200/s (p99 too high)");
    }
}
