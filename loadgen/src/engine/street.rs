//! Where the crowd is: those to come, those who rest in line, those who act, those inside.
//!
//! Whoever waits is a record in the [`Shelf`]. When its turn comes one of a bounded number of lanes
//! takes the record up, makes one request with it and puts it back; so there are never more futures
//! than lanes, however many wait. Only who is through the line becomes a task, and those are
//! bounded by what the door lets in. All of it runs on one thread: a request then never crosses
//! threads, which on few cores costs more than it does.

use super::shelf::Shelf;
use crate::crowd::Comer;
use crate::http::Http;
use crate::journey::{Journey, RealAccount, RunClock, Standing, Turn, World};
use crate::measure::{Counters, Outcome};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio_util::task::TaskTracker;

/// Longest sleep of the director while nobody is due. Shorter than the shortest rest that a server
/// may ask for, so nobody who is put to rest meanwhile is overlooked.
const QUIET_MOST_MS: u32 = 20;
/// Turns of those in line before the next one who comes, while both are due. In line they ask
/// a few thousand times a second at most, so whoever comes has what is left either way.
const BEFORE_ARRIVAL: u32 = 2;
/// Pause of the director while every lane is at work: lanes take the next turn by themselves.
const BUSY_PAUSE: Duration = Duration::from_millis(5);

/// See the module.
pub(super) struct Street {
    world: Arc<World>,
    http: Arc<dyn Http>,
    /// Most lanes at work at once.
    lanes: u32,
    at_work: AtomicU32,
    /// How long a turn may wait for a lane before it is dropped.
    slot_wait: Duration,
    inner: Mutex<Inner>,
    /// Everybody past the line.
    pub(super) inside: TaskTracker,
}

struct Inner {
    shelf: Shelf<Standing>,
    /// Everybody of this engine, in order of arrival.
    comers: Vec<Comer>,
    /// How many of them have come.
    came: usize,
    /// Turns of those in line since the last arrival's.
    since_arrival: u32,
    /// Accounts that are being registered for real.
    accounts: HashMap<u64, RealAccount>,
}

impl Inner {
    /// Whether the next turn is an arrival's: always when nobody in line is due, else every so many.
    fn admits_arrival(&mut self) -> bool {
        let arrival = self.shelf.first_due().is_none() || self.since_arrival >= BEFORE_ARRIVAL;
        self.since_arrival = if arrival { 0 } else { self.since_arrival + 1 };
        arrival
    }

    /// When the next to come means to arrive, µs from the start of the run.
    fn arriving_us(&self, clock: &RunClock) -> Option<u64> {
        let comer = self.comers.get(self.came)?;
        Some(clock.us_from_start(clock.from_opening(comer.arrives_us)))
    }
}

/// Somebody's turn.
struct Due {
    standing: Standing,
    at: Instant,
}

/// Figures of the street at one moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Census {
    /// Whether somebody's turn has come and no lane is free.
    pub(super) jammed: bool,
    /// The most who waited at once.
    pub(super) waiting_most: usize,
    /// Bytes of all records and the wheel.
    pub(super) bytes: usize,
}

impl Street {
    pub(super) fn new(
        world: Arc<World>,
        http: Arc<dyn Http>,
        comers: Vec<Comer>,
        accounts: HashMap<u64, RealAccount>,
        lanes: u32,
        slot_wait: Duration,
    ) -> Self {
        Self {
            world,
            http,
            lanes,
            at_work: AtomicU32::new(0),
            slot_wait,
            inner: Mutex::new(Inner {
                shelf: Shelf::new(comers.len()),
                comers,
                came: 0,
                since_arrival: BEFORE_ARRIVAL,
                accounts,
            }),
            inside: TaskTracker::new(),
        }
    }

    /// Brings people to their turns until the run is over.
    pub(super) async fn direct(self: &Arc<Self>) {
        let mut sent_home = false;
        loop {
            while self.at_work.load(Ordering::Relaxed) < self.lanes {
                let Some(due) = self.next() else { break };
                self.at_work.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(Arc::clone(self).lane(due));
            }
            let pause = if self.at_work.load(Ordering::Relaxed) < self.lanes {
                self.quiet()
            } else {
                BUSY_PAUSE
            };
            tokio::select! {
                biased;
                () = self.world.over.cancelled() => return,
                () = self.world.line_over.cancelled(), if !sent_home => {
                    sent_home = true;
                    self.send_home();
                }
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Takes turn after turn while somebody is due.
    async fn lane(self: Arc<Self>, mut due: Due) {
        loop {
            self.turn(due).await;
            match self.next() {
                Some(next) => due = next,
                None => break,
            }
        }
        self.at_work.fetch_sub(1, Ordering::Relaxed);
    }

    async fn turn(self: &Arc<Self>, due: Due) {
        let Due { mut standing, at } = due;
        if at.elapsed() > self.slot_wait {
            Counters::add(&self.world.live.counters.dropped);
            if standing.place.is_nil() {
                // The visitor never came; a visitor in line tries again.
                standing.end(&self.world, Outcome::Dropped);
            } else {
                self.rest(standing, Instant::now() + self.world.backoff.most);
            }
            return;
        }
        let mut journey = Journey::resume(Arc::clone(&self.world), Arc::clone(&self.http), standing);
        if journey.intrudes() {
            self.go_in(journey);
            return;
        }
        match journey.turn(at).await {
            Ok(Turn::Rest(until)) => {
                let until = journey.patience_ends().map_or(until, |end| end.min(until));
                self.rest(journey.standing, until);
            }
            Ok(Turn::Served) => self.go_in(journey),
            Err(outcome) => journey.standing.end(&self.world, outcome),
        }
    }

    /// Puts somebody to rest; who stands in a line that is over leaves instead.
    fn rest(&self, mut standing: Standing, until: Instant) {
        if self.world.line_over.is_cancelled() && !standing.place.is_nil() {
            standing.end(&self.world, self.world.line_outcome());
            return;
        }
        let due_ms = self.world.clock.us_from_start(until).div_ceil(1000);
        // A run is shorter than the 49 days that fit.
        let due_ms = u32::try_from(due_ms).unwrap_or(u32::MAX);
        self.inner().shelf.rest(standing, due_ms);
    }

    /// The rest of the way is a task of its own.
    fn go_in(&self, mut journey: Journey) {
        journey.account = self.inner().accounts.remove(&journey.index());
        self.inside.spawn(async move {
            let outcome = match Box::pin(journey.go_in()).await {
                Ok(outcome) | Err(outcome) => outcome,
            };
            journey.standing.end(&journey.world, outcome);
        });
    }

    /// Whoever is due: of those in line [`BEFORE_ARRIVAL`] for one who comes, each by how long they have
    /// been due.
    ///
    /// Because a site whose listen queue is long still answers the connections it has: a rush at the
    /// door must not make everybody in line look slow.
    fn next(&self) -> Option<Due> {
        // A run that is over brings nobody more, however many were due.
        if self.world.over.is_cancelled() {
            return None;
        }
        let clock = &self.world.clock;
        let now_us = clock.us_from_start(Instant::now());
        let mut inner = self.inner();
        inner
            .shelf
            .advance(u32::try_from(now_us / 1000).unwrap_or(u32::MAX));
        // Who comes after the last seat is gone still comes, and is told so.
        let arriving = inner.arriving_us(clock).filter(|us| *us <= now_us);
        let Some(us) = arriving.filter(|_| inner.admits_arrival()) else {
            let (standing, ms) = inner.shelf.take()?;
            let at = clock.from_start(u64::from(ms) * 1000);
            return Some(Due { standing, at });
        };
        let comer = inner.comers[inner.came];
        inner.came += 1;
        drop(inner);
        let standing = Standing::new(self.world.seed, comer.index.into(), comer.persona.into(), us);
        standing.arrive(&self.world);
        let at = clock.from_start(us);
        Some(Due { standing, at })
    }

    /// How long until somebody may be due.
    fn quiet(&self) -> Duration {
        let clock = &self.world.clock;
        let inner = self.inner();
        let resting = Duration::from_millis(inner.shelf.quiet_ms(QUIET_MOST_MS).into());
        match inner.arriving_us(clock) {
            Some(us) => resting.min(clock.from_start(us).saturating_duration_since(Instant::now())),
            None => resting,
        }
    }

    /// The line is over: everybody who rests in it leaves.
    fn send_home(&self) {
        let outcome = self.world.line_outcome();
        let mut inner = self.inner();
        for mut standing in inner.shelf.empty() {
            if standing.place.is_nil() {
                // On the way to the line; is told at the door.
                inner.shelf.rest(standing, 0);
            } else {
                standing.end(&self.world, outcome);
            }
        }
    }

    /// The run is over: whoever still rests ends so.
    pub(super) fn clear(&self) {
        for mut standing in self.inner().shelf.empty() {
            standing.end(&self.world, self.world.line_outcome());
        }
    }

    /// Whether everybody has come and gone.
    pub(super) fn is_empty(&self) -> bool {
        let inner = self.inner();
        inner.came == inner.comers.len()
            && inner.shelf.len() == 0
            && self.at_work.load(Ordering::Relaxed) == 0
            && self.inside.is_empty()
    }

    /// Whether a lane is at work.
    pub(super) fn is_acting(&self) -> bool {
        self.at_work.load(Ordering::Relaxed) > 0
    }

    pub(super) fn census(&self) -> Census {
        let full = self.at_work.load(Ordering::Relaxed) >= self.lanes;
        let now_us = self.world.clock.us_from_start(Instant::now());
        let inner = self.inner();
        let arrived = inner.arriving_us(&self.world.clock);
        Census {
            jammed: full && (inner.shelf.first_due().is_some() || arrived.is_some_and(|us| us <= now_us)),
            waiting_most: inner.shelf.most(),
            bytes: inner.shelf.bytes(),
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // A holder that panicked between two writes would have ended the thread of all lanes.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
