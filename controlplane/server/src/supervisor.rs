//! Runs a loop per sale and wakes it: on a signal (somebody wrote), at the next transition of its
//! schedule, and once per period in case a signal was lost.
//!
//! Signals carry no data: a loop that wakes reads the world anew. Sales that another control plane
//! was told of are found by listing.

use crate::reconcile::{Outcome, Reconciler};
use futures::FutureExt as _;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use urr_core::sale::{Sale, SaleId};
use urr_core::time::Millis;
use urr_kit::BoxError;
use urr_kit::error::chain;

/// Period while a sale is near or open: overrides take effect within a second even when their
/// signal is lost with the process that took them.
const PERIOD_NEAR: Duration = Duration::from_secs(1);
/// Period while nothing is due, so that 500 sales of the coming weeks cost a few reads a second.
const PERIOD_FAR: Duration = Duration::from_secs(30);
/// A sale is near from this long before its pre-queue until this long after its end.
const NEAR_MS: i64 = 120_000;
/// Shortest pause between two steps of one sale: a transition that is due does not spin.
const PAUSE_MIN: Duration = Duration::from_millis(10);
/// How often sales that others put are looked for.
const DISCOVER_INTERVAL: Duration = Duration::from_secs(2);
/// Steps at once, all sales together: enough to overlap their waiting on the stores, few enough
/// that 500 transitions at the full hour do not become 500 calls at once.
const STEPS_AT_ONCE: usize = 32;
/// Signals waiting to be handed out. One that does not fit is dropped: listing finds its sale.
const SIGNALS_MAX: usize = 1024;

/// Wakes loops. Cheap to clone.
#[derive(Clone)]
pub struct Waker {
    signals: mpsc::Sender<SaleId>,
}

impl Waker {
    /// Has `sale` looked at now.
    pub fn wake(&self, sale: SaleId) {
        if self.signals.try_send(sale).is_err() {
            tracing::warn!(%sale, "too many signals; the sale is looked at within its period");
        }
    }
}

/// What each sale's last step could not do; screens show it.
#[derive(Clone, Default)]
pub struct Problems(Arc<Mutex<HashMap<SaleId, Vec<String>>>>);

impl Problems {
    /// The problems of `sale`, as sentences.
    #[must_use]
    pub fn of(&self, sale: SaleId) -> Vec<String> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&sale)
            .cloned()
            .unwrap_or_default()
    }

    /// Replaces what is known; logs it when it is news.
    fn set(&self, sale: SaleId, problems: Vec<String>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.get(&sale).map(Vec::as_slice).unwrap_or_default() == problems {
            return;
        }
        if problems.is_empty() {
            tracing::info!(%sale, "the sale is in order again");
            known.remove(&sale);
        } else {
            tracing::warn!(%sale, problems = problems.join("; "), "the sale is not as planned");
            known.insert(sale, problems);
        }
    }
}

/// The loops and their signals.
pub struct Supervisor {
    reconciler: Reconciler,
    problems: Problems,
    signals: mpsc::Receiver<SaleId>,
    shutdown: CancellationToken,
}

impl Supervisor {
    /// A supervisor that will run `reconciler`, and how to wake it.
    #[must_use]
    pub fn new(reconciler: Reconciler, problems: Problems, shutdown: CancellationToken) -> (Self, Waker) {
        let (sender, signals) = mpsc::channel(SIGNALS_MAX);
        (
            Self {
                reconciler,
                problems,
                signals,
                shutdown,
            },
            Waker { signals: sender },
        )
    }

    /// Runs until shutdown.
    ///
    /// # Errors
    /// When a loop panicked: the process should end and be started again.
    pub async fn run(mut self) -> Result<(), BoxError> {
        let mut wakes: HashMap<SaleId, Arc<Notify>> = HashMap::new();
        let mut loops: JoinSet<SaleId> = JoinSet::new();
        let at_once = Arc::new(Semaphore::new(STEPS_AT_ONCE));
        let mut discover = tokio::time::interval(DISCOVER_INTERVAL);
        discover.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let found = tokio::select! {
                () = self.shutdown.cancelled() => break,
                Some(sale) = self.signals.recv() => vec![(sale, true)],
                Some(ended) = loops.join_next() => {
                    let sale = ended?;
                    // Put again while its loop was ending?
                    match wakes.remove(&sale) {
                        Some(wake) if wake.notified().now_or_never().is_some() => vec![(sale, true)],
                        _ => Vec::new(),
                    }
                }
                _ = discover.tick() => self.discover().await,
            };
            for (sale, wake_it) in found {
                if let Some(wake) = wakes.get(&sale) {
                    if wake_it {
                        wake.notify_one();
                    }
                    continue;
                }
                let wake = Arc::new(Notify::new());
                wakes.insert(sale, Arc::clone(&wake));
                loops.spawn(watch(
                    sale,
                    self.reconciler.clone(),
                    self.problems.clone(),
                    wake,
                    Arc::clone(&at_once),
                    self.shutdown.clone(),
                ));
            }
        }
        // A step that is under way is finished, not torn: its next write would be fenced anyway,
        // but an audit entry might be lost.
        while let Some(ended) = loops.join_next().await {
            ended?;
        }
        Ok(())
    }

    async fn discover(&self) -> Vec<(SaleId, bool)> {
        match self.reconciler.sales.list().await {
            Ok(records) => records
                .into_iter()
                .map(|record| (record.sale.id, false))
                .collect(),
            Err(error) => {
                tracing::warn!(
                    error = chain(&error),
                    "the sales cannot be listed; known ones go on"
                );
                Vec::new()
            }
        }
    }
}

/// One sale's loop. Ends when the sale is gone or at shutdown.
async fn watch(
    sale: SaleId,
    reconciler: Reconciler,
    problems: Problems,
    wake: Arc<Notify>,
    at_once: Arc<Semaphore>,
    shutdown: CancellationToken,
) -> SaleId {
    let mut planned_for: Option<Millis> = None;
    loop {
        let permit = at_once.acquire().await;
        let now = reconciler.clock.now();
        if let Some(due) = planned_for.take().filter(|due| *due <= now) {
            // Law on-time, as far as the control plane matters for it.
            #[expect(clippy::cast_precision_loss, reason = "a histogram's value; seconds at most")]
            metrics::histogram!("control_transition_lateness_ms").record(now.since(due) as f64);
        }
        let result = reconciler.step(sale).await;
        drop(permit);
        let pause = match result {
            Ok(Outcome::Gone) => {
                problems.set(sale, Vec::new());
                return sale;
            }
            Ok(Outcome::Applied(applied)) => {
                metrics::counter!("control_steps_total", "outcome" => "applied").increment(1);
                problems.set(sale, applied.problems);
                planned_for = applied.plan.next_transition_at;
                pause(&applied.record.sale, planned_for, reconciler.clock.now())
            }
            Err(error) => {
                metrics::counter!("control_steps_total", "outcome" => "failed").increment(1);
                let text = format!("{}: tried again every second", chain(&error));
                problems.set(sale, vec![text]);
                PERIOD_NEAR
            }
        };
        tokio::select! {
            () = shutdown.cancelled() => return sale,
            () = wake.notified() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// How long to sleep until something may be due.
fn pause(sale: &Sale, next_transition_at: Option<Millis>, now: Millis) -> Duration {
    let near_from = sale.schedule.pre_queue_at.plus_ms(-NEAR_MS);
    let near_to = sale.schedule.closes_at.plus_ms(NEAR_MS);
    let period = if near_from <= now && now < near_to {
        PERIOD_NEAR
    } else {
        PERIOD_FAR
    };
    let until_due = next_transition_at.map_or(Duration::MAX, |at| {
        Duration::from_millis(u64::try_from(at.since(now)).unwrap_or(0))
    });
    period.min(until_due).max(PAUSE_MIN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use urr_core::testing::{OPENS_AT, sale};

    #[test]
    fn a_loop_sleeps_until_the_transition_but_never_longer_than_its_period() {
        let (sale, opens_at) = (sale(), OPENS_AT);
        let at = |now: Millis| pause(&sale, Some(opens_at), now);
        assert_eq!(at(opens_at.plus_s(-3600)), PERIOD_FAR);
        assert_eq!(at(opens_at.plus_s(-60)), PERIOD_NEAR);
        assert_eq!(at(opens_at.plus_ms(-300)), Duration::from_millis(300));
        assert_eq!(at(opens_at), PAUSE_MIN);
        assert_eq!(pause(&sale, None, opens_at.plus_s(5)), PERIOD_NEAR);
        assert_eq!(pause(&sale, None, opens_at.plus_s(5000)), PERIOD_FAR);
    }
}
