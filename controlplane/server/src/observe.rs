//! What the control plane sees of the services behind the door.
//!
//! Readiness is polled by one task and read by every reconcile, so 500 sales cost the services no
//! more than one does. Seats are asked per sale, only while they matter.
//!
//! Capacity-first needs a number of ready replicas. In a cluster the operator counts them (it sees
//! the Deployments) and reports the count, which is kept in the sale's record; where nobody
//! reports, a sale's planned replicas count as ready. In both cases none is ready while a service
//! behind the door does not answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use urr_core::sale::SaleId;
use urr_core::snapshot::{QueueView, SeatsView, ServiceView};
use urr_kit::internal::{InternalClient, InternalError};

use crate::store::SaleRecord;

/// How often each readiness address is asked.
const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// An answer that takes longer is none: it must come well before the next poll but one.
const POLL_TIMEOUT: Duration = Duration::from_secs(2);
/// A service is silent from this many points of silence on; an answer takes all of them away.
const SILENT_AT: u32 = 10;
/// Nobody listens at the address: silent after three polls, within seconds.
const POINTS_GONE: u32 = 4;
/// A late answer or one that says "degraded" is also what the rush of an opening looks like, with
/// every connection in use for a moment. Stopping the line for that would make an opening of
/// stops, so it takes ten in a row.
const POINTS_UNWELL: u32 = 1;

/// Reads the services' state. Cheap to clone.
#[derive(Clone)]
pub struct Observer {
    internal: InternalClient,
    http: reqwest::Client,
    booking_url: String,
    queue_url: String,
    readiness: Arc<[Readiness]>,
}

struct Readiness {
    url: String,
    silence: AtomicU32,
}

impl Observer {
    /// Watches `ready_urls`; asks for seats at `booking_url` and for the queue at `queue_url`
    /// (base addresses of internal listeners).
    #[must_use]
    pub fn new(
        internal: InternalClient,
        http: reqwest::Client,
        booking_url: &str,
        queue_url: &str,
        ready_urls: &[String],
    ) -> Self {
        let readiness = ready_urls
            .iter()
            .map(|url| Readiness {
                url: url.clone(),
                silence: AtomicU32::new(0),
            })
            .collect();
        Self {
            internal,
            http,
            booking_url: booking_url.trim_end_matches('/').to_owned(),
            queue_url: queue_url.trim_end_matches('/').to_owned(),
            readiness,
        }
    }

    /// Polls readiness until `shutdown`.
    pub async fn watch(self, shutdown: CancellationToken) {
        let mut interval = tokio::time::interval(POLL_INTERVAL);
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = interval.tick() => self.poll_readiness().await,
            }
        }
    }

    /// Asks every readiness address once.
    pub async fn poll_readiness(&self) {
        let polls = self.readiness.iter().map(|readiness| async move {
            let answer = self.http.get(&readiness.url).timeout(POLL_TIMEOUT).send().await;
            let points = match answer {
                Ok(answer) if answer.status().is_success() => {
                    if readiness.silence.swap(0, Ordering::Relaxed) >= SILENT_AT {
                        tracing::info!(url = readiness.url, "a service behind the door answers again");
                    }
                    return;
                }
                Err(error) if error.is_connect() => POINTS_GONE,
                Ok(_) | Err(_) => POINTS_UNWELL,
            };
            let before = readiness.silence.fetch_add(points, Ordering::Relaxed);
            if before < SILENT_AT && before + points >= SILENT_AT {
                tracing::warn!(url = readiness.url, "a service behind the door does not answer");
            }
        });
        futures::future::join_all(polls).await;
    }

    /// The addresses that have not answered well lately.
    #[must_use]
    pub fn silent(&self) -> Vec<&str> {
        let is_silent = |readiness: &&Readiness| readiness.silence.load(Ordering::Relaxed) >= SILENT_AT;
        self.readiness
            .iter()
            .filter(is_silent)
            .map(|readiness| readiness.url.as_str())
            .collect()
    }

    /// Every watched service with the replicas that are ready for `record`'s sale: none while it is
    /// silent, else as many as are reported for all of them.
    #[must_use]
    pub fn services(&self, record: &SaleRecord) -> Vec<ServiceView> {
        let desired = record.sale.capacity.replicas;
        let reported = record.ready_replicas.unwrap_or(desired);
        let watched = self.readiness.iter();
        let services = watched.map(|readiness| ServiceView {
            name: name_of(&readiness.url, &self.booking_url),
            ready: match readiness.silence.load(Ordering::Relaxed) {
                SILENT_AT.. => 0,
                _ => reported,
            },
            desired,
        });
        services.collect()
    }

    /// Replicas ready to serve `record`'s sale.
    #[must_use]
    pub fn ready_replicas(&self, record: &SaleRecord) -> u32 {
        if self.silent().is_empty() {
            record.ready_replicas.unwrap_or(record.sale.capacity.replicas)
        } else {
            0
        }
    }

    /// Seats as booking counts them.
    ///
    /// # Errors
    /// [`InternalError`] when booking does not say.
    pub async fn seats(&self, sale: SaleId) -> Result<SeatsView, InternalError> {
        self.internal
            .get_json(&format!("{}/internal/seats/summary/{sale}", self.booking_url))
            .await
    }

    /// Tier 2 as the queue counts it.
    ///
    /// # Errors
    /// [`InternalError`] when the queue service does not say.
    pub async fn queue(&self, sale: SaleId) -> Result<QueueView, InternalError> {
        self.internal
            .get_json(&format!("{}/internal/queue/summary/{sale}", self.queue_url))
            .await
    }

    /// Tells booking the terms of a sale.
    ///
    /// # Errors
    /// [`InternalError`] when booking did not take them; repeating is safe.
    pub async fn tell_booking(&self, sale: &urr_core::sale::Sale) -> Result<(), InternalError> {
        let url = format!("{}/internal/sales/{}", self.booking_url, sale.id);
        let _: serde_json::Value = self.internal.put_json(&url, sale).await?;
        Ok(())
    }
}

/// `booking` for its own address, else the host of `url`: in a cluster that is the service's name,
/// elsewhere a host and port are all that is known.
fn name_of(url: &str, booking_url: &str) -> String {
    if url.strip_suffix("/health") == Some(booking_url) {
        return "booking".to_owned();
    }
    let address = url.split("://").last().unwrap_or(url);
    let authority = address.split('/').next().unwrap_or(address);
    let host = authority.split(':').next().unwrap_or(authority);
    if host.parse::<std::net::IpAddr>().is_ok() {
        return authority.to_owned();
    }
    host.split('.').next().unwrap_or(host).to_owned()
}

#[cfg(test)]
mod tests {
    use super::name_of;

    #[test]
    fn services_are_named_as_people_call_them() {
        let names = [
            "http://urr-booking.tickets.svc:8080/health",
            "http://10.0.0.7:8081/health",
            "http://x:1/health",
        ]
        .map(|url| name_of(url, "http://x:1"));
        assert_eq!(names, ["urr-booking", "10.0.0.7:8081", "booking"]);
    }
}
