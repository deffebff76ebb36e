//! Payment's table and the provider's ledger.

use super::{CollectError, Store};
use serde::Deserialize;
use sqlx::{Connection as _, FromRow, PgConnection};
use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};
use urr_core::{
    audit::{Charge, Payment, PaymentKind, PaymentStatus, Reservation},
    sale::SaleId,
};
use uuid::Uuid;

/// A ledger of a hundred thousand payments is some 30 MB of JSON on the loopback.
const LEDGER_TIMEOUT: Duration = Duration::from_secs(30);

/// What payment and provider have of a sale.
pub(super) struct Money {
    pub(super) payments: Vec<Payment>,
    pub(super) charges: Vec<Charge>,
}

#[derive(FromRow)]
struct PaymentRow {
    order_id: String,
    payment_type: String,
    target: Option<Uuid>,
    transfer: Option<Uuid>,
    user_id: Uuid,
    event_id: Option<Uuid>,
    amount: i64,
    status: String,
}

/// A payment in `GET /ledger`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LedgerEntry {
    payment_key: String,
    order_id: String,
    amount: i64,
    status: LedgerStatus,
    cancels: Vec<LedgerCancel>,
}

#[derive(Deserialize, PartialEq, Eq)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum LedgerStatus {
    Done,
    Canceled,
    /// Declined: nothing was captured.
    Aborted,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LedgerCancel {
    cancel_amount: i64,
}

const PAYMENTS_SQL: &str = "
SELECT order_id, payment_type, coalesce(reservation_id, reference_id) AS target,
       CASE WHEN payment_type = 'transfer' THEN reference_id END AS transfer, user_id, event_id, amount, status
FROM payments";

/// The payments of this sale and those for memberships, which are no sale's, and every charge that is not another
/// sale's: a charge whose order payment does not know belongs to somebody who was never given anything.
pub(super) async fn read(
    url: &str,
    provider_url: &str,
    sale: SaleId,
    reservations: &[Reservation],
    handed_over: &HashMap<Uuid, Uuid>,
) -> Result<Money, CollectError> {
    let (rows, ledger) = tokio::try_join!(rows(url), ledger(provider_url))?;
    let ours: HashSet<Uuid> = reservations.iter().map(|reservation| reservation.id).collect();
    let (mut payments, mut elsewhere) = (Vec::new(), HashSet::new());
    for mut row in rows {
        if row.payment_type == "transfer" {
            row.target = row
                .target
                .and_then(|transfer| handed_over.get(&transfer).copied());
        }
        let reserved_here = row.target.is_some_and(|target| ours.contains(&target));
        if row.event_id == Some(sale) || reserved_here || row.payment_type == "membership" {
            payments.push(payment(row)?);
        } else {
            elsewhere.insert(row.order_id);
        }
    }
    let charges = ledger
        .into_iter()
        .filter(|entry| entry.status != LedgerStatus::Aborted && !elsewhere.contains(&entry.order_id))
        .map(|entry| Charge {
            cancelled_amount: entry.cancels.iter().map(|cancel| cancel.cancel_amount).sum(),
            payment_key: entry.payment_key,
            order_id: entry.order_id,
            amount: entry.amount,
        })
        .collect();
    Ok(Money { payments, charges })
}

async fn rows(url: &str) -> Result<Vec<PaymentRow>, CollectError> {
    let mut conn = PgConnection::connect(url)
        .await
        .map_err(|source| CollectError::reach(Store::Postgres, source))?;
    sqlx::query_as(PAYMENTS_SQL)
        .fetch_all(&mut conn)
        .await
        .map_err(CollectError::read(Store::Postgres, "payments"))
}

async fn ledger(provider_url: &str) -> Result<Vec<LedgerEntry>, CollectError> {
    let read = || CollectError::read::<reqwest::Error>(Store::Ledger, "charges");
    reqwest::Client::new()
        .get(format!("{provider_url}/ledger"))
        .timeout(LEDGER_TIMEOUT)
        .send()
        .await
        .map_err(|source| CollectError::reach(Store::Ledger, source))?
        .error_for_status()
        .map_err(read())?
        .json()
        .await
        .map_err(read())
}

fn payment(row: PaymentRow) -> Result<Payment, CollectError> {
    let strange = |what: &str| {
        CollectError::corrupt(
            Store::Postgres,
            "a payment",
            format!("{} is {what}", row.order_id),
        )
    };
    let kind = match row.payment_type.as_str() {
        "reservation" => PaymentKind::Reservation,
        "transfer" => PaymentKind::Transfer,
        "membership" => PaymentKind::Membership,
        other => return Err(strange(other)),
    };
    let status = match row.status.as_str() {
        // `confirming`: asked for, outcome unknown. A charge that was kept must be more than that.
        "pending" | "confirming" => PaymentStatus::Pending,
        "confirmed" => PaymentStatus::Confirmed,
        "refunding" | "refunded" => PaymentStatus::Refunded,
        "failed" => PaymentStatus::Failed,
        other => return Err(strange(other)),
    };
    Ok(Payment {
        order_id: row.order_id,
        kind,
        target: row.target,
        transfer: row.transfer,
        payer: row.user_id,
        amount: row.amount,
        status,
    })
}
