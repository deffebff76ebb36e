//! Lets people in while nobody asks: every line is ticked on time, also exactly at its opening.
//!
//! Any replica may tick any line, and all of them do: the script takes the time that has passed
//! from the record, so a second tick at the same instant finds nothing left to do. That is why
//! there is no lock to lose (R-QUE-04): a dead replica delays nobody, and a tick that fails is
//! simply the next one's work (R-QUE-13).
//!
//! A tick is one bounded run of the script. A line with more to do comes again in the next round,
//! behind every other line that is due, so a long line does not slow another.

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
pub(crate) const LINES_MAX: usize = 256;

/// Ticks in flight at once; they share one connection anyway.
const TICKS_AT_ONCE: usize = 16;

/// A line in which somebody waits is ticked at least this often: a slot that fell silent stays
/// empty for half of it on average, which over a slot's life of tens of seconds is below 1 %.
const WAITED_FOR_MS: u64 = 100;

/// After a failure: Redis comes back at any instant, and an opening may have been missed.
const RETRY_MS: i64 = 100;

/// How often a line in which somebody waits is surveyed, so that positions are told at most 1 s late.
const SURVEY_MS: i64 = 1000;

/// How often people who fell silent are forgotten here.
const SWEEP_MS: i64 = 60_000;

/// Ticks every line on the list.
pub(crate) struct Ticker {
    store: Arc<Store>,
    clock: SharedClock,
    interval_ms: u64,
    lines: HashMap<SaleId, Due>,
    listed_at: Option<Instant>,
    failing: bool,
}

/// When a line is next attended to.
#[derive(Debug, Clone, Copy)]
struct Due {
    tick: Millis,
    survey: Millis,
    sweep: Millis,
}

impl Ticker {
    pub(crate) fn new(store: Arc<Store>, clock: SharedClock, interval_ms: u64) -> Self {
        Self {
            store,
            clock,
            interval_ms,
            lines: HashMap::new(),
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

    /// Ticks what is due, each line once; returns how long nothing will be.
    pub(crate) async fn round(&mut self) -> Duration {
        if let Err(error) = self.read_list().await {
            self.failed(&error);
        }
        let now = self.clock.now();
        let due: Vec<(SaleId, Due)> = self
            .lines
            .iter()
            .filter(|(_, due)| due.tick <= now)
            .map(|(sale, due)| (*sale, *due))
            .collect();
        let store = &self.store;
        let ticked: Vec<_> = stream::iter(due)
            .map(|(sale, due)| async move { (sale, due, attend(store, sale, due, now).await) })
            .buffer_unordered(TICKS_AT_ONCE)
            .collect()
            .await;
        for (sale, mut due, outcome) in ticked {
            match outcome {
                Ok(Some(view)) => {
                    self.failing = false;
                    due.tick = next_tick(&view, now, self.interval_ms);
                    due.survey = after(due.survey, now, SURVEY_MS);
                    due.sweep = after(due.sweep, now, SWEEP_MS);
                    self.lines.insert(sale, due);
                }
                Ok(None) => {
                    self.lines.remove(&sale);
                }
                Err(error) => {
                    self.failed(&error);
                    due.tick = now.plus_ms(RETRY_MS);
                    self.lines.insert(sale, due);
                }
            }
        }
        self.pause()
    }

    /// Adds the lines that are new on the list. None is dropped for missing there: a line leaves
    /// when it is over, and a Redis that lost the list lost the lines with it.
    async fn read_list(&mut self) -> Result<(), StoreError> {
        if self.listed_at.is_some_and(|at| at.elapsed() < LIST_EVERY) {
            return Ok(());
        }
        let mut listed = self.store.listed().await?;
        if listed.len() > LINES_MAX {
            tracing::error!(lines = listed.len(), most = LINES_MAX, "too many lines to tick");
            listed = self.store.declared_first(listed).await;
            listed.truncate(LINES_MAX);
        }
        self.listed_at = Some(Instant::now());
        let now = self.clock.now();
        for sale in listed {
            self.lines.entry(sale).or_insert_with(|| Due {
                tick: now,
                survey: now,
                sweep: now.plus_ms(SWEEP_MS),
            });
        }
        Ok(())
    }

    fn pause(&self) -> Duration {
        let now = self.clock.now();
        let until_due = self.lines.values().map(|due| due.tick.since(now).max(0)).min();
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

/// `due`, or `every_ms` from now if that is past.
fn after(due: Millis, now: Millis, every_ms: i64) -> Millis {
    if due <= now { now.plus_ms(every_ms) } else { due }
}

/// Ticks one line, tells Redis who was heard here, and measures the line when that is due; `None`
/// when it needs no more ticks.
async fn attend(store: &Store, sale: SaleId, due: Due, now: Millis) -> Result<Option<View>, StoreError> {
    let view = tick(store, sale, now).await?;
    if view.is_none() {
        return Ok(None);
    }
    store.tell_heard(sale, now).await?;
    if due.sweep <= now {
        let line = store.lines.get_or_blank(sale);
        line.forget_silent(now, store.waiting_silence_ms());
    }
    if due.survey <= now && view.as_ref().is_some_and(|view| view.waiting > 0) {
        store.survey(sale, now).await?;
    }
    Ok(view)
}

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
        store.lines.forget(sale);
        return Ok(None);
    }
    store.list(sale).await?;
    Ok(Some(again))
}

/// What a line is called in metrics. A name stays until the process ends, and anybody may join any event, so
/// only declared sales have one.
pub(crate) fn label(sale: SaleId, view: &View) -> Option<String> {
    view.configured.then(|| sale.to_string())
}

#[expect(clippy::cast_precision_loss, reason = "people in a line are far below 2^52")]
fn report(sale: SaleId, view: &View) {
    let Some(label) = label(sale, view) else { return };
    gauge!("urr_queue_waiting", "sale" => label.clone()).set(view.waiting as f64);
    gauge!("urr_queue_active", "sale" => label.clone()).set(view.active as f64);
    // Some other replica's clock, or one of ours that stood still: an alert is set on a second.
    gauge!("urr_queue_clock_behind_ms", "sale" => label).set(view.behind_ms as f64);
}

/// Nobody is there, and without a new join nobody will be.
fn is_over(view: &View) -> bool {
    let may_still_open = view.configured && view.gate != Gate::Closed;
    view.waiting == 0 && view.active == 0 && !may_still_open
}

/// At once if there is more to do, often enough to lose neither rate nor slots, at the interval
/// otherwise, and at the opening exactly.
fn next_tick(view: &View, now: Millis, interval_ms: u64) -> Millis {
    if view.more {
        return now;
    }
    let limits = Limits {
        rate_per_s: view.rate_per_s,
        burst: view.burst,
        cap: view.cap,
    };
    let idle = view.waiting == 0;
    let every_ms = if idle {
        interval_ms
    } else {
        interval_ms.min(limits.tick_ms()).min(WAITED_FOR_MS)
    };
    let next = now.plus_ms(i64::try_from(every_ms).unwrap_or(i64::MAX));
    if view.opens_at > now {
        next.min(view.opens_at)
    } else {
        next
    }
}
