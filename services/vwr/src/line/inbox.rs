//! Joins between acceptance and answer.

use super::NoPlace;
use std::collections::{HashMap, VecDeque, hash_map::Entry};
use tokio::{sync::oneshot, time::Instant};
use urr_core::{time::Millis, visitor::VisitorKey};

/// A number in a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Numbered {
    /// Position, or ticket in a sale with a draw.
    pub(crate) number: u64,
    /// Which line.
    pub(crate) epoch: u32,
}

pub(crate) type Answer = Result<Numbered, NoPlace>;
type Asker = oneshot::Sender<Answer>;

/// One accepted join.
pub(crate) struct Join {
    pub(crate) key: VisitorKey,
    /// By the sale's clock, for the ledger.
    pub(crate) accepted_at: Millis,
    /// By this machine's, for patience.
    pub(crate) since: Instant,
    asker: Asker,
}

/// All unanswered joins of a sale in this process, bounded.
#[derive(Default)]
pub(crate) struct Inbox {
    /// In order of arrival.
    waiting: VecDeque<Join>,
    /// Visitors who are being numbered, with whoever asked again meanwhile.
    underway: HashMap<VisitorKey, Vec<Asker>>,
    held: usize,
    numbering: bool,
}

impl Inbox {
    /// Takes a join in. The second value says that the caller must start numbering.
    pub(crate) fn accept(
        &mut self,
        key: VisitorKey,
        accepted_at: Millis,
        held_max: usize,
    ) -> Result<(oneshot::Receiver<Answer>, bool), NoPlace> {
        if self.held >= held_max {
            return Err(NoPlace::Full);
        }
        let (asker, answer) = oneshot::channel();
        self.held += 1;
        match self.underway.entry(key) {
            Entry::Occupied(mut followers) => {
                followers.get_mut().push(asker);
                return Ok((answer, false));
            }
            Entry::Vacant(first) => first.insert(Vec::new()),
        };
        self.waiting.push_back(Join {
            key,
            accepted_at,
            since: Instant::now(),
            asker,
        });
        Ok((answer, !std::mem::replace(&mut self.numbering, true)))
    }

    /// The next batch of at most `max`; `None` ends the numbering.
    pub(crate) fn next_batch(&mut self, max: usize) -> Option<Vec<Join>> {
        if self.waiting.is_empty() {
            self.numbering = false;
            return None;
        }
        let n = self.waiting.len().min(max);
        Some(self.waiting.drain(..n).collect())
    }

    /// Moves more joins into a batch that has not been written yet.
    pub(crate) fn top_up(&mut self, batch: &mut Vec<Join>, max: usize) {
        let n = self.waiting.len().min(max.saturating_sub(batch.len()));
        batch.extend(self.waiting.drain(..n));
    }

    /// Answers a join and whoever asked for the same visitor meanwhile. Who has gone away does
    /// not hear it; the place stays theirs.
    pub(crate) fn answer(&mut self, join: Join, answer: Answer) {
        self.held = self.held.saturating_sub(1);
        if let Some(followers) = self.underway.remove(&join.key) {
            self.held = self.held.saturating_sub(followers.len());
            for asker in followers {
                let _ = asker.send(answer);
            }
        }
        let _ = join.asker.send(answer);
    }

    /// Whether nobody is in here.
    pub(crate) const fn is_idle(&self) -> bool {
        self.held == 0 && !self.numbering
    }
}
