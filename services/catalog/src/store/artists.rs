//! Artists, with what is counted of them.

use super::Store;
use crate::{artist::Artist, music::Profile};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

/// $1 = now: a term of membership ends by the clock.
const ARTIST: &str =
    "SELECT a.id, a.name, a.image_url, a.description, a.membership_price, a.created_at, a.updated_at,
        (SELECT count(*) FROM events e WHERE e.artist_id = a.id) AS event_count,
        (SELECT count(*) FROM artist_members m
         WHERE m.artist_id = a.id AND m.ended_at IS NULL AND m.expires_at > $1) AS member_count
     FROM artists a";

impl Store {
    pub(crate) async fn artists(
        &self,
        now: DateTime<Utc>,
        limit: i64,
        offset: i64,
    ) -> sqlx::Result<(Vec<Artist>, i64)> {
        let rows = sqlx::query_as(sqlx::AssertSqlSafe(format!(
            "{ARTIST} ORDER BY a.name, a.id LIMIT $2 OFFSET $3"
        )))
        .bind(now)
        .bind(limit)
        .bind(offset)
        .fetch_all(&self.pool)
        .await?;
        let total = sqlx::query_scalar("SELECT count(*) FROM artists")
            .fetch_one(&self.pool)
            .await?;
        Ok((rows, total))
    }

    pub(crate) async fn artist(&self, id: Uuid, now: DateTime<Utc>) -> sqlx::Result<Option<Artist>> {
        sqlx::query_as(sqlx::AssertSqlSafe(format!("{ARTIST} WHERE a.id = $2")))
            .bind(now)
            .bind(id)
            .fetch_optional(&self.pool)
            .await
    }

    /// The artist of that name, made if there is none (quirk 28: upstream never linked them).
    pub(crate) async fn artist_named(
        tx: &mut PgConnection,
        name: &str,
        now: DateTime<Utc>,
    ) -> sqlx::Result<Uuid> {
        sqlx::query_scalar(
            "INSERT INTO artists (id, name, created_at, updated_at) VALUES ($1, $2, $3, $3)
             ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING id",
        )
        .bind(Uuid::new_v4())
        .bind(name)
        .bind(now)
        .fetch_one(tx)
        .await
    }

    /// Artists without a picture, those first who were not looked up for longest, and how many there are.
    pub(crate) async fn artists_without_picture(
        &self,
        limit: i64,
    ) -> sqlx::Result<(Vec<(Uuid, String)>, i64)> {
        let rows = sqlx::query_as(
            "SELECT id, name FROM artists WHERE coalesce(image_url, '') = ''
             ORDER BY looked_up_at NULLS FIRST, name, id LIMIT $1",
        )
        .bind(limit)
        .fetch_all(&self.pool)
        .await?;
        let total = sqlx::query_scalar("SELECT count(*) FROM artists WHERE coalesce(image_url, '') = ''")
            .fetch_one(&self.pool)
            .await?;
        Ok((rows, total))
    }

    pub(crate) async fn looked_up(tx: &mut PgConnection, id: Uuid, now: DateTime<Utc>) -> sqlx::Result<()> {
        sqlx::query("UPDATE artists SET looked_up_at = $2 WHERE id = $1")
            .bind(id)
            .bind(now)
            .execute(tx)
            .await?;
        Ok(())
    }

    /// Fills in what nobody wrote about an artist; whether there was anything to fill in.
    pub(crate) async fn enrich_artist(
        tx: &mut PgConnection,
        id: Uuid,
        found: &Profile,
        now: DateTime<Utc>,
    ) -> sqlx::Result<bool> {
        let done = sqlx::query(
            "UPDATE artists SET image_url = coalesce(nullif(image_url, ''), $2),
               description = coalesce(nullif(description, ''), $3), updated_at = $4
             WHERE id = $1 AND ((coalesce(image_url, '') = '' AND $2::text IS NOT NULL)
                             OR (coalesce(description, '') = '' AND $3::text IS NOT NULL))",
        )
        .bind(id)
        .bind(&found.image_url)
        .bind(&found.description)
        .bind(now)
        .execute(tx)
        .await?;
        Ok(done.rows_affected() == 1)
    }
}
