//! Who leads: one Lease, held by one replica of the operator.
//!
//! Two clocks are never compared. A candidate takes over when it has *watched* the Lease unchanged for its
//! whole duration by its own monotonic clock; a leader believes in itself only for two thirds of that,
//! counted from before it sent its last renewal. Between the two lies the time a write may be under
//! way. [`Claim::check`] stands before every write. What Kubernetes cannot refuse by itself the control
//! API can: it hears the term of office with every write and refuses an earlier one (law `fenced`).

use crate::reconcile::chain;
use crate::sabotage::{Guard, is_off};
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::Api;
use kube::api::{ObjectMeta, PostParams};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Name of the Lease.
pub const NAME: &str = "urr-operator";
/// How long a Lease lasts unless somebody says otherwise: a crashed leader is followed within it.
pub const DURATION: Duration = Duration::from_secs(10);
/// The Lease speaks in whole seconds.
const DURATION_LEAST: Duration = Duration::from_secs(1);

/// Not (any more) the leader: nothing may be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this replica does not lead (any more): nothing was written")]
pub struct NotLeading;

/// The right to write, for as long as it lasts. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Claim {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    held: Option<Held>,
    /// Somebody of a later term was heard: nothing brings the claim back.
    is_superseded: bool,
}

#[derive(Debug, Clone, Copy)]
struct Held {
    term: u64,
    until: Instant,
}

impl Claim {
    /// The term of office, if it lasts at this instant.
    ///
    /// # Errors
    /// [`NotLeading`].
    pub fn check(&self) -> Result<u64, NotLeading> {
        match self.lock().held {
            Some(held) if Instant::now() < held.until || is_off(Guard::Claim) => Ok(held.term),
            _ => Err(NotLeading),
        }
    }

    /// Ends the claim for good: an operator of a later term has been heard, whatever the lease says.
    pub fn supersede(&self) {
        let mut state = self.lock();
        state.is_superseded = true;
        state.held = None;
    }

    fn is_superseded(&self) -> bool {
        self.lock().is_superseded
    }

    fn set(&self, held: Option<Held>) {
        let mut state = self.lock();
        state.held = held.filter(|_| !state.is_superseded);
    }

    fn until(&self) -> Option<Instant> {
        self.lock().held.map(|held| held.until)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What one try came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attempt {
    /// This replica leads.
    Leads,
    /// Another does.
    Other(String),
}

/// One replica's candidacy.
pub struct Elector {
    leases: Api<Lease>,
    identity: String,
    duration: Duration,
    claim: Claim,
    /// The version of the Lease last seen, and since when it is unchanged.
    seen: Option<(String, Instant)>,
}

impl Elector {
    /// A candidate called `identity`, which no other process may ever be called.
    #[must_use]
    pub fn new(leases: Api<Lease>, identity: String, duration: Duration) -> Self {
        Self {
            leases,
            identity,
            duration: duration.max(DURATION_LEAST),
            claim: Claim::default(),
            seen: None,
        }
    }

    /// The claim, valid while this replica leads.
    #[must_use]
    pub fn claim(&self) -> Claim {
        self.claim.clone()
    }

    /// Tries until it leads; `waiting` hears after each try who does, or what went wrong.
    pub async fn acquire(&mut self, mut waiting: impl FnMut(&str)) {
        loop {
            match self.attempt().await {
                Ok(Attempt::Leads) => return,
                Ok(Attempt::Other(holder)) => waiting(&format!("{holder} leads")),
                Err(error) => {
                    tracing::warn!(error = chain(&error), "the lease cannot be read or written");
                    waiting(&format!("the lease cannot be had: {}", chain(&error)));
                }
            }
            tokio::time::sleep(self.pause()).await;
        }
    }

    /// Renews until the claim is lost. Then the process should end: what it has planned is old news.
    pub async fn keep(&mut self) -> NotLeading {
        if is_off(Guard::Claim) {
            return std::future::pending().await;
        }
        loop {
            tokio::time::sleep(self.pause()).await;
            if self.claim.is_superseded() {
                tracing::error!("an operator of a later term was heard: this one's is over");
                return NotLeading;
            }
            let until = self.claim.until().unwrap_or_else(Instant::now);
            match tokio::time::timeout_at(until, self.attempt()).await {
                Ok(Ok(Attempt::Leads)) => {}
                Ok(Ok(Attempt::Other(holder))) => {
                    tracing::error!(holder, "another replica took the lease");
                    self.claim.set(None);
                    return NotLeading;
                }
                Ok(Err(error)) => tracing::warn!(error = chain(&error), "the lease was not renewed"),
                Err(_) => {}
            }
            if self.claim.check().is_err() {
                tracing::error!("the lease ran out");
                self.claim.set(None);
                return NotLeading;
            }
        }
    }

    /// Gives the lease back, so that another need not wait for it to run out.
    pub async fn resign(&mut self) {
        if self.claim.check().is_err() {
            return;
        }
        self.claim.set(None);
        let given_back = async {
            let mut lease = self.leases.get(NAME).await?;
            if let Some(spec) = &mut lease.spec
                && spec.holder_identity.as_deref() == Some(&self.identity)
            {
                spec.holder_identity = None;
                self.leases.replace(NAME, &PostParams::default(), &lease).await?;
            }
            Ok::<(), kube::Error>(())
        };
        if let Err(error) = given_back.await {
            tracing::warn!(error = chain(&error), "the lease was not given back; it runs out");
        }
    }

    fn pause(&self) -> Duration {
        self.duration / 5
    }

    /// One try to get or to renew it.
    ///
    /// # Errors
    /// When the API server refuses or does not answer.
    pub async fn attempt(&mut self) -> Result<Attempt, kube::Error> {
        // Before anything is sent: the others count from when they see it.
        let sent = Instant::now();
        let Some(lease) = self.leases.get_opt(NAME).await? else {
            return self.write(None, sent).await;
        };
        let spec = lease.spec.clone().unwrap_or_default();
        let holder = spec.holder_identity.clone().filter(|holder| !holder.is_empty());
        let version = lease.metadata.resource_version.clone().unwrap_or_default();
        let since = match &self.seen {
            Some((seen, since)) if *seen == version => *since,
            _ => sent,
        };
        self.seen = Some((version, since));
        let lasts = spec.lease_duration_seconds.unwrap_or(0).max(1).unsigned_abs();
        match holder {
            Some(holder) if holder != self.identity => {
                if sent.duration_since(since) < Duration::from_secs(u64::from(lasts)) {
                    return Ok(Attempt::Other(holder));
                }
                tracing::info!(holder, "the lease ran out and is taken over");
                self.write(Some(lease), sent).await
            }
            _ => self.write(Some(lease), sent).await,
        }
    }

    /// Writes the Lease in place of `before`, exactly that one.
    async fn write(&mut self, before: Option<Lease>, sent: Instant) -> Result<Attempt, kube::Error> {
        let now = Timestamp::now();
        let old = before
            .as_ref()
            .and_then(|lease| lease.spec.clone())
            .unwrap_or_default();
        let is_ours = old.holder_identity.as_deref() == Some(&self.identity);
        let acquired = match old.acquire_time {
            Some(at) if is_ours => at.0,
            // Terms of office rise whatever the clocks of two nodes say.
            Some(MicroTime(before)) if before >= now => {
                Timestamp::from_millisecond(before.as_millisecond() + 1).unwrap_or(now)
            }
            _ => now,
        };
        let transitions = old.lease_transitions.unwrap_or(0);
        let spec = LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: i32::try_from(self.duration.as_secs()).ok(),
            acquire_time: Some(MicroTime(acquired)),
            renew_time: Some(MicroTime(now)),
            lease_transitions: Some(if is_ours || before.is_none() {
                transitions
            } else {
                transitions.saturating_add(1)
            }),
            ..old
        };
        let written = match before {
            Some(lease) => {
                let lease = Lease {
                    spec: Some(spec),
                    ..lease
                };
                self.leases.replace(NAME, &PostParams::default(), &lease).await
            }
            None => {
                let metadata = ObjectMeta {
                    name: Some(NAME.to_owned()),
                    ..ObjectMeta::default()
                };
                let lease = Lease {
                    metadata,
                    spec: Some(spec),
                };
                self.leases.create(&PostParams::default(), &lease).await
            }
        };
        match written {
            Ok(lease) => {
                let version = lease.metadata.resource_version.unwrap_or_default();
                self.seen = Some((version, sent));
                self.claim.set(Some(Held {
                    term: u64::try_from(acquired.as_millisecond()).unwrap_or(1).max(1),
                    until: sent + self.duration * 2 / 3,
                }));
                Ok(Attempt::Leads)
            }
            Err(kube::Error::Api(status)) if status.code == 409 => {
                Ok(Attempt::Other("somebody who was faster".to_owned()))
            }
            Err(error) => Err(error),
        }
    }
}

/// A name that no other process has: the Pod's, and when it was born.
#[must_use]
pub fn identity() -> String {
    let host = std::env::var("HOSTNAME").unwrap_or_else(|_| "operator".to_owned());
    format!(
        "{host}_{}_{:x}",
        std::process::id(),
        Timestamp::now().as_nanosecond()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_ends_by_itself() {
        let claim = Claim::default();
        assert_eq!(claim.check(), Err(NotLeading));
        let now = Instant::now();
        let held = |until| Some(Held { term: 7, until });
        claim.set(held(now + Duration::from_secs(60)));
        assert_eq!(claim.check(), Ok(7));
        claim.set(held(now));
        assert_eq!(claim.check(), Err(NotLeading));
    }

    #[test]
    fn a_claim_that_was_superseded_does_not_come_back() {
        let claim = Claim::default();
        claim.supersede();
        claim.set(Some(Held {
            term: 7,
            until: Instant::now() + Duration::from_secs(60),
        }));
        assert_eq!(claim.check(), Err(NotLeading));
    }

    #[test]
    fn no_two_processes_have_one_name() {
        assert_ne!(identity(), identity());
    }
}
