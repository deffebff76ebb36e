//! monotone-serving and free-poll: what clients saw of the line, and what it cost to show it.

use super::{Evidence, Finding, ServingSeen, check::Check};
use crate::{law::Law, room::COPY_AGE_MS};
use std::collections::BTreeMap;

/// Reads per replica and second that keep a copy at most a second old: one, with room for
/// refreshing early and for retries.
const READS_PER_REPLICA_S_MAX: u64 = 10;
/// Reads each replica may spend on starting.
const READS_PER_REPLICA_AT_START_MAX: u64 = 20;

/// The counter that clients saw never went back, and never passed the last place.
///
/// With several replicas, two answers can differ by the age of their copies; an answer
/// is held against those that came more than that before it was asked for.
pub(super) fn monotone_serving(evidence: &Evidence) -> Finding {
    let mut check = Check::of(Law::MonotoneServing);
    let samples = &evidence.observed.serving;
    if samples.is_empty() {
        let excused = evidence.taken_at < evidence.sale.schedule.pre_queue_at;
        return check.lacks("no client saw a serving counter", excused);
    }
    let replicas = evidence.observed.polls.map_or(u32::MAX, |polls| polls.replicas);
    let copies_differ_ms = if replicas <= 1 { 0 } else { COPY_AGE_MS };
    let mut lines: BTreeMap<Option<u32>, Vec<&ServingSeen>> = BTreeMap::new();
    for seen in samples {
        check.that(seen.serving <= seen.issued, || {
            format!(
                "at {} serving was {} of {} issued",
                seen.answered_at.0, seen.serving, seen.issued
            )
        });
        lines.entry(seen.epoch).or_default().push(seen);
    }
    for (epoch, line) in &lines {
        if let Some(room) = evidence
            .room
            .as_ref()
            .filter(|room| epoch.is_none_or(|epoch| epoch == room.epoch))
        {
            let furthest = line.iter().map(|seen| seen.serving).max().unwrap_or(0);
            check.that(furthest <= room.issued, || {
                format!(
                    "serving {furthest} was seen, but only {} places were ever issued",
                    room.issued
                )
            });
        }
        never_back(&mut check, line, copies_differ_ms);
    }
    check.conclude(format!("{} answers to clients", samples.len()))
}

fn never_back(check: &mut Check, line: &[&ServingSeen], copies_differ_ms: i64) {
    let mut by_sent = line.to_vec();
    by_sent.sort_unstable_by_key(|seen| seen.sent_at);
    let mut by_answered = line.to_vec();
    by_answered.sort_unstable_by_key(|seen| seen.answered_at);
    let mut answered = by_answered.into_iter().peekable();
    let mut furthest = 0_u64;
    for seen in by_sent {
        while let Some(earlier) =
            answered.next_if(|earlier| seen.sent_at.since(earlier.answered_at) > copies_differ_ms)
        {
            furthest = furthest.max(earlier.serving);
        }
        check.that(seen.serving >= furthest, || {
            format!(
                "at {} serving was {} after {furthest} had been seen",
                seen.answered_at.0, seen.serving
            )
        });
    }
}

/// The stores were read by the clock and not by the crowd.
pub(super) fn free_poll(evidence: &Evidence) -> Finding {
    let mut check = Check::of(Law::FreePoll);
    let Some(cost) = evidence.observed.polls.filter(|cost| cost.polls > 0) else {
        let excused = evidence.taken_at < evidence.sale.schedule.pre_queue_at;
        return check.lacks("no poll was counted", excused);
    };
    let seconds = cost.duration_ms.div_ceil(1000);
    let per_replica = seconds
        .saturating_mul(READS_PER_REPLICA_S_MAX)
        .saturating_add(READS_PER_REPLICA_AT_START_MAX);
    let allowed = per_replica.saturating_mul(u64::from(cost.replicas.max(1)));
    check.that(cost.store_reads <= allowed, || {
        format!(
            "{} reads for {} polls; {allowed} are enough for {seconds} s",
            cost.store_reads, cost.polls
        )
    });
    check.conclude(format!(
        "{} polls cost {} reads in {seconds} s on {} replicas",
        cost.polls, cost.store_reads, cost.replicas
    ))
}
