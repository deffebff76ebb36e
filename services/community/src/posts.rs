//! Posts and comments by members, per artist.

use crate::{
    App,
    outgoing::{self, Written},
    page::{Page, Wanted},
    text,
};
use axum::{
    Router,
    extract::State,
    http::StatusCode,
    routing::{delete, get},
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::FromRow;
use urr_kit::{
    ApiError, ApiResult,
    extract::{Json, Path, Query},
    identity::{Identity, Role},
    wire,
};
use uuid::Uuid;

#[derive(Debug, FromRow, Serialize)]
struct PostRow {
    id: Uuid,
    artist_id: Uuid,
    author_id: Uuid,
    author_name: String,
    title: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<String>,
    views: i64,
    comment_count: i64,
    is_pinned: bool,
    #[serde(serialize_with = "wire::ts")]
    created_at: DateTime<Utc>,
    #[serde(serialize_with = "wire::ts")]
    updated_at: DateTime<Utc>,
}

#[derive(Debug, FromRow, Serialize)]
struct CommentRow {
    id: Uuid,
    post_id: Uuid,
    author_id: Uuid,
    author_name: String,
    content: String,
    #[serde(serialize_with = "wire::ts")]
    created_at: DateTime<Utc>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Filter {
    artist_id: Option<Uuid>,
    page: Option<i64>,
    limit: Option<i64>,
}

#[derive(Debug, Deserialize)]
struct NewPost {
    #[serde(default)]
    title: String,
    #[serde(default)]
    content: String,
    artist_id: Option<Uuid>,
}

#[derive(Debug, Deserialize)]
struct NewComment {
    #[serde(default)]
    content: String,
}

pub(crate) fn router() -> Router<App> {
    Router::new()
        .route("/api/community/posts", get(list).post(create))
        .route("/api/community/posts/{id}", get(read).put(change).delete(remove))
        .route("/api/community/posts/{id}/comments", get(comments).post(comment))
        .route(
            "/api/community/posts/{id}/comments/{comment}",
            delete(remove_comment),
        )
}

async fn list(State(app): State<App>, Query(filter): Query<Filter>) -> ApiResult<Json<Value>> {
    let page = Page::from(Wanted::new(filter.page, filter.limit));
    let rows: Vec<PostRow> = sqlx::query_as(
        "SELECT *, NULL::text AS content FROM
           (SELECT id, artist_id, author_id, author_name, title, views, comment_count, is_pinned, created_at, updated_at
            FROM community_posts WHERE $1::uuid IS NULL OR artist_id = $1
            ORDER BY is_pinned DESC, created_at DESC, id LIMIT $2 OFFSET $3) AS page",
    )
    .bind(filter.artist_id)
    .bind(page.limit)
    .bind(page.offset())
    .fetch_all(&app.pool)
    .await?;
    let total: i64 =
        sqlx::query_scalar("SELECT count(*) FROM community_posts WHERE $1::uuid IS NULL OR artist_id = $1")
            .bind(filter.artist_id)
            .fetch_one(&app.pool)
            .await?;
    Ok(Json(json!({"posts": rows, "pagination": page.of(total)})))
}

async fn read(State(app): State<App>, Path(id): Path<Uuid>) -> ApiResult<Json<Value>> {
    let row: Option<PostRow> =
        sqlx::query_as("UPDATE community_posts SET views = views + 1 WHERE id = $1 RETURNING *")
            .bind(id)
            .fetch_optional(&app.pool)
            .await?;
    Ok(Json(json!({"post": row.ok_or_else(post_not_found)?})))
}

async fn create(
    State(app): State<App>,
    author: Identity,
    Json(new): Json<NewPost>,
) -> ApiResult<(StatusCode, Json<Value>)> {
    let (title, content) = (text::title(&new.title)?, text::content(&new.content)?);
    let artist = new
        .artist_id
        .ok_or_else(|| ApiError::bad_request("artist_id must not be null"))?;
    let name = app.authors.name_of(author.user_id).await;
    let now = wire::at(app.clock.now());
    let mut tx = app.pool.begin().await?;
    let row: PostRow = sqlx::query_as(
        "INSERT INTO community_posts (id, artist_id, author_id, author_name, title, content, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $7) RETURNING *",
    )
    .bind(Uuid::new_v4())
    .bind(artist)
    .bind(author.user_id)
    .bind(name)
    .bind(title)
    .bind(content)
    .bind(now)
    .fetch_one(&mut *tx)
    .await?;
    outgoing::written(&mut tx, Written::Post, row.id, author.user_id, Some(artist), now).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(json!({"post": row}))))
}

async fn change(
    State(app): State<App>,
    caller: Identity,
    Path(id): Path<Uuid>,
    Json(new): Json<NewPost>,
) -> ApiResult<Json<Value>> {
    if author_of_post(&app, id).await? != caller.user_id {
        return Err(ApiError::forbidden("Only the author can edit this post"));
    }
    let row: PostRow = sqlx::query_as(
        "UPDATE community_posts SET title = $2, content = $3, updated_at = $4 WHERE id = $1 RETURNING *",
    )
    .bind(id)
    .bind(text::title(&new.title)?)
    .bind(text::content(&new.content)?)
    .bind(wire::at(app.clock.now()))
    .fetch_optional(&app.pool)
    .await?
    .ok_or_else(post_not_found)?;
    Ok(Json(json!({"post": row})))
}

async fn remove(State(app): State<App>, caller: Identity, Path(id): Path<Uuid>) -> ApiResult<Json<Value>> {
    let author = author_of_post(&app, id).await?;
    authorise(&caller, author)?;
    sqlx::query("DELETE FROM community_posts WHERE id = $1")
        .bind(id)
        .execute(&app.pool)
        .await?;
    Ok(Json(json!({"message": "Post deleted"})))
}

async fn comments(
    State(app): State<App>,
    Path(id): Path<Uuid>,
    Query(wanted): Query<Wanted>,
) -> ApiResult<Json<Value>> {
    let page = Page::from(wanted);
    let rows: Vec<CommentRow> = sqlx::query_as(
        "SELECT * FROM community_comments WHERE post_id = $1 ORDER BY created_at, id LIMIT $2 OFFSET $3",
    )
    .bind(id)
    .bind(page.limit)
    .bind(page.offset())
    .fetch_all(&app.pool)
    .await?;
    let total: i64 = sqlx::query_scalar("SELECT count(*) FROM community_comments WHERE post_id = $1")
        .bind(id)
        .fetch_one(&app.pool)
        .await?;
    Ok(Json(json!({"comments": rows, "pagination": page.of(total)})))
}

/// The comment and the post's count change together, so the count is the number of rows.
async fn comment(
    State(app): State<App>,
    author: Identity,
    Path(id): Path<Uuid>,
    Json(new): Json<NewComment>,
) -> ApiResult<(StatusCode, Json<Value>)> {
    let content = text::content(&new.content)?;
    let name = app.authors.name_of(author.user_id).await;
    let now = wire::at(app.clock.now());
    let mut tx = app.pool.begin().await?;
    let counted: Option<Uuid> = sqlx::query_scalar(
        "UPDATE community_posts SET comment_count = comment_count + 1 WHERE id = $1 RETURNING artist_id",
    )
    .bind(id)
    .fetch_optional(&mut *tx)
    .await?;
    let artist = counted.ok_or_else(post_not_found)?;
    let row: CommentRow = sqlx::query_as(
        "INSERT INTO community_comments (id, post_id, author_id, author_name, content, created_at)
         VALUES ($1, $2, $3, $4, $5, $6) RETURNING *",
    )
    .bind(Uuid::new_v4())
    .bind(id)
    .bind(author.user_id)
    .bind(name)
    .bind(content)
    .bind(now)
    .fetch_one(&mut *tx)
    .await?;
    outgoing::written(
        &mut tx,
        Written::Comment,
        row.id,
        author.user_id,
        Some(artist),
        now,
    )
    .await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(json!({"comment": row}))))
}

async fn remove_comment(
    State(app): State<App>,
    caller: Identity,
    Path((post, comment)): Path<(Uuid, Uuid)>,
) -> ApiResult<Json<Value>> {
    let author: Option<Uuid> =
        sqlx::query_scalar("SELECT author_id FROM community_comments WHERE id = $1 AND post_id = $2")
            .bind(comment)
            .bind(post)
            .fetch_optional(&app.pool)
            .await?;
    authorise(
        &caller,
        author.ok_or_else(|| ApiError::not_found("Comment not found"))?,
    )?;
    let mut tx = app.pool.begin().await?;
    let removed = sqlx::query("DELETE FROM community_comments WHERE id = $1")
        .bind(comment)
        .execute(&mut *tx)
        .await?;
    if removed.rows_affected() == 1 {
        sqlx::query("UPDATE community_posts SET comment_count = comment_count - 1 WHERE id = $1")
            .bind(post)
            .execute(&mut *tx)
            .await?;
    }
    tx.commit().await?;
    Ok(Json(json!({"message": "Comment deleted"})))
}

async fn author_of_post(app: &App, id: Uuid) -> ApiResult<Uuid> {
    let author: Option<Uuid> = sqlx::query_scalar("SELECT author_id FROM community_posts WHERE id = $1")
        .bind(id)
        .fetch_optional(&app.pool)
        .await?;
    author.ok_or_else(post_not_found)
}

fn authorise(caller: &Identity, author: Uuid) -> ApiResult<()> {
    if caller.user_id == author || caller.role == Role::Admin {
        Ok(())
    } else {
        Err(ApiError::forbidden("Only the author or an admin can delete this"))
    }
}

fn post_not_found() -> ApiError {
    ApiError::not_found("Post not found")
}
