//! News by the house: read by all, written by admins, changed by their author.

use crate::{
    App,
    outgoing::{self, Written},
    page::{Page, Wanted},
    text,
};
use axum::{Router, extract::State, http::StatusCode, routing::get};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::FromRow;
use urr_kit::{
    ApiError, ApiResult,
    extract::{Json, Path, Query},
    identity::Admin,
    wire,
};
use uuid::Uuid;

#[derive(Debug, FromRow, Serialize)]
struct NewsRow {
    id: Uuid,
    title: String,
    content: String,
    author: String,
    author_id: Option<Uuid>,
    views: i64,
    is_pinned: bool,
    #[serde(serialize_with = "wire::ts")]
    created_at: DateTime<Utc>,
    #[serde(serialize_with = "wire::ts")]
    updated_at: DateTime<Utc>,
}

#[derive(Debug, Deserialize)]
struct NewNews {
    #[serde(default)]
    title: String,
    #[serde(default)]
    content: String,
    #[serde(default)]
    author: String,
    #[serde(default)]
    is_pinned: bool,
}

#[derive(Debug, Deserialize)]
struct Change {
    #[serde(default)]
    title: String,
    #[serde(default)]
    content: String,
    is_pinned: Option<bool>,
}

pub(crate) fn router() -> Router<App> {
    Router::new()
        .route("/api/news", get(list).post(create))
        .route("/api/news/{id}", get(read).put(change).delete(remove))
}

async fn list(State(app): State<App>, Query(wanted): Query<Wanted>) -> ApiResult<Json<Value>> {
    let page = Page::from(wanted);
    let rows: Vec<NewsRow> =
        sqlx::query_as("SELECT * FROM news ORDER BY is_pinned DESC, created_at DESC, id LIMIT $1 OFFSET $2")
            .bind(page.limit)
            .bind(page.offset())
            .fetch_all(&app.pool)
            .await?;
    let total: i64 = sqlx::query_scalar("SELECT count(*) FROM news")
        .fetch_one(&app.pool)
        .await?;
    Ok(Json(json!({"news": rows, "pagination": page.of(total)})))
}

async fn read(State(app): State<App>, Path(id): Path<Uuid>) -> ApiResult<Json<Value>> {
    let row: Option<NewsRow> = sqlx::query_as("UPDATE news SET views = views + 1 WHERE id = $1 RETURNING *")
        .bind(id)
        .fetch_optional(&app.pool)
        .await?;
    Ok(Json(
        json!({"news": row.ok_or_else(|| ApiError::not_found("News not found"))?}),
    ))
}

async fn create(
    State(app): State<App>,
    Admin(admin): Admin,
    Json(new): Json<NewNews>,
) -> ApiResult<(StatusCode, Json<Value>)> {
    let now = wire::at(app.clock.now());
    let mut tx = app.pool.begin().await?;
    let row: NewsRow = sqlx::query_as(
        "INSERT INTO news (id, title, content, author, author_id, is_pinned, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $7) RETURNING *",
    )
    .bind(Uuid::new_v4())
    .bind(text::title(&new.title)?)
    .bind(text::content(&new.content)?)
    .bind(text::author(&new.author)?)
    // The body's author_id is ignored: it is a claim.
    .bind(admin.user_id)
    .bind(new.is_pinned)
    .bind(now)
    .fetch_one(&mut *tx)
    .await?;
    // Of no artist: booking takes them for the only one whose member the author is, if there is one.
    outgoing::written(&mut tx, Written::News, row.id, admin.user_id, None, now).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(json!({"news": row}))))
}

async fn change(
    State(app): State<App>,
    Admin(admin): Admin,
    Path(id): Path<Uuid>,
    Json(change): Json<Change>,
) -> ApiResult<Json<Value>> {
    let author = author_of(&app, id).await?;
    if author != Some(admin.user_id) {
        return Err(ApiError::forbidden("Only the author can edit this news"));
    }
    let row: NewsRow = sqlx::query_as(
        "UPDATE news SET title = $2, content = $3, is_pinned = coalesce($4, is_pinned), updated_at = $5
         WHERE id = $1 RETURNING *",
    )
    .bind(id)
    .bind(text::title(&change.title)?)
    .bind(text::content(&change.content)?)
    .bind(change.is_pinned)
    .bind(wire::at(app.clock.now()))
    .fetch_optional(&app.pool)
    .await?
    .ok_or_else(|| ApiError::not_found("News not found"))?;
    Ok(Json(json!({"news": row})))
}

async fn remove(
    State(app): State<App>,
    Admin(_admin): Admin,
    Path(id): Path<Uuid>,
) -> ApiResult<Json<Value>> {
    let removed = sqlx::query("DELETE FROM news WHERE id = $1")
        .bind(id)
        .execute(&app.pool)
        .await?;
    if removed.rows_affected() == 0 {
        return Err(ApiError::not_found("News not found"));
    }
    Ok(Json(json!({"message": "News deleted"})))
}

async fn author_of(app: &App, id: Uuid) -> ApiResult<Option<Uuid>> {
    let author: Option<Option<Uuid>> = sqlx::query_scalar("SELECT author_id FROM news WHERE id = $1")
        .bind(id)
        .fetch_optional(&app.pool)
        .await?;
    author.ok_or_else(|| ApiError::not_found("News not found"))
}
