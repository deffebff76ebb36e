//! What this replica knows of each line: its limits, its head, and who waits.
//!
//! Two laws hang on it. `free-poll`: whoever stands behind the watermark waits, and is told so from
//! here. `fair-order` through a loss of Redis: what was known here is written back, and who waited
//! stands where he stood. It is a cache: forgetting all of it costs each visitor one call to Redis.

use crate::{
    ladder::Ladder,
    store::{Life, Place, View},
};
use arc_swap::{ArcSwap, ArcSwapOption};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use urr_core::{sale::SaleId, time::Millis};
use urr_kit::state::limits::Limits;
use uuid::Uuid;

/// Lines remembered. When full, those of events that nobody declared are forgotten, then all.
const LINES_MAX: usize = 1024;
/// How old the head of a line may be for a poll to be answered from it (law `free-poll`).
const HEAD_FRESH_MS: i64 = 1000;
/// From here on count the places of people who have had their turn (`AGAIN` of the script). They raise no
/// watermark, so whether one of them is in, Redis must say.
const TURN_AGAIN: u64 = 1 << 40;
/// How long Redis keeps an event's line that nobody declared, once it is over (`STRANGERS_KEPT_S` of the script).
const STRANGERS_KEPT_MS: i64 = 600_000;
/// Locks over the people of one line, so that polls on several cores seldom meet.
const SHARDS: usize = 16;

/// All lines of this replica.
#[derive(Default)]
pub(crate) struct Lines {
    // Read by every poll, written when a line is first heard of.
    known: ArcSwap<HashMap<SaleId, Arc<Line>>>,
}

impl Lines {
    /// The line, if it was heard of.
    pub(crate) fn get(&self, sale: SaleId) -> Option<Arc<Line>> {
        self.known.load().get(&sale).map(Arc::clone)
    }

    /// All lines known here.
    pub(crate) fn all(&self) -> Vec<SaleId> {
        self.known.load().keys().copied().collect()
    }

    /// The line, or a blank one to be kept if there turns out to be a line.
    pub(crate) fn get_or_blank(&self, sale: SaleId) -> Arc<Line> {
        self.get(sale).unwrap_or_default()
    }

    /// Keeps `line`, unless another caller was first; returns the one that is kept.
    pub(crate) fn keep(&self, sale: SaleId, line: Arc<Line>) -> Arc<Line> {
        if let Some(known) = self.get(sale) {
            return known;
        }
        self.known.rcu(|known| {
            let mut known = HashMap::clone(known);
            if known.len() >= LINES_MAX {
                known.retain(|_, line| line.has_limits());
            }
            if known.len() >= LINES_MAX {
                known.clear();
            }
            known.entry(sale).or_insert_with(|| Arc::clone(&line));
            known
        });
        self.get(sale).unwrap_or(line)
    }

    /// The line is over.
    pub(crate) fn forget(&self, sale: SaleId) {
        self.known.rcu(|known| {
            let mut known = HashMap::clone(known);
            known.remove(&sale);
            known
        });
    }
}

/// One line.
#[derive(Default)]
pub(crate) struct Line {
    head: ArcSwapOption<Head>,
    ladder: ArcSwapOption<Ladder>,
    limits: Mutex<SeenLimits>,
    people: [Mutex<HashMap<Uuid, Waiter>>; SHARDS],
    unsaid: Mutex<Vec<Uuid>>,
}

/// The line's numbers as Redis last told them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Head {
    pub(crate) view: View,
    /// By this replica's clock, before the question was sent.
    asked_at: Millis,
}

#[derive(Default)]
struct SeenLimits {
    limits: Option<Limits>,
    read_at: Option<Millis>,
}

/// Somebody who waits, as this replica last saw it.
#[derive(Debug, Clone, Copy)]
struct Waiter {
    place: Place,
    life: Life,
    heard_at: Millis,
    /// When Redis was last told that he is there.
    told_at: Millis,
}

/// What can be said without asking Redis.
pub(crate) enum Glance {
    /// Waits, for certain as of [`HEAD_FRESH_MS`] ago.
    Waits { view: View, ahead: u64 },
    /// Redis must be asked; perhaps it has forgotten a place that is known here.
    Ask(Option<Remembered>),
}

/// A place this replica saw its user waiting at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Remembered {
    pub(crate) place: Place,
    pub(crate) life: Life,
}

impl Line {
    /// How `user` stands, if that can be told from here. A poll is a sign of life, which Redis is told
    /// of every `tell_every_ms`.
    pub(crate) fn glance(&self, user: Uuid, now: Millis, tell_every_ms: i64) -> Glance {
        let mut people = self.shard(user);
        let Some(waiter) = people.get_mut(&user) else {
            return Glance::Ask(None);
        };
        let ask = Glance::Ask(Some(Remembered {
            place: waiter.place,
            life: waiter.life,
        }));
        let head = self.head.load();
        let Some(head) = head.as_deref() else { return ask };
        let is_fresh = (0..HEAD_FRESH_MS).contains(&now.since(head.asked_at));
        let position = waiter.place.position;
        let may_be_in = position <= head.view.watermark || position >= TURN_AGAIN;
        if !is_fresh || head.view.life != waiter.life || may_be_in {
            return ask;
        }
        waiter.heard_at = now;
        if now.since(waiter.told_at) >= tell_every_ms {
            waiter.told_at = now;
            drop(people);
            self.unsaid().push(user);
        }
        let ahead = self
            .ladder
            .load()
            .as_deref()
            .map_or(0, |ladder| ladder.ahead_of(position));
        Glance::Waits {
            view: head.view,
            ahead: ahead.min(head.view.waiting.saturating_sub(1)),
        }
    }

    /// Takes in what Redis said at `asked_at`.
    pub(crate) fn learn(&self, view: &View, asked_at: Millis) {
        let newer = Arc::new(Head {
            view: *view,
            asked_at,
        });
        self.head.rcu(|known| match known {
            // Answers may overtake each other.
            Some(known) if known.view.life.born == view.life.born && known.view.line_now > view.line_now => {
                Some(Arc::clone(known))
            }
            _ => Some(Arc::clone(&newer)),
        });
    }

    /// The line's numbers as last told, unless Redis has let go of such a line by now: nobody declared it, and it was
    /// not looked at from here for longer than it is kept. Then there is nothing to be given back.
    pub(crate) fn living_head(&self, now: Millis) -> Option<View> {
        let head = self.head.load();
        let head = head.as_deref()?;
        let is_kept = head.view.configured || now.since(head.asked_at) < STRANGERS_KEPT_MS;
        is_kept.then_some(head.view)
    }

    /// Takes in a survey.
    pub(crate) fn survey(&self, ladder: Ladder) {
        self.ladder.store(Some(Arc::new(ladder)));
    }

    /// The line's numbers as last told.
    #[cfg(test)]
    pub(crate) fn head(&self) -> Option<View> {
        self.head.load().as_deref().map(|head| head.view)
    }

    /// `user` waits, says Redis.
    pub(crate) fn waits(&self, user: Uuid, view: &View, now: Millis) {
        let waiter = Waiter {
            place: Place {
                position: view.position,
                epoch: view.life.epoch,
            },
            life: view.life,
            heard_at: now,
            told_at: now,
        };
        self.shard(user).insert(user, waiter);
    }

    /// `user` does not wait, says Redis.
    pub(crate) fn waits_no_more(&self, user: Uuid) {
        self.shard(user).remove(&user);
    }

    /// Who has shown himself and Redis does not know it yet.
    pub(crate) fn take_unsaid(&self, most: usize) -> Vec<Uuid> {
        let mut unsaid = self.unsaid();
        let from = unsaid.len().saturating_sub(most);
        unsaid.split_off(from)
    }

    /// Forgets people who were not heard for `silence_ms`: Redis has too.
    pub(crate) fn forget_silent(&self, now: Millis, silence_ms: i64) {
        for shard in &self.people {
            lock(shard).retain(|_, waiter| now.since(waiter.heard_at) < silence_ms);
        }
    }

    /// The limits in force when this replica last looked.
    pub(crate) fn limits(&self) -> Option<Limits> {
        lock(&self.limits).limits.clone()
    }

    /// Whether there were limits when this replica last looked.
    pub(crate) fn has_limits(&self) -> bool {
        lock(&self.limits).limits.is_some()
    }

    /// Whether the limits should be read again. Says so to one caller per `fresh_ms`, so that a
    /// crowd reads once.
    pub(crate) fn must_read_limits(&self, now: Millis, fresh_ms: i64) -> bool {
        let mut seen = lock(&self.limits);
        let fresh = seen
            .read_at
            .is_some_and(|at| (0..fresh_ms).contains(&now.since(at)));
        if !fresh {
            seen.read_at = Some(now);
        }
        !fresh
    }

    /// Takes in limits. Limits that are gone are not: they were lost.
    pub(crate) fn learn_limits(&self, limits: Limits) {
        lock(&self.limits).limits = Some(limits);
    }

    fn shard(&self, user: Uuid) -> MutexGuard<'_, HashMap<Uuid, Waiter>> {
        // The last byte of any kind of uuid is random.
        lock(&self.people[usize::from(user.as_bytes()[15]) % SHARDS])
    }

    fn unsaid(&self) -> MutexGuard<'_, Vec<Uuid>> {
        lock(&self.unsaid)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
