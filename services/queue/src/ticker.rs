//! Lets people in while nobody asks: every line is ticked on time, also exactly at its opening.
//!
//! Any replica may tick any line, and all of them do: the script takes the time that has passed
//! from the record, so a second tick at the same instant finds nothing left to do. That is why
//! there is no lock to lose (R-QUE-04): a dead replica delays nobody, and a tick that fails is
//! simply the next one's work (R-QUE-13).
//!
//! A tick is one bounded run of the script. A line with more to do comes again behind every other line
//! that is due, so a long line does not slow another. Nor does one that gets no answer: nobody waits for a
//! tick but its own line. Declared sales come before events that somebody merely joined; of these, as
//! anybody may join any, only some are ticked in a second, drawn anew each time.

mod line;

#[cfg(test)]
pub(crate) use line::label;

use crate::store::{Store, StoreError, View};
use futures::{FutureExt as _, StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use line::{Due, attend};
use metrics::counter;
use std::{
    cmp::Reverse,
    collections::{HashMap, HashSet},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;
use urr_core::{sale::SaleId, time::Millis};
use urr_kit::{SharedClock, error::chain};

/// How often the lists of lines are read again.
const LIST_EVERY: Duration = Duration::from_secs(1);

/// Declared sales ticked by one process. Ten at once are required (R-QUE-10); beyond this a process could
/// not keep its intervals.
pub(crate) const LINES_MAX: usize = 256;

/// Other lines ticked by one process in a second. All of them, unless there are more: then each has its turn
/// now and then. That is enough for it: who joins a line finds out in the same call whether there is room.
pub(crate) const STRANGERS_MAX: usize = 128;

/// Ticks in flight at once; they share one connection anyway.
const TICKS_AT_ONCE: usize = 16;

/// A tick without an answer for so long is not counted as one of these: its node of the cluster may be
/// dead, and each line has but one tick in flight.
const STRAGGLES: Duration = Duration::from_millis(100);

/// After a failure: Redis comes back at any instant, and an opening may have been missed.
const RETRY: Duration = Duration::from_millis(100);

/// Ticks every line on the lists.
pub(crate) struct Ticker {
    store: Arc<Store>,
    clock: SharedClock,
    interval_ms: u64,
    lines: HashMap<SaleId, Line>,
    flying: FuturesUnordered<BoxFuture<'static, Landed>>,
    /// When the lists are read again; `None` while they are being read.
    list_at: Option<Instant>,
    failing: bool,
    /// Whose ticks get no answer.
    #[cfg(test)]
    pub(crate) stuck: HashSet<SaleId>,
}

/// A line as its ticker sees it.
struct Line {
    due: Due,
    is_declared: bool,
    /// Since when a tick is in flight.
    flying_since: Option<Instant>,
}

/// What has come back.
enum Landed {
    Lists(Lists),
    Tick {
        sale: SaleId,
        at: Millis,
        outcome: Result<Option<View>, StoreError>,
    },
}

/// They may lie on two nodes of a cluster: one that is dead does not hide the other's.
struct Lists {
    declared: Result<Vec<SaleId>, StoreError>,
    drawn: Result<Vec<SaleId>, StoreError>,
}

impl Ticker {
    pub(crate) fn new(store: Arc<Store>, clock: SharedClock, interval_ms: u64) -> Self {
        Self {
            store,
            clock,
            interval_ms,
            lines: HashMap::new(),
            flying: FuturesUnordered::new(),
            list_at: Some(Instant::now()),
            failing: false,
            #[cfg(test)]
            stuck: HashSet::new(),
        }
    }

    /// Ticks until `shutdown`.
    pub(crate) async fn run(mut self, shutdown: CancellationToken) {
        loop {
            self.read_lists();
            let pause = self.start_ticks();
            tokio::select! {
                () = shutdown.cancelled() => return,
                Some(landed) = self.flying.next() => self.land(landed),
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Ticks what is due, each line once, and waits for all of it; returns how long nothing will be.
    #[cfg(test)]
    pub(crate) async fn round(&mut self) -> Duration {
        self.read_lists();
        while let Some(landed) = self.flying.next().await {
            self.land(landed);
        }
        let now = self.clock.now();
        for sale in self.due(now) {
            if self.flying.len() >= TICKS_AT_ONCE
                && let Some(landed) = self.flying.next().await
            {
                self.land(landed);
            }
            self.start(sale, now);
        }
        while let Some(landed) = self.flying.next().await {
            self.land(landed);
        }
        self.pause()
    }

    /// Starts as many of the ticks that are due as may be in flight; returns how long nothing more will be
    /// to start unless something lands.
    fn start_ticks(&mut self) -> Duration {
        let now = self.clock.now();
        let prompt = self.lines.values().filter(|line| line.is_prompt()).count();
        let (due, room) = (self.due(now), TICKS_AT_ONCE.saturating_sub(prompt));
        for sale in due.iter().take(room) {
            self.start(*sale, now);
        }
        let pause = if due.len() > room { STRAGGLES } else { self.pause() };
        let until_listing = |at: Instant| at.saturating_duration_since(Instant::now());
        self.list_at.map_or(pause, |at| pause.min(until_listing(at)))
    }

    /// The lines to tick, in the order in which they come.
    fn due(&self, now: Millis) -> Vec<SaleId> {
        let is_due = |line: &Line| line.flying_since.is_none() && line.due.tick <= now;
        let lines = self.lines.iter().filter(|(_, line)| is_due(line));
        let mut due: Vec<_> = lines
            .map(|(sale, line)| (Reverse(line.is_declared), line.due.tick, *sale))
            .collect();
        due.sort_unstable();
        due.into_iter().map(|(.., sale)| sale).collect()
    }

    fn start(&mut self, sale: SaleId, now: Millis) {
        let Some(line) = self.lines.get_mut(&sale) else {
            return;
        };
        line.flying_since = Some(Instant::now());
        let (store, due, is_declared) = (Arc::clone(&self.store), line.due, line.is_declared);
        #[cfg(test)]
        let is_stuck = self.stuck.contains(&sale);
        let tick = async move {
            #[cfg(test)]
            if is_stuck {
                std::future::pending::<()>().await;
            }
            let outcome = attend(&store, sale, due, is_declared, now).await;
            Landed::Tick {
                sale,
                at: now,
                outcome,
            }
        };
        self.flying.push(tick.boxed());
    }

    /// Has the lists read, when it is time to.
    fn read_lists(&mut self) {
        if self.list_at.is_none_or(|at| at > Instant::now()) {
            return;
        }
        self.list_at = None;
        let store = Arc::clone(&self.store);
        let read = async move {
            let drawn = store.listed(LINES_MAX + STRANGERS_MAX);
            let (declared, drawn) = tokio::join!(store.declared(), drawn);
            Landed::Lists(Lists { declared, drawn })
        };
        self.flying.push(read.boxed());
    }

    fn land(&mut self, landed: Landed) {
        match landed {
            Landed::Lists(Lists { declared, drawn }) => {
                let complete = declared.is_ok() && drawn.is_ok();
                self.list_at = Some(Instant::now() + if complete { LIST_EVERY } else { RETRY });
                match declared {
                    Ok(declared) => self.take_up_declared(&declared),
                    Err(error) => self.failed(&error),
                }
                match drawn {
                    Ok(drawn) => self.take_up_strangers(&drawn),
                    Err(error) => self.failed(&error),
                }
            }
            Landed::Tick { sale, at, outcome } => self.ticked(sale, at, outcome),
        }
    }

    /// None is dropped for missing on the list: such a line leaves when it is over, and a Redis that lost
    /// the list lost the lines with it.
    fn take_up_declared(&mut self, declared: &[SaleId]) {
        if declared.len() > LINES_MAX {
            tracing::error!(lines = declared.len(), most = LINES_MAX, "too many lines to tick");
        }
        let now = self.clock.now();
        for sale in declared.iter().take(LINES_MAX) {
            let line = self.lines.entry(*sale).or_insert_with(|| Line::at_once(now));
            line.is_declared = true;
        }
    }

    /// Those that were not drawn again make room.
    fn take_up_strangers(&mut self, drawn: &[SaleId]) {
        let is_declared = |sale: &SaleId| self.lines.get(sale).is_some_and(|line| line.is_declared);
        let drawn: HashSet<SaleId> = drawn
            .iter()
            .copied()
            .filter(|sale| !is_declared(sale))
            .take(STRANGERS_MAX)
            .collect();
        self.lines
            .retain(|sale, line| line.is_declared || line.flying_since.is_some() || drawn.contains(sale));
        let now = self.clock.now();
        for sale in drawn {
            self.lines.entry(sale).or_insert_with(|| Line::at_once(now));
        }
    }

    fn ticked(&mut self, sale: SaleId, at: Millis, outcome: Result<Option<View>, StoreError>) {
        match outcome {
            Ok(Some(view)) => {
                self.failing = false;
                if let Some(line) = self.lines.get_mut(&sale) {
                    line.flying_since = None;
                    line.is_declared |= view.configured;
                    line.due = line.due.next(&view, at, self.interval_ms);
                }
            }
            Ok(None) => {
                self.lines.remove(&sale);
            }
            Err(error) => {
                self.failed(&error);
                if let Some(line) = self.lines.get_mut(&sale) {
                    line.flying_since = None;
                    let retry = if line.is_declared { RETRY } else { LIST_EVERY };
                    line.due.tick = at.plus_ms(i64::try_from(retry.as_millis()).unwrap_or(i64::MAX));
                }
            }
        }
    }

    /// Until the next line is due, those in flight aside.
    fn pause(&self) -> Duration {
        let now = self.clock.now();
        let resting = self.lines.values().filter(|line| line.flying_since.is_none());
        let until_due = resting.map(|line| line.due.tick.since(now).max(0)).min();
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

impl Line {
    const fn at_once(now: Millis) -> Self {
        Self {
            due: Due::at_once(now),
            is_declared: false,
            flying_since: None,
        }
    }

    /// Whether a tick of it is in flight that may still be answered in time.
    fn is_prompt(&self) -> bool {
        self.flying_since.is_some_and(|since| since.elapsed() < STRAGGLES)
    }
}
