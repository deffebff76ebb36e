//! Lets people in while nobody asks: every line is ticked on time, also exactly at its opening.
//!
//! Any replica may tick any line, and all of them do: the script takes the time that has passed
//! from the record, so a second tick at the same instant finds nothing left to do. That is why
//! there is no lock to lose (R-QUE-04): a dead replica delays nobody, and a tick that fails is
//! simply the next one's work (R-QUE-13).

use crate::store::{Act, Gate, Store, StoreError, View};
use futures::{StreamExt as _, stream};
use metrics::{counter, gauge};
use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;
use urr_core::{admission::Limits, sale::SaleId, time::Millis};
use urr_kit::{SharedClock, error::chain};

/// How often the list of lines is read again.
const LIST_EVERY: Duration = Duration::from_secs(1);

/// Lines ticked by one process. Ten at once are required (R-QUE-10); beyond this a process could
/// not keep its intervals.
const LINES_MAX: usize = 256;

/// Ticks in flight at once; they share one connection anyway.
const TICKS_AT_ONCE: usize = 16;

/// Ticks every line on the list.
pub(crate) struct Ticker {
    store: Arc<Store>,
    clock: SharedClock,
    interval_ms: u64,
    due: HashMap<SaleId, Millis>,
    listed_at: Option<Instant>,
    failing: bool,
}

impl Ticker {
    pub(crate) fn new(store: Arc<Store>, clock: SharedClock, interval_ms: u64) -> Self {
        Self {
            store,
            clock,
            interval_ms,
            due: HashMap::new(),
            listed_at: None,
            failing: false,
        }
    }

    /// Ticks until `shutdown`.
    pub(crate) async fn run(mut self, shutdown: CancellationToken) {
        loop {
            let pause = self.round().await;
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Ticks what is due; returns how long nothing will be.
    pub(crate) async fn round(&mut self) -> Duration {
        if let Err(error) = self.read_list().await {
            self.failed(&error);
        }
        let now = self.clock.now();
        let due: Vec<SaleId> = self
            .due
            .iter()
            .filter(|(_, at)| **at <= now)
            .map(|(sale, _)| *sale)
            .collect();
        let store = &self.store;
        let ticked: Vec<_> = stream::iter(due)
            .map(|sale| async move { (sale, tick(store, sale, now).await) })
            .buffer_unordered(TICKS_AT_ONCE)
            .collect()
            .await;
        for (sale, outcome) in ticked {
            match outcome {
                Ok(Some(view)) => {
                    self.failing = false;
                    self.due.insert(sale, next_tick(&view, now, self.interval_ms));
                }
                Ok(None) => {
                    self.due.remove(&sale);
                }
                Err(error) => {
                    self.failed(&error);
                    self.due.insert(sale, now.plus_ms(ms(self.interval_ms)));
                }
            }
        }
        self.pause()
    }

    async fn read_list(&mut self) -> Result<(), StoreError> {
        if self.listed_at.is_some_and(|at| at.elapsed() < LIST_EVERY) {
            return Ok(());
        }
        let mut listed = self.store.listed().await?;
        if listed.len() > LINES_MAX {
            tracing::error!(lines = listed.len(), most = LINES_MAX, "too many lines to tick");
            listed.truncate(LINES_MAX);
        }
        self.listed_at = Some(Instant::now());
        let now = self.clock.now();
        self.due = listed
            .into_iter()
            .map(|sale| (sale, self.due.get(&sale).copied().unwrap_or(now)))
            .collect();
        Ok(())
    }

    fn pause(&self) -> Duration {
        let now = self.clock.now();
        let until_due = self.due.values().map(|at| at.since(now).max(1)).min();
        let until_due = until_due.map_or(LIST_EVERY, |ms| Duration::from_millis(ms.unsigned_abs()));
        until_due.min(LIST_EVERY)
    }

    /// Said once per outage.
    fn failed(&mut self, error: &StoreError) {
        counter!("urr_queue_failed_ticks_total").increment(1);
        if !self.failing {
            self.failing = true;
            tracing::error!(error = chain(error), "lines cannot be ticked");
        }
    }
}

/// Ticks one line; `None` when it needs no more ticks.
async fn tick(store: &Store, sale: SaleId, now: Millis) -> Result<Option<View>, StoreError> {
    let view = store.act(sale, Act::Tick, now).await?;
    counter!("urr_queue_admitted_total").increment(view.moved);
    report(sale, &view);
    if !is_over(&view) {
        return Ok(Some(view));
    }
    store.unlist(sale).await?;
    // Somebody may have joined between the two: then whoever listed the line before we took it
    // off did so in vain.
    let again = store.act(sale, Act::Retire, now).await?;
    if is_over(&again) {
        return Ok(None);
    }
    store.list(sale).await?;
    Ok(Some(again))
}

/// Labels are bounded by the lines on the list.
#[expect(clippy::cast_precision_loss, reason = "people in a line are far below 2^52")]
fn report(sale: SaleId, view: &View) {
    let label = sale.to_string();
    gauge!("urr_queue_waiting", "sale" => label.clone()).set(view.waiting as f64);
    gauge!("urr_queue_active", "sale" => label).set(view.active as f64);
}

/// Nobody is there, and without a new join nobody will be.
fn is_over(view: &View) -> bool {
    let may_still_open = view.configured && view.gate != Gate::Closed;
    view.waiting == 0 && view.active == 0 && !may_still_open
}

/// Often enough to lose no rate, at the interval otherwise, and at the opening exactly.
fn next_tick(view: &View, now: Millis, interval_ms: u64) -> Millis {
    let limits = Limits {
        rate_per_s: view.rate_per_s,
        burst: view.burst,
        cap: view.cap,
    };
    let idle = view.waiting == 0;
    let every_ms = if idle {
        interval_ms
    } else {
        interval_ms.min(limits.tick_ms())
    };
    let next = now.plus_ms(ms(every_ms));
    if view.opens_at > now {
        next.min(view.opens_at)
    } else {
        next
    }
}

fn ms(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}
