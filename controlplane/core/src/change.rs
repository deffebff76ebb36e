//! What may still change in a sale once people know of it: its document, and the operator's hand.
//!
//! The control API refuses what is not allowed here with the field and the remedy, before anything
//! is written. What breaks if this becomes more generous: replicas hold copies of the record that
//! are up to [`COPY_AGE_MS`] old and act on the schedule by their own clocks, so an instant can
//! only be moved while every copy of the old one is certain to be replaced in time.

use crate::{
    capacity::bearable_rate_per_s,
    plan::Hand,
    room::COPY_AGE_MS,
    sale::{Problem, Sale},
    time::Millis,
};
use serde::{Deserialize, Serialize};

/// How long before an instant of the schedule it is fixed: time for the control plane to write
/// the new one (its period is 1 s) and for every replica to read it.
pub const NOTICE_MS: i64 = 5 * COPY_AGE_MS;

/// Checks that a known sale may become `new` at `now`. Both are valid in themselves.
///
/// # Errors
/// All [`Problem`]s at once.
pub fn check(old: &Sale, new: &Sale, now: Millis) -> Result<(), Vec<Problem>> {
    let mut found = Vec::new();
    let mut require = |holds: bool, field: &str, problem: &str, remedy: &str| {
        if !holds {
            let [field, problem, remedy] = [field, problem, remedy].map(str::to_owned);
            found.push(Problem {
                field,
                problem,
                remedy,
            });
        }
    };
    require(old.id == new.id, "id", "cannot change", "make another sale");
    let soonest = now.plus_ms(NOTICE_MS);
    for (field, was, is) in [
        (
            "schedule.preQueueAt",
            old.schedule.pre_queue_at,
            new.schedule.pre_queue_at,
        ),
        ("schedule.opensAt", old.schedule.opens_at, new.schedule.opens_at),
        (
            "schedule.closesAt",
            old.schedule.closes_at,
            new.schedule.closes_at,
        ),
    ] {
        require(
            was == is || was > soonest,
            field,
            "has passed or is less than 5 s away and cannot be moved",
            "leave it as it is; pause the sale to hold the line",
        );
        require(
            was == is || was <= soonest || is >= soonest,
            field,
            "is less than 5 s away",
            "choose an instant that every replica can still hear of",
        );
    }
    require(
        old.seats == new.seats || old.schedule.opens_at > soonest,
        "seats",
        "cannot change once the sale is open",
        "leave it as it is",
    );
    if found.is_empty() { Ok(()) } else { Err(found) }
}

/// What an operator may do by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Override {
    /// Hold the line.
    Pause,
    /// Let it go on, and take people again.
    Resume,
    /// Take nobody new; who stands in line is still let in.
    Drain,
    /// Admit this many people per second instead of the sale's figure.
    Rate(u32),
    /// Let this many people be inside at once instead of the sale's figure.
    Cap(u32),
    /// Take everything back that was set by hand.
    Reset,
}

impl Override {
    /// Its name on the wire and in the audit log.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Drain => "drain",
            Self::Rate(_) => "rate",
            Self::Cap(_) => "cap",
            Self::Reset => "reset",
        }
    }

    /// The hand after this override.
    ///
    /// # Errors
    /// A [`Problem`] when the sale's capacity would never bear it, or it would admit nobody.
    pub fn apply(self, sale: &Sale, hand: Hand) -> Result<Hand, Problem> {
        let bearable = bearable_rate_per_s(sale.capacity.replicas, sale.capacity.rate_per_replica);
        match self {
            Self::Pause => Ok(Hand { paused: true, ..hand }),
            Self::Resume => Ok(Hand {
                paused: false,
                draining: false,
                ..hand
            }),
            Self::Drain => Ok(Hand {
                draining: true,
                ..hand
            }),
            Self::Reset => Ok(Hand::default()),
            Self::Rate(0) => Err(Problem {
                field: "value".to_owned(),
                problem: "a rate of 0 admits nobody".to_owned(),
                remedy: "use the action `pause`".to_owned(),
            }),
            Self::Rate(rate) if rate > bearable => Err(Problem {
                field: "value".to_owned(),
                problem: format!(
                    "{rate}/s is more than the sale's {} replicas bear: {bearable}/s",
                    sale.capacity.replicas
                ),
                remedy: format!("set at most {bearable}, or raise capacity.replicas of the sale first"),
            }),
            Self::Rate(rate) => Ok(Hand {
                rate_per_s: Some(rate),
                ..hand
            }),
            Self::Cap(0) => Err(Problem {
                field: "value".to_owned(),
                problem: "a cap of 0 lets nobody in".to_owned(),
                remedy: "use the action `pause`".to_owned(),
            }),
            Self::Cap(cap) => Ok(Hand {
                cap: Some(cap),
                ..hand
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{OPENS_AT, sale};

    fn refused(change: impl Fn(&mut Sale), now: Millis) -> Vec<String> {
        let (old, mut new) = (sale(), sale());
        change(&mut new);
        match check(&old, &new, now) {
            Ok(()) => Vec::new(),
            Err(problems) => problems.into_iter().map(|problem| problem.field).collect(),
        }
    }

    #[test]
    fn an_instant_moves_freely_until_shortly_before_it() {
        let later = |s: &mut Sale| {
            s.schedule.opens_at = s.schedule.opens_at.plus_s(60);
        };
        assert_eq!(refused(later, OPENS_AT.plus_ms(-NOTICE_MS - 1)), [] as [&str; 0]);
        assert_eq!(refused(later, OPENS_AT.plus_ms(-NOTICE_MS)), ["schedule.opensAt"]);
        assert_eq!(refused(later, OPENS_AT.plus_s(10)), ["schedule.opensAt"]);
    }

    #[test]
    fn an_instant_does_not_move_to_where_no_replica_would_hear_of_it() {
        let now = OPENS_AT.plus_s(-60);
        let to_now = |s: &mut Sale| s.schedule.opens_at = now.plus_ms(1);
        assert_eq!(refused(to_now, now), ["schedule.opensAt"]);
    }

    #[test]
    fn seats_are_fixed_once_open_and_figures_never_are() {
        let open = OPENS_AT.plus_s(1);
        assert_eq!(refused(|s| s.seats = 7, open), ["seats"]);
        assert_eq!(refused(|s| s.seats = 7, OPENS_AT.plus_s(-600)), [] as [&str; 0]);
        assert_eq!(refused(|s| s.admission.cap = 7, open), [] as [&str; 0]);
    }

    #[test]
    fn a_rate_no_planned_capacity_bears_is_refused_with_the_figure_and_the_remedy() {
        // Law capacity-first: 4 replicas of 5/s bear 20/s.
        let problem = Override::Rate(21).apply(&sale(), Hand::default()).unwrap_err();
        assert!(problem.problem.contains("20/s"), "{problem}");
        assert!(problem.remedy.contains("capacity.replicas"), "{problem}");
        assert_eq!(
            Override::Rate(20)
                .apply(&sale(), Hand::default())
                .unwrap()
                .rate_per_s,
            Some(20)
        );
    }

    #[test]
    fn an_override_changes_only_its_own_figure() {
        let hand = Hand {
            paused: true,
            rate_per_s: Some(3),
            cap: Some(9),
            draining: true,
        };
        let resumed = Override::Resume.apply(&sale(), hand).unwrap();
        assert_eq!(
            resumed,
            Hand {
                paused: false,
                draining: false,
                ..hand
            }
        );
        assert!(Override::Drain.apply(&sale(), Hand::default()).unwrap().draining);
        assert_eq!(
            Override::Cap(4).apply(&sale(), hand).unwrap(),
            Hand { cap: Some(4), ..hand }
        );
        assert!(Override::Cap(0).apply(&sale(), hand).is_err());
    }
}
