//! What payment asks of booking, over its internal API.
//!
//! Booking's words stay inside (C§15.23): a refusal is one of the four below, and everything else
//! (unreachable, 5xx, nonsense) is [`Refused::Unreachable`], which never counts as a no.

use serde::Deserialize;
use serde_json::json;
use urr_kit::BoxError;
use urr_kit::internal::{InternalClient, InternalError};
use uuid::Uuid;

use crate::payment::{Payment, PaymentType, Target};

/// Booking did not say yes.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// It knows no such thing.
    #[error("booking does not know the target")]
    NotFound,
    /// It belongs to somebody else.
    #[error("the target belongs to another user")]
    NotOwner,
    /// It is not to be paid: expired, cancelled, sold, or paid before.
    #[error("the target cannot be paid in its state")]
    NotPayable,
    /// No usable answer.
    #[error("booking did not answer")]
    Unreachable(#[source] BoxError),
}

/// A thing that may be paid now.
#[derive(Debug)]
pub struct Payable {
    /// Its price, won.
    pub amount: i64,
    /// The event it belongs to, if booking says.
    pub event_id: Option<Uuid>,
}

#[derive(Deserialize)]
struct Validated {
    total_amount: i64,
    event_id: Option<Uuid>,
}

/// A client of booking's internal API.
#[derive(Clone)]
pub struct Booking {
    client: InternalClient,
    base_url: String,
}

impl Booking {
    /// Speaks to booking at `base_url`.
    #[must_use]
    pub fn new(client: InternalClient, base_url: &str) -> Self {
        Self {
            client,
            base_url: base_url.trim_end_matches('/').to_owned(),
        }
    }

    /// Asks whether `user` may pay `target` now, and what it costs.
    ///
    /// # Errors
    /// See [`Refused`].
    pub async fn validate(&self, target: Target, user: Uuid) -> Result<Payable, Refused> {
        let url = format!("{}/validate?userId={user}", self.url(target));
        let found: Validated = self.client.get_json(&url).await.map_err(refused)?;
        Ok(Payable {
            amount: found.total_amount,
            event_id: found.event_id,
        })
    }

    /// Turns a paid payment into what was bought. Idempotent in booking, and the same step as
    /// the one its consumer takes on `PAYMENT_CONFIRMED`.
    ///
    /// # Errors
    /// See [`Refused`]; anything but `Unreachable` means the money must go back.
    pub async fn fulfil(&self, payment: &Payment) -> Result<(), Refused> {
        let target = payment.target();
        let step = match target.kind {
            PaymentType::Reservation => "confirm",
            PaymentType::Transfer => "complete",
            PaymentType::Membership => "activate",
        };
        let body = json!({
            "paymentMethod": payment.method_name(),
            "paymentId": payment.id,
            "userId": payment.user_id,
            "buyerId": payment.user_id,
            "amount": payment.amount,
        });
        self.post(&format!("{}/{step}", self.url(target)), &body).await
    }

    /// Asks booking to give a paid reservation up, so that its money may go back. Booking decides:
    /// the day of the show and tickets passed on to another fan are its business.
    ///
    /// # Errors
    /// See [`Refused`].
    pub async fn release(&self, payment: &Payment, reason: &str) -> Result<(), Refused> {
        let body = json!({
            "userId": payment.user_id,
            "paymentId": payment.id,
            "reason": reason,
        });
        self.post(&format!("{}/refund", self.url(payment.target())), &body)
            .await
    }

    async fn post(&self, url: &str, body: &serde_json::Value) -> Result<(), Refused> {
        let _: serde_json::Value = self.client.post_json(url, body).await.map_err(refused)?;
        Ok(())
    }

    fn url(&self, target: Target) -> String {
        let things = match target.kind {
            PaymentType::Reservation => "reservations",
            PaymentType::Transfer => "transfers",
            PaymentType::Membership => "memberships",
        };
        format!("{}/internal/{things}/{}", self.base_url, target.id)
    }
}

/// Sorts booking's answer. A missing or wrong internal token is our misconfiguration, not booking's
/// opinion of this payment: taken for a no it would refund every ticket of a sale.
fn refused(error: InternalError) -> Refused {
    let InternalError::Status { status, message, .. } = &error else {
        return Refused::Unreachable(error.into());
    };
    match status.as_u16() {
        403 if message == "Invalid internal token" => Refused::Unreachable(error.into()),
        404 => Refused::NotFound,
        403 => Refused::NotOwner,
        400 | 409 | 410 | 422 => Refused::NotPayable,
        _ => Refused::Unreachable(error.into()),
    }
}
