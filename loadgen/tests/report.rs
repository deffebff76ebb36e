//! The report tells one story three times: for people, for scripts, for CI.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use serde_json::Value;
use urr_core::audit::{AuditReport, Finding, Verdict};
use urr_core::law::Law;
use urr_core::sale::Phase;
use urr_core::snapshot::{EventLine, SeatsView, SectionView, Snapshot};
use urr_core::time::Millis;
use urr_loadgen::Scenario;
use urr_loadgen::measure::{Funnel, Lane, Outcome, Second, Step, StepSummary};
use urr_loadgen::observe::{Intrusion, Observations, Purchase, WaitSeen};
use urr_loadgen::report::{Conclusion, Meta, RunReport, write};
use urr_loadgen::result::{GooseSummary, Judged, LoadResult, Validity, deciles};
use urr_loadgen::scenario::Trick;
use uuid::Uuid;

const OPENS: i64 = 1_795_000_000_000;

/// A made-up but plausible opening: 5,000 people, 1,000 seats, 120 let in per second.
fn sample() -> RunReport {
    let scenario = Scenario::load(
        &std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/club-night.yaml"),
    )
    .unwrap();
    let sale = scenario.sale(Uuid::from_u128(1), Millis(OPENS - 8000));
    let mut arrived_before = 0_u64;
    let (mut admitted, mut sold) = (0_u64, 0_u64);
    let mut series = Vec::new();
    for s in -7_i64..=30 {
        let arrived = match s {
            -5..=-1 => 250,
            0..=4 => [1500, 900, 500, 300, 150][usize::try_from(s).unwrap()],
            5..=9 => 80,
            _ => 0,
        };
        arrived_before += arrived;
        let let_in = if s >= 0 && admitted < 3000 { 120 } else { 0 };
        admitted += let_in;
        let sells = if s >= 2 && sold < 1000 {
            60.min(1000 - sold)
        } else {
            0
        };
        sold += sells;
        let busy = u64::try_from(30 - s.abs()).unwrap_or(0);
        series.push(Second {
            at: Millis(OPENS + s * 1000),
            arrived,
            admitted: let_in,
            sold: sells,
            requests: arrived * 3,
            errors: 0,
            late: 0,
            dropped: 0,
            waiting: arrived_before.saturating_sub(admitted),
            inside: let_in * 2,
            p95_us: Step::ALL
                .iter()
                .map(|step| match step {
                    Step::Join if arrived > 0 => Some(4000 + busy * 900),
                    Step::Poll => Some(2000 + busy * 200),
                    Step::SeatMap | Step::Hold if s >= 0 => Some(15_000 + busy * 900),
                    Step::Confirm if s >= 2 => Some(160_000 + busy * 2000),
                    _ => None,
                })
                .collect(),
        });
    }
    let summary = |step, lane, total, p95_us: u64| StepSummary {
        step,
        lane,
        fine: total,
        declined: 0,
        failed: 0,
        late: 0,
        p50_us: p95_us / 3,
        p95_us,
        p99_us: p95_us * 2,
        max_us: p95_us * 4,
        mean_us: 1.0,
        service_p50_us: p95_us / 4,
        service_p95_us: p95_us * 9 / 10,
    };
    let mut outcomes = vec![0; Outcome::ALL.len()];
    for (outcome, n) in [
        (Outcome::Bought, 1000),
        (Outcome::Browsed, 180),
        (Outcome::GaveUp, 320),
        (Outcome::SoldOut, 3300),
        (Outcome::LostRace, 40),
        (Outcome::HoldLost, 60),
        (Outcome::Blocked, 100),
        (Outcome::StillWaiting, 20),
    ] {
        outcomes[outcome as usize] = n;
    }
    let observations = Observations {
        waits: (0..3000)
            .map(|n| WaitSeen {
                arrived_us: i64::from(n) * 3000 - 5_000_000,
                waited_ms: (n / 120 * 1000 + 5000_u32).saturating_sub(n * 3),
                position: u64::from(n) + 1,
            })
            .collect(),
        purchases: (0..1000)
            .map(|n| Purchase {
                user: Uuid::from_u128(n),
                reservation: Uuid::from_u128(n),
                seats: vec![Uuid::from_u128(n)],
                order: String::new(),
                payment_key: String::new(),
                amount_krw: 88_000,
                at: Millis(OPENS + 2000 + i64::try_from(n).unwrap() * 17),
            })
            .collect(),
        intrusions: Trick::ALL
            .iter()
            .map(|trick| Intrusion {
                trick: *trick,
                request: "POST /x".to_owned(),
                status: 403,
                got_in: false,
            })
            .collect(),
        ..Observations::default()
    };
    let load = LoadResult {
        scenario: scenario.name.clone(),
        title: scenario.title.clone(),
        seed: scenario.seed,
        started_at: Millis(OPENS - 8000),
        opens_at: Millis(OPENS),
        finished_at: Millis(OPENS + 30_000),
        visitors: 5000,
        browsers: 20,
        seats: 1000,
        funnel: Funnel {
            arrived: 5020,
            joined: 4920,
            served: 3100,
            admitted: 3000,
            held: 1060,
            paid: 1060,
            sold: 1000,
            requests: 41_377,
            late: 12,
            conflicts: 312,
            registered: 4,
            outcomes,
            ..Funnel::default()
        },
        steps: vec![
            summary(Step::Join, Lane::Crowd, 4900, 31_000),
            summary(Step::Poll, Lane::Crowd, 22_000, 8_300),
            summary(Step::Queue, Lane::Crowd, 3100, 9_000),
            summary(Step::SeatMap, Lane::Crowd, 3600, 42_000),
            summary(Step::Hold, Lane::Crowd, 1372, 61_000),
            summary(Step::Confirm, Lane::Crowd, 1060, 210_000),
            summary(Step::Wait, Lane::Crowd, 3000, 24_000_000),
            summary(Step::Journey, Lane::Crowd, 1000, 27_000_000),
            summary(Step::Join, Lane::Browser, 20, 29_000),
        ],
        waiting: deciles(&observations),
        series,
        thresholds: vec![
            Judged {
                rule: "join p95 < 100ms".to_owned(),
                observed: "31 ms".to_owned(),
                passed: true,
                judge: "goose: 31.0ms".to_owned(),
            },
            Judged {
                rule: "dropped <= 0".to_owned(),
                observed: "0".to_owned(),
                passed: true,
                judge: "loadgen".to_owned(),
            },
        ],
        validity: Validity::default(),
        goose: GooseSummary {
            requests: 41_377,
            ..GooseSummary::default()
        },
        cut_short: None,
        observations,
    };
    let snapshots = (-7_i64..=30)
        .map(|s| {
            let sold = u64::try_from((s - 2).clamp(0, 17) * 60).unwrap().min(1000);
            let held = if sold > 0 && sold < 1000 {
                90.min(1000 - sold)
            } else {
                0
            };
            Snapshot {
                sale: sale.id,
                name: sale.name.clone(),
                at: Millis(OPENS + s * 1000),
                phase: Phase::Open,
                opens_at: Millis(OPENS),
                closes_at: sale.schedule.closes_at,
                room: None,
                queue: None,
                seats: Some(SeatsView {
                    capacity: 1000,
                    free: 1000 - sold - held,
                    held,
                    sold,
                    sections: ["FLOOR", "LEFT", "RIGHT", "BALCONY"]
                        .iter()
                        .map(|name| SectionView {
                            name: (*name).to_owned(),
                            capacity: 250,
                            held: 0,
                            sold: sold / 4,
                        })
                        .collect(),
                }),
                warnings: Vec::new(),
                events: Vec::new(),
            }
        })
        .collect();
    RunReport {
        load,
        audit: Some(AuditReport {
            sale: sale.id,
            taken_at: Millis(OPENS + 31_000),
            findings: Law::ALL
                .iter()
                .map(|law| Finding {
                    law: *law,
                    verdict: Verdict::Held,
                    checked: 4920,
                    detail: "1,000 seats, each with one owner; sold + held + free = 1,000".to_owned(),
                    examples: Vec::new(),
                    excused: false,
                })
                .collect(),
        }),
        sale,
        snapshots,
        meta: Meta {
            scenario_file: "scenarios/club-night.yaml".to_owned(),
            about: scenario.about,
            sources: vec!["made up <for> this test".to_owned()],
            venue: scenario.sale.venue,
            command: "ticketctl drill scenarios/club-night.yaml".to_owned(),
            machine: "2 cores, 24 GiB".to_owned(),
            version: "ticketctl 0.1.0".to_owned(),
            events: vec![EventLine {
                at: Millis(OPENS + 12_000),
                actor: "drill".to_owned(),
                text: "kill -9 control-plane".to_owned(),
            }],
        },
    }
}

/// The three files' contents.
fn written(report: &RunReport) -> (String, Value, String) {
    let dir = std::env::temp_dir().join(format!("urr-report-{}", Uuid::new_v4()));
    std::fs::create_dir_all(&dir).unwrap();
    let files = write(&dir, report).unwrap();
    let read = |path| std::fs::read_to_string(path).unwrap();
    let texts = (
        read(files.html),
        serde_json::from_str(&read(files.json)).unwrap(),
        read(files.junit),
    );
    std::fs::remove_dir_all(&dir).unwrap();
    texts
}

/// To look at the page: `URR_REPORT_SAMPLE=/tmp/sample cargo test -p urr-loadgen --test report`.
#[test]
fn the_sample_can_be_looked_at() {
    if let Some(dir) = std::env::var_os("URR_REPORT_SAMPLE") {
        std::fs::create_dir_all(&dir).unwrap();
        write(std::path::Path::new(&dir), &sample()).unwrap();
    }
}

#[test]
fn page_json_and_junit_agree_on_a_good_run() {
    let report = sample();
    assert_eq!(report.conclusion(), Conclusion::Passed);
    let (html, json, junit) = written(&report);
    assert!(html.contains("<strong>Passed.</strong>"));
    assert!(html.contains("₩88,000,000") && html.contains("5,020 people came for 1,000 seats"));
    assert!(html.contains("made up &lt;for&gt; this test"), "text is escaped");
    assert_eq!(json["apiVersion"], "urr.io/drill-report/v1");
    assert_eq!(
        (&json["conclusion"], &json["exitCode"]),
        (&"passed".into(), &0.into())
    );
    assert_eq!(json["load"]["funnel"]["sold"], 1000);
    assert!(
        junit.contains("tests=\"14\" failures=\"0\" skipped=\"0\""),
        "{junit}"
    );
}

#[test]
fn a_page_needs_nothing_from_elsewhere() {
    let (html, _, _) = written(&sample());
    for foreign in ["src=\"http", "url(http", "<script", "<link", "@import"] {
        assert!(!html.contains(foreign), "{foreign}");
    }
    assert!(html.contains("<svg") && html.contains("prefers-color-scheme:dark"));
}

#[test]
fn a_broken_law_outweighs_everything_and_is_told_everywhere() {
    let mut report = sample();
    let audit = report.audit.as_mut().unwrap();
    audit.findings[0].verdict = Verdict::Broken;
    audit.findings[0].examples = vec!["seat A-1-1 has two owners & <one> too many".to_owned()];
    audit.findings[1].verdict = Verdict::Unproven;
    audit.findings[1].excused = true;
    report.load.validity.reasons.push("too slow".to_owned());
    report.load.thresholds[0].passed = false;
    assert_eq!(report.conclusion().exit_code(), 98);
    let (html, json, junit) = written(&report);
    assert!(html.contains("a law does not hold") && html.contains("two owners &amp; &lt;one&gt;"));
    assert_eq!(json["conclusion"], "law-broken");
    assert!(junit.contains("failures=\"3\" skipped=\"1\""), "{junit}");
    assert!(junit.contains("two owners &amp; &lt;one&gt; too many"));
}

#[test]
fn without_an_audit_nothing_has_passed() {
    let mut report = sample();
    report.audit = None;
    assert_eq!(report.conclusion().exit_code(), 98);
    let (html, json, junit) = written(&report);
    assert!(html.contains("The audit could not be made") && junit.contains("failures=\"1\""));
    assert!(json["audit"].is_null());
}

#[test]
fn saturation_comes_before_thresholds() {
    let mut report = sample();
    report.load.thresholds[0].passed = false;
    assert_eq!(report.conclusion().exit_code(), 99);
    report.load.validity.reasons.push("too slow".to_owned());
    assert_eq!(report.conclusion().exit_code(), 97);
}

#[test]
fn a_report_that_cannot_be_written_names_the_file_and_leaves_no_half_of_it() {
    let missing = std::path::Path::new("/nonexistent/urr");
    let error = write(missing, &sample()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot write report file /nonexistent/urr/report.html"
    );
}
