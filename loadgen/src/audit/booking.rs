//! Booking's tables, as of one instant.

use super::{CollectError, Store};
use chrono::{DateTime, Utc};
use sqlx::{Connection as _, FromRow, PgConnection};
use std::collections::HashMap;
use urr_core::{
    audit::{Item, Reservation, ReservationStatus, Seat, SeatStatus},
    sale::SaleId,
    time::Millis,
};
use uuid::Uuid;

/// What booking has of a sale.
pub(super) struct Sold {
    pub(super) seats: Vec<Seat>,
    pub(super) reservations: Vec<Reservation>,
    pub(super) items: Vec<Item>,
    /// Transfers that handed a reservation over, and which.
    pub(super) handed_over: HashMap<Uuid, Uuid>,
}

#[derive(FromRow)]
struct SeatRow {
    id: Uuid,
    seat_label: String,
    status: String,
    fencing_token: i64,
    locked_by: Option<Uuid>,
}

#[derive(FromRow)]
struct ReservationRow {
    id: Uuid,
    user_id: Uuid,
    owner_id: Uuid,
    transfer_id: Option<Uuid>,
    status: String,
    total_amount: i64,
    created_at: DateTime<Utc>,
}

#[derive(FromRow)]
struct ItemRow {
    reservation_id: Uuid,
    seat_id: Option<Uuid>,
    fencing_token: Option<i64>,
}

const SEATS_SQL: &str =
    "SELECT id, seat_label, status, fencing_token, locked_by FROM seats WHERE event_id = $1";

/// Who made the reservation, whose it is, and by which transfer: a transferred ticket's first owner is its first seller.
const RESERVATIONS_SQL: &str = "
SELECT r.id, coalesce(t.seller_id, r.user_id) AS user_id, r.user_id AS owner_id, r.transfer_id, r.status,
       r.total_amount, r.created_at
FROM reservations r
LEFT JOIN (
    SELECT DISTINCT ON (reservation_id) reservation_id, seller_id FROM ticket_transfers
    WHERE status = 'completed' ORDER BY reservation_id, completed_at
) t ON t.reservation_id = r.id
WHERE r.event_id = $1";

const ITEMS_SQL: &str = "
SELECT i.reservation_id, i.seat_id, i.fencing_token
FROM reservation_items i JOIN reservations r ON r.id = i.reservation_id
WHERE r.event_id = $1";

const HANDED_OVER_SQL: &str = "
SELECT t.id, t.reservation_id FROM ticket_transfers t JOIN reservations r ON r.id = t.reservation_id
WHERE r.event_id = $1 AND t.status = 'completed'";

/// Reads everything in one snapshot, so that a sale going on meanwhile cannot look inconsistent.
pub(super) async fn read(url: &str, sale: SaleId) -> Result<Sold, CollectError> {
    let read = |what| CollectError::read::<sqlx::Error>(Store::Postgres, what);
    let mut conn = PgConnection::connect(url)
        .await
        .map_err(|source| CollectError::reach(Store::Postgres, source))?;
    let mut tx = conn
        .begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        .await
        .map_err(read("anything"))?;
    let seats: Vec<SeatRow> = sqlx::query_as(SEATS_SQL)
        .bind(sale)
        .fetch_all(&mut *tx)
        .await
        .map_err(read("seats"))?;
    let reservations: Vec<ReservationRow> = sqlx::query_as(RESERVATIONS_SQL)
        .bind(sale)
        .fetch_all(&mut *tx)
        .await
        .map_err(read("reservations"))?;
    let items: Vec<ItemRow> = sqlx::query_as(ITEMS_SQL)
        .bind(sale)
        .fetch_all(&mut *tx)
        .await
        .map_err(read("reservation items"))?;
    let handed_over: Vec<(Uuid, Uuid)> = sqlx::query_as(HANDED_OVER_SQL)
        .bind(sale)
        .fetch_all(&mut *tx)
        .await
        .map_err(read("transfers"))?;
    tx.commit().await.map_err(read("anything"))?;
    Ok(Sold {
        seats: seats.into_iter().map(seat).collect::<Result<_, _>>()?,
        reservations: reservations.iter().map(reservation).collect::<Result<_, _>>()?,
        items: items
            .into_iter()
            .map(|row| Item {
                reservation: row.reservation_id,
                seat: row.seat_id,
                fencing_token: row.fencing_token,
            })
            .collect(),
        handed_over: handed_over.into_iter().collect(),
    })
}

fn seat(row: SeatRow) -> Result<Seat, CollectError> {
    let status = match row.status.as_str() {
        "available" => SeatStatus::Available,
        "locked" => SeatStatus::Locked,
        "reserved" => SeatStatus::Reserved,
        other => {
            let row = format!("{} is {other}", row.seat_label);
            return Err(CollectError::corrupt(Store::Postgres, "a seat", row));
        }
    };
    Ok(Seat {
        id: row.id,
        label: row.seat_label,
        status,
        fencing_token: row.fencing_token,
        locked_by: row.locked_by,
    })
}

fn reservation(row: &ReservationRow) -> Result<Reservation, CollectError> {
    let status = match row.status.as_str() {
        "pending" => ReservationStatus::Pending,
        "confirmed" => ReservationStatus::Confirmed,
        "cancelled" => ReservationStatus::Cancelled,
        "expired" => ReservationStatus::Expired,
        other => {
            let row = format!("{} is {other}", row.id);
            return Err(CollectError::corrupt(Store::Postgres, "a reservation", row));
        }
    };
    Ok(Reservation {
        id: row.id,
        user: row.user_id,
        owner: row.owner_id,
        transfer: row.transfer_id,
        status,
        total_amount: row.total_amount,
        created_at: Millis(row.created_at.timestamp_millis()),
    })
}
