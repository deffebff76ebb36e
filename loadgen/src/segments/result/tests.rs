//! Pieces that fit, and pieces that do not.

use super::*;

fn scenario() -> Scenario {
    Scenario::parse("good.yaml", include_str!("../../../tests/good.yaml")).unwrap()
}

fn part(text: &str) -> SegmentResult {
    let scenario = scenario();
    SegmentResult {
        segment: text.parse().unwrap(),
        scenario: scenario.name,
        seed: scenario.seed,
        started_at: Millis(1),
        opens_at: Millis(5000),
        finished_at: Millis(9000),
        funnel: Funnel::default(),
        steps: Vec::new(),
        series: Vec::new(),
        personas: Vec::new(),
        generator: Generator::default(),
        goose: GooseSummary::default(),
        cut_short: None,
        observations: Observations::default(),
    }
}

#[test]
fn only_the_pieces_of_one_run_are_merged_and_all_of_them() {
    let scenario = scenario();
    let of = |parts: Vec<SegmentResult>| merge(&scenario, parts).map(|result| result.funnel);
    assert_eq!(of(vec![]), Err(MergeError::Nothing));
    assert!(of(vec![part("2/3"), part("3/3"), part("1/3")]).is_ok());
    let found_two = Err(MergeError::Incomplete { found: 2, of: 3 });
    assert_eq!(of(vec![part("2/3"), part("3/3")]), found_two);
    assert_eq!(of(vec![part("2/3"), part("3/3"), part("3/3")]), found_two);
    let mut other = part("3/3");
    other.opens_at = Millis(6000);
    let error = of(vec![part("1/3"), part("2/3"), other]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "segment 3/3 is of another run: the opening differs"
    );
}

#[test]
fn what_there_is_of_a_run_with_missing_pieces_is_merged_and_never_valid() {
    let scenario = scenario();
    let of = |parts: Vec<SegmentResult>| merge_what_is_there(&scenario, parts);
    let (result, lost) = of(vec![part("1/3"), part("3/3")]).unwrap();
    let everybody = u64::from(scenario.crowd.visitors + scenario.browsers);
    assert!(
        lost >= everybody / 3 && lost <= everybody / 3 + 2,
        "{lost} of {everybody}"
    );
    assert_eq!(result.exit_code(), 97);
    let reason = &result.validity.reasons[0];
    assert!(
        reason.contains("2/3") && reason.contains(&lost.to_string()),
        "{reason}"
    );
    let (_, none) = of(vec![part("1/3"), part("2/3"), part("3/3")]).unwrap();
    assert_eq!(none, 0);
    assert!(of(vec![part("1/3"), part("1/3")]).is_err());
    let all: Vec<Segment> = (1..=3).filter_map(|nth| Segment::new(nth, 3)).collect();
    assert_eq!(visitors_of(&scenario, &all), everybody);
}

#[test]
fn a_worker_that_was_cut_short_cuts_the_run_short_and_is_named() {
    let mut second = part("2/2");
    second.cut_short = Some("it was interrupted".to_owned());
    let merged = merge(&scenario(), vec![part("1/2"), second]).unwrap();
    assert_eq!(
        merged.cut_short.as_deref(),
        Some("segment 2/2: it was interrupted")
    );
    assert_eq!(merged.exit_code(), 97);
}

#[test]
fn seconds_are_added_by_their_distance_from_the_opening() {
    let second = |at, arrived| Second {
        at: Millis(at),
        arrived,
        admitted: 0,
        sold: 0,
        requests: 0,
        errors: 0,
        late: 0,
        dropped: 0,
        waiting: 1,
        inside: 0,
        p95_us: vec![Some(arrived), None],
    };
    let series = vec![
        vec![second(4100, 1), second(5100, 2)],
        vec![second(4900, 10), second(5999, 20), second(6000, 30)],
    ];
    let sums = add_seconds(series, Millis(5000));
    let arrived: Vec<u64> = sums.iter().map(|second| second.arrived).collect();
    assert_eq!(arrived, [11, 22, 30]);
    assert_eq!(
        (sums[0].waiting, sums[0].p95_us[0], sums[0].p95_us[1]),
        (2, Some(10), None)
    );
}
