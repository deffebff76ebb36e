//! The waiting rooms' records: one DynamoDB item per sale, and the atomic way to take numbers.
//!
//! `issued` (attribute `nextPosition`) is only ever changed by `ADD`, everything else only by a
//! conditional write, so joins and the control plane share one item without reading it first.
//! A write of the clock raises `revision`, also when a join makes it (re-anchoring an idle
//! line): otherwise a control plane that read the record just before would write the old clock
//! back and let the people of the quiet hour's unused rate in at once.
//!
//! What breaks if attribute names change: replicas of two versions share the table.

mod item;
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
use item::{Item, item_of, key_of, mode_text, number, room_of, settings_of, text};
use urr_core::{
    room::{Mode, Room, ServingClock},
    sale::SaleId,
};

/// Table of the room records, without prefix. Key: `eventId`.
pub const COUNTERS_TABLE: &str = "counters";
/// Table of the places given out, without prefix. Key: `placeKey`, made of sale, epoch and
/// visitor; never the sale alone, which would put a whole opening on one partition.
pub const POSITIONS_TABLE: &str = "positions";
/// Key attribute of [`COUNTERS_TABLE`].
pub const COUNTERS_KEY: &str = "eventId";
/// Key attribute of [`POSITIONS_TABLE`].
pub const POSITIONS_KEY: &str = "placeKey";
/// TTL attribute of [`POSITIONS_TABLE`], epoch seconds.
pub const POSITIONS_TTL: &str = "expiresAt";

/// Reads and writes room records. Cheap to clone.
#[derive(Clone)]
pub struct Rooms {
    dynamo: Dynamo,
    table: String,
}

impl Rooms {
    /// A store on this DynamoDB.
    #[must_use]
    pub fn new(dynamo: &Dynamo) -> Self {
        Self {
            table: dynamo.table(COUNTERS_TABLE),
            dynamo: dynamo.clone(),
        }
    }

    /// Creates the tables of tier 1 where they do not exist, and waits until they take writes.
    ///
    /// # Errors
    /// [`StateError::Dynamo`] when a table cannot be created or does not become active.
    pub async fn ensure_tables(&self) -> Result<(), StateError> {
        self.ensure_table(&self.table, COUNTERS_KEY).await?;
        let positions = self.dynamo.table(POSITIONS_TABLE);
        self.ensure_table(&positions, POSITIONS_KEY).await?;
        self.ensure_ttl(&positions).await
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

    /// Writes everything of `room` but `issued`, which only joins change. The stored revision
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

    /// Takes the next `n` numbers of the line `seen` is a copy of: after it,
    /// `returned.issued - n + 1 ..= returned.issued` are the caller's and nobody else's. With
    /// `reanchor` the serving clock is set in the same write (an idle line forgets the rate it
    /// did not use); that needs `seen` to be exact.
    ///
    /// # Errors
    /// [`StateError::Fenced`] with the present record when the line is another (epoch), takes
    /// nobody (mode), or `seen` was stale while re-anchoring: no number was taken, decide again.
    /// [`StateError::NotFound`] when there is no record. After [`StateError::Dynamo`] it is
    /// unknown whether numbers were taken; if so they are holes, which no one holds.
    pub async fn take_block(
        &self,
        seen: &Room,
        n: u32,
        reanchor: Option<ServingClock>,
    ) -> Result<Room, StateError> {
        let call = self
            .dynamo
            .client
            .update_item()
            .table_name(&self.table)
            .key(COUNTERS_KEY, key_of(seen.sale))
            .expression_attribute_names("#next", "nextPosition")
            .expression_attribute_names("#epoch", "epoch")
            .expression_attribute_names("#mode", "mode")
            .expression_attribute_values(":n", number(n))
            .expression_attribute_values(":epoch", number(seen.epoch))
            .expression_attribute_values(":active", text(mode_text(Mode::Active)))
            .expression_attribute_values(":paused", text(mode_text(Mode::Paused)))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        const TAKES: &str = "#epoch = :epoch AND #mode IN (:active, :paused)";
        let call = match reanchor {
            None => call.condition_expression(TAKES).update_expression("ADD #next :n"),
            Some(clock) => call
                .condition_expression(format!(
                    "{TAKES} AND #revision = :revision AND #next = :issued AND #since = :seen"
                ))
                .update_expression("SET #base = :base, #since = :since ADD #next :n, #revision :one")
                .expression_attribute_names("#revision", "revision")
                .expression_attribute_names("#since", "since")
                .expression_attribute_names("#base", "base")
                .expression_attribute_values(":revision", number(seen.revision))
                .expression_attribute_values(":issued", number(seen.issued))
                .expression_attribute_values(":seen", number(seen.clock.since.0))
                .expression_attribute_values(":base", number(clock.base))
                .expression_attribute_values(":since", number(clock.since.0))
                .expression_attribute_values(":one", number(1)),
        };
        updated("take numbers", call.send().await)
    }
}

fn failed<E>(what: &'static str, error: SdkError<E>) -> StateError
where
    E: std::error::Error + Send + Sync + 'static,
{
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
