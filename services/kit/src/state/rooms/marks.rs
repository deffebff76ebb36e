//! What a waiting room's replicas write into the record besides numbers: the draw's commitment
//! and its end, and what a lost record is told by those who hold places.
//!
//! Each happens once, whichever replica comes first: the condition lets one through, and the others
//! get the record as it is then.

use super::{
    COUNTERS_KEY, Rooms,
    item::{key_of, number, text},
    updated,
};
use crate::state::StateError;
use aws_sdk_dynamodb::{
    operation::update_item::builders::UpdateItemFluentBuilder,
    types::{ReturnValue, ReturnValuesOnConditionCheckFailure},
};
use urr_core::{
    draw::{Commitment, Seed},
    room::Room,
    time::Millis,
};

impl Rooms {
    /// Publishes what the draw is committed to, before the first ticket.
    ///
    /// # Errors
    /// [`StateError::Fenced`] with the present record when it is published already.
    pub async fn commit_draw(&self, seen: &Room, commitment: Commitment) -> Result<Room, StateError> {
        let call = self
            .update(seen)
            .condition_expression("#epoch = :epoch AND attribute_not_exists(#commitment)")
            .update_expression("SET #commitment = :commitment ADD #revision :one")
            .expression_attribute_names("#commitment", "commitment")
            .expression_attribute_names("#revision", "revision")
            .expression_attribute_values(":commitment", text(&commitment.to_hex()))
            .expression_attribute_values(":one", number(1));
        updated("publish a draw's commitment", call.send().await)
    }

    /// Closes the draw over every ticket given out so far and reveals its seed
    /// ([`Room::draw_closed`]).
    ///
    /// # Errors
    /// [`StateError::Fenced`] with the present record when it is closed already, or the clock or
    /// the schedule was written since `seen`.
    pub async fn close_draw(&self, seen: &Room, seed: Seed, now: Millis) -> Result<Room, StateError> {
        let next = seen.draw_closed(seed, now);
        let call = self
            .update(seen)
            .condition_expression(
                "#epoch = :epoch AND #revision = :revision AND attribute_not_exists(#drawn)",
            )
            // The store's own count: tickets given out since `seen` are in.
            .update_expression(
                "SET #drawn = #next, #seed = :seed, #base = :base, #since = :since ADD #revision :one",
            )
            .expression_attribute_names("#drawn", "drawn")
            .expression_attribute_names("#next", "nextPosition")
            .expression_attribute_names("#seed", "seed")
            .expression_attribute_names("#base", "base")
            .expression_attribute_names("#since", "since")
            .expression_attribute_names("#revision", "revision")
            .expression_attribute_values(":revision", number(seen.revision))
            .expression_attribute_values(":seed", text(&seed.to_hex()))
            .expression_attribute_values(":base", number(next.clock.base))
            .expression_attribute_values(":since", number(next.clock.since.0))
            .expression_attribute_values(":one", number(1));
        updated("close a draw", call.send().await)
    }

    /// Tells a record that was lost and made anew of a place it does not know
    /// ([`Room::restored`]).
    ///
    /// # Errors
    /// [`StateError::Fenced`] with the present record when it was written since `seen`.
    pub async fn restore(&self, seen: &Room, position: u64, now: Millis) -> Result<Room, StateError> {
        let next = seen.restored(position, now);
        let until = next.restoring_until.unwrap_or(now);
        let call = self
            .update(seen)
            .condition_expression("#epoch = :epoch AND #revision = :revision AND #next = :issued")
            .update_expression("SET #next = :next, #until = :until ADD #revision :one")
            .expression_attribute_names("#next", "nextPosition")
            .expression_attribute_names("#until", "restoringUntil")
            .expression_attribute_names("#revision", "revision")
            .expression_attribute_values(":revision", number(seen.revision))
            .expression_attribute_values(":issued", number(seen.issued))
            .expression_attribute_values(":next", number(next.issued))
            .expression_attribute_values(":until", number(until.0))
            .expression_attribute_values(":one", number(1));
        updated("restore a waiting room", call.send().await)
    }

    fn update(&self, seen: &Room) -> UpdateItemFluentBuilder {
        self.dynamo
            .client
            .update_item()
            .table_name(&self.table)
            .key(COUNTERS_KEY, key_of(seen.sale))
            .expression_attribute_names("#epoch", "epoch")
            .expression_attribute_values(":epoch", number(seen.epoch))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
    }
}
