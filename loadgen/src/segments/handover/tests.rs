//! What is handed in is whole, of one run, and bounded.

use super::*;
use crate::observe::{Intrusion, PlaceSeen, WaitSeen};
use crate::result::Generator;
use crate::scenario::Trick;

fn result(visitors: u64) -> SegmentResult {
    let places = (0..visitors).map(|nth| PlaceSeen {
        sent_us: i64::try_from(nth * 7919 % 100_003).unwrap(),
        answered_us: i64::try_from(nth * 104_729 % 1_000_003).unwrap(),
        position: nth,
    });
    let waits = (0..visitors).map(|nth| WaitSeen {
        arrived_us: i64::try_from(nth * 31).unwrap(),
        waited_ms: u32::try_from(nth % 5000).unwrap(),
        position: nth,
        persona: 0,
    });
    SegmentResult {
        segment: "2/3".parse().unwrap(),
        scenario: "good".to_owned(),
        seed: 7,
        started_at: Millis(1),
        opens_at: Millis(5000),
        finished_at: Millis(9000),
        funnel: crate::measure::Funnel::default(),
        steps: Vec::new(),
        series: Vec::new(),
        personas: Vec::new(),
        generator: Generator::default(),
        goose: crate::result::GooseSummary::default(),
        cut_short: None,
        observations: Observations {
            places: places.collect(),
            waits: waits.collect(),
            intrusions: vec![Intrusion {
                trick: Trick::ForgedToken,
                request: "r".to_owned(),
                status: 200,
                got_in: true,
            }],
            ..Observations::default()
        },
    }
}

#[test]
fn what_is_handed_in_comes_out_as_it_went_in_but_for_the_auditors_notes() {
    let print = fingerprint("name: good", 7);
    let packed = HandIn::new(result(1000), print.clone())
        .pack(PIECE_BYTES_MAX)
        .unwrap();
    let read = HandIn::unpack(&packed).unwrap();
    assert_eq!((read.fingerprint, read.intrusions_got_in), (print, 1));
    let (seen, whole) = (read.result.observations, result(1000).observations);
    assert_eq!((seen.places, seen.waits), (whole.places, whole.waits));
    assert!(seen.intrusions.is_empty(), "counted, not kept");
}

#[test]
fn notes_that_do_not_fit_are_counted_and_make_the_run_invalid() {
    let print = fingerprint("name: good", 7);
    let packed = HandIn::new(result(20_000), print.clone()).pack(8 * 1024).unwrap();
    assert!(packed.len() <= 8 * 1024);
    let read = HandIn::unpack(&packed).unwrap().result;
    assert_eq!(read.observations.not_kept, 40_000);
    let why = read.cut_short.unwrap();
    assert!(
        why.starts_with("40000 notes") && why.contains("use more workers"),
        "{why}"
    );
    assert!(
        HandIn::new(result(0), print).pack(16).is_err(),
        "not even without notes"
    );
}

#[test]
fn a_million_visitors_fit_into_what_a_run_may_hand_in() {
    let visitors = 20_000;
    let packed = HandIn::new(result(visitors), fingerprint("name: good", 7))
        .pack(RUN_BYTES_MAX)
        .unwrap();
    let each = packed.len() as u64 / visitors;
    assert!(
        each * VISITORS_MAX < RUN_BYTES_MAX as u64,
        "{each} bytes for each visitor"
    );
}

#[test]
fn equal_names_are_not_equal_crowds() {
    assert_eq!(fingerprint("a", 1), fingerprint("a", 1));
    assert_ne!(fingerprint("a", 1), fingerprint("a", 2));
    assert_ne!(fingerprint("a", 1), fingerprint("b", 1));
    assert_eq!(fingerprint("a", 1).len(), 64);
}

#[test]
fn what_is_no_hand_in_is_refused_with_a_reason() {
    assert!(matches!(HandIn::unpack(b"nonsense"), Err(Unreadable::Packed(_))));
    let packed = |json: &str| {
        let mut packer = GzEncoder::new(Vec::new(), Compression::default());
        packer.write_all(json.as_bytes()).unwrap();
        packer.finish().unwrap()
    };
    let newer = HandIn::unpack(&packed(r#"{"format": "urr-segment-2"}"#)).unwrap_err();
    assert!(newer.to_string().contains("urr-segment-2"), "{newer}");
    assert!(matches!(
        HandIn::unpack(&packed(r#"{"format": "urr-segment-1"}"#)),
        Err(Unreadable::Content(_))
    ));
}

#[test]
fn more_workers_share_one_budget_but_each_can_hand_in_its_figures() {
    assert_eq!(budget(1), RUN_BYTES_MAX);
    assert_eq!(budget(64), RUN_BYTES_MAX / 64);
    assert_eq!(budget(1000), WORKER_BYTES_MIN);
}
