//! The payment saga: every charge ends as a ticket or a refund (`paid-means-ticket`).
//!
//! ```text
//! prepare -> [confirming, key] -> provider charges -> [confirmed + PAYMENT_CONFIRMED] -> booking
//!                                                                       |                  | no
//!                                                                       v                  v
//!                                                       booking, by the event   [refunding] -> provider
//!                                                                     no: RESERVATION_REJECTED   -> [refunded + PAYMENT_REFUNDED]
//! ```
//!
//! `[..]` are commits. Between any two of them the process may die: the row then says what to ask
//! or finish, and [`Payments::recover`] does so ([`Step`] names the points, the tests stop at each).
//! The direct call to booking is a short cut to the step its consumer takes anyway (R-PAY-07): it
//! makes the answer quick, never correct.

mod charge;
mod error;
mod fail_point;
mod prepare;
mod recovery;
mod refund;

use std::sync::{Arc, Mutex, PoisonError};

use urr_core::time::Millis;
use urr_kit::clock::SharedClock;
use uuid::Uuid;

pub use charge::{ConfirmRequest, Receipt};
pub use error::Error;
pub use fail_point::{FailPoints, Step};
pub use prepare::{InstantRequest, PrepareRequest};
pub use recovery::Recovered;
pub(crate) use recovery::run as recovery;

use crate::booking::Booking;
use crate::breaker::ProviderBreaker;
use crate::payment::Payment;
use crate::provider::{Exchange, Provider};
use crate::store::Store;

/// The payments of all users. Cheap to clone.
#[derive(Clone)]
pub struct Payments(Arc<Inner>);

struct Inner {
    store: Store,
    provider: Provider,
    booking: Booking,
    clock: SharedClock,
    breaker: Mutex<ProviderBreaker>,
    fail_points: FailPoints,
}

impl Payments {
    /// A saga over these.
    #[must_use]
    pub fn new(
        store: Store,
        provider: Provider,
        booking: Booking,
        clock: SharedClock,
        fail_points: FailPoints,
    ) -> Self {
        let breaker = Mutex::new(ProviderBreaker::new(clock.now()));
        Self(Arc::new(Inner {
            store,
            provider,
            booking,
            clock,
            breaker,
            fail_points,
        }))
    }

    /// The payment of `order_id`, if it is `user`'s.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::NotOwner`], [`Error::Store`].
    pub async fn of_order(&self, user: Uuid, order_id: &str) -> Result<Payment, Error> {
        let payment = self.0.store.by_order(order_id).await?;
        owned(payment, user)
    }

    /// The newest payments of `user` and how many there are.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn of_user(&self, user: Uuid, limit: i64, offset: i64) -> Result<(Vec<Payment>, i64), Error> {
        Ok(self.0.store.of_user(user, limit, offset).await?)
    }

    /// The payment of a reservation, for booking's reconciliation.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn of_reservation(&self, reservation: Uuid) -> Result<Option<Payment>, Error> {
        Ok(self.0.store.by_reservation(reservation).await?)
    }

    fn now(&self) -> Millis {
        self.0.clock.now()
    }

    fn breaker<T>(&self, act: impl FnOnce(&mut ProviderBreaker) -> T) -> T {
        // A poisoned breaker is still a valid count of calls.
        act(&mut self.0.breaker.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Feeds the breaker and the metrics with a call to the provider.
    fn count_call(&self, exchange: &Exchange) {
        let now = self.now();
        self.breaker(|breaker| breaker.record(exchange.answered, now));
        metrics::counter!("urr_payment_provider_calls_total",
            "action" => exchange.action, "answered" => if exchange.answered { "yes" } else { "no" })
        .increment(1);
    }

    /// Keeps an exchange with the provider. A log that cannot be written must not stop what follows from it;
    /// it is said aloud instead.
    async fn log(&self, payment: &Payment, exchange: &Exchange) {
        if let Err(error) = self.0.store.log(payment.id, exchange, self.now()).await {
            tracing::error!(payment = %payment.id, action = exchange.action,
                error = &error as &dyn std::error::Error, "failed to log a provider exchange");
        }
    }
}

fn owned(payment: Option<Payment>, user: Uuid) -> Result<Payment, Error> {
    match payment {
        None => Err(Error::NotFound),
        Some(payment) if payment.user_id != user => Err(Error::NotOwner),
        Some(payment) => Ok(payment),
    }
}
