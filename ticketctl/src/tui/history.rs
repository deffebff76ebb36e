//! What happened, second by second, at four scales: for sparklines, the heatmap and burn rates.
//!
//! Taken from differences between pictures. Bounded: every scale keeps as many columns as the
//! widest screen shows, whatever the length of the session.

mod scaled;
mod second;

pub(crate) use scaled::{SCALES_S, Scaled};
pub(crate) use second::{Heat, Second};

use crate::picture::LoadView;
use second::Counters;
use urr_core::{
    crowd::is_request,
    effect::Flow,
    slo::{Slo, Tally},
    snapshot::Snapshot,
};

/// Seconds over which "lately" is measured.
const LATELY_S: usize = 10;

/// Steps of the journey whose latency is kept; a journey has fifteen.
const STEPS_MAX: usize = 32;

/// The columns of a session.
#[derive(Debug, Clone, Default)]
pub(crate) struct History {
    seconds: Scaled,
    steps: Vec<String>,
    last: Option<Counters>,
    /// Time since the last column that is no whole second: it counts to the next one.
    carry_ms: u64,
}

impl History {
    /// Takes in a picture; a new column appears once a second has passed since the last one.
    pub(crate) fn take(&mut self, snapshot: &Snapshot, load: Option<&LoadView>) {
        if let Some(load) = load {
            for step in &load.latency {
                if !self.steps.contains(&step.name) && self.steps.len() < STEPS_MAX {
                    self.steps.push(step.name.clone());
                }
            }
        }
        let Some(now) = Counters::of(snapshot, load, &self.steps, self.last.as_ref()) else {
            return;
        };
        let Some(before) = self.last.as_ref() else {
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
        let second = now.since(before, elapsed_ms.unsigned_abs());
        // After a gap in the stream its seconds share the average, so that time stays linear.
        self.carry_ms = self.carry_ms.saturating_add(elapsed_ms.unsigned_abs());
        self.seconds.push(&second, self.carry_ms / 1000);
        self.carry_ms %= 1000;
        self.last = Some(now);
    }

    /// One figure per column at `scale` (index of [`SCALES_S`]), oldest first, per second.
    pub(crate) fn per_s(&self, scale: usize, figure: fn(&Second) -> u64) -> Vec<u64> {
        self.seconds
            .columns(scale)
            .map(|(s, column)| figure(column) / s.max(1))
            .collect()
    }

    /// People waiting at the end of each column.
    pub(crate) fn waiting(&self, scale: usize) -> Vec<u64> {
        self.seconds
            .columns(scale)
            .map(|(_, column)| column.waiting)
            .collect()
    }

    /// How long requests of `step` (or of all) took, column by column, oldest first.
    pub(crate) fn heat(&self, scale: usize, step: Option<&str>) -> Vec<Heat> {
        let index = step.map(|name| self.steps.iter().position(|known| known == name));
        let columns = self.seconds.columns(scale);
        columns
            .map(|(_, column)| match index {
                None => column.sum(|index| self.steps.get(index).is_some_and(|name| is_request(name))),
                Some(Some(index)) => column.heat.get(index).copied().unwrap_or_default(),
                Some(None) => Heat::default(),
            })
            .collect()
    }

    /// The requests of `slo`'s step in the last `seconds`, as far as they are kept.
    pub(crate) fn tally(&self, slo: Slo, seconds: usize) -> Option<Tally> {
        let index = self.steps.iter().position(|known| known == slo.step)?;
        let columns: Vec<_> = self.seconds.columns(0).collect();
        let recent = columns.iter().rev().take(seconds);
        let mut sum = Tally::default();
        for (_, column) in recent {
            if let Some(heat) = column.heat.get(index) {
                let one = heat.tally(slo.bound_ms);
                sum.total += one.total;
                sum.bad += one.bad;
            }
        }
        Some(sum)
    }

    /// What is in no single snapshot: how fast people come in and seats go.
    pub(crate) fn flow(&self) -> Flow {
        let columns: Vec<_> = self.seconds.columns(0).collect();
        let recent = &columns[columns.len().saturating_sub(LATELY_S)..];
        let seconds = u64::try_from(recent.len()).unwrap_or(0);
        let per_s = |figure: fn(&Second) -> u64| {
            let sum: u64 = recent.iter().map(|(_, column)| figure(column)).sum();
            sum.checked_div(seconds)
        };
        Flow {
            let_in_per_s: per_s(|second| second.let_in),
            sold_per_s: per_s(|second| second.sold),
            // A trend of three seconds would forecast a rush as if it went on for ever.
            joined_per_s: per_s(|second| second.joined).filter(|_| recent.len() == LATELY_S),
        }
    }

    /// Steps it has heard of.
    #[cfg(test)]
    pub(crate) fn steps_known(&self) -> usize {
        self.steps.len()
    }

    /// Columns held, for the test that a week costs no more than an hour.
    #[cfg(test)]
    pub(crate) fn held(&self) -> usize {
        self.seconds.held()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::fixtures;
    use urr_core::snapshot::Snapshot;

    fn issued(snapshot: &mut Snapshot, issued: u64) {
        snapshot.room.as_mut().unwrap().issued = issued;
    }

    fn joined(history: &History) -> Vec<u64> {
        history.per_s(0, |second| second.joined)
    }

    #[test]
    fn points_are_per_second_and_survive_gaps() {
        let mut history = History::default();
        let mut snapshot = fixtures::snapshot();
        issued(&mut snapshot, 100);
        history.take(&snapshot, None);
        snapshot.at = snapshot.at.plus_ms(500);
        issued(&mut snapshot, 900);
        history.take(&snapshot, None);
        assert!(joined(&history).is_empty(), "half a second is no point");
        snapshot.at = snapshot.at.plus_ms(500);
        issued(&mut snapshot, 1_100);
        history.take(&snapshot, None);
        snapshot.at = snapshot.at.plus_s(3);
        issued(&mut snapshot, 1_400);
        history.take(&snapshot, None);
        assert_eq!(joined(&history), [1_000, 100, 100, 100]);
    }

    #[test]
    fn a_new_line_does_not_count_as_a_crowd() {
        let mut history = History::default();
        let mut snapshot = fixtures::snapshot();
        history.take(&snapshot, None);
        snapshot.at = snapshot.at.plus_s(1);
        let room = snapshot.room.as_mut().unwrap();
        (room.epoch, room.issued) = (2, 9_000);
        history.take(&snapshot, None);
        assert!(joined(&history).is_empty());
    }

    #[test]
    fn the_heat_of_a_second_is_what_was_asked_in_it() {
        let mut history = History::default();
        let mut snapshot = fixtures::snapshot();
        let mut load = fixtures::load();
        history.take(&snapshot, Some(&load));
        snapshot.at = snapshot.at.plus_s(1);
        load.latency[0].buckets[7] += 6; // 100 to 200 ms
        load.latency[0].buckets[2] += 14;
        load.latency[0].errors += 1;
        history.take(&snapshot, Some(&load));
        let heat = history.heat(0, Some("join"));
        assert_eq!((heat[0].count(7), heat[0].count(2), heat[0].failed), (6, 14, 1));
        assert_eq!(history.heat(0, Some("pay"))[0], Heat::default());
        let tally = history.tally(Slo::of("join").unwrap(), 60).unwrap();
        assert_eq!(tally, Tally { total: 21, bad: 7 });
    }

    #[test]
    fn lately_is_the_last_ten_seconds() {
        let mut history = History::default();
        assert_eq!(history.flow(), Flow::default());
        let mut snapshot = fixtures::snapshot();
        for second in 0..30u64 {
            snapshot.at = snapshot.at.plus_s(1);
            snapshot.queue.as_mut().unwrap().admitted_total =
                if second < 20 { 0 } else { (second - 19) * 50 };
            history.take(&snapshot, None);
        }
        assert_eq!(history.flow().let_in_per_s, Some(50));
        assert_eq!(history.flow().sold_per_s, Some(0));
    }
}
