//! One verdict, and a reason for each way a result can be worth nothing. The results are real ones in
//! shape: packed by the runner's side, cut, put together and judged by loadgen's own merge.

use super::super::collect::collect;
use super::super::names;
use super::super::runner::pieces;
use super::super::tests::{OPENS_AT, SCENARIO, orders, run, scenario};
use super::*;
use k8s_openapi::api::core::v1::ConfigMap;
use samples::nobody_came;
use urr_loadgen::segments::Segment;
use urr_loadgen::segments::handover::fingerprint;

#[path = "../../../tests/samples/mod.rs"]
mod samples;

/// A result as a runner that saw nothing would have it.
pub(crate) fn part(segment: &str, change: impl FnOnce(&mut SegmentResult)) -> SegmentResult {
    let scenario = scenario();
    let instants = [OPENS_AT.plus_s(-5), OPENS_AT];
    let mut part = nobody_came(segment, (&scenario.name, scenario.seed), instants);
    change(&mut part);
    part
}

fn handed_in(part: SegmentResult, pod: &str) -> Vec<ConfigMap> {
    let segment: Segment = part.segment;
    let packed = HandIn::new(part, orders(2).fingerprint).pack(usize::MAX).unwrap();
    maps(segment, &packed, pod)
}

fn maps(segment: Segment, packed: &[u8], pod: &str) -> Vec<ConfigMap> {
    pieces("j-1", pod, &orders(2), segment, packed)
}

fn both() -> Vec<ConfigMap> {
    let mut all = handed_in(part("1/2", |_| ()), "a");
    all.extend(handed_in(part("2/2", |_| ()), "b"));
    all
}

fn judged(run: &LoadRun, maps: Vec<ConfigMap>) -> Verdict {
    judge(run, &orders(2), &scenario(), collect(maps, "j-1"))
}

fn reason_of(verdict: &Verdict) -> (&'static str, &str) {
    let failure = verdict.failure.as_ref().unwrap();
    (failure.reason, &failure.message)
}

#[test]
fn the_pieces_of_all_runners_become_one_verdict() {
    let verdict = judged(&run(), both());
    // Nobody came, so thresholds are missed; but everything was there, and judged.
    let merged = verdict.merged.as_ref().unwrap();
    assert_eq!(merged.thresholds.len(), scenario().thresholds.len());
    assert_eq!(verdict.skew_ms, Some(0));
    assert_eq!(verdict.lost_visitors, None);
    assert_eq!(verdict.finished_at, Some(OPENS_AT.plus_s(20)));
}

#[test]
fn a_missing_result_fails_the_run_and_is_named() {
    let first = handed_in(part("1/2", |_| ()), "a");
    let verdict = judged(&run(), first.clone());
    assert_eq!(
        reason_of(&verdict),
        (reason::RESULT_MISSING, "segment 2 was not handed in")
    );
    // With Continue it is merged from what is there, and still no passing rehearsal.
    let mut goes_on = run();
    goes_on.spec.when_runner_lost = WhenRunnerLost::Continue;
    let verdict = judged(&goes_on, first);
    assert_eq!(reason_of(&verdict).0, reason::INVALID);
    assert_eq!(verdict.lost_visitors, Some(50));
    assert!(verdict.merged.is_some());
    assert_eq!(reason_of(&judged(&goes_on, vec![])).0, reason::RESULT_MISSING);
}

#[test]
fn a_result_that_is_there_twice_is_nobodys() {
    let mut all = both();
    let mut again = handed_in(part("2/2", |_| ()), "c");
    again[0].metadata.name = Some("another-name".into());
    all.extend(again);
    let verdict = judged(&run(), all);
    let (why, message) = reason_of(&verdict);
    assert_eq!(why, reason::RESULT_TWICE);
    assert!(message.contains("segment 2"), "{message}");
}

#[test]
fn a_result_of_another_run_is_refused_whatever_it_is_called() {
    let with = |second: SegmentResult, print: String| {
        let mut all = handed_in(part("1/2", |_| ()), "a");
        let packed = HandIn::new(second, print).pack(usize::MAX).unwrap();
        all.extend(maps("2/2".parse().unwrap(), &packed, "b"));
        let verdict = judged(&run(), all);
        let (why, message) = reason_of(&verdict);
        (why, message.to_owned())
    };
    let ours = orders(2).fingerprint;
    let other_seed = with(part("2/2", |part| part.seed = 8), ours.clone());
    assert_eq!(other_seed.0, reason::RESULT_OF_ANOTHER_RUN);
    let other_text = with(part("2/2", |_| ()), fingerprint(&format!("{SCENARIO}\n"), 1));
    assert_eq!(other_text.0, reason::RESULT_OF_ANOTHER_RUN);
    let other_opening = with(part("2/2", |part| part.opens_at = OPENS_AT.plus_s(1)), ours);
    assert!(
        other_opening.1.contains("the opening differs"),
        "{other_opening:?}"
    );
    let mut all = both();
    all.extend(handed_in(part("3/3", |_| ()), "c"));
    assert_eq!(reason_of(&judged(&run(), all)).0, reason::RESULT_OF_ANOTHER_RUN);
    // Of another Job: as if it were not there.
    let mut all = both();
    all[1].metadata.owner_references.as_mut().unwrap()[0].uid = "j-2".into();
    assert_eq!(reason_of(&judged(&run(), all)).0, reason::RESULT_MISSING);
}

#[test]
fn pieces_that_do_not_fit_are_told_by_their_name() {
    let broken = |change: fn(&mut ConfigMap)| {
        let mut all = both();
        change(&mut all[1]);
        let verdict = judged(&run(), all);
        let (why, message) = reason_of(&verdict);
        assert_eq!(why, reason::RESULT_MISSING);
        message.to_owned()
    };
    let annotation = |map: &mut ConfigMap, key: &str, value: &str| {
        let all = map.metadata.annotations.as_mut().unwrap();
        all.insert(key.to_owned(), value.to_owned());
    };
    assert!(broken(|map| map.binary_data = None).contains("is empty"));
    let mut all = both();
    annotation(&mut all[1], names::PIECES_ANNOTATION, "2");
    let verdict = judged(&run(), all);
    assert!(reason_of(&verdict).1.contains("1 of 2 pieces"), "{verdict:?}");
    let cut = broken(|map| {
        let data = map.binary_data.as_mut().unwrap();
        data.get_mut(names::PIECE_KEY).unwrap().0.truncate(50);
    });
    assert!(cut.contains("segment 2: it cannot be unpacked"), "{cut}");
}

#[test]
fn runners_that_began_too_far_apart_say_nothing() {
    let mut all = handed_in(part("1/2", |_| ()), "a");
    let late = part("2/2", |part| part.started_at = part.started_at.plus_ms(251));
    all.extend(handed_in(late, "b"));
    let verdict = judged(&run(), all);
    assert_eq!(reason_of(&verdict).0, reason::SKEWED);
    assert_eq!(verdict.skew_ms, Some(251));
}

#[test]
fn a_clock_that_is_wrong_counts_as_what_it_is() {
    let mut all = handed_in(part("1/2", |_| ()), "a");
    let mut behind = HandIn::new(part("2/2", |_| ()), orders(2).fingerprint);
    behind.clock_behind_ms = Some(900);
    all.extend(maps(
        "2/2".parse().unwrap(),
        &behind.pack(usize::MAX).unwrap(),
        "b",
    ));
    let verdict = judged(&run(), all);
    assert_eq!(verdict.skew_ms, Some(900), "by its own clock it began in time");
    assert_eq!(reason_of(&verdict).0, reason::SKEWED);
}

#[test]
fn a_law_that_visitors_saw_broken_weighs_more_than_any_figure() {
    let mut all = handed_in(part("1/2", |_| ()), "a");
    let mut broken = HandIn::new(part("2/2", |_| ()), orders(2).fingerprint);
    broken.intrusions_got_in = 1;
    all.extend(maps(
        "2/2".parse().unwrap(),
        &broken.pack(usize::MAX).unwrap(),
        "b",
    ));
    let verdict = judged(&run(), all);
    assert_eq!(reason_of(&verdict).0, reason::LAW_BROKEN);
    assert_eq!(verdict.broken_laws, ["no-back-door"]);
}

#[test]
fn a_long_result_travels_in_several_pieces_in_any_order() {
    let noise: Vec<u8> = (0..2_000_000_u64)
        .map(|n| u8::try_from(n * n % 251).unwrap())
        .collect();
    let mut all = maps("1/2".parse().unwrap(), &noise, "a");
    assert_eq!(all.len(), 3);
    assert!(
        all.iter()
            .all(|map| serde_json::to_vec(map).unwrap().len() < 1_400_000)
    );
    all.reverse();
    let put_together = collect(all, "j-1");
    // It is no result, so it was put together whole and then found unreadable.
    let Handed::Broken(what) = &put_together[&1] else {
        panic!("{put_together:?}");
    };
    assert!(what.contains("cannot be unpacked"), "{what}");
}
