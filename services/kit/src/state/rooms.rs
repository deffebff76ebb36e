//! The waiting rooms' records: one DynamoDB item per sale, and the atomic way to take numbers.
//!
//! `issued` (attribute `nextPosition`) and `blocks` are only ever changed together with the ledger
//! ([`ledger`]), the draw's marks only once ([`marks`]), everything else only by a write under a
//! condition on the revision, so joins and the control plane share one item.
//! A write of the clock raises `revision`, also when a join makes it (re-anchoring an idle
//! line): otherwise a control plane that read the record just before would write the old clock
//! back and let the people of the quiet hour's unused rate in at once.
//!
//! What breaks if attribute names change: replicas of two versions share the table.

mod block;
mod item;
pub mod ledger;
mod marks;
mod tables;
#[cfg(test)]
mod tests;

use super::StateError;
use crate::Dynamo;
use aws_sdk_dynamodb::{
    error::SdkError,
    operation::{
        put_item::PutItemError,
        update_item::{UpdateItemError, UpdateItemOutput},
    },
    types::{ReturnValue, ReturnValuesOnConditionCheckFailure},
};
pub use item::Item;
use item::{item_of, key_of, number, room_of, settings_of};
use urr_core::{room::Room, sale::SaleId};

/// Table of the room records, without prefix. Key: `eventId`.
pub const COUNTERS_TABLE: &str = "counters";
/// Key attribute of [`COUNTERS_TABLE`].
pub const COUNTERS_KEY: &str = "eventId";
/// Table of the ledgers, without prefix: one item per block of positions ([`ledger::Block`]).
pub const LEDGER_TABLE: &str = "ledger";
/// Key attribute of [`LEDGER_TABLE`], made of sale, epoch and the block's number; never the sale
/// alone, which would put a whole opening on one partition.
pub const LEDGER_KEY: &str = "blockKey";
/// TTL attribute of [`LEDGER_TABLE`], epoch seconds.
pub const LEDGER_TTL: &str = "expiresAt";

/// Reads and writes room records. Cheap to clone.
#[derive(Clone)]
pub struct Rooms {
    dynamo: Dynamo,
    table: String,
    ledger: String,
}

impl Rooms {
    /// A store on this DynamoDB.
    #[must_use]
    pub fn new(dynamo: &Dynamo) -> Self {
        Self {
            table: dynamo.table(COUNTERS_TABLE),
            ledger: dynamo.table(LEDGER_TABLE),
            dynamo: dynamo.clone(),
        }
    }

    /// Creates the tables of tier 1 where they do not exist, and waits until they take writes.
    ///
    /// # Errors
    /// [`StateError::Dynamo`] when a table cannot be created or does not become active.
    pub async fn ensure_tables(&self) -> Result<(), StateError> {
        self.ensure_table(&self.table, COUNTERS_KEY).await?;
        self.ensure_table(&self.ledger, LEDGER_KEY).await?;
        self.ensure_ttl(&self.ledger).await
    }

    /// The record of a sale as of now (a consistent read).
    ///
    /// # Errors
    /// [`StateError::Dynamo`], or [`StateError::Corrupt`] for a record of another version.
    pub async fn get(&self, sale: SaleId) -> Result<Option<Room>, StateError> {
        let answer = self
            .dynamo
            .client
            .get_item()
            .table_name(&self.table)
            .key(COUNTERS_KEY, key_of(sale))
            .consistent_read(true)
            .send()
            .await
            .map_err(|e| failed("read a waiting room", e))?;
        answer.item.as_ref().map(room_of).transpose()
    }

    /// Records a new line: no record exists, or only one of an earlier epoch.
    ///
    /// # Errors
    /// [`StateError::Fenced`] when this epoch or a later one exists already.
    pub async fn create(&self, room: &Room) -> Result<Room, StateError> {
        let put = self
            .dynamo
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item_of(room)))
            .condition_expression("attribute_not_exists(#k) OR #epoch < :epoch")
            .expression_attribute_names("#k", COUNTERS_KEY)
            .expression_attribute_names("#epoch", "epoch")
            .expression_attribute_values(":epoch", number(room.epoch))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        match put {
            Ok(_) => Ok(room.clone()),
            Err(e) => match e.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(c)) => Err(fenced(c.item.as_ref())),
                _ => Err(failed("create a waiting room", e)),
            },
        }
    }

    /// Writes everything of `room` but what the waiting room's replicas write themselves: numbers
    /// given out, the draw, and who survived a loss. The stored revision
    /// becomes `expected_revision + 1` whatever `room` says. Returns the record as written.
    ///
    /// # Errors
    /// [`StateError::Fenced`] with the present record when it is not at `expected_revision` of
    /// this epoch; [`StateError::NotFound`] when there is none.
    pub async fn replace(&self, expected_revision: u64, room: &Room) -> Result<Room, StateError> {
        let next = Room {
            revision: expected_revision.saturating_add(1),
            ..room.clone()
        };
        let mut call = self
            .dynamo
            .client
            .update_item()
            .table_name(&self.table)
            .key(COUNTERS_KEY, key_of(room.sale))
            .condition_expression("#revision = :expected AND #epoch = :epoch")
            .expression_attribute_values(":expected", number(expected_revision))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let mut sets = Vec::new();
        for (name, value) in settings_of(&next) {
            sets.push(format!("#{name} = :{name}"));
            call = call
                .expression_attribute_names(format!("#{name}"), name)
                .expression_attribute_values(format!(":{name}"), value);
        }
        let call = call.update_expression(format!("SET {}", sets.join(", ")));
        updated("write a waiting room", call.send().await)
    }
}

fn failed<E>(what: &'static str, error: SdkError<E>) -> StateError
where
    E: std::error::Error + aws_sdk_dynamodb::error::ProvideErrorMetadata + Send + Sync + 'static,
{
    if ledger::says_busy(&error) {
        return StateError::Busy { what };
    }
    StateError::Dynamo {
        what,
        source: Box::new(error),
    }
}

fn fenced(old: Option<&Item>) -> StateError {
    match old.map(room_of) {
        None => StateError::NotFound,
        Some(Ok(current)) => StateError::Fenced {
            current: Box::new(current),
        },
        Some(Err(error)) => error,
    }
}

type Update = Result<UpdateItemOutput, SdkError<UpdateItemError>>;

fn updated(what: &'static str, answer: Update) -> Result<Room, StateError> {
    match answer {
        Ok(out) => out.attributes.as_ref().map_or(Err(StateError::NotFound), room_of),
        Err(e) => match e.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(c)) => Err(fenced(c.item.as_ref())),
            _ => Err(failed(what, e)),
        },
    }
}
