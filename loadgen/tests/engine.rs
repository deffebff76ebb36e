//! How the generator behaves, seen from the other end of the wire.
//!
//! One run at a time: goose is stopped by a switch of the whole process.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod double;

use double::{Double, Manners};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use urr_core::time::Millis;
use urr_kit::clock::{Clock, SystemClock};
use urr_kit::testing::eventually;
use urr_loadgen::measure::{Lane, Outcome, Step};
use urr_loadgen::{Live, LoadError, LoadResult, Scenario, Target, run};
use uuid::Uuid;

static ONE_RUN: Mutex<()> = Mutex::const_new(());

/// A crowd of 90 for 30 seats, all of them there within a second, with `changes` made.
fn scenario(changes: &[(&str, &str)]) -> Scenario {
    let mut text = include_str!("good.yaml")
        // Time enough to set everything up, also where the machine stands still for a second or two.
        .replace("opens_in: 5s", "opens_in: 3s")
        .replace("pre_queue: 3s", "pre_queue: 500ms")
        .replace("duration: 20s", "duration: 6s")
        .replace("rows: 10, seats_per_row: 10", "rows: 3, seats_per_row: 10")
        .replace("visitors: 100", "visitors: 90")
        .replace("from: 0s, to: 5s", "from: -300ms, to: 500ms")
        .replace("think: 500ms", "think: 20ms")
        .replace("run_at_most: 40s", "run_at_most: 20s");
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    Scenario::parse("test.yaml", &text).unwrap_or_else(|error| panic!("{error}"))
}

struct Ran {
    result: LoadResult,
    double: Double,
    dir: tempdir::Dir,
}

async fn rehearse(scenario: &Scenario, manners: Manners) -> Ran {
    rehearse_until(scenario, manners, None).await
}

/// Interrupts the run once `joined` have a place, if given.
async fn rehearse_until(scenario: &Scenario, manners: Manners, joined: Option<usize>) -> Ran {
    let _one = ONE_RUN.lock().await;
    let (double, base_url) = Double::start(manners).await;
    let target = target(scenario, base_url);
    let dir = tempdir::Dir::new();
    let live = Arc::new(Live::new());
    let stop = CancellationToken::new();
    let interrupt = async {
        let Some(joined) = joined else { return };
        eventually(Duration::from_secs(60), "they have places", async || {
            double.seen.lock().unwrap().places.len() >= joined
        })
        .await;
        stop.cancel();
    };
    let (result, ()) = tokio::join!(run(scenario, &target, live, stop.clone(), dir.path()), interrupt);
    Ran {
        result: result.unwrap(),
        double,
        dir,
    }
}

fn target(scenario: &Scenario, base_url: String) -> Target {
    Target {
        base_url,
        sale: scenario.sale(Uuid::from_u128(0xfeed), SystemClock.now()),
        hall: scenario.hall(),
        secrets: Arc::new(urr_kit::Secrets::generate().unwrap()),
        opt_in: None,
    }
}

/// A directory that goes when it goes.
mod tempdir {
    use std::path::{Path, PathBuf};

    pub(crate) struct Dir(PathBuf);

    impl Dir {
        pub(crate) fn new() -> Self {
            let path = std::env::temp_dir().join(format!("urr-load-{}", uuid::Uuid::new_v4()));
            std::fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        pub(crate) fn path(&self) -> &Path {
            &self.0
        }
    }

    impl Drop for Dir {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn visitors_walk_the_whole_journey_obey_pacing_and_are_all_accounted_for() {
    let scenario = scenario(&[("registrations: 2", "registrations: 2\nbrowsers: 3")]);
    let Ran { result, double, dir } = rehearse(&scenario, Manners::default()).await;
    let seen = double.seen.lock().unwrap();
    let funnel = &result.funnel;

    assert_eq!((seen.hasty, seen.polls > 30), (0, true), "polls obey nextPollMs");
    assert_eq!(funnel.arrived, 93);
    assert_eq!(
        funnel.outcomes.iter().sum::<u64>(),
        93,
        "every journey ends in one way"
    );
    assert_eq!((seen.sold.len(), funnel.sold), (30, 30));
    assert_eq!(funnel.outcome(Outcome::Bought), 30);
    assert_eq!(funnel.outcome(Outcome::Failed), 0);
    assert_eq!(
        [funnel.waiting, funnel.inside, funnel.under_way, funnel.in_flight],
        [0; 4]
    );
    assert_eq!(u64::from(seen.left), funnel.admitted, "who was let in leaves");
    assert_eq!(
        seen.payment_keys.len(),
        seen.orders.len(),
        "every payment has a key of its own"
    );

    // Browsers carry cookies, the crowd a bearer token; both lanes are measured.
    assert!(
        seen.cookies >= 1 && seen.bearers > 30,
        "{} {}",
        seen.cookies,
        seen.bearers
    );
    assert!(
        result
            .steps
            .iter()
            .any(|s| s.lane == Lane::Browser && s.step == Step::Join)
    );
    assert_eq!((funnel.registered, seen.registered), (2, 4));

    // The back door was tried and was shut.
    assert!(!result.observations.laws.attempts.is_empty());
    assert!(
        result
            .observations
            .laws
            .attempts
            .iter()
            .all(|attempt| !attempt.got_in)
    );
    assert_eq!(funnel.outcome(Outcome::BrokeIn), 0);

    // Goose heard all of it, judged and wrote its report.
    assert_eq!(result.goose.error, None);
    let journeys: u64 = result.steps.iter().map(|step| step.total()).sum();
    assert_eq!(result.goose.requests, journeys);
    let rule = &result.thresholds[0];
    assert!(
        rule.rule == "poll p95 < 50ms" && rule.judge.starts_with("goose: "),
        "{rule:?}"
    );
    assert!(dir.path().join("goose.html").exists() && dir.path().join("goose.json").exists());

    assert_eq!(result.observations.laws.joins.len() as u64, funnel.joined);
    assert_eq!(result.waiting.len(), 10);
    assert_eq!(result.cut_short, None);
    assert!(result.series.iter().map(|second| second.arrived).sum::<u64>() == 93);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_hears_that_his_payment_is_processing_presses_on_and_has_no_ticket_before_it_is_said() {
    for refunds_after_silence in [false, true] {
        let manners = Manners {
            silent_presses: 1,
            refunds_after_silence,
            ..Manners::default()
        };
        let Ran { result, double, .. } = rehearse(&scenario(&[]), manners).await;
        let seen = double.seen.lock().unwrap();
        let funnel = &result.funnel;
        assert!(!seen.orders.is_empty());
        assert!(
            seen.orders.values().all(|presses| *presses >= 2),
            "{:?}",
            seen.orders
        );
        let bought = funnel.outcome(Outcome::Bought);
        if refunds_after_silence {
            assert_eq!((bought, funnel.sold), (0, 0), "what was refunded is no ticket");
            assert!(funnel.outcome(Outcome::HoldLost) > 0);
        } else {
            assert_eq!((bought, funnel.sold), (30, 30));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_seed_joins_with_the_same_people_and_another_with_others() {
    let joins = |changes: &'static [(&str, &str)]| async move {
        let ran = rehearse(
            &scenario(changes),
            Manners {
                rate_per_s: 2000,
                ..Manners::default()
            },
        )
        .await;
        let seen = ran.double.seen.lock().unwrap();
        seen.places
            .iter()
            .map(|(user, (_, times))| (user.clone(), *times))
            .collect::<BTreeMap<_, _>>()
    };
    const TWICE: &[(&str, &str)] = &[(
        "buys: { share: 70%, think: 20ms }",
        "double-clicks: { share: 70%, think: 20ms, joins: 3, confirms: 2 }",
    )];
    const OTHER: &[(&str, &str)] = &[TWICE[0], ("seed: 7", "seed: 8")];
    let first = joins(TWICE).await;
    assert!(first.values().any(|times| *times == 3) && first.values().any(|times| *times == 1));
    assert_eq!(first, joins(TWICE).await);
    assert_ne!(first, joins(OTHER).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_costs_time_but_no_journey_and_no_place() {
    // Longer than the machine stands still, and time enough afterwards.
    let outage = Some((Duration::from_millis(100), Duration::from_millis(2500)));
    let long = [
        ("duration: 6s", "duration: 15s"),
        ("run_at_most: 20s", "run_at_most: 30s"),
    ];
    let ran = rehearse(
        &scenario(&long),
        Manners {
            outage,
            ..Manners::default()
        },
    )
    .await;
    let funnel = &ran.result.funnel;
    assert!(funnel.retries > 0 && funnel.errors > 0);
    assert_eq!(funnel.outcome(Outcome::Failed), 0, "{funnel:?}");
    assert_eq!(
        (funnel.sold, ran.double.seen.lock().unwrap().sold.len()),
        (30, 30)
    );
    let mut places: BTreeMap<&str, u64> = BTreeMap::new();
    for join in &ran.result.observations.laws.joins {
        let place = places.entry(&join.visitor).or_insert(join.position);
        assert_eq!(*place, join.position, "a place never moves");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_saturated_generator_counts_what_is_late_or_dropped_and_disowns_the_run() {
    let few = [
        ("limits:\n", "limits:\n  connections: 1\n  slot_wait: 300ms\n"),
        ("duration: 6s", "duration: 2s"),
    ];
    let slow = Manners {
        latency: Duration::from_millis(60),
        ..Manners::default()
    };
    let ran = rehearse(&scenario(&few), slow).await;
    let (result, funnel) = (&ran.result, &ran.result.funnel);
    assert!(funnel.late > 0 && funnel.dropped > 0, "{funnel:?}");
    assert!(funnel.outcome(Outcome::Dropped) > 0);
    assert_eq!(result.exit_code(), 97);
    assert!(
        result
            .validity
            .reasons
            .iter()
            .any(|reason| reason.contains("after they were due"))
    );
    let dropped = result
        .thresholds
        .iter()
        .find(|judged| judged.rule == "dropped <= 0")
        .unwrap();
    assert!(!dropped.passed);
    let join = result.steps.iter().find(|step| step.step == Step::Join).unwrap();
    assert!(join.max_us > 150_000 && join.service_p95_us < 150_000, "{join:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_who_wait_are_records_of_80_bytes_and_no_tasks() {
    /// The wheel, however many wait.
    const WHEEL: u64 = 4 * 65_536 + 256;
    let many = scenario(&[
        ("visitors: 90", "visitors: 4000"),
        (
            "intrudes: { share: 10%, tricks",
            "gives-up: { share: 10%, patience: 60s }\n    # { tricks",
        ),
        ("duration: 6s", "duration: 5s"),
    ]);
    let slow = Manners {
        rate_per_s: 1,
        next_poll_ms: 60_000,
        ..Manners::default()
    };
    let ran = rehearse(&many, slow).await;
    let generator = &ran.result.generator;
    assert!(generator.waiting_most >= 500, "{generator:?}");
    let each = (generator.waiting_bytes - WHEEL) / generator.waiting_most;
    assert!(each <= 80, "{each} bytes: {generator:?}");
    assert_eq!(ran.result.funnel.under_way, 0);
    let outcomes: u64 = ran.result.funnel.outcomes.iter().sum();
    assert_eq!(outcomes, 4000, "who waits at the end is counted too");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupted_run_ends_at_once_and_says_so() {
    let slow = Manners {
        rate_per_s: 1,
        next_poll_ms: 60_000,
        ..Manners::default()
    };
    let long = [
        ("duration: 6s", "duration: 300s"),
        ("run_at_most: 20s", "run_at_most: 400s"),
    ];
    // Nine in ten of the ninety join; the others come by the back door.
    let ran = rehearse_until(&scenario(&long), slow, Some(60)).await;
    assert_eq!(ran.result.cut_short.as_deref(), Some("it was interrupted"));
    assert!(ran.result.funnel.outcome(Outcome::StillWaiting) > 0);
    assert_eq!(ran.result.exit_code(), 97);
    let ran_ms = ran.result.finished_at.since(ran.result.started_at);
    assert!(ran_ms < 60_000, "{ran_ms} ms");
}

#[tokio::test]
async fn only_loopback_is_loaded_and_only_before_the_opening() {
    let scenario = scenario(&[]);
    let refused = |target: Target| {
        let scenario = scenario.clone();
        async move {
            let dir = tempdir::Dir::new();
            run(
                &scenario,
                &target,
                Arc::new(Live::new()),
                CancellationToken::new(),
                dir.path(),
            )
            .await
            .unwrap_err()
        }
    };
    for elsewhere in [
        "http://example.com",
        "http://10.0.0.1:3001",
        "http://localhost.example.com",
        "http://[2001:db8::1]",
    ] {
        let error = refused(target(&scenario, elsewhere.to_owned())).await;
        assert!(matches!(error, LoadError::Unsafe(_)), "{elsewhere}: {error}");
        assert!(error.to_string().contains(elsewhere), "{error}");
    }
    let error = refused(target(&scenario, "127.0.0.1:80".to_owned())).await;
    assert!(error.to_string().contains("not an http address"), "{error}");
    let mut late = target(&scenario, "http://127.0.0.1:1".to_owned());
    late.sale.schedule.opens_at = Millis(1);
    assert!(matches!(refused(late).await, LoadError::TooLate { .. }));
}
