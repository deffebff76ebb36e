//! A made-up but plausible opening, to be told in a report.

use urr_core::audit::{AuditReport, Finding, Verdict};
use urr_core::draw::{Draw, Seed};
use urr_core::law::Law;
use urr_core::rate_steps::RateStep;
use urr_core::sale::{Ordering, Phase};
use urr_core::snapshot::{EventLine, SeatsView, SectionView, Snapshot};
use urr_core::time::Millis;
use urr_loadgen::Scenario;
use urr_loadgen::fairness::judge;
use urr_loadgen::measure::{Funnel, Lane, Outcome, Second, Step, StepSummary};
use urr_loadgen::observe::{DrawSeen, Intrusion, Observations, PlaceSeen, Purchase, WaitSeen};
use urr_loadgen::report::foretold::{Figure, Foretold};
use urr_loadgen::report::{Meta, ProcessUse, RunReport, StorageUse};
use urr_loadgen::result::{Generator, GooseSummary, Judged, LoadResult, Validity, deciles};
use urr_loadgen::scenario::Trick;
use urr_loadgen::stages::Milestones;
use urr_loadgen::tally::PersonaResult;
use uuid::Uuid;

pub(crate) const OPENS: i64 = 1_795_000_000_000;

/// A made-up but plausible opening: 5,000 people, 1,000 seats, 120 let in per second.
pub(crate) fn sample() -> RunReport {
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
                persona: 0,
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
        milestones: Milestones {
            first_join_ms: Some(-5000),
            sold_out_ms: Some(18_983),
            last_sale_ms: Some(18_983),
        },
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
        waiting: deciles(
            &observations,
            &(0..5000)
                .map(|n| i64::from(n) * 3000 - 5_000_000)
                .collect::<Vec<_>>(),
        ),
        fairness: judge(&places(), None),
        personas: personas(),
        generator: generator(),
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
        rate_steps: vec![
            RateStep {
                at: Millis(OPENS + 2000),
                from_per_s: 100,
                to_per_s: 120,
                why: "pools are 12 % full, 80 are allowed, and 100/s was borne".to_owned(),
            },
            RateStep {
                at: Millis(OPENS + 11_200),
                from_per_s: 120,
                to_per_s: 70,
                why: "reservations take 1900 ms at the 99th percentile, 1000 are allowed".to_owned(),
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
                ..Snapshot::unknown(sale.id)
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
            stages: vec![("engines".to_owned(), 2100), ("services".to_owned(), 3400)],
            storage: Some(StorageUse {
                item_writes: 1240,
                item_writes_most_per_s: 212,
                polls: 22_000,
                store_reads: 61,
                clock_reads: 61,
                poll_reads: 0,
            }),
            processes: vec![ProcessUse {
                name: "gateway".to_owned(),
                cpu_s: 12.4,
                memory_most_bytes: 312_000_000,
            }],
            memory_most_bytes: Some(734_003_200),
            events: vec![EventLine {
                at: Millis(OPENS + 12_000),
                actor: "drill".to_owned(),
                text: "kill -9 control-plane".to_owned(),
            }],
            forecast: Some(foretold()),
        },
        sales: Vec::new(),
    }
}

/// A forecast that is right about the end and wrong about the wait.
fn foretold() -> Foretold {
    let figure = |name: &str, forecast, outcome, error, within| Figure {
        name: name.to_owned(),
        unit: "s".to_owned(),
        forecast: Some(forecast),
        outcome: Some(outcome),
        error_percent: Some(error),
        within,
    };
    let curve = |most: u64| {
        (0..30)
            .map(|s: u64| (s.cast_signed() * 1000, (s * 40).min(most)))
            .collect()
    };
    Foretold {
        figures: vec![
            figure("sold out after", 24.0, 25.0, -4.0, true),
            figure("median wait", 13.0, 10.0, 30.0, false),
        ],
        promised_percent: 15.0,
        sold: curve(1000),
        let_in: curve(1100),
    }
}

/// Places in order of arrival, 3 ms apart.
fn places() -> Vec<PlaceSeen> {
    (0..4920)
        .map(|n| PlaceSeen {
            sent_us: n * 3000 - 5_000_000,
            answered_us: n * 3000 - 4_996_000,
            position: n.unsigned_abs() + 1,
        })
        .collect()
}

/// Nine in ten people, the others scripts that got no more than chance gives.
fn personas() -> Vec<PersonaResult> {
    let persona = |name: &str, bot, came, admitted, seats| PersonaResult {
        name: name.to_owned(),
        bot,
        share_percent: 0.0,
        came,
        admitted,
        seats,
        outcomes: vec![0; Outcome::ALL.len()],
        wait_p50_ms: (admitted > 0).then_some(11_200),
        wait_p95_ms: (admitted > 0).then_some(23_400),
    };
    vec![
        persona("buys", false, 4420, 2620, 880),
        persona("grabs", true, 500, 380, 120),
        persona("intrudes", true, 100, 0, 0),
    ]
}

fn generator() -> Generator {
    Generator {
        late: 12,
        late_by_system: 12,
        waiting_most: 3200,
        waiting_bytes: 3200 * 72,
        lag_p99_us: 2100,
        lag_most_us: 9300,
        cpu_s: 6.3,
        cpu_most: 0.41,
        memory_most_bytes: 92_000_000,
        files: 290,
        files_limit: 20_000,
        ..Generator::default()
    }
}

/// A line in which half the places were drawn.
pub(crate) fn drawn(report: &mut RunReport) {
    let seed = Seed::from_bytes([9; 32]);
    let draw = Draw::new(&seed, 2000);
    let places: Vec<PlaceSeen> = places()
        .into_iter()
        .map(|place| PlaceSeen {
            position: draw.place(place.position),
            ..place
        })
        .collect();
    let seen = DrawSeen {
        commitment: Some(seed.commitment()),
        seed: Some(seed),
        drawn: Some(2000),
    };
    report.load.fairness = judge(&places, Some(&seen));
    report.sale.ordering = Ordering::Shuffle;
}
