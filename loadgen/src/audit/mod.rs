//! The independent auditor: reads what a sale left in the stores, past all services, and has
//! `urr_core::audit` judge it.
//!
//! It is the only part of this crate that knows storage, and it only reads. Columns, keys and
//! attributes are those of the services' migrations and of `kit::state`; a service that renames
//! one must be followed here, and the tests, which run the services' own migrations, say so.

mod booking;
mod error;
mod payment;
mod polls;
mod queue;
mod room;
#[cfg(test)]
mod tests;
mod watch;

pub use error::{CollectError, Store};
pub use polls::PollCounters;
pub use watch::StorageWatch;

use urr_core::{
    audit::{AuditReport, Evidence, Observations},
    sale::Sale,
    time::Millis,
};
use urr_kit::{Dynamo, settings::Settings};

/// Where the evidence lies.
#[derive(Clone)]
pub struct Stores {
    /// PostgreSQL of booking, as booking itself or any role that may read its schema.
    pub booking_url: String,
    /// PostgreSQL of payment.
    pub payment_url: String,
    /// Redis of the queue.
    pub redis_url: String,
    /// Put before every Redis key.
    pub key_prefix: String,
    /// DynamoDB of the waiting room.
    pub dynamo: Dynamo,
    /// Base URL of the payment provider's ledger (`testpay`).
    pub provider_url: String,
    /// Base URLs whose `/actuator/prometheus` count the waiting room's polls, one per replica.
    pub metrics_urls: Vec<String>,
    /// Sales that were held there while polls were counted.
    pub sales: u64,
}

impl Stores {
    /// The stores that these settings name, and who counts polls.
    ///
    /// # Errors
    /// When the settings name no database.
    pub async fn from_settings(settings: &Settings, metrics_urls: Vec<String>) -> Result<Self, CollectError> {
        let database_url = |service| {
            settings
                .database_url_of(service)
                .map_err(|source| CollectError::reach(Store::Postgres, source))
        };
        Ok(Self {
            booking_url: database_url("booking")?,
            payment_url: database_url("payment")?,
            redis_url: settings.redis_url.clone(),
            key_prefix: settings.key_prefix.clone(),
            dynamo: Dynamo::connect(settings).await,
            provider_url: settings.payment_provider_url.trim_end_matches('/').to_owned(),
            metrics_urls,
            sales: 1,
        })
    }
}

/// Reads all evidence of `sale`. `observed` is what clients and the drill saw; what polling cost
/// is added to it: the difference to `before`, taken when the run began. The audit is of the stores
/// at `now`; call it when the last payment has settled.
///
/// # Errors
/// [`CollectError`] naming the store that could not be read. Nothing is judged on half the evidence.
pub async fn collect(
    stores: &Stores,
    sale: &Sale,
    mut observed: Observations,
    before: &PollCounters,
    now: Millis,
) -> Result<Evidence, CollectError> {
    let (after, sold, line, room, places) = tokio::try_join!(
        PollCounters::read(&stores.metrics_urls, now),
        booking::read(&stores.booking_url, sale.id),
        queue::read(stores, sale.id),
        room::record(&stores.dynamo, sale.id),
        room::places(&stores.dynamo, sale.id),
    )?;
    let money = payment::read(
        &stores.payment_url,
        &stores.provider_url,
        sale.id,
        &sold.reservations,
        &sold.handed_over,
    )
    .await?;
    observed.polls = after.cost_since(before, stores.sales).or(observed.polls);
    Ok(Evidence {
        sale: sale.clone(),
        taken_at: now,
        seats: sold.seats,
        reservations: sold.reservations,
        items: sold.items,
        log: line.log,
        active: line.active,
        places,
        room,
        payments: money.payments,
        charges: money.charges,
        observed,
    })
}

/// [`collect`], then the verdicts.
///
/// # Errors
/// As [`collect`].
pub async fn audit(
    stores: &Stores,
    sale: &Sale,
    observed: Observations,
    before: &PollCounters,
    now: Millis,
) -> Result<(Evidence, AuditReport), CollectError> {
    let evidence = collect(stores, sale, observed, before, now).await?;
    let report = urr_core::audit::audit(&evidence);
    Ok((evidence, report))
}
