//! One sale's joins, committed in groups (design.md section 4).
//!
//! One DynamoDB item takes a thousand writes a second, so numbers are taken in blocks: the next
//! batch is whatever gathered while the last one was being numbered. No timer, hence no waiting
//! when few come, and a window that widens by itself when the store slows down. Numbering
//! (look up who has a place, one `ADD n`) is one at a time, which keeps arrival order within the
//! replica; recording the places overlaps with numbering the next batch, which keeps the window
//! between replicas (law `fair-order`: 50 ms) to the numbering alone.
//!
//! Nobody is told a place before it is recorded. So a crash at any point loses no place anyone
//! knows of: before recording, the retry takes a new number and the old one is a hole; after it,
//! the retry finds the same place (law `one-place`).

use crate::{
    cache::{RoomCache, Watched},
    store::{NewPlace, Outcome, Recorded, Store},
    visitor::Visitor,
};
use metrics::{Counter, Histogram, counter, histogram};
use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use urr_core::{
    room::{Refusal, Room},
    sale::SaleId,
    time::Millis,
    token::{Keyring, place, place::Place},
};
use urr_kit::{SharedClock, error::chain, state::StateError};

/// Joins per batch: ten calls of a hundred keys run side by side and take about 20 ms against
/// the emulator, so numbering stays within the 50 ms that `fair-order` allows.
pub(crate) const BATCH_MAX: usize = 1000;

/// Batches being recorded at once. Recording takes longer than numbering (conditional writes),
/// and a few in flight hide that; more would only queue inside the store.
const RECORDING_MAX: usize = 4;

/// Tries to take a block. Each failure comes with the present record, so only a control plane
/// that writes all the time, or many replicas re-anchoring an idle line, get beyond two.
const TAKES_MAX: u32 = 8;

/// Why a join got no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoPlace {
    /// The room takes nobody.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// More joins wait than can be answered in time.
    #[error("too many joins wait")]
    Full,
    /// The store did not do it; logged where it happened. Whether a place was recorded is
    /// unknown, and the retry will find out.
    #[error("the store did not take the join")]
    Store,
}

type Answer = Result<Recorded, NoPlace>;
type Asker = oneshot::Sender<Answer>;

/// What every line of this process shares.
pub(crate) struct Shared {
    pub(crate) store: Arc<Store>,
    pub(crate) cache: Arc<RoomCache>,
    pub(crate) clock: SharedClock,
    pub(crate) keys: Keyring,
    /// Joins one line may hold: beyond it a join would outwait its client.
    pub(crate) joins_max: usize,
    /// Off only where a test or a sabotaged drill shows that its absence is noticed: numbers come
    /// from what the store answered, not from the cached copy.
    pub(crate) group_commit: bool,
    pub(crate) meters: Meters,
}

/// Counters made once: looking one up costs more than counting.
pub(crate) struct Meters {
    joins: Counter,
    holes: Counter,
    batches: Counter,
    batch_size: Histogram,
}

impl Meters {
    pub(crate) fn new() -> Self {
        Self {
            joins: counter!("urr_vwr_joins_total"),
            holes: counter!("urr_vwr_holes_total"),
            batches: counter!("urr_vwr_batches_total"),
            batch_size: histogram!("urr_vwr_batch_size"),
        }
    }
}

/// One accepted join.
struct Join {
    visitor: Visitor,
    accepted_at: Millis,
    asker: Asker,
}

#[derive(Default)]
struct Inbox {
    /// Next batch, in order of arrival.
    waiting: VecDeque<Join>,
    /// Named visitors between acceptance and answer, with whoever asked again meanwhile.
    underway: HashMap<Visitor, Vec<Asker>>,
    /// Unanswered joins, all of them.
    held: usize,
    /// Whether somebody is numbering.
    numbering: bool,
}

/// The joins of one sale in this process.
pub(crate) struct Line {
    sale: SaleId,
    room: Arc<Watched>,
    shared: Arc<Shared>,
    inbox: Mutex<Inbox>,
    recording: Arc<Semaphore>,
}

/// A batch that could not be numbered.
enum Unnumbered {
    /// The room began a new line in between: look up and number again in that one.
    NewLine,
    Failed(NoPlace),
}

impl Line {
    pub(crate) fn new(sale: SaleId, room: Arc<Watched>, shared: Arc<Shared>) -> Self {
        Self {
            sale,
            room,
            shared,
            inbox: Mutex::default(),
            recording: Arc::new(Semaphore::new(RECORDING_MAX)),
        }
    }

    /// Takes `visitor`'s place in the line, or finds the one they have.
    ///
    /// # Errors
    /// [`NoPlace`]. Dropping the future does not take the join back.
    pub(crate) async fn join(self: &Arc<Self>, visitor: Visitor) -> Answer {
        let now = self.shared.clock.now();
        match self.room.room().ok_or(Refusal::Inactive)?.admits_joins(now) {
            // Takes nobody new, but who has a place is told it again; numbering refuses the rest.
            Err(Refusal::Draining) if visitor != Visitor::Anonymous => {}
            checked => checked?,
        }
        let answer = self.accept(visitor, now)?;
        self.shared.meters.joins.increment(1);
        answer.await.unwrap_or(Err(NoPlace::Store))
    }

    /// Whether this line goes by that copy of the room; not, once the cache let it go.
    pub(crate) fn reads(&self, room: &Arc<Watched>) -> bool {
        Arc::ptr_eq(&self.room, room)
    }

    /// Whether nobody is in here.
    pub(crate) fn is_idle(&self) -> bool {
        let inbox = self.inbox();
        inbox.held == 0 && !inbox.numbering
    }

    fn accept(
        self: &Arc<Self>,
        visitor: Visitor,
        accepted_at: Millis,
    ) -> Result<oneshot::Receiver<Answer>, NoPlace> {
        let (asker, answer) = oneshot::channel();
        let mut inbox = self.inbox();
        if inbox.held >= self.shared.joins_max {
            return Err(NoPlace::Full);
        }
        inbox.held += 1;
        if let Visitor::Named(_) = visitor {
            if let Some(followers) = inbox.underway.get_mut(&visitor) {
                followers.push(asker);
                return Ok(answer);
            }
            inbox.underway.insert(visitor.clone(), Vec::new());
        }
        inbox.waiting.push_back(Join {
            visitor,
            accepted_at,
            asker,
        });
        if !inbox.numbering {
            inbox.numbering = true;
            tokio::spawn(Arc::clone(self).number_all());
        }
        Ok(answer)
    }

    /// Numbers batch after batch until nobody waits.
    async fn number_all(self: Arc<Self>) {
        loop {
            // Taken before the batch is: while recording is behind, the batch grows.
            let Ok(permit) = Arc::clone(&self.recording).acquire_owned().await else {
                return;
            };
            let Some(batch) = self.next_batch() else { return };
            self.shared.meters.batches.increment(1);
            #[expect(clippy::cast_precision_loss, reason = "at most BATCH_MAX")]
            self.shared.meters.batch_size.record(batch.len() as f64);
            self.number(batch, permit).await;
        }
    }

    fn next_batch(&self) -> Option<Vec<Join>> {
        let mut inbox = self.inbox();
        if inbox.waiting.is_empty() {
            inbox.numbering = false;
            return None;
        }
        let n = inbox.waiting.len().min(BATCH_MAX);
        Some(inbox.waiting.drain(..n).collect())
    }

    /// Gives every join of the batch its place, then hands it over to be recorded.
    async fn number(self: &Arc<Self>, mut batch: Vec<Join>, permit: OwnedSemaphorePermit) {
        for _ in 0..TAKES_MAX {
            let Some(room) = self.room.room() else {
                return self.answer_all(batch, NoPlace::Refused(Refusal::Inactive));
            };
            batch = match self.answer_known(batch, &room).await {
                Ok(fresh) => fresh,
                Err(batch) => return self.answer_all(batch, NoPlace::Store),
            };
            if batch.is_empty() {
                return;
            }
            match self.take_block(&room, batch.len()).await {
                Ok((epoch, first)) => {
                    let line = Arc::clone(self);
                    tokio::spawn(async move {
                        line.record(batch, epoch, first).await;
                        drop(permit);
                    });
                    return;
                }
                Err(Unnumbered::NewLine) => {}
                Err(Unnumbered::Failed(why)) => return self.answer_all(batch, why),
            }
        }
        tracing::error!(sale = %self.sale, joins = batch.len(), "the line was renewed over and over");
        self.answer_all(batch, NoPlace::Store);
    }

    /// Answers those of the batch who have a place in this line; the others come back.
    async fn answer_known(&self, batch: Vec<Join>, room: &Room) -> Result<Vec<Join>, Vec<Join>> {
        let key = |join: &Join| match join.visitor {
            Visitor::Named(_) => Some(join.visitor.place_key(self.sale, room.epoch, 0)),
            Visitor::Anonymous => None,
        };
        let keys: Vec<String> = batch.iter().filter_map(key).collect();
        if keys.is_empty() {
            return Ok(batch);
        }
        let known = match self.shared.store.places(&keys).await {
            Ok(known) => known,
            Err(error) => {
                self.log(&error, batch.len(), "places could not be looked up");
                return Err(batch);
            }
        };
        if known.is_empty() {
            return Ok(batch);
        }
        let mut fresh = Vec::with_capacity(batch.len());
        for join in batch {
            match key(&join).and_then(|key| known.get(&key)) {
                Some(place) => self.answer(join, Ok(*place)),
                None => fresh.push(join),
            }
        }
        Ok(fresh)
    }

    /// Takes `n` numbers of the line `seen` is a copy of; returns its epoch and the first number.
    async fn take_block(&self, seen: &Room, n: usize) -> Result<(u32, u64), Unnumbered> {
        let n = u32::try_from(n).unwrap_or(u32::MAX);
        let line = seen.epoch;
        let mut seen = seen.clone();
        for _ in 0..TAKES_MAX {
            let now = self.shared.clock.now();
            seen.admits_joins(now)
                .map_err(|why| Unnumbered::Failed(why.into()))?;
            let reanchor = seen.reanchor_for_join(now);
            match self.shared.store.take_block(&seen, n, reanchor).await {
                // Sabotaged: as a service does that reads a counter and then adds to it.
                Ok(_) if !self.shared.group_commit => return Ok((line, seen.issued + 1)),
                Ok(after) => {
                    self.shared.cache.absorb(&after);
                    return Ok((line, after.issued + 1 - u64::from(n)));
                }
                Err(StateError::Fenced { current }) => {
                    self.shared.cache.absorb(&current);
                    if current.epoch != line {
                        return Err(Unnumbered::NewLine);
                    }
                    seen = *current;
                }
                Err(StateError::NotFound) => {
                    return Err(Unnumbered::Failed(Refusal::Inactive.into()));
                }
                Err(error) => {
                    self.log(&error, n as usize, "numbers could not be taken");
                    return Err(Unnumbered::Failed(NoPlace::Store));
                }
            }
        }
        tracing::error!(sale = %self.sale, joins = n, "numbers stayed contended");
        Err(Unnumbered::Failed(NoPlace::Store))
    }

    /// Records the places `first..` of the batch and answers.
    async fn record(&self, batch: Vec<Join>, epoch: u32, first: u64) {
        let places: Vec<NewPlace> = batch
            .iter()
            .zip(first..)
            .map(|(join, position)| {
                let visitor = join.visitor.as_str();
                let place = Place {
                    sale: self.sale,
                    epoch,
                    position,
                };
                NewPlace {
                    key: join.visitor.place_key(self.sale, epoch, position),
                    sale: self.sale,
                    place: Recorded { position, epoch },
                    request_id: place::issue(&self.shared.keys, &place, visitor),
                    visitor: visitor.to_owned(),
                    created_at: join.accepted_at,
                }
            })
            .collect();
        let outcomes = self.shared.store.record(&places).await;
        let mut holes = 0_u64;
        for ((join, place), outcome) in batch.into_iter().zip(&places).zip(outcomes) {
            let answer = match outcome {
                Outcome::Placed => Ok(place.place),
                Outcome::Had(earlier) => Ok(earlier),
                Outcome::Failed => Err(NoPlace::Store),
            };
            holes += u64::from(outcome != Outcome::Placed);
            self.answer(join, answer);
        }
        if holes > 0 {
            self.shared.meters.holes.increment(holes);
            tracing::warn!(sale = %self.sale, epoch, first, holes, "positions nobody holds");
        }
    }

    fn answer_all(&self, batch: Vec<Join>, why: NoPlace) {
        for join in batch {
            self.answer(join, Err(why));
        }
    }

    /// Answers a join and whoever asked for the same visitor meanwhile. Who has gone away does
    /// not hear it; the place stays theirs.
    fn answer(&self, join: Join, answer: Answer) {
        let followers = {
            let mut inbox = self.inbox();
            let followers = inbox.underway.remove(&join.visitor).unwrap_or_default();
            inbox.held = inbox.held.saturating_sub(1 + followers.len());
            followers
        };
        for asker in followers.into_iter().chain([join.asker]) {
            let _ = asker.send(answer);
        }
    }

    fn log(&self, error: &StateError, joins: usize, what: &'static str) {
        tracing::error!(sale = %self.sale, joins, error = chain(error), "{what}");
    }

    /// Nothing in here panics while the lock is held; a poisoned inbox is as good as any.
    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
