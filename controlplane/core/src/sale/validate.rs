//! Everything that can be wrong with a sale, told at once to the person who wrote it.

use super::{Adaptive, Sale};
use crate::capacity;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What is wrong with a sale, for the person who wrote it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// Which field, as a path in the document: `admission.cap`.
    pub field: String,
    /// What is wrong with it.
    pub problem: String,
    /// What to do.
    pub remedy: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} ({})", self.field, self.problem, self.remedy)
    }
}

/// People a second that no sale admits: a guard against a rate given in the wrong unit.
const RATE_PER_S_MAX: u32 = 100_000;
/// A day: longer token or hold lifetimes are mistakes.
const TTL_S_MAX: u32 = 86_400;
/// DynamoDB and the tokens carry more; this is a guard against mistyped figures.
const VISITORS_MAX: u64 = 1_000_000_000;

impl Sale {
    /// Checks everything that can be wrong with a sale before anything is made from it.
    ///
    /// # Errors
    /// All [`Problem`]s at once, in the document's order.
    pub fn validate(&self) -> Result<(), Vec<Problem>> {
        let mut found = Vec::new();
        let mut require = |holds: bool, field: &str, problem: String, remedy: &str| {
            if !holds {
                found.push(Problem {
                    field: field.to_owned(),
                    problem,
                    remedy: remedy.to_owned(),
                });
            }
        };
        let (schedule, admission, capacity) = (&self.schedule, &self.admission, &self.capacity);
        let name_chars = self.name.trim().chars().count();
        require(
            (1..=255).contains(&name_chars),
            "name",
            format!("has {name_chars} characters"),
            "give it 1 to 255",
        );
        require(
            schedule.pre_queue_at <= schedule.opens_at,
            "schedule.preQueueAt",
            "is after opensAt".to_owned(),
            "let the waiting room open before the sale, or at the same instant",
        );
        require(
            schedule.opens_at < schedule.closes_at,
            "schedule.closesAt",
            "is not after opensAt".to_owned(),
            "close the sale after it opens",
        );
        require(
            (1..=200_000).contains(&self.seats),
            "seats",
            format!("is {}", self.seats),
            "sell 1 to 200000 seats",
        );
        require(
            (1..=VISITORS_MAX).contains(&self.expected_visitors),
            "expectedVisitors",
            format!("is {}", self.expected_visitors),
            "expect 1 to 1000000000 people",
        );
        require(
            (1..=RATE_PER_S_MAX).contains(&admission.rate_per_s),
            "admission.ratePerS",
            format!("is {}", admission.rate_per_s),
            "admit 1 to 100000 people per second; pause the sale to admit nobody",
        );
        require(
            admission.cap >= 1,
            "admission.cap",
            "lets nobody in".to_owned(),
            "set it to the number of people who may be inside at once, at least 1",
        );
        require(
            admission.poll_budget_per_s >= 1,
            "admission.pollBudgetPerS",
            "allows no poll".to_owned(),
            "set it to the polls per second the waiting room bears, e.g. 5000",
        );
        for (field, value) in [
            ("admission.silenceS", admission.silence_s),
            ("admission.activeTtlS", admission.active_ttl_s),
            ("admission.tokenTtlS", admission.token_ttl_s),
            ("admission.holdTtlS", admission.hold_ttl_s),
        ] {
            require(
                (1..=TTL_S_MAX).contains(&value),
                field,
                format!("is {value} s"),
                "give it between 1 s and a day (86400 s)",
            );
        }
        require(
            admission.silence_s <= admission.active_ttl_s,
            "admission.silenceS",
            "is longer than activeTtlS".to_owned(),
            "free a silent slot before it ends anyway",
        );
        require(
            capacity.rate_per_replica >= 1,
            "capacity.ratePerReplica",
            "says that a replica bears nothing".to_owned(),
            "measure how many admissions per second one replica bears",
        );
        require(
            capacity.replicas >= 1,
            "capacity.replicas",
            "wants no replica".to_owned(),
            "want at least 1",
        );
        let bearable = capacity::bearable_rate_per_s(capacity.replicas, capacity.rate_per_replica);
        require(
            capacity.rate_per_replica == 0 || capacity.replicas == 0 || admission.rate_per_s <= bearable,
            "admission.ratePerS",
            format!(
                "is {}, but {} replicas bear {bearable}",
                admission.rate_per_s, capacity.replicas
            ),
            "raise capacity.replicas or lower the rate",
        );
        if let Some(adaptive) = &admission.adaptive {
            let Adaptive {
                min_rate_per_s: min,
                max_rate_per_s: max,
                ..
            } = *adaptive;
            require(
                (1..=admission.rate_per_s).contains(&min) && admission.rate_per_s <= max,
                "admission.adaptive",
                format!(
                    "goes from {min} to {max}, and the sale starts with {}",
                    admission.rate_per_s
                ),
                "let the rate lie between the two, and the lower one be at least 1",
            );
            require(
                max <= bearable,
                "admission.adaptive.maxRatePerS",
                format!("is {max}, but {} replicas bear {bearable}", capacity.replicas),
                "raise capacity.replicas or lower it",
            );
            let limits = [
                adaptive.reservation_p99_ms,
                adaptive.pool_percent,
                adaptive.errors_per_thousand,
            ];
            require(
                limits.iter().all(|limit| *limit >= 1),
                "admission.adaptive",
                "has a limit of nothing".to_owned(),
                "give every limit at least 1: at 0 the rate could only fall",
            );
        }
        if found.is_empty() { Ok(()) } else { Err(found) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::sale;

    #[test]
    fn every_problem_is_told_at_once_with_its_field() {
        let fields = |change: fn(&mut Sale)| {
            let mut sale = sale();
            change(&mut sale);
            let problems = sale.validate().unwrap_err();
            problems
                .into_iter()
                .map(|problem| problem.field)
                .collect::<Vec<_>>()
        };
        assert_eq!(fields(|s| s.name = "  ".into()), ["name"]);
        assert_eq!(
            fields(|s| s.schedule.pre_queue_at = s.schedule.opens_at.plus_ms(1)),
            ["schedule.preQueueAt"]
        );
        assert_eq!(
            fields(|s| s.schedule.closes_at = s.schedule.opens_at),
            ["schedule.closesAt"]
        );
        assert_eq!(
            fields(|s| {
                s.seats = 0;
                s.expected_visitors = 0;
            }),
            ["seats", "expectedVisitors"]
        );
        assert_eq!(fields(|s| s.admission.rate_per_s = 0), ["admission.ratePerS"]);
        assert_eq!(
            fields(|s| s.admission.rate_per_s = 100_000),
            ["admission.ratePerS"]
        );
        assert_eq!(fields(|s| s.admission.cap = 0), ["admission.cap"]);
        assert_eq!(
            fields(|s| s.admission.hold_ttl_s = 90_000),
            ["admission.holdTtlS"]
        );
        assert_eq!(fields(|s| s.admission.silence_s = 601), ["admission.silenceS"]);
        assert_eq!(
            fields(|s| s.capacity.rate_per_replica = 0),
            ["capacity.ratePerReplica"]
        );
        assert_eq!(fields(|s| s.capacity.replicas = 0), ["capacity.replicas"]);
    }
}
