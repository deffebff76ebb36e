//! A few minutes of per-second rates for the sparklines, taken from differences between
//! snapshots. Bounded: a week-long session holds as much as a short one.

use std::collections::VecDeque;
use urr_core::{snapshot::Snapshot, time::Millis};

/// Seconds kept: wider than any terminal's sparkline.
const SECONDS_KEPT: usize = 300;

/// Rates per second, oldest first.
#[derive(Debug, Clone, Default)]
pub(crate) struct History {
    joined: VecDeque<u64>,
    let_in: VecDeque<u64>,
    sold: VecDeque<u64>,
    last: Option<Counters>,
}

#[derive(Debug, Clone, Copy)]
struct Counters {
    at: Millis,
    epoch: u32,
    issued: u64,
    admitted: u64,
    sold: u64,
}

impl History {
    /// Takes in a snapshot; a new point appears once a second has passed since the last one.
    pub(crate) fn take(&mut self, snapshot: &Snapshot) {
        let Some(now) = Counters::of(snapshot, self.last) else {
            return;
        };
        let Some(before) = self.last else {
            self.last = Some(now);
            return;
        };
        let elapsed_ms = now.at.since(before.at);
        if now.epoch != before.epoch || elapsed_ms < 0 {
            // Another line, or another clock: differences across it mean nothing.
            self.last = Some(now);
            return;
        }
        if elapsed_ms < 1000 {
            return;
        }
        let elapsed_ms = elapsed_ms.unsigned_abs();
        // After a gap in the stream its seconds share the average, so that time stays linear.
        let points = (elapsed_ms / 1000).clamp(1, SECONDS_KEPT as u64);
        let per_s = |now: u64, before: u64| now.saturating_sub(before) * 1000 / elapsed_ms;
        for _ in 0..points {
            push(&mut self.joined, per_s(now.issued, before.issued));
            push(&mut self.let_in, per_s(now.admitted, before.admitted));
            push(&mut self.sold, per_s(now.sold, before.sold));
        }
        self.last = Some(now);
    }

    /// People who joined, per second.
    pub(crate) fn joined(&self) -> Vec<u64> {
        self.joined.iter().copied().collect()
    }

    /// People let in, per second.
    pub(crate) fn let_in(&self) -> Vec<u64> {
        self.let_in.iter().copied().collect()
    }

    /// Seats sold, per second.
    pub(crate) fn sold(&self) -> Vec<u64> {
        self.sold.iter().copied().collect()
    }
}

impl Counters {
    /// A part that is missing from this snapshot keeps its last value: not knowing is not zero.
    fn of(snapshot: &Snapshot, last: Option<Self>) -> Option<Self> {
        let room = snapshot.room.as_ref();
        if room.is_none() && snapshot.queue.is_none() && snapshot.seats.is_none() {
            return None;
        }
        Some(Self {
            at: snapshot.at,
            epoch: room.map_or_else(|| last.map_or(0, |l| l.epoch), |r| r.epoch),
            issued: room.map_or_else(|| last.map_or(0, |l| l.issued), |r| r.issued),
            admitted: snapshot
                .queue
                .as_ref()
                .map_or_else(|| last.map_or(0, |l| l.admitted), |q| q.admitted_total),
            sold: snapshot
                .seats
                .as_ref()
                .map_or_else(|| last.map_or(0, |l| l.sold), |s| s.sold),
        })
    }
}

fn push(points: &mut VecDeque<u64>, value: u64) {
    if points.len() == SECONDS_KEPT {
        points.pop_front();
    }
    points.push_back(value);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::fixtures;

    #[test]
    fn points_are_per_second_and_survive_gaps() {
        let mut history = History::default();
        let mut snapshot = fixtures::snapshot();
        let room = |s: &mut Snapshot, issued| s.room.as_mut().unwrap().issued = issued;
        room(&mut snapshot, 100);
        history.take(&snapshot);
        snapshot.at = snapshot.at.plus_ms(500);
        room(&mut snapshot, 900);
        history.take(&snapshot);
        assert!(history.joined().is_empty(), "half a second is no point");
        snapshot.at = snapshot.at.plus_ms(500);
        room(&mut snapshot, 1_100);
        history.take(&snapshot);
        snapshot.at = snapshot.at.plus_s(3);
        room(&mut snapshot, 1_400);
        history.take(&snapshot);
        assert_eq!(history.joined(), [1_000, 100, 100, 100]);
    }

    #[test]
    fn a_new_line_does_not_count_as_a_crowd() {
        let mut history = History::default();
        let mut snapshot = fixtures::snapshot();
        history.take(&snapshot);
        snapshot.at = snapshot.at.plus_s(2);
        snapshot.room.as_mut().unwrap().epoch += 1;
        snapshot.room.as_mut().unwrap().issued = 1_000_000;
        history.take(&snapshot);
        assert!(history.joined().is_empty());
    }

    #[test]
    fn a_week_holds_as_much_as_five_minutes() {
        let mut history = History::default();
        let mut snapshot = fixtures::snapshot();
        for _ in 0..1_000 {
            snapshot.at = snapshot.at.plus_s(1);
            history.take(&snapshot);
        }
        assert_eq!(history.joined().len(), SECONDS_KEPT);
    }
}
