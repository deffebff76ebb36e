//! A user's own messages.

use axum::{Router, extract::State, routing::get};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::{FromRow, PgPool};
use urr_kit::{
    ApiResult,
    extract::{Json, Query},
    identity::Identity,
    wire,
};
use uuid::Uuid;

#[derive(FromRow, Serialize)]
struct Row {
    id: Uuid,
    template: String,
    title: String,
    body: String,
    channel: String,
    #[serde(serialize_with = "wire::ts_opt")]
    delivered_at: Option<DateTime<Utc>>,
    #[serde(serialize_with = "wire::ts")]
    created_at: DateTime<Utc>,
}

#[derive(Deserialize)]
struct Wanted {
    limit: Option<i64>,
}

pub(crate) fn router(pool: PgPool) -> Router {
    Router::new()
        .route("/api/notifications/my", get(mine))
        .with_state(pool)
}

async fn mine(
    State(pool): State<PgPool>,
    caller: Identity,
    Query(wanted): Query<Wanted>,
) -> ApiResult<Json<Value>> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT id, template, title, body, channel, delivered_at, created_at FROM notifications
         WHERE user_id = $1 ORDER BY created_at DESC, id LIMIT $2",
    )
    .bind(caller.user_id)
    .bind(wanted.limit.unwrap_or(20).clamp(1, 100))
    .fetch_all(&pool)
    .await?;
    Ok(Json(json!({"notifications": rows})))
}
