//! The tables of tier 1: made where they do not exist.

use super::{LEDGER_TTL, Rooms, failed};
use crate::state::StateError;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType, TableStatus,
    TimeToLiveSpecification,
};
use std::time::Duration;

/// A new table is ACTIVE within seconds; after this many looks, 250 ms apart, something is wrong.
const TABLE_LOOKS_MAX: u32 = 120;

impl Rooms {
    pub(super) async fn ensure_table(&self, table: &str, key: &'static str) -> Result<(), StateError> {
        let define = || -> Result<_, aws_sdk_dynamodb::error::BuildError> {
            Ok((
                AttributeDefinition::builder()
                    .attribute_name(key)
                    .attribute_type(ScalarAttributeType::S)
                    .build()?,
                KeySchemaElement::builder()
                    .attribute_name(key)
                    .key_type(KeyType::Hash)
                    .build()?,
            ))
        };
        let (attribute, schema) = define().map_err(|e| StateError::Dynamo {
            what: "describe a table",
            source: e.into(),
        })?;
        let created = self
            .dynamo
            .client
            .create_table()
            .table_name(table)
            .billing_mode(BillingMode::PayPerRequest)
            .attribute_definitions(attribute)
            .key_schema(schema)
            .send()
            .await;
        if let Err(e) = created
            && !e
                .as_service_error()
                .is_some_and(|s| s.is_resource_in_use_exception())
        {
            return Err(failed("create a table", e));
        }
        for _ in 0..TABLE_LOOKS_MAX {
            let described = self
                .dynamo
                .client
                .describe_table()
                .table_name(table)
                .send()
                .await
                .map_err(|e| failed("describe a table", e))?;
            if described.table.and_then(|t| t.table_status) == Some(TableStatus::Active) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
        Err(StateError::Dynamo {
            what: "activate a table",
            source: format!("{table} did not become ACTIVE").into(),
        })
    }

    /// TTL is housekeeping, never correctness: AWS may take days, the emulator sweeps when told.
    pub(super) async fn ensure_ttl(&self, table: &str) -> Result<(), StateError> {
        let described = self
            .dynamo
            .client
            .describe_time_to_live()
            .table_name(table)
            .send()
            .await
            .map_err(|e| failed("describe a table's TTL", e))?;
        let set = described
            .time_to_live_description
            .is_some_and(|d| d.attribute_name.is_some());
        if set {
            return Ok(());
        }
        let spec = TimeToLiveSpecification::builder()
            .enabled(true)
            .attribute_name(LEDGER_TTL)
            .build()
            .map_err(|e| StateError::Dynamo {
                what: "describe a TTL",
                source: e.into(),
            })?;
        let asked = self
            .dynamo
            .client
            .update_time_to_live()
            .table_name(table)
            .time_to_live_specification(spec)
            .send()
            .await;
        match asked {
            Ok(_) => Ok(()),
            // Another replica was faster; the store refuses to set what is set or being set.
            Err(e)
                if e.as_service_error().is_some_and(|s| {
                    s.meta().code() == Some("ValidationException") || s.is_resource_in_use_exception()
                }) =>
            {
                Ok(())
            }
            Err(e) => Err(failed("set a table's TTL", e)),
        }
    }
}
