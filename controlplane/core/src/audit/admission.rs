//! hard-cap, capacity-first and on-time: the admission log, replayed.
//!
//! The log is written by the script that admits, in the same step, so it is complete; but what
//! the script counted is only compared with what the replay counts, never believed.

use super::{Evidence, Finding, check::Check};
use crate::{
    admission::{LogEntry, LogKind},
    capacity::bearable_rate_per_s,
    law::Law,
    time::Millis,
};
use std::collections::HashSet;
use uuid::Uuid;

/// The promise of on-time.
const LATE_MS_MAX: i64 = 250;
/// How far apart the clocks of those who log admissions and those who count ready replicas may be,
/// and how long a change takes to be seen.
const READY_SEEN_WITHIN_MS: i64 = 1000;

fn nothing_was_let_in_yet(evidence: &Evidence) -> bool {
    evidence.taken_at < evidence.sale.schedule.opens_at
}

/// No admission ever took the number of people inside above the cap in force.
pub(super) fn hard_cap(evidence: &Evidence) -> Finding {
    let mut check = Check::of(Law::HardCap);
    let mut inside: HashSet<Uuid> = HashSet::new();
    let (mut admissions, mut most) = (0_u64, 0_usize);
    for entry in &evidence.log {
        match (entry.kind, entry.user) {
            // A slot taken again after a loss counts like any other.
            (LogKind::Admit | LogKind::Resume, Some(user)) => {
                inside.insert(user);
                admissions += u64::from(entry.kind == LogKind::Admit);
                most = most.max(inside.len());
                let within = |count: u64| count <= u64::from(entry.cap);
                let counted = inside.len() as u64;
                check.that(within(counted) && within(entry.active_after), || {
                    format!(
                        "admitting user {user} at {} made {counted} inside (the script counted {}), cap {}",
                        entry.at.0, entry.active_after, entry.cap
                    )
                });
            }
            (LogKind::Leave, Some(user)) => {
                inside.remove(&user);
            }
            _ => {}
        }
        check.that(entry.active_after == inside.len() as u64, || {
            format!(
                "after {} at {} the script counted {} inside, its own log shows {}",
                entry.kind.name(),
                entry.at.0,
                entry.active_after,
                inside.len()
            )
        });
    }
    for user in &evidence.active {
        check.that(inside.contains(user), || {
            format!("user {user} is inside, and the log up to that moment does not show it")
        });
    }
    check.that(inside.len() == evidence.active.len(), || {
        format!(
            "{} are inside, and the log up to that moment shows {}",
            evidence.active.len(),
            inside.len()
        )
    });
    if admissions == 0 {
        return check.lacks("nobody was admitted", nothing_was_let_in_yet(evidence));
    }
    check.conclude(format!("{admissions} admissions, never more than {most} inside"))
}

/// The rate in force was always one that ready replicas bear, and no window of time saw more
/// admissions than rate and burst allow.
pub(super) fn capacity_first(evidence: &Evidence) -> Finding {
    let mut check = Check::of(Law::CapacityFirst);
    let admissions: Vec<_> = evidence
        .log
        .iter()
        .filter(|entry| entry.kind == LogKind::Admit)
        .collect();
    if admissions.is_empty() {
        return check.lacks("nobody was admitted", nothing_was_let_in_yet(evidence));
    }
    within_rate_and_burst(&mut check, evidence);
    if evidence.observed.ready.is_empty() {
        return check.lacks("the number of ready replicas was not recorded", false);
    }
    let mut ready: Vec<_> = evidence
        .observed
        .ready
        .iter()
        .map(|seen| (seen.at, seen.replicas))
        .collect();
    ready.sort_unstable();
    for entry in &admissions {
        let replicas = most_ready_around(&ready, entry.at);
        let bearable = bearable_rate_per_s(replicas, evidence.sale.capacity.rate_per_replica);
        check.that(entry.rate_per_s <= bearable, || {
            format!(
                "at {} the rate was {}/s, but {replicas} ready replicas bear {bearable}/s",
                entry.at.0, entry.rate_per_s
            )
        });
    }
    check.conclude(format!(
        "{} admissions against {} changes of ready replicas",
        admissions.len(),
        ready.len()
    ))
}

/// The most that were ready within the tolerance around `at`; `ready` is sorted.
fn most_ready_around(ready: &[(Millis, u32)], at: Millis) -> u32 {
    let from = at.plus_ms(-READY_SEEN_WITHIN_MS);
    let until = at.plus_ms(READY_SEEN_WITHIN_MS);
    let in_force = ready
        .partition_point(|(since, _)| *since <= from)
        .saturating_sub(1);
    let end = ready.partition_point(|(since, _)| *since <= until);
    ready
        .get(in_force..end)
        .unwrap_or(&[])
        .iter()
        .map(|(_, replicas)| *replicas)
        .max()
        .unwrap_or(0)
}

/// A bucket that earns at the higher of the rates before and after each step, and starts full. If
/// it never runs dry, every window saw at most `rate * window + burst`.
///
/// The script credits time whenever it runs, also when it has nothing to log. For this replay to
/// see the same time, the log carries the line's clock (the latest instant any replica named), not
/// the caller's: a caller that was held up between reading its clock and being served would log
/// an admission before the instant up to which its token had been earned. Changes of the rate are
/// logged for the same reason.
fn within_rate_and_burst(check: &mut Check, evidence: &Evidence) {
    let depth_milli = i64::from(evidence.sale.admission.burst.max(1)) * 1000;
    let mut tokens_milli = depth_milli;
    let mut before: Option<&LogEntry> = None;
    for entry in &evidence.log {
        if let Some(before) = before {
            let rate = i64::from(entry.rate_per_s.max(before.rate_per_s));
            let earned = entry.at.since(before.at).max(0).saturating_mul(rate);
            tokens_milli = tokens_milli.saturating_add(earned).min(depth_milli);
        }
        if entry.kind == LogKind::Admit {
            tokens_milli -= 1000;
            check.that(tokens_milli >= 0, || {
                format!(
                    "by {} more were admitted than {}/s and a burst of {} allow",
                    entry.at.0,
                    entry.rate_per_s,
                    depth_milli / 1000
                )
            });
            tokens_milli = tokens_milli.max(0);
        }
        // Two logs of a line that was lost and revived may overlap: no time is counted twice.
        if before.is_none_or(|before| before.at <= entry.at) {
            before = Some(entry);
        }
    }
}

/// The line opened within 250 ms of the announced instant, and nobody went in before.
pub(super) fn on_time(evidence: &Evidence) -> Finding {
    let mut check = Check::of(Law::OnTime);
    let opens_at = evidence.sale.schedule.opens_at;
    for entry in evidence.log.iter().filter(|entry| entry.kind == LogKind::Admit) {
        check.that(entry.at >= opens_at, || {
            let user = entry.user.unwrap_or_default();
            format!(
                "user {user} went in {} ms before the opening",
                opens_at.since(entry.at)
            )
        });
    }
    let Some(open) = evidence.log.iter().find(|entry| entry.kind == LogKind::Open) else {
        return if evidence.taken_at < opens_at.plus_ms(LATE_MS_MAX) {
            check.lacks("the sale has not opened yet", true)
        } else if evidence.observed.held_at_opening {
            check.lacks("an operator held the line across the opening", true)
        } else if evidence.log.iter().any(|entry| entry.kind == LogKind::Revive) {
            check.lacks(
                "Redis lost the log of the opening, and every replica that saw it",
                true,
            )
        } else {
            check.lacks("the log has no opening", false)
        };
    };
    let late_ms = open.at.since(opens_at);
    if evidence.observed.held_at_opening {
        return check.lacks("an operator held the line across the opening", true);
    }
    check.that((0..=LATE_MS_MAX).contains(&late_ms), || {
        format!("the line opened {late_ms} ms after the announced instant")
    });
    check.conclude(format!("opened {late_ms} ms after the announced instant"))
}
