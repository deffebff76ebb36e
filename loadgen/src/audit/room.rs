//! The waiting room's record and the places it gave out, from DynamoDB.

use super::{CollectError, Store};
use aws_sdk_dynamodb::types::AttributeValue;
use std::{collections::HashMap, str::FromStr};
use urr_core::{audit::PlaceRow, room::Room, sale::SaleId, time::Millis};
use urr_kit::{
    Dynamo,
    state::{
        StateError,
        rooms::{POSITIONS_TABLE, Rooms},
    },
};

/// How api-contract.md section 5 calls visitors who gave no name: each place is one person's.
const ANONYMOUS: &str = "anonymous";
/// Parts of the table that are read at once.
const SEGMENTS: i32 = 4;

type Row = HashMap<String, AttributeValue>;

/// The record, if the sale ever had a waiting room.
pub(super) async fn record(dynamo: &Dynamo, sale: SaleId) -> Result<Option<Room>, CollectError> {
    let what = "the waiting room's record";
    Rooms::new(dynamo)
        .get(sale)
        .await
        .map_err(CollectError::read::<StateError>(Store::Dynamo, what))
}

/// Every place of the sale, of every epoch, in no order.
pub(super) async fn places(dynamo: &Dynamo, sale: SaleId) -> Result<Vec<PlaceRow>, CollectError> {
    let parts = (0..SEGMENTS).map(|segment| places_of_segment(dynamo, sale, segment));
    let parts = futures::future::try_join_all(parts).await?;
    Ok(parts.into_iter().flatten().collect())
}

/// The table is keyed for joins, not for audits: a scan is what reads it all, page by page.
async fn places_of_segment(
    dynamo: &Dynamo,
    sale: SaleId,
    segment: i32,
) -> Result<Vec<PlaceRow>, CollectError> {
    let mut places = Vec::new();
    let mut start: Option<Row> = None;
    loop {
        let page = dynamo
            .client
            .scan()
            .table_name(dynamo.table(POSITIONS_TABLE))
            .consistent_read(true)
            .segment(segment)
            .total_segments(SEGMENTS)
            .filter_expression("#event = :sale")
            .projection_expression("#user, #epoch, #position, #created")
            .expression_attribute_names("#event", "eventId")
            .expression_attribute_names("#user", "userId")
            .expression_attribute_names("#epoch", "epoch")
            .expression_attribute_names("#position", "position")
            .expression_attribute_names("#created", "createdAt")
            .expression_attribute_values(":sale", AttributeValue::S(sale.to_string()))
            .set_exclusive_start_key(start.take())
            .send()
            .await
            .map_err(CollectError::read(Store::Dynamo, "places"))?;
        for row in page.items.unwrap_or_default() {
            places.push(place(&row)?);
        }
        match page.last_evaluated_key {
            Some(key) if !key.is_empty() => start = Some(key),
            _ => return Ok(places),
        }
    }
}

fn place(row: &Row) -> Result<PlaceRow, CollectError> {
    let position = number(row, "position")?;
    let visitor = match row.get("userId").map(AttributeValue::as_s) {
        Some(Ok(name)) if name == ANONYMOUS => format!("{ANONYMOUS}#{position}"),
        Some(Ok(name)) => name.clone(),
        _ => return Err(strange("userId")),
    };
    Ok(PlaceRow {
        visitor,
        epoch: number(row, "epoch")?,
        position,
        created_at: Millis(number(row, "createdAt")?),
    })
}

fn number<T: FromStr>(row: &Row, name: &str) -> Result<T, CollectError> {
    row.get(name)
        .and_then(|value| value.as_n().ok())
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| strange(name))
}

fn strange(attribute: &str) -> CollectError {
    CollectError::corrupt(Store::Dynamo, "a place", format!("attribute {attribute}"))
}
