//! The ledger of a line: blocks of visitor keys in the order of their positions.
//!
//! Joins append a *block*, one item however many people are in it, in one transaction with the
//! counter. The transaction is refused unless the writer has seen every block before, so whoever
//! commits knows of everybody who stands in line, and one visitor cannot have two places (law
//! `one-place`). A block's key follows from its number, so a replica that lags reads exactly what it
//! lacks, and the writes spread over partitions instead of heating one.

pub use super::block::{BLOCK_ENTRIES_MAX, Block, Entry};

use super::{
    Item, LEDGER_KEY, LEDGER_TABLE, Rooms,
    block::block_key,
    item::{key_of, mode_text, number, room_of, text},
};
use crate::state::StateError;
use aws_sdk_dynamodb::{
    config::retry::RetryConfig,
    error::{ProvideErrorMetadata, SdkError},
    operation::transact_write_items::TransactWriteItemsError,
    types::{
        CancellationReason, KeysAndAttributes, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem,
        Update,
    },
};
use std::ops::RangeInclusive;
use urr_core::{
    room::{Mode, Room, ServingClock},
    sale::SaleId,
};

/// The vendor's limit of keys per read.
const KEYS_PER_READ: usize = 100;
/// Reads of keys that the store left over.
const READS_MAX: u32 = 8;

/// Whether an append is refused when its writer has not seen all before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conditions {
    /// As it must be.
    Kept,
    /// As a service does that reads a counter and then writes it: only to show that tests and
    /// audits notice.
    Dropped,
}

impl Rooms {
    /// Appends `block` to the line `seen` is a copy of: its positions are its entries' and nobody
    /// else's from then on. `block.number` and `block.first` must follow `seen`. With `reanchor` the
    /// serving clock is set in the same write (an idle line forgets the rate it did not use).
    /// Returns the record as written, as far as this writer knows it.
    ///
    /// # Errors
    /// [`StateError::Fenced`] with the present record when blocks were appended that `seen` does not
    /// know of, or the line is another (epoch), takes nobody (mode), or its clock was written while
    /// re-anchoring: nothing was written, decide again. [`StateError::Busy`] when the store asks to
    /// be asked less or another writer was at it: nothing was written. [`StateError::NotFound`]
    /// when there is no record. After [`StateError::Dynamo`] it is unknown whether the block was
    /// written; reading block `block.number` tells.
    pub async fn append(
        &self,
        seen: &Room,
        block: &Block,
        reanchor: Option<ServingClock>,
        conditions: Conditions,
    ) -> Result<Room, StateError> {
        const WHAT: &str = "append to the ledger";
        let built = |e: aws_sdk_dynamodb::error::BuildError| StateError::Dynamo {
            what: WHAT,
            source: e.into(),
        };
        let entries = u32::try_from(block.entries.len()).unwrap_or(u32::MAX);
        let put = Put::builder()
            .table_name(&self.ledger)
            .set_item(Some(block.item(seen.closes_at)));
        let (put, update) = match conditions {
            Conditions::Kept => (
                put.condition_expression("attribute_not_exists(#k)")
                    .expression_attribute_names("#k", LEDGER_KEY),
                self.count(seen, entries, reanchor),
            ),
            Conditions::Dropped => (put, self.count_blindly(seen, entries)),
        };
        let (put, update) = (put.build().map_err(built)?, update.build().map_err(built)?);
        let sent = self
            .dynamo
            .client
            .transact_write_items()
            .transact_items(TransactWriteItem::builder().update(update).build())
            .transact_items(TransactWriteItem::builder().put(put).build())
            .customize()
            // Refusals are the caller's to hear: it must ask less, not be asked again for.
            .config_override(aws_sdk_dynamodb::config::Builder::new().retry_config(RetryConfig::disabled()))
            .send()
            .await;
        match sent {
            Ok(_) => Ok(Room {
                issued: seen.issued + u64::from(entries),
                blocks: seen.blocks + 1,
                revision: seen.revision + u64::from(reanchor.is_some()),
                clock: reanchor.unwrap_or(seen.clock),
                ..seen.clone()
            }),
            Err(error) => Err(refused(WHAT, error)),
        }
    }

    fn count(
        &self,
        seen: &Room,
        entries: u32,
        reanchor: Option<ServingClock>,
    ) -> aws_sdk_dynamodb::types::builders::UpdateBuilder {
        const TAKES: &str = "#epoch = :epoch AND #mode IN (:active, :paused) AND #next = :issued \
                             AND (#blocks = :blocks OR attribute_not_exists(#blocks) AND :blocks = :none)";
        let update = Update::builder()
            .table_name(&self.table)
            .key(super::COUNTERS_KEY, key_of(seen.sale))
            .expression_attribute_names("#next", "nextPosition")
            .expression_attribute_names("#blocks", "blocks")
            .expression_attribute_names("#epoch", "epoch")
            .expression_attribute_names("#mode", "mode")
            .expression_attribute_values(":n", number(entries))
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":none", number(0))
            .expression_attribute_values(":epoch", number(seen.epoch))
            .expression_attribute_values(":issued", number(seen.issued))
            .expression_attribute_values(":blocks", number(seen.blocks))
            .expression_attribute_values(":active", text(mode_text(Mode::Active)))
            .expression_attribute_values(":paused", text(mode_text(Mode::Paused)))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match reanchor {
            None => update
                .condition_expression(TAKES)
                .update_expression("ADD #next :n, #blocks :one"),
            Some(clock) => update
                .condition_expression(format!("{TAKES} AND #revision = :revision AND #since = :seen"))
                .update_expression(
                    "SET #base = :base, #since = :since ADD #next :n, #blocks :one, #revision :one",
                )
                .expression_attribute_names("#revision", "revision")
                .expression_attribute_names("#since", "since")
                .expression_attribute_names("#base", "base")
                .expression_attribute_values(":revision", number(seen.revision))
                .expression_attribute_values(":seen", number(seen.clock.since.0))
                .expression_attribute_values(":base", number(clock.base))
                .expression_attribute_values(":since", number(clock.since.0)),
        }
    }

    fn count_blindly(&self, seen: &Room, entries: u32) -> aws_sdk_dynamodb::types::builders::UpdateBuilder {
        Update::builder()
            .table_name(&self.table)
            .key(super::COUNTERS_KEY, key_of(seen.sale))
            .update_expression("ADD #next :n, #blocks :one")
            .expression_attribute_names("#next", "nextPosition")
            .expression_attribute_names("#blocks", "blocks")
            .expression_attribute_values(":n", number(entries))
            .expression_attribute_values(":one", number(1))
    }

    /// Reads the blocks `numbers` of a line, in their order, at most [`Rooms::BLOCKS_PER_READ`].
    ///
    /// # Errors
    /// [`StateError::Dynamo`] or [`StateError::Busy`]; [`StateError::Corrupt`] when one is missing,
    /// which a record that counts it rules out.
    pub async fn blocks(
        &self,
        sale: SaleId,
        epoch: u32,
        numbers: RangeInclusive<u64>,
    ) -> Result<Vec<Block>, StateError> {
        const WHAT: &str = "read the ledger";
        let failed = |source: crate::BoxError| StateError::Dynamo { what: WHAT, source };
        let wanted = numbers.clone().take(KEYS_PER_READ);
        let mut blocks = Vec::with_capacity(KEYS_PER_READ);
        let mut asked = KeysAndAttributes::builder()
            .consistent_read(true)
            .set_keys(Some(
                wanted
                    .clone()
                    .map(|number| {
                        let key = text(&block_key(sale, epoch, number));
                        Item::from([(LEDGER_KEY.to_owned(), key)])
                    })
                    .collect(),
            ))
            .build()
            .map_err(|e| failed(e.into()))?;
        for _ in 0..READS_MAX {
            let call = self.dynamo.client.batch_get_item();
            let answer = call.request_items(&self.ledger, asked).send().await;
            let answer = answer.map_err(|e| super::failed(WHAT, e))?;
            for item in answer.responses.unwrap_or_default().into_values().flatten() {
                blocks.push(Block::of_item(&item)?);
            }
            let mut left = answer.unprocessed_keys.unwrap_or_default();
            match left.remove(&self.ledger) {
                Some(rest) if !rest.keys.is_empty() => asked = rest,
                _ => {
                    blocks.sort_unstable_by_key(|block| block.number);
                    let complete = blocks.iter().map(|block| block.number).eq(wanted);
                    return if complete {
                        Ok(blocks)
                    } else {
                        Err(StateError::Corrupt { field: LEDGER_TABLE })
                    };
                }
            }
        }
        Err(StateError::Busy { what: WHAT })
    }

    /// Blocks that one call of [`Rooms::blocks`] reads at most.
    pub const BLOCKS_PER_READ: u64 = KEYS_PER_READ as u64;
}

fn refused(what: &'static str, error: SdkError<TransactWriteItemsError>) -> StateError {
    let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = error.as_service_error()
    else {
        let in_progress = error
            .as_service_error()
            .is_some_and(TransactWriteItemsError::is_transaction_in_progress_exception);
        return if in_progress {
            StateError::Busy { what }
        } else {
            super::failed(what, error)
        };
    };
    let reasons = cancelled.cancellation_reasons();
    let code = |reason: &CancellationReason| reason.code().unwrap_or("None").to_owned();
    match reasons.first().map(code).as_deref() {
        Some("ConditionalCheckFailed") => match reasons.first().and_then(CancellationReason::item) {
            None => StateError::NotFound,
            Some(item) => match room_of(item) {
                Ok(current) => StateError::Fenced {
                    current: Box::new(current),
                },
                Err(error) => error,
            },
        },
        // The block is there although the record does not count it: the record was restored from
        // a time before it.
        Some("None") if reasons.get(1).map(code).as_deref() == Some("ConditionalCheckFailed") => {
            StateError::LedgerAhead
        }
        _ if reasons.iter().map(code).any(|code| is_busy(&code)) => StateError::Busy { what },
        _ => super::failed(what, error),
    }
}

/// Codes by which the store says that it would take the same call later.
pub(super) fn is_busy(code: &str) -> bool {
    [
        "TransactionConflict",
        "TransactionConflictException",
        "ThrottlingError",
        "ThrottlingException",
        "ProvisionedThroughputExceeded",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
    ]
    .contains(&code)
}

/// Whether an SDK error is one of those.
pub(super) fn says_busy<E: ProvideErrorMetadata>(error: &SdkError<E>) -> bool {
    error
        .as_service_error()
        .and_then(ProvideErrorMetadata::code)
        .is_some_and(is_busy)
}

impl Rooms {
    /// Makes the record count a block that is in the ledger already: repairs a record that was
    /// restored from a time before it.
    ///
    /// # Errors
    /// [`StateError::Fenced`] when the record has moved on; nothing was written.
    pub async fn count_found(&self, seen: &Room, block: &Block) -> Result<Room, StateError> {
        let call = self
            .dynamo
            .client
            .update_item()
            .table_name(&self.table)
            .key(super::COUNTERS_KEY, key_of(seen.sale))
            .condition_expression("#epoch = :epoch AND #blocks = :blocks AND #next = :issued")
            .update_expression("SET #next = :last, #blocks = :number")
            .expression_attribute_names("#next", "nextPosition")
            .expression_attribute_names("#blocks", "blocks")
            .expression_attribute_names("#epoch", "epoch")
            .expression_attribute_values(":epoch", number(seen.epoch))
            .expression_attribute_values(":blocks", number(seen.blocks))
            .expression_attribute_values(":issued", number(seen.issued))
            .expression_attribute_values(":last", number(block.last().max(seen.issued)))
            .expression_attribute_values(":number", number(block.number))
            .return_values(aws_sdk_dynamodb::types::ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        super::updated("repair a waiting room", call.send().await)
    }
}
