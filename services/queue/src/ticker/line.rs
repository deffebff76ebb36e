//! One line's turn: what is done to it, and when it is next due.

use crate::store::{Act, Gate, Store, StoreError, View};
use metrics::{counter, gauge};
use urr_core::{admission::Limits, sale::SaleId, time::Millis};

/// A line in which somebody waits is ticked at least this often: a slot that fell silent stays
/// empty for half of it on average, which over a slot's life of tens of seconds is below 1 %.
const WAITED_FOR_MS: u64 = 100;

/// How often a line in which somebody waits is surveyed, so that positions are told at most 1 s late.
const SURVEY_MS: i64 = 1000;

/// How often people who fell silent are forgotten here.
const SWEEP_MS: i64 = 60_000;

/// When a line is next attended to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Due {
    pub(super) tick: Millis,
    survey: Millis,
    sweep: Millis,
}

impl Due {
    /// Of a line that is new here.
    pub(super) const fn at_once(now: Millis) -> Self {
        Self {
            tick: now,
            survey: now,
            sweep: now.plus_ms(SWEEP_MS),
        }
    }

    /// After the line was attended to at `now`.
    pub(super) fn next(self, view: &View, now: Millis, interval_ms: u64) -> Self {
        Self {
            tick: next_tick(view, now, interval_ms),
            survey: after(self.survey, now, SURVEY_MS),
            sweep: after(self.sweep, now, SWEEP_MS),
        }
    }
}

/// `due`, or `every_ms` from now if that is past.
fn after(due: Millis, now: Millis, every_ms: i64) -> Millis {
    if due <= now { now.plus_ms(every_ms) } else { due }
}

/// Ticks one line, tells Redis who was heard here, and measures the line when that is due; `None`
/// when it needs no more ticks.
pub(super) async fn attend(
    store: &Store,
    sale: SaleId,
    due: Due,
    is_known_as_declared: bool,
    now: Millis,
) -> Result<Option<View>, StoreError> {
    let view = tick(store, sale, now).await?;
    let Some(seen) = &view else { return Ok(None) };
    if seen.configured && !is_known_as_declared {
        // Declared by a control plane of the release before.
        store.list_as_declared(sale).await?;
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
    if again.configured {
        store.list_as_declared(sale).await?;
    }
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
