//! The waiting room's record and its ledger, from DynamoDB.

use super::{CollectError, Store};
use aws_sdk_dynamodb::types::AttributeValue;
use urr_core::{audit::PlaceRow, room::Room, sale::SaleId};
use urr_kit::{
    Dynamo,
    state::{
        StateError,
        rooms::{Item, LEDGER_TABLE, Rooms, ledger::Block},
    },
};

/// Parts of the table that are read at once.
const SEGMENTS: i32 = 4;

/// The record, if the sale ever had a waiting room.
pub(super) async fn record(dynamo: &Dynamo, sale: SaleId) -> Result<Option<Room>, CollectError> {
    let what = "the waiting room's record";
    Rooms::new(dynamo)
        .get(sale)
        .await
        .map_err(CollectError::read::<StateError>(Store::Dynamo, what))
}

/// Every place of the sale, of every epoch, in no order. A scan and not the services' own way of
/// reading: it finds blocks, too, that no record counts.
pub(super) async fn places(dynamo: &Dynamo, sale: SaleId) -> Result<Vec<PlaceRow>, CollectError> {
    let parts = (0..SEGMENTS).map(|segment| places_of_segment(dynamo, sale, segment));
    let parts = futures::future::try_join_all(parts).await?;
    Ok(parts.into_iter().flatten().collect())
}

async fn places_of_segment(
    dynamo: &Dynamo,
    sale: SaleId,
    segment: i32,
) -> Result<Vec<PlaceRow>, CollectError> {
    let mut places = Vec::new();
    let mut start: Option<Item> = None;
    loop {
        let page = dynamo
            .client
            .scan()
            .table_name(dynamo.table(LEDGER_TABLE))
            .consistent_read(true)
            .segment(segment)
            .total_segments(SEGMENTS)
            .filter_expression("#event = :sale")
            .expression_attribute_names("#event", "eventId")
            .expression_attribute_values(":sale", AttributeValue::S(sale.to_string()))
            .set_exclusive_start_key(start.take())
            .send()
            .await
            .map_err(CollectError::read(Store::Dynamo, "the ledger"))?;
        for item in page.items.unwrap_or_default() {
            let block = Block::of_item(&item)
                .map_err(|error| CollectError::corrupt(Store::Dynamo, "a block of the ledger", error))?;
            let epoch = block.epoch;
            places.extend(block.places().map(|(position, key, created_at)| PlaceRow {
                key,
                epoch,
                position,
                created_at,
            }));
        }
        match page.last_evaluated_key {
            Some(key) if !key.is_empty() => start = Some(key),
            _ => return Ok(places),
        }
    }
}
