//! Tickets that are to change hands: listed, read, withdrawn (R-TRF-01). How they do is [`super::handover`].

use crate::store::memberships;
use crate::store::settle::{self, SettleError};
use crate::transfer::{self, Offer, Refusal, Show, Status, Ticket};
use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::{FromRow, PgConnection, PgExecutor, PgPool};
use urr_core::presale::Tier;
use urr_kit::wire;
use uuid::Uuid;

/// A transfer with what people want to know of it.
#[derive(Debug, Clone, Serialize, FromRow)]
pub struct Transfer {
    /// Its id.
    pub id: Uuid,
    /// What is sold.
    pub reservation_id: Uuid,
    /// Who sells.
    pub seller_id: Uuid,
    /// Who bought.
    pub buyer_id: Option<Uuid>,
    /// Whose event it is.
    pub artist_id: Option<Uuid>,
    /// KRW the ticket cost.
    pub original_price: i64,
    /// KRW on top.
    pub transfer_fee: i64,
    /// The same, percent.
    pub transfer_fee_percent: i32,
    /// KRW the buyer pays.
    pub total_price: i64,
    /// Where it is.
    pub status: Status,
    /// When it was listed.
    #[serde(serialize_with = "wire::ts")]
    pub created_at: DateTime<Utc>,
    /// When it was bought.
    #[serde(serialize_with = "wire::ts_opt")]
    pub completed_at: Option<DateTime<Utc>>,
    /// When it last changed.
    #[serde(serialize_with = "wire::ts")]
    pub updated_at: DateTime<Utc>,
    /// From booking's copy of the event.
    pub event_title: Option<String>,
    /// Likewise.
    pub venue: Option<String>,
    /// Likewise.
    #[serde(serialize_with = "wire::ts_opt")]
    pub event_date: Option<DateTime<Utc>>,
    /// Likewise.
    pub poster_image_url: Option<String>,
    /// From the event's copy, or the artist's.
    pub artist_name: Option<String>,
    /// From the artist's copy.
    pub artist_image_url: Option<String>,
    /// Labels, joined by commas.
    pub seats: Option<String>,
    /// What it is for.
    #[serde(skip)]
    pub event_id: Uuid,
    /// Tickets in it.
    #[serde(skip)]
    pub tickets: i32,
    /// The show was called off.
    #[serde(skip)]
    pub event_cancelled: bool,
}

impl Transfer {
    /// What a buyer is judged by.
    #[must_use]
    pub const fn offer(&self) -> Offer {
        Offer {
            seller: self.seller_id,
            status: self.status,
            show: Show {
                starts_at: self.event_date,
                cancelled: self.event_cancelled,
            },
            tickets: self.tickets,
        }
    }
}

const SELECT: &str = "
SELECT t.*, r.event_id, coalesce(e.title, p.name) AS event_title, e.venue, e.event_date, e.poster_image_url,
       coalesce(e.artist_name, a.name) AS artist_name, a.image_url AS artist_image_url,
       coalesce(e.status = 'cancelled', false) AS event_cancelled, i.seats, coalesce(i.tickets, 0) AS tickets
FROM ticket_transfers t
JOIN reservations r ON r.id = t.reservation_id
LEFT JOIN event_copies e ON e.event_id = r.event_id
LEFT JOIN sales p ON p.event_id = r.event_id
LEFT JOIN artist_copies a ON a.artist_id = t.artist_id
LEFT JOIN LATERAL (
    SELECT string_agg(label, ',' ORDER BY label) AS seats, sum(quantity)::integer AS tickets
    FROM reservation_items WHERE reservation_id = r.id
) i ON true
";

/// One transfer.
///
/// # Errors
/// What the database fails with.
pub async fn one(db: impl PgExecutor<'_>, id: Uuid) -> Result<Option<Transfer>, sqlx::Error> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!("{SELECT} WHERE t.id = $1")))
        .bind(id)
        .fetch_optional(db)
        .await
}

/// A page of what is to be had, newest first, and how much there is.
///
/// # Errors
/// What the database fails with.
pub async fn listed(
    pool: &PgPool,
    artist: Option<Uuid>,
    limit: i64,
    offset: i64,
) -> Result<(Vec<Transfer>, i64), sqlx::Error> {
    let rows = sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "{SELECT} WHERE t.status = 'listed' AND ($1::uuid IS NULL OR t.artist_id = $1)
         ORDER BY t.created_at DESC, t.id LIMIT $2 OFFSET $3"
    )))
    .bind(artist)
    .bind(limit)
    .bind(offset)
    .fetch_all(pool)
    .await?;
    let total = sqlx::query_scalar(
        "SELECT count(*) FROM ticket_transfers WHERE status = 'listed' AND ($1::uuid IS NULL OR artist_id = $1)",
    )
    .bind(artist)
    .fetch_one(pool)
    .await?;
    Ok((rows, total))
}

/// What a seller ever listed, newest first; the bound keeps a page a page.
///
/// # Errors
/// What the database fails with.
pub async fn of_seller(pool: &PgPool, seller: Uuid) -> Result<Vec<Transfer>, sqlx::Error> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "{SELECT} WHERE t.seller_id = $1 ORDER BY t.created_at DESC, t.id LIMIT 500"
    )))
    .bind(seller)
    .fetch_all(pool)
    .await
}

/// Tickets a user has in hand for an event.
///
/// # Errors
/// What the database fails with.
pub async fn in_hand(db: impl PgExecutor<'_>, user: Uuid, event: Uuid) -> Result<i32, sqlx::Error> {
    let found: Option<i32> =
        sqlx::query_scalar("SELECT tickets FROM ticket_quotas WHERE user_id = $1 AND event_id = $2")
            .bind(user)
            .bind(event)
            .fetch_optional(db)
            .await?;
    Ok(found.unwrap_or(0))
}

/// Why nothing was listed or withdrawn.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// No such reservation.
    #[error("Reservation not found")]
    NoReservation,
    /// No such transfer.
    #[error("Transfer not found")]
    NotFound,
    /// It is not to be.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The database failed.
    #[error("the database failed")]
    Store(#[from] sqlx::Error),
}

impl From<SettleError> for TransferError {
    fn from(error: SettleError) -> Self {
        match error {
            SettleError::Store(error) => Self::Store(error),
            SettleError::NotFound | SettleError::Refused(_) => Self::NoReservation,
        }
    }
}

#[derive(FromRow)]
struct Event {
    artist_id: Option<Uuid>,
    cancelled: bool,
}

/// Lists a ticket of `seller`. Answers the transfer's id.
///
/// # Errors
/// See [`TransferError`].
pub async fn list(
    conn: &mut PgConnection,
    reservation: Uuid,
    seller: Uuid,
    now: DateTime<Utc>,
) -> Result<Uuid, TransferError> {
    let reserved = settle::lock(conn, reservation).await?;
    let event: Option<Event> = sqlx::query_as(
        "SELECT artist_id, status = 'cancelled' AS cancelled FROM event_copies WHERE event_id = $1",
    )
    .bind(reserved.event_id)
    .fetch_optional(&mut *conn)
    .await?;
    let artist = event.as_ref().and_then(|event| event.artist_id);
    let ticket = Ticket {
        owner: reserved.user_id,
        status: reserved.status,
        price_krw: reserved.total_amount,
        show: Show {
            starts_at: reserved.event_date,
            cancelled: event.is_some_and(|event| event.cancelled),
        },
    };
    let tier = tier_for(&mut *conn, seller, artist, now).await?;
    let price = transfer::may_list(&ticket, seller, tier, now)?;
    let id: Option<Uuid> = sqlx::query_scalar(
        "INSERT INTO ticket_transfers (id, reservation_id, seller_id, artist_id, original_price, transfer_fee,
                                       transfer_fee_percent, total_price, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)
         ON CONFLICT DO NOTHING RETURNING id",
    )
    .bind(Uuid::new_v4())
    .bind(reservation)
    .bind(seller)
    .bind(artist)
    .bind(price.original)
    .bind(price.fee)
    .bind(price.fee_percent)
    .bind(price.total)
    .bind(now)
    .fetch_optional(conn)
    .await?;
    Ok(id.ok_or(Refusal::AlreadyListed)?)
}

/// What `user` is to the event's artist; `None` where there is none.
///
/// # Errors
/// What the database fails with.
pub async fn tier_for(
    db: impl PgExecutor<'_>,
    user: Uuid,
    artist: Option<Uuid>,
    now: DateTime<Utc>,
) -> Result<Option<Tier>, sqlx::Error> {
    match artist {
        None => Ok(None),
        Some(artist) => memberships::tier(db, user, artist, now).await.map(Some),
    }
}

/// Withdraws a listing of `seller`.
///
/// # Errors
/// See [`TransferError`].
pub async fn withdraw(
    pool: &PgPool,
    id: Uuid,
    seller: Uuid,
    now: DateTime<Utc>,
) -> Result<(), TransferError> {
    // One row, one statement: a sale that is under way holds its lock, and is then seen.
    let done = sqlx::query(
        "UPDATE ticket_transfers SET status = 'cancelled', updated_at = $3
         WHERE id = $1 AND seller_id = $2 AND status = 'listed'",
    )
    .bind(id)
    .bind(seller)
    .bind(now)
    .execute(pool)
    .await?;
    if done.rows_affected() == 1 {
        return Ok(());
    }
    match one(pool, id).await? {
        None => Err(TransferError::NotFound),
        Some(transfer) if transfer.seller_id != seller => Err(Refusal::NotOwner.into()),
        Some(_) => Err(Refusal::NotForSale.into()),
    }
}
