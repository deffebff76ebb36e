//! Several sales in one run, seen from the other end of the wire: each with a crowd, a line and
//! connections of its own, and a sum in which nothing looks well on average.
//!
//! One run at a time: goose is stopped by a switch of the whole process.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod double;

use double::{Double, Manners};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use urr_core::time::Millis;
use urr_kit::clock::{Clock, SystemClock};
use urr_loadgen::measure::{Live, Outcome};
use urr_loadgen::together::Together;
use urr_loadgen::{Opening, Scenario, Target, run_together};
use uuid::Uuid;

static ONE_RUN: Mutex<()> = Mutex::const_new(());

/// Longer than any machine takes for these few people.
const LONG: Duration = Duration::from_secs(3600);

/// Thirty seats, and `sales` beside each other.
fn scenario(sales: &str) -> Scenario {
    let text = include_str!("good.yaml")
        .replace("opens_in: 5s", "opens_in: 3s")
        .replace("pre_queue: 3s", "pre_queue: 500ms")
        .replace("duration: 20s", "duration: 8s")
        .replace("rows: 10, seats_per_row: 10", "rows: 3, seats_per_row: 10")
        .replace("visitors: 100", "visitors: 90")
        .replace("from: 0s, to: 5s", "from: -300ms, to: 500ms")
        .replace("think: 500ms", "think: 20ms")
        .replace("registrations: 2", "registrations: 0")
        .replace("- dropped <= 0", "- sold >= 100%")
        .replace(
            "run_at_most: 40s",
            "run_at_most: 120s\n  connections: 8\n  slot_wait: 60s",
        );
    let text = format!("{text}\nsales:\n{sales}\n");
    Scenario::parse("test.yaml", &text).unwrap_or_else(|error| panic!("{error}"))
}

/// Runs `scenario`, each sale against a double of its own; ends it when the sale number
/// `until_through` is through, if one is given.
async fn rehearse(
    scenario: &Scenario,
    manners: &[Manners],
    until_through: Option<usize>,
) -> (Together, Vec<Double>) {
    let _one = ONE_RUN.lock().await;
    let each = scenario.each();
    let now = SystemClock.now();
    let (mut doubles, mut targets, mut lives) = (Vec::new(), Vec::new(), Vec::new());
    for (nth, (sale, manners)) in each.iter().zip(manners).enumerate() {
        let (double, base_url) = Double::start(*manners).await;
        targets.push(target(sale, base_url, nth as u128, now));
        doubles.push(double);
        lives.push(Arc::new(Live::new()));
    }
    let openings: Vec<Opening<'_>> = each
        .iter()
        .zip(&targets)
        .zip(&lives)
        .map(|((scenario, target), live)| Opening {
            scenario,
            target,
            live: Arc::clone(live),
        })
        .collect();
    let stop = CancellationToken::new();
    if let Some(nth) = until_through {
        let (lives, stop, doubles) = (lives.clone(), stop.clone(), doubles.clone());
        tokio::spawn(async move {
            // Seconds are closed for all sales at once, and for one that the run has noted to be through no more.
            let is_through = || {
                let seconds = |live: &Arc<Live>| live.series().len();
                lives.iter().map(seconds).max() >= Some(seconds(&lives[nth]) + 2)
            };
            while !is_through() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            stop.cancel();
            // Nobody is asked to wait for answers that will never come.
            doubles.iter().for_each(|double| double.released.cancel());
        });
    }
    let dir = tempfile::tempdir().unwrap();
    let together = run_together(scenario, &openings, stop, dir.path()).await.unwrap();
    (together, doubles)
}

fn target(scenario: &Scenario, base_url: String, id: u128, now: Millis) -> Target {
    Target {
        base_url,
        sale: scenario.sale(Uuid::from_u128(0xfeed + id), now),
        hall: scenario.hall(),
        secrets: Arc::new(urr_kit::Secrets::generate().unwrap()),
        opt_in: None,
    }
}

/// Everybody's place in the line of `double`, in order.
fn places(double: &Double) -> Vec<u64> {
    let seen = double.seen.lock().unwrap();
    let mut places: Vec<u64> = seen.places.values().map(|(place, _)| *place).collect();
    places.sort_unstable();
    places
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_that_is_never_answered_takes_nothing_from_the_sale_beside_it() {
    let scenario = scenario("  - { name: big, visitors: 3000 }\n  - { name: small }");
    let silent = Manners {
        latency: LONG,
        ..Manners::default()
    };
    let (run, doubles) = rehearse(&scenario, &[silent, Manners::default()], Some(1)).await;
    let [big, small] = &run.sales[..] else { panic!() };
    // Every lane and connection of the big one is held by a request that is never answered. With lanes or
    // connections in common nobody of the small one would get one.
    assert!(big.cut_short.is_some());
    assert_eq!(big.funnel.outcome(Outcome::Bought), 0);
    assert_eq!(small.cut_short, None);
    assert_eq!(small.funnel.arrived, 90);
    assert_eq!(
        small.funnel.outcomes.iter().sum::<u64>(),
        90,
        "everybody's journey ended"
    );
    assert_eq!(small.funnel.outcome(Outcome::Bought), 30);
    let joined = small.funnel.joined;
    assert_eq!(
        places(&doubles[1]),
        (1..=joined).collect::<Vec<u64>>(),
        "a line of its own"
    );
    assert!(run.all.exit_code() != 0, "the run is as good as its worst sale");
    assert_eq!(run.all.funnel.sold, 30);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_sale_is_judged_by_itself_and_the_sum_holds_what_holds_in_all() {
    let scenario = scenario(
        "  - { name: full }\n  - { name: half, hall: { sections: [{ names: [A], rows: 6, seats_per_row: 10, price: 1000 KRW }] } }",
    );
    let (run, doubles) = rehearse(&scenario, &[Manners::default(), Manners::default()], None).await;
    let [full, half] = &run.sales[..] else { panic!() };
    let sold = |result: &urr_loadgen::LoadResult| {
        result
            .thresholds
            .iter()
            .position(|j| j.rule.contains("sold"))
            .unwrap()
    };
    assert!(full.thresholds[sold(full)].passed);
    assert!(
        !half.thresholds[sold(half)].passed,
        "30 of 60 seats exist at its double"
    );
    let judged = &run.all.thresholds[sold(&run.all)];
    assert!(!judged.passed, "75 % on average is no 100 %");
    assert!(
        judged
            .observed
            .contains("missed in 1 of 2 sales: good-half 50.00%"),
        "{judged:?}"
    );
    // What adds up adds up, and goose heard of all of it.
    assert_eq!(run.all.funnel.arrived, 180);
    assert_eq!((run.all.seats, run.all.funnel.sold), (90, 60));
    let measured: u64 = run
        .sales
        .iter()
        .flat_map(|sale| &sale.steps)
        .map(|step| step.total())
        .sum();
    assert_eq!(
        run.all.steps.iter().map(|step| step.total()).sum::<u64>(),
        measured
    );
    assert!(
        run.all.goose.requests >= measured,
        "{} of {measured}",
        run.all.goose.requests
    );
    // Neither crowd is the other's.
    let names = |double: &Double| -> BTreeSet<String> {
        double.seen.lock().unwrap().places.keys().cloned().collect()
    };
    assert!(names(&doubles[0]).is_disjoint(&names(&doubles[1])));
    assert_eq!(run.all.milestones.sold_out_ms, None, "one of them never sold out");
    assert!(
        full.milestones.sold_out_ms.is_some() && full.milestones.first_join_ms < full.milestones.sold_out_ms
    );
}
