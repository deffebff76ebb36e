//! What polling costs the stores: the waiting room's own counters, replica by replica.

use super::{CollectError, Store};
use std::time::Duration;
use urr_core::{audit::PollCost, time::Millis};

const TIMEOUT: Duration = Duration::from_secs(5);

/// Polls answered.
const POLLS: &str = "urr_vwr_polls_total";
/// Joins numbered; each may read the ledger once for what other replicas wrote.
const JOINS: &str = "urr_vwr_joins_total";
/// Calls of the store by kind (label `op`).
const STORE_OPS: &str = "urr_vwr_store_ops_total";

/// Items written.
const ITEM_WRITES: &str = "urr_vwr_item_writes_total";

/// The counters of all replicas at an instant. Take them when a run begins and when it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PollCounters {
    /// When.
    pub at: Millis,
    /// Replicas that answered.
    pub replicas: u32,
    /// Polls answered so far.
    pub polls: u64,
    /// Reads of the store so far that joins do not explain.
    pub store_reads: u64,
    /// Of those: by the clock and not by anybody's request.
    pub clock_reads: u64,
    /// Items written so far.
    pub item_writes: u64,
}

impl PollCounters {
    /// Counters that all started at zero at `at`, for replicas that did.
    #[must_use]
    pub const fn zero(at: Millis) -> Self {
        Self {
            at,
            replicas: 0,
            polls: 0,
            store_reads: 0,
            clock_reads: 0,
            item_writes: 0,
        }
    }

    /// Reads that neither joins nor the clock explain so far. Joins that are under way explain theirs only
    /// when they are counted, so this may fall again.
    pub(super) const fn poll_reads(&self) -> u64 {
        self.store_reads.saturating_sub(self.clock_reads)
    }

    /// Reads `/actuator/prometheus` of every replica.
    ///
    /// # Errors
    /// [`CollectError`] when one does not answer.
    pub async fn read(base_urls: &[String], now: Millis) -> Result<Self, CollectError> {
        let mut all = Self::zero(now);
        let client = reqwest::Client::new();
        for base in base_urls {
            let url = format!("{}/actuator/prometheus", base.trim_end_matches('/'));
            let reach = |source: reqwest::Error| CollectError::reach(Store::Metrics, source);
            let answer = client.get(url).timeout(TIMEOUT).send().await.map_err(reach)?;
            let text = answer
                .error_for_status()
                .map_err(reach)?
                .text()
                .await
                .map_err(CollectError::read(Store::Metrics, "polls"))?;
            let (polls, by_the_clock, others) = of_replica(&text);
            all.replicas += 1;
            all.polls += polls;
            all.store_reads += by_the_clock + others;
            all.clock_reads += by_the_clock;
            all.item_writes += sum(&text, ITEM_WRITES, None);
        }
        Ok(all)
    }

    /// What polls of one of `sales` cost between `before` and now; `None` if nobody counted. A replica that
    /// was restarted in between counts from zero: less, never more. Counters do not tell sales apart,
    /// and each sale's copy is refreshed by the clock: each is charged an equal part.
    pub(super) fn cost_since(&self, before: &Self, sales: u64) -> Option<PollCost> {
        (self.replicas > 0).then(|| PollCost {
            polls: self.polls.saturating_sub(before.polls).div_ceil(sales.max(1)),
            store_reads: self
                .store_reads
                .saturating_sub(before.store_reads)
                .div_ceil(sales.max(1)),
            replicas: self.replicas,
            duration_ms: u64::try_from(self.at.since(before.at)).unwrap_or(0),
        })
    }
}

/// Polls, reads by the clock and reads that nothing explains, of one replica. A poll that looked into the
/// ledger would show as more looks than joins.
fn of_replica(text: &str) -> (u64, u64, u64) {
    let reads = |op: &str| sum(text, STORE_OPS, Some(&format!("op=\"{op}\"")));
    let by_the_clock = reads("room_read") + reads("blocks_follow");
    let joins = sum(text, JOINS, None);
    let unexplained = ["blocks_read", "room_read_for_join"].map(|op| reads(op).saturating_sub(joins));
    (
        sum(text, POLLS, None),
        by_the_clock,
        unexplained.iter().sum::<u64>(),
    )
}

/// The sum of a counter's samples, those with `label` if one is given. Absent is 0: a counter
/// that was never incremented is not exported.
fn sum(text: &str, name: &str, label: Option<&str>) -> u64 {
    text.lines().filter_map(|line| sample(line, name, label)).sum()
}

fn sample(line: &str, name: &str, label: Option<&str>) -> Option<u64> {
    let rest = line.strip_prefix(name)?;
    let (labels, value) = match rest.strip_prefix('{') {
        Some(rest) => rest.split_once('}')?,
        // Anything but a space here is a longer name.
        None => ("", rest.strip_prefix(' ')?),
    };
    let wanted = label.is_none_or(|label| labels.split(',').any(|has| has.trim() == label));
    let value: f64 = value.trim().parse().ok()?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "counters are whole"
    )]
    wanted.then_some(value.max(0.0) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
# HELP urr_vwr_polls_total x
# TYPE urr_vwr_polls_total counter
urr_vwr_polls_total 120345
urr_vwr_polls_total_by_somebody_else 7
urr_vwr_joins_total{} 1000
urr_vwr_store_ops_total{op=\"room_read\"} 61
urr_vwr_store_ops_total{op=\"blocks_read\"} 1010
urr_vwr_store_ops_total{op=\"append\"} 12
";

    #[test]
    fn reads_that_joins_explain_are_not_polls() {
        assert_eq!(of_replica(TEXT), (120_345, 61, 10));
    }

    #[test]
    fn a_replica_that_counted_nothing_counts_zero() {
        assert_eq!(of_replica(""), (0, 0, 0));
    }

    #[test]
    fn without_counters_there_is_no_cost_to_judge() {
        let start = PollCounters::zero(Millis(0));
        assert_eq!(start.cost_since(&start, 1), None);
    }
}
