//! A hold or a ticket is given back: by its owner, the house, payment, or because its money went back.

use super::{Reservation, SettleError, Settled, lock};
use crate::events;
use crate::reservation::{PaymentStatus, Refusal, Status, is_show_day};
use crate::store::give_back;
use crate::store::owed::{self, Charge};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

/// Who gives a reservation back, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cancel {
    /// Its owner, who is this user.
    ByOwner(Uuid),
    /// The show does not take place.
    EventCancelled,
    /// Somebody of the house decided so.
    ByHouse,
    /// Payment asks on behalf of this user before it gives the money back: seats first. What is
    /// over already does not stand in the money's way.
    BeforeRefund(Uuid),
    /// The money went back; nothing remains to be refunded. It was paid for the reservation, or for this transfer
    /// of it: a ticket that stands on another payment stays.
    Refunded {
        /// The transfer.
        transfer: Option<Uuid>,
        /// Which payment it was, if the caller says.
        payment: Option<Uuid>,
    },
}

impl Cancel {
    const fn reason(self) -> &'static str {
        match self {
            Self::ByOwner(_) => "USER_REQUEST",
            Self::EventCancelled => "EVENT_CANCELLED",
            Self::ByHouse => "ADMIN",
            Self::BeforeRefund(_) | Self::Refunded { .. } => "REFUNDED",
        }
    }
}

/// Gives a reservation back from `pending` or `confirmed`; seats and stock return once, and nobody can buy it
/// from its owner any more (quirk 12). A refund of one that is already over only notes that the money is back.
///
/// # Errors
/// `NotFound` (also for somebody else's); `Refused` when it is over already or the day of the show
/// has come.
pub async fn cancel(
    conn: &mut PgConnection,
    id: Uuid,
    how: Cancel,
    now: DateTime<Utc>,
) -> Result<Settled, SettleError> {
    let before = lock(conn, id).await?;
    let stranger = match how {
        Cancel::ByOwner(user) => before.user_id != user,
        // Who sold it on has had his money back, or will by the event that tells of it.
        Cancel::BeforeRefund(user) => before.user_id != user || before.transfer_id.is_some(),
        Cancel::EventCancelled | Cancel::ByHouse | Cancel::Refunded { .. } => false,
    };
    if stranger {
        return Err(SettleError::NotFound);
    }
    if let Cancel::Refunded { transfer, payment } = how
        && (before.transfer_id != transfer || before.stands_on_another(payment))
    {
        return Ok(Settled {
            before,
            seats: Vec::new(),
            changed: false,
        });
    }
    if let Err(refusal) = before.status.cancel() {
        return match how {
            Cancel::ByOwner(_) | Cancel::EventCancelled | Cancel::ByHouse => Err(refusal.into()),
            Cancel::BeforeRefund(_) => Ok(Settled {
                before,
                seats: Vec::new(),
                changed: false,
            }),
            Cancel::Refunded { .. } => note_refund(conn, before, now).await,
        };
    }
    let by_a_person = matches!(how, Cancel::ByOwner(_) | Cancel::BeforeRefund(_));
    if by_a_person && before.event_date.is_some_and(|show| is_show_day(show, now)) {
        return Err(Refusal::DayOfShow.into());
    }
    let payment_status = match how {
        Cancel::Refunded { .. } => PaymentStatus::Refunded,
        Cancel::ByOwner(_) | Cancel::BeforeRefund(_) | Cancel::EventCancelled | Cancel::ByHouse => {
            before.payment_status.cancelled(before.total_amount)
        }
    };
    if payment_status == PaymentStatus::RefundRequested
        && let Some(charge) = Charge::of(&before)
    {
        owed::remember(conn, charge, how.reason(), now).await?;
    }
    let seats = give_back::give_back(conn, &[id], now).await?;
    write_end(conn, id, Status::Cancelled, payment_status, now).await?;
    events::cancelled(conn, &before, how.reason(), &seats, now).await?;
    Ok(Settled {
        before,
        seats,
        changed: true,
    })
}

/// The reservation is over; only what is known about the money changes.
async fn note_refund(
    conn: &mut PgConnection,
    before: Reservation,
    now: DateTime<Utc>,
) -> Result<Settled, SettleError> {
    let changed = before.payment_status != PaymentStatus::Refunded;
    if changed {
        write_end(conn, before.id, before.status, PaymentStatus::Refunded, now).await?;
    }
    Ok(Settled {
        before,
        seats: Vec::new(),
        changed,
    })
}

/// The reservation's end, and with it that of an open listing.
async fn write_end(
    conn: &mut PgConnection,
    id: Uuid,
    status: Status,
    payment_status: PaymentStatus,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "WITH withdrawn AS (
             UPDATE ticket_transfers SET status = 'cancelled', updated_at = $4
             WHERE reservation_id = $1 AND status = 'listed'
         )
         UPDATE reservations SET status = $2, payment_status = $3, updated_at = $4 WHERE id = $1",
    )
    .bind(id)
    .bind(status)
    .bind(payment_status)
    .bind(now)
    .execute(conn)
    .await
    .map(drop)
}
