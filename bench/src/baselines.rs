//! What the subjects are held against: the least an axum service can do, and the obvious way to
//! number a crowd.

use anyhow::Context;
use aws_sdk_dynamodb::{
    Client,
    types::{
        AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, ReturnValue,
        ScalarAttributeType,
    },
};
use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    routing::{get, post},
};
use serde_json::{Value, json};
use uuid::Uuid;

/// A bare JSON endpoint: what the runtime, the router and the serialiser cost by themselves.
pub(crate) fn hello() -> Router {
    Router::new().route(
        "/hello",
        get(|| async { Json(json!({"message": "hello", "n": 42})) }),
    )
}

const COUNTERS: &str = "naive-counters";
const POSITIONS: &str = "naive-positions";

/// One `ADD 1` and one put per visitor: what upstream does, on the same emulator.
pub(crate) async fn naive_join(client: Client) -> anyhow::Result<Router> {
    for table in [COUNTERS, POSITIONS] {
        create_table(&client, table).await?;
    }
    Ok(Router::new().route("/assign", post(assign)).with_state(client))
}

async fn create_table(client: &Client, name: &str) -> anyhow::Result<()> {
    client
        .create_table()
        .table_name(name)
        .billing_mode(BillingMode::PayPerRequest)
        .attribute_definitions(
            AttributeDefinition::builder()
                .attribute_name("id")
                .attribute_type(ScalarAttributeType::S)
                .build()?,
        )
        .key_schema(
            KeySchemaElement::builder()
                .attribute_name("id")
                .key_type(KeyType::Hash)
                .build()?,
        )
        .send()
        .await
        .with_context(|| format!("creating {name}"))?;
    Ok(())
}

async fn assign(State(client): State<Client>) -> Result<Json<Value>, StatusCode> {
    let position = take(&client).await.map_err(|error| {
        tracing::error!(error = format!("{error:#}"), "naive join failed");
        StatusCode::INTERNAL_SERVER_ERROR
    })?;
    Ok(Json(json!({"requestId": Uuid::new_v4(), "position": position})))
}

async fn take(client: &Client) -> anyhow::Result<u64> {
    let counted = client
        .update_item()
        .table_name(COUNTERS)
        .key("id", AttributeValue::S("sale".to_owned()))
        .update_expression("ADD nextPosition :one")
        .expression_attribute_values(":one", AttributeValue::N("1".to_owned()))
        .return_values(ReturnValue::AllNew)
        .send()
        .await?;
    let position = counted
        .attributes()
        .and_then(|item| item.get("nextPosition"))
        .and_then(|value| value.as_n().ok())
        .context("no nextPosition in the answer")?
        .parse()?;
    client
        .put_item()
        .table_name(POSITIONS)
        .item("id", AttributeValue::S(Uuid::new_v4().to_string()))
        .item("position", AttributeValue::N(format!("{position}")))
        .send()
        .await?;
    Ok(position)
}
