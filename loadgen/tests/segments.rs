//! A crowd cut among worker processes is the same crowd, with one verdict.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod double;

use double::{Double, Manners};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use urr_core::sale::Sale;
use urr_kit::clock::{Clock, SystemClock};
use urr_loadgen::measure::{Lane, Outcome, Step};
use urr_loadgen::segments::{Segment, SegmentResult, merge};
use urr_loadgen::{Live, Scenario, Target, run_segment};
use uuid::Uuid;

/// What a worker process is told, as a coordinator would tell it.
#[derive(serde::Serialize, serde::Deserialize)]
struct Orders {
    base_url: String,
    sale: Sale,
    scenario: String,
    dir: PathBuf,
}

const ORDERS: &str = "URR_TEST_ORDERS";
const SEGMENT: &str = "URR_TEST_SEGMENT";

/// 150 people for 30 seats, of whom some press twice and some come by the back door.
fn scenario() -> String {
    include_str!("good.yaml")
        .replace("opens_in: 5s", "opens_in: 3s")
        .replace("duration: 20s", "duration: 8s")
        .replace("rows: 10, seats_per_row: 10", "rows: 3, seats_per_row: 10")
        .replace("visitors: 100", "visitors: 150")
        .replace("from: 0s, to: 5s", "from: -300ms, to: 500ms")
        .replace("think: 500ms", "think: 20ms")
        .replace(
            "- buys: { share: 70%, think: 20ms }",
            "- double-clicks: { share: 70%, think: 20ms, joins: 2, confirms: 2 }",
        )
        .replace("run_at_most: 40s", "run_at_most: 20s")
}

/// Not a test: the worker that the test below starts as processes of their own.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
#[ignore = "a worker process of another test"]
async fn worker() {
    let orders = std::fs::read(std::env::var(ORDERS).unwrap()).unwrap();
    let orders: Orders = serde_json::from_slice(&orders).unwrap();
    let segment: Segment = std::env::var(SEGMENT).unwrap().parse().unwrap();
    let scenario = Scenario::parse("orders", &orders.scenario).unwrap();
    let target = Target {
        base_url: orders.base_url,
        sale: orders.sale,
        hall: scenario.hall(),
        secrets: Arc::new(urr_kit::Secrets::generate().unwrap()),
        opt_in: None,
    };
    let dir = orders.dir.join(segment.nth().to_string());
    let (live, stop) = (Arc::new(Live::new()), CancellationToken::new());
    let result = run_segment(&scenario, &target, segment, live, stop, &dir)
        .await
        .unwrap();
    std::fs::write(dir.join("result.json"), serde_json::to_vec(&result).unwrap()).unwrap();
}

/// Runs the crowd in `of` worker processes against a server of its own.
async fn rehearse(dir: &Path, of: u32) -> (Vec<SegmentResult>, Double) {
    let text = scenario();
    let scenario = Scenario::parse("orders", &text).unwrap();
    let opens_in = Duration::from_secs(3);
    let manners = Manners {
        opens_in,
        next_poll_ms: 200,
        ..Manners::default()
    };
    let (double, base_url) = Double::start(manners).await;
    let dir = dir.join(of.to_string());
    std::fs::create_dir_all(&dir).unwrap();
    let orders = Orders {
        base_url,
        sale: scenario.sale(Uuid::from_u128(0xfeed), SystemClock.now()),
        scenario: text,
        dir: dir.clone(),
    };
    let orders_path = dir.join("orders.json");
    std::fs::write(&orders_path, serde_json::to_vec(&orders).unwrap()).unwrap();
    let workers: Vec<_> = (1..=of)
        .map(|nth| {
            tokio::process::Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "worker", "--ignored", "--nocapture"])
                .env(ORDERS, &orders_path)
                .env(SEGMENT, format!("{nth}/{of}"))
                .stdout(Stdio::null())
                .kill_on_drop(true)
                .spawn()
                .unwrap()
        })
        .collect();
    let mut results = Vec::new();
    for (nth, mut worker) in (1..).zip(workers) {
        assert!(worker.wait().await.unwrap().success(), "worker {nth} of {of}");
        let written = std::fs::read(dir.join(format!("{nth}/result.json"))).unwrap();
        results.push(serde_json::from_slice(&written).unwrap());
    }
    (results, double)
}

/// Who joined, how often.
fn joins(double: &Double) -> BTreeMap<String, u32> {
    let seen = double.seen.lock().unwrap();
    let places = seen.places.iter();
    places.map(|(user, (_, times))| (user.clone(), *times)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_worker_processes_bring_the_crowd_of_one_and_get_one_verdict() {
    let dir = tempfile::tempdir().unwrap();
    let (alone, cut) = tokio::join!(rehearse(dir.path(), 1), rehearse(dir.path(), 3));
    assert_eq!(joins(&alone.1), joins(&cut.1), "the same visitors press as often");

    let scenario = Scenario::parse("orders", &scenario()).unwrap();
    let keys = |part: &SegmentResult| -> BTreeSet<String> {
        let joins = part.observations.laws.joins.iter();
        joins.map(|join| join.visitor.clone()).collect()
    };
    let pieces: Vec<_> = cut.0.iter().map(keys).collect();
    assert!(pieces.iter().all(|piece| piece.len() > 30), "{pieces:?}");
    assert!(pieces[0].is_disjoint(&pieces[1]) && pieces[1].is_disjoint(&pieces[2]));

    // The sums of the pieces, before they are moved into the merge.
    let arrived: u64 = cut.0.iter().map(|part| part.funnel.arrived).sum();
    let crowd_joins = |part: &SegmentResult| {
        let tally = part
            .steps
            .iter()
            .find(|t| t.step == Step::Join && t.lane == Lane::Crowd);
        tally.map(|t| (t.response.count(), t.response.max_us())).unwrap()
    };
    let measured: u64 = cut.0.iter().map(|part| crowd_joins(part).0).sum();
    let slowest = cut.0.iter().map(|part| crowd_joins(part).1).max().unwrap();
    let sold = cut.1.seen.lock().unwrap().sold.len() as u64;

    let one = merge(&scenario, alone.0).unwrap();
    let merged = merge(&scenario, cut.0).unwrap();
    assert_eq!(
        (arrived, merged.funnel.arrived, one.funnel.arrived),
        (150, 150, 150)
    );
    let ended: u64 = merged.funnel.outcomes.iter().sum();
    assert_eq!(ended, 150, "{:?}", merged.funnel);
    assert_eq!((merged.funnel.sold, sold), (30, 30));
    assert_eq!(
        merged.funnel.outcome(Outcome::Blocked),
        one.funnel.outcome(Outcome::Blocked),
        "the same intruders"
    );
    let join = merged
        .steps
        .iter()
        .find(|s| s.step == Step::Join && s.lane == Lane::Crowd);
    let join = join.unwrap();
    assert_eq!((join.fine, join.max_us), (measured, slowest));
    assert_eq!(
        merged.thresholds.len(),
        scenario.thresholds.len(),
        "judged once, for all"
    );
    assert!(merged.thresholds.iter().all(|judged| judged.judge == "loadgen"));
    let started: u64 = merged.series.iter().map(|second| second.arrived).sum();
    assert_eq!(started, 150, "every second of every worker is in the series");
}
