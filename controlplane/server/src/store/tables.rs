//! Creates the control plane's tables, at AWS as in the emulator.

use super::StoreError;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType, TableStatus,
};
use std::time::Duration;

/// A new table is active within seconds, though AWS states no bound. After a minute something is
/// wrong that waiting does not cure.
const ACTIVE_POLLS_MAX: u32 = 120;
const ACTIVE_POLL_INTERVAL: Duration = Duration::from_millis(500);

/// An attribute that is part of a table's key.
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) kind: ScalarAttributeType,
}

/// Makes sure `table` exists and is active: `hash` identifies an item, together with `range` if
/// there is one. Idempotent, also when several processes start at once.
pub(super) async fn ensure(
    client: &Client,
    table: &str,
    hash: Key,
    range: Option<Key>,
) -> Result<(), StoreError> {
    if is_active(client, table).await? == Some(true) {
        return Ok(());
    }
    let mut create = client
        .create_table()
        .table_name(table)
        .billing_mode(BillingMode::PayPerRequest);
    for (key, role) in [(Some(hash), KeyType::Hash), (range, KeyType::Range)]
        .into_iter()
        .filter_map(|(key, role)| Some((key?, role)))
    {
        let attribute = AttributeDefinition::builder()
            .attribute_name(key.name)
            .attribute_type(key.kind)
            .build()
            .map_err(|error| StoreError::engine("describe a table's key", error))?;
        let element = KeySchemaElement::builder()
            .attribute_name(key.name)
            .key_type(role)
            .build()
            .map_err(|error| StoreError::engine("describe a table's key", error))?;
        create = create.attribute_definitions(attribute).key_schema(element);
    }
    if let Err(error) = create.send().await {
        let error = error.into_service_error();
        // Another process was first: that is what we wanted.
        if !error.is_resource_in_use_exception() {
            return Err(StoreError::engine("create a table", error));
        }
    }
    for _ in 0..ACTIVE_POLLS_MAX {
        if is_active(client, table).await? == Some(true) {
            return Ok(());
        }
        tokio::time::sleep(ACTIVE_POLL_INTERVAL).await;
    }
    Err(StoreError::engine(
        "make a table active within a minute",
        table.to_owned(),
    ))
}

/// `None` when there is no such table.
async fn is_active(client: &Client, table: &str) -> Result<Option<bool>, StoreError> {
    match client.describe_table().table_name(table).send().await {
        Ok(answer) => {
            let status = answer.table().and_then(|table| table.table_status());
            Ok(Some(status == Some(&TableStatus::Active)))
        }
        Err(error) => {
            let error = error.into_service_error();
            if error.is_resource_not_found_exception() {
                return Ok(None);
            }
            Err(StoreError::engine("describe a table", error))
        }
    }
}
