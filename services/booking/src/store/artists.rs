//! Booking's own copy of artists.

use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgPool};
use uuid::Uuid;

/// An artist as booking knows him.
#[derive(Debug, Clone, FromRow)]
pub struct Artist {
    /// His id.
    pub artist_id: Uuid,
    /// His name.
    pub name: String,
    /// His picture.
    pub image_url: Option<String>,
    /// What a term of membership costs, KRW.
    pub membership_price: i64,
    /// When catalog said so.
    pub as_of: DateTime<Utc>,
}

/// The copy, if there is one.
///
/// # Errors
/// What the database fails with.
pub async fn get(pool: &PgPool, id: Uuid) -> Result<Option<Artist>, sqlx::Error> {
    sqlx::query_as("SELECT * FROM artist_copies WHERE artist_id = $1")
        .bind(id)
        .fetch_optional(pool)
        .await
}

/// Keeps what catalog said, unless something newer is here.
///
/// # Errors
/// What the database fails with.
pub async fn put(pool: &PgPool, artist: &Artist) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO artist_copies AS a (artist_id, name, image_url, membership_price, as_of)
         VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (artist_id) DO UPDATE
         SET name = excluded.name, image_url = excluded.image_url,
             membership_price = excluded.membership_price, as_of = excluded.as_of
         WHERE a.as_of <= excluded.as_of",
    )
    .bind(artist.artist_id)
    .bind(&artist.name)
    .bind(&artist.image_url)
    .bind(artist.membership_price)
    .bind(artist.as_of)
    .execute(pool)
    .await
    .map(drop)
}
