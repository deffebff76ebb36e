//! One sale as the control plane keeps it: what was asked for, and what the operators' hand adds.
//!
//! Phase and plan are not in here: they follow from this record, the observations and the time.

use super::StoreError;
use super::item::{Item, number, read_flag, read_json, read_number, read_number_if_any, read_text, text};
use aws_sdk_dynamodb::types::AttributeValue;
use urr_core::adaptive::Pace;
use urr_core::plan::Hand;
use urr_core::sale::{Phase, Sale};
use urr_core::time::Millis;

/// Names of the attributes; the wire format of the `sales` table.
pub(super) mod attribute {
    pub(in crate::store) const SALE_ID: &str = "saleId";
    pub(in crate::store) const REVISION: &str = "revision";
    pub(in crate::store) const SALE: &str = "sale";
    pub(in crate::store) const PAUSED: &str = "paused";
    pub(in crate::store) const DRAINING: &str = "draining";
    pub(in crate::store) const RATE: &str = "rateOverride";
    pub(in crate::store) const CAP: &str = "capOverride";
    pub(in crate::store) const READY_REPLICAS: &str = "readyReplicas";
    pub(in crate::store) const LOGGED_PHASE: &str = "loggedPhase";
    pub(in crate::store) const HELD: &str = "held";
    pub(in crate::store) const OPERATOR_TERM: &str = "operatorTerm";
    pub(in crate::store) const PACE: &str = "pace";
    pub(in crate::store) const RETIRING: &str = "retiring";
    pub(in crate::store) const UPDATED_AT: &str = "updatedAt";
}
use attribute::{
    CAP, DRAINING, HELD, LOGGED_PHASE, OPERATOR_TERM, PACE, PAUSED, RATE, READY_REPLICAS, RETIRING, REVISION,
    SALE, SALE_ID, UPDATED_AT,
};

/// A sale's record.
#[derive(Debug, Clone, PartialEq)]
pub struct SaleRecord {
    /// What was asked for.
    pub sale: Sale,
    /// What operators changed by hand.
    pub hand: Hand,
    /// Rises by one with every write; the fence.
    pub revision: u64,
    /// Ready replicas as the operator last reported them; absent where nobody reports (drills).
    pub ready_replicas: Option<u32>,
    /// Why the cluster's operator holds the line, while it does. Beside `hand.paused` and not in it: who
    /// steers from a screen and who edits the `TicketSale` do not undo each other.
    pub held: Option<String>,
    /// The newest term of office of an operator that spoke; an earlier one is not heard any more. 0:
    /// none spoke.
    pub operator_term: u64,
    /// Where the adaptive rate stands, once it has moved. Here, so that it survives this process, and two
    /// control planes move one rate and not two.
    pub pace: Option<Pace>,
    /// The last phase whose beginning is in the audit log. Only there so that two control planes
    /// log a transition once, lists can tell a sold-out sale, and one whose line waits stays sold out while
    /// booking does not say.
    pub logged_phase: Option<Phase>,
    /// The sale was deleted: close its room, then forget it.
    pub retiring: bool,
    /// When it was last written.
    pub updated_at: Millis,
}

impl SaleRecord {
    /// A sale nobody has touched yet. Revision 0 means "not stored".
    #[must_use]
    pub fn new(sale: Sale, now: Millis) -> Self {
        Self {
            sale,
            hand: Hand::default(),
            revision: 0,
            ready_replicas: None,
            held: None,
            operator_term: 0,
            pace: None,
            logged_phase: None,
            retiring: false,
            updated_at: now,
        }
    }

    /// The hand as it is in force: what holds the line, whoever does.
    #[must_use]
    pub const fn hand_in_force(&self) -> Hand {
        let mut hand = self.hand;
        hand.paused |= self.held.is_some();
        hand
    }

    /// The adaptive rate in force, if the sale has one and it has moved.
    #[must_use]
    pub fn pace_in_force(&self) -> Option<&Pace> {
        let adaptive = self.sale.admission.adaptive.as_ref();
        adaptive.and(self.pace.as_ref())
    }

    pub(super) fn to_item(&self) -> Result<Item, StoreError> {
        let sale = serde_json::to_string(&self.sale).map_err(|error| StoreError::Corrupt {
            attribute: SALE,
            source: Some(Box::new(error)),
        })?;
        let mut item = Item::from([
            (SALE_ID.to_owned(), text(self.sale.id.to_string())),
            (REVISION.to_owned(), number(&self.revision)),
            (SALE.to_owned(), text(sale)),
            (PAUSED.to_owned(), AttributeValue::Bool(self.hand.paused)),
            (DRAINING.to_owned(), AttributeValue::Bool(self.hand.draining)),
            (RETIRING.to_owned(), AttributeValue::Bool(self.retiring)),
            (UPDATED_AT.to_owned(), number(&self.updated_at.0)),
        ]);
        let optional = [
            (RATE, self.hand.rate_per_s),
            (CAP, self.hand.cap),
            (READY_REPLICAS, self.ready_replicas),
        ];
        for (name, value) in optional {
            if let Some(value) = value {
                item.insert(name.to_owned(), number(&value));
            }
        }
        if let Some(held) = &self.held {
            item.insert(HELD.to_owned(), text(held.clone()));
        }
        if self.operator_term > 0 {
            item.insert(OPERATOR_TERM.to_owned(), number(&self.operator_term));
        }
        if let Some(pace) = &self.pace {
            let pace = serde_json::to_string(pace).map_err(|error| StoreError::Corrupt {
                attribute: PACE,
                source: Some(Box::new(error)),
            })?;
            item.insert(PACE.to_owned(), text(pace));
        }
        if let Some(phase) = self.logged_phase {
            let phase = serde_json::to_string(&phase).map_err(|error| StoreError::Corrupt {
                attribute: LOGGED_PHASE,
                source: Some(Box::new(error)),
            })?;
            item.insert(LOGGED_PHASE.to_owned(), text(phase));
        }
        Ok(item)
    }

    pub(super) fn from_item(item: &Item) -> Result<Self, StoreError> {
        Ok(Self {
            sale: read_json(item, SALE)?,
            hand: Hand {
                paused: read_flag(item, PAUSED)?,
                draining: read_flag(item, DRAINING)?,
                rate_per_s: read_number_if_any(item, RATE)?,
                cap: read_number_if_any(item, CAP)?,
            },
            revision: read_number(item, REVISION)?,
            ready_replicas: read_number_if_any(item, READY_REPLICAS)?,
            held: match item.get(HELD) {
                None => None,
                Some(_) => Some(read_text(item, HELD)?.to_owned()),
            },
            operator_term: read_number_if_any(item, OPERATOR_TERM)?.unwrap_or(0),
            pace: match item.get(PACE) {
                None => None,
                Some(_) => Some(read_json(item, PACE)?),
            },
            logged_phase: match item.get(LOGGED_PHASE) {
                None => None,
                Some(_) => Some(read_json(item, LOGGED_PHASE)?),
            },
            retiring: read_flag(item, RETIRING)?,
            updated_at: Millis(read_number(item, UPDATED_AT)?),
        })
    }
}
