//! One picture from several replicas of a control plane. Pure.
//!
//! Each replica takes its own pictures of the same stores, so the newest is right. What it could
//! not read is taken from another replica's picture if that is no older than a second: a replica
//! cut off from booking must not blank the seats that another one sees. Pictures that would go back
//! in time are dropped.

use urr_core::{snapshot::Snapshot, time::Millis};

/// How much older than the newest picture a part of it may be.
const PART_AGE_MAX_MS: i64 = 1_000;

/// The newest picture of each replica.
#[derive(Debug)]
pub(super) struct Merge {
    newest: Vec<Option<Snapshot>>,
    lost: Vec<Option<String>>,
    shown: Option<Millis>,
}

impl Merge {
    /// For so many replicas.
    pub(super) fn of(replicas: usize) -> Self {
        Self {
            newest: vec![None; replicas],
            lost: vec![None; replicas],
            shown: None,
        }
    }

    /// `snapshot` came from `replica`; what is to be shown, if that is news.
    pub(super) fn take(&mut self, replica: usize, snapshot: Snapshot) -> Option<Snapshot> {
        *self.lost.get_mut(replica)? = None;
        let is_news = self.shown.is_none_or(|shown| snapshot.at > shown);
        let merged = is_news.then(|| self.filled(replica, &snapshot));
        if is_news {
            self.shown = Some(snapshot.at);
        }
        *self.newest.get_mut(replica)? = Some(snapshot);
        merged
    }

    /// `replica` does not answer; the reason to tell, once none does any more.
    pub(super) fn lose(&mut self, replica: usize, why: String) -> Option<String> {
        *self.lost.get_mut(replica)? = Some(why.clone());
        self.newest[replica] = None;
        // A control plane that starts anew may have another clock.
        let all = self.lost.iter().all(Option::is_some);
        if all {
            self.shown = None;
        }
        all.then_some(why)
    }

    fn filled(&self, replica: usize, newest: &Snapshot) -> Snapshot {
        let mut merged = newest.clone();
        let others = self
            .newest
            .iter()
            .enumerate()
            .filter(|(other, _)| *other != replica);
        let mut others: Vec<&Snapshot> = others
            .filter_map(|(_, other)| other.as_ref())
            .filter(|other| newest.at.since(other.at) <= PART_AGE_MAX_MS)
            .collect();
        others.sort_by_key(|other| std::cmp::Reverse(other.at));
        for other in others {
            merged.room = merged.room.or_else(|| other.room.clone());
            merged.queue = merged.queue.or_else(|| other.queue.clone());
            merged.seats = merged.seats.or_else(|| other.seats.clone());
            merged.capacity = merged.capacity.or(other.capacity);
            if merged.services.is_empty() {
                merged.services.clone_from(&other.services);
            }
        }
        merged
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use urr_core::snapshot::SeatsView;

    fn at(ms: i64, sold: Option<u64>) -> Snapshot {
        Snapshot {
            at: Millis(ms),
            seats: sold.map(|sold| SeatsView {
                capacity: 10,
                free: 10 - sold,
                held: 0,
                sold,
                sections: Vec::new(),
            }),
            ..Snapshot::unknown(uuid::Uuid::nil())
        }
    }

    fn sold(snapshot: Option<Snapshot>) -> Option<u64> {
        snapshot?.seats.map(|seats| seats.sold)
    }

    #[test]
    fn the_newest_is_shown_and_time_never_goes_back() {
        let mut merge = Merge::of(2);
        assert_eq!(sold(merge.take(0, at(500, Some(1)))), Some(1));
        assert_eq!(sold(merge.take(1, at(700, Some(2)))), Some(2));
        assert_eq!(merge.take(0, at(600, Some(1))), None);
    }

    #[test]
    fn what_one_replica_cannot_read_comes_from_another_while_it_is_fresh() {
        let mut merge = Merge::of(2);
        merge.take(0, at(500, Some(1)));
        assert_eq!(sold(merge.take(1, at(1_000, None))), Some(1));
        assert_eq!(sold(merge.take(1, at(1_501, None))), None, "a second old");
    }

    #[test]
    fn it_is_lost_when_nobody_answers_and_not_before() {
        let mut merge = Merge::of(2);
        merge.take(0, at(500, Some(1)));
        assert_eq!(merge.lose(0, "gone".to_owned()), None);
        assert_eq!(merge.lose(1, "refused".to_owned()).as_deref(), Some("refused"));
        assert_eq!(
            sold(merge.take(1, at(400, Some(3)))),
            Some(3),
            "another clock is a new beginning"
        );
    }
}
