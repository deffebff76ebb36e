//! What booking tells others, written in the transaction that makes it true (R-MSG-02).

use crate::reservation::PaymentStatus;
use crate::store::owed::Owed;
use crate::store::settle::Reservation;
use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;
use urr_core::seating::Hall;
use urr_core::time::Millis;
use urr_kit::events::{
    Envelope, MEMBERSHIP_ACTIVATED, MEMBERSHIP_ENDED, MEMBERSHIP_EVENTS, MEMBERSHIP_REJECTED,
    MembershipActivated, MembershipEnded, PurchaseRejected, RESERVATION_CANCELLED, RESERVATION_CONFIRMED,
    RESERVATION_CREATED, RESERVATION_EVENTS, RESERVATION_REJECTED, ReservationCancelled,
    ReservationConfirmed, ReservationCreated, ReservationRejected, SEATING_CHANGED, SeatingChanged,
    TRANSFER_COMPLETED, TRANSFER_EVENTS, TRANSFER_REJECTED, TransferCompleted, outbox,
};
use uuid::Uuid;

/// An event that a statement writes together with its cause, and completes with what only it knows.
#[derive(Debug, Clone)]
pub struct OutboxRow {
    /// Its id, unique per event.
    pub id: Uuid,
    /// Topic it goes to.
    pub topic: &'static str,
    /// The envelope as JSON.
    pub envelope: serde_json::Value,
}

fn envelope(
    kind: &str,
    reservation: Uuid,
    user: Option<Uuid>,
    now: Millis,
    payload: &impl Serialize,
) -> Result<Envelope, sqlx::Error> {
    let envelope = Envelope::new(kind, "reservation", reservation, now, payload)
        .map_err(|error| sqlx::Error::Encode(error.into()))?;
    Ok(match user {
        Some(user) => envelope.by(user),
        None => envelope,
    })
}

/// The event of a hold. Its total is 0: the statement that writes it knows the prices.
///
/// # Errors
/// None in practice: the payload is plain data.
pub(crate) fn hold_created(
    reservation: Uuid,
    user: Uuid,
    event: Uuid,
    seats: &[Uuid],
    now: Millis,
) -> Result<OutboxRow, sqlx::Error> {
    let payload = ReservationCreated {
        reservation_id: reservation,
        user_id: user,
        event_id: event,
        total_amount: 0,
        seat_ids: seats.to_vec(),
    };
    written(&envelope(
        RESERVATION_CREATED,
        reservation,
        Some(user),
        now,
        &payload,
    )?)
}

/// For a statement that writes the event together with its cause.
fn written(envelope: &Envelope) -> Result<OutboxRow, sqlx::Error> {
    Ok(OutboxRow {
        id: envelope.event_id,
        topic: RESERVATION_EVENTS,
        envelope: serde_json::to_value(envelope).map_err(|error| sqlx::Error::Encode(error.into()))?,
    })
}

/// Standing tickets are reserved.
pub(crate) async fn created(
    conn: &mut PgConnection,
    reservation: &Reservation,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let payload = ReservationCreated {
        reservation_id: reservation.id,
        user_id: reservation.user_id,
        event_id: reservation.event_id,
        total_amount: reservation.total_amount,
        seat_ids: Vec::new(),
    };
    tell(conn, RESERVATION_CREATED, reservation, now, &payload).await
}

/// It is paid and the seats are sold. Whose it is, what it cost and which seats: the statement that writes it
/// knows.
///
/// # Errors
/// None in practice: the payload is plain data.
pub(crate) fn confirmed(
    reservation: Uuid,
    method: &str,
    now: DateTime<Utc>,
) -> Result<OutboxRow, sqlx::Error> {
    let payload = ReservationConfirmed {
        reservation_id: reservation,
        user_id: Uuid::nil(),
        event_id: Uuid::nil(),
        total_amount: 0,
        seat_ids: Vec::new(),
        payment_method: Some(method.to_owned()),
        seats: Vec::new(),
    };
    let now = Millis(now.timestamp_millis());
    written(&envelope(
        RESERVATION_CONFIRMED,
        reservation,
        None,
        now,
        &payload,
    )?)
}

/// It is over, for this reason; payment pays back what was paid.
pub(crate) async fn cancelled(
    conn: &mut PgConnection,
    before: &Reservation,
    reason: &str,
    seats: &[Uuid],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let payload = ReservationCancelled {
        reservation_id: before.id,
        user_id: before.user_id,
        event_id: before.event_id,
        total_amount: before.total_amount,
        seat_ids: seats.to_vec(),
        reason: reason.to_owned(),
        was_paid: before.payment_status == PaymentStatus::Completed && before.total_amount > 0,
        transfer_id: before.transfer_id,
    };
    tell(conn, RESERVATION_CANCELLED, before, now, &payload).await
}

/// A payment came for something that cannot be confirmed: payment refunds it (`paid-means-ticket`).
pub(crate) async fn rejected(
    conn: &mut PgConnection,
    cause: &Envelope,
    payload: &ReservationRejected,
    now: Millis,
) -> Result<(), sqlx::Error> {
    let envelope = envelope(
        RESERVATION_REJECTED,
        payload.reservation_id,
        cause.user_id,
        now,
        payload,
    )?
    .caused_by(cause);
    outbox::enqueue(conn, RESERVATION_EVENTS, &envelope).await
}

async fn tell(
    conn: &mut PgConnection,
    kind: &str,
    reservation: &Reservation,
    now: DateTime<Utc>,
    payload: &impl Serialize,
) -> Result<(), sqlx::Error> {
    let now = Millis(now.timestamp_millis());
    let envelope = envelope(kind, reservation.id, Some(reservation.user_id), now, payload)?;
    outbox::enqueue(conn, RESERVATION_EVENTS, &envelope).await
}

/// A charge is owed that was told of before and not heard of since (R-JOB-02). Told as a payment that is turned down,
/// which only payment listens to: who counts tickets or writes to people has heard of this one.
pub(crate) async fn still_owed(
    conn: &mut PgConnection,
    owed: &Owed,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let charge = owed.charge;
    let now = Millis(now.timestamp_millis());
    if !charge.is_transfer {
        let told = ReservationRejected {
            reservation_id: charge.target,
            payment_id: charge.payment,
            reason: owed.reason.clone(),
        };
        let envelope = envelope(
            RESERVATION_REJECTED,
            charge.target,
            Some(charge.payer),
            now,
            &told,
        )?;
        return outbox::enqueue(conn, RESERVATION_EVENTS, &envelope).await;
    }
    let Some(payment_id) = charge.payment else {
        tracing::error!(transfer = %charge.target, user = %charge.payer,
            "a refund is owed and its payment is not known");
        return Ok(());
    };
    let told = PurchaseRejected {
        reference_id: charge.target,
        payment_id,
        reason: owed.reason.clone(),
    };
    let envelope = Envelope::new(TRANSFER_REJECTED, "transfer", charge.target, now, &told)
        .map_err(|error| sqlx::Error::Encode(error.into()))?
        .by(charge.payer);
    outbox::enqueue(conn, TRANSFER_EVENTS, &envelope).await
}

/// A ticket changed hands.
pub(crate) async fn transfer_completed(
    conn: &mut PgConnection,
    told: &TransferCompleted,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let now = Millis(now.timestamp_millis());
    let envelope = Envelope::new(TRANSFER_COMPLETED, "transfer", told.transfer_id, now, told)
        .map_err(|error| sqlx::Error::Encode(error.into()))?
        .by(told.buyer_id);
    outbox::enqueue(conn, TRANSFER_EVENTS, &envelope).await
}

/// An event has the seats of this hall from now on, or none.
pub(crate) async fn seating_changed(
    conn: &mut PgConnection,
    event_id: Uuid,
    hall: Option<Hall>,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let now = Millis(now.timestamp_millis());
    let told = SeatingChanged { event_id, hall };
    let envelope = Envelope::new(SEATING_CHANGED, "event", event_id, now, &told)
        .map_err(|error| sqlx::Error::Encode(error.into()))?;
    outbox::enqueue(conn, RESERVATION_EVENTS, &envelope).await
}

/// A term of membership began.
pub(crate) async fn membership_activated(
    conn: &mut PgConnection,
    told: &MembershipActivated,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    membership(
        conn,
        MEMBERSHIP_ACTIVATED,
        told.membership_id,
        told.user_id,
        now,
        told,
    )
    .await
}

/// A term of membership ended before its time.
pub(crate) async fn membership_ended(
    conn: &mut PgConnection,
    told: &MembershipEnded,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    membership(
        conn,
        MEMBERSHIP_ENDED,
        told.membership_id,
        told.user_id,
        now,
        told,
    )
    .await
}

async fn membership(
    conn: &mut PgConnection,
    kind: &str,
    id: Uuid,
    user: Uuid,
    now: DateTime<Utc>,
    payload: &impl Serialize,
) -> Result<(), sqlx::Error> {
    let now = Millis(now.timestamp_millis());
    let envelope = Envelope::new(kind, "membership", id, now, payload)
        .map_err(|error| sqlx::Error::Encode(error.into()))?
        .by(user);
    outbox::enqueue(conn, MEMBERSHIP_EVENTS, &envelope).await
}

/// What a payment was for that bought nothing.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Bought {
    /// A ticket from another fan.
    Transfer,
    /// A membership.
    Membership,
}

/// A payment came for something that is not to be had: payment refunds it (`paid-means-ticket`).
pub(crate) async fn purchase_rejected(
    conn: &mut PgConnection,
    what: Bought,
    cause: &Envelope,
    payload: &PurchaseRejected,
    now: Millis,
) -> Result<(), sqlx::Error> {
    let (kind, aggregate, topic) = match what {
        Bought::Transfer => (TRANSFER_REJECTED, "transfer", TRANSFER_EVENTS),
        Bought::Membership => (MEMBERSHIP_REJECTED, "membership", MEMBERSHIP_EVENTS),
    };
    let mut envelope = Envelope::new(kind, aggregate, payload.reference_id, now, payload)
        .map_err(|error| sqlx::Error::Encode(error.into()))?
        .caused_by(cause);
    envelope.user_id = cause.user_id;
    outbox::enqueue(conn, topic, &envelope).await
}
