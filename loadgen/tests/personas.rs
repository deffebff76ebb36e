//! What each kind of visitor does, seen from the other end of the wire.
//!
//! One run at a time: goose is stopped by a switch of the whole process.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod double;

use double::{Double, Manners};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use urr_core::draw::Seed;
use urr_kit::clock::{Clock, SystemClock};
use urr_loadgen::measure::Outcome;
use urr_loadgen::tally::PersonaResult;
use urr_loadgen::{Live, LoadResult, Scenario, Target, run};
use uuid::Uuid;

static ONE_RUN: Mutex<()> = Mutex::const_new(());

/// Sixty people, a second of opening, and `personas` instead of the usual ones.
fn scenario(personas: &str, changes: &[(&str, &str)]) -> Scenario {
    let text = include_str!("good.yaml");
    let (head, rest) = text.split_once("  personas:\n").unwrap();
    let (_, tail) = rest.split_once("\nregistrations: 2\n").unwrap();
    let mut text = format!("{head}  personas:\n{personas}{tail}")
        .replace("opens_in: 5s", "opens_in: 3s")
        .replace("pre_queue: 3s", "pre_queue: 500ms")
        .replace("duration: 20s", "duration: 5s")
        .replace("visitors: 100", "visitors: 60")
        .replace("from: 0s, to: 5s", "from: -400ms, to: 300ms")
        .replace("run_at_most: 40s", "run_at_most: 20s");
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    Scenario::parse("test.yaml", &text).unwrap_or_else(|error| panic!("{error}"))
}

async fn rehearse(scenario: &Scenario, manners: Manners) -> (LoadResult, Double) {
    let _one = ONE_RUN.lock().await;
    let (double, base_url) = Double::start(manners).await;
    let target = Target {
        base_url,
        sale: scenario.sale(Uuid::from_u128(0xfeed), SystemClock.now()),
        hall: scenario.hall(),
        secrets: Arc::new(urr_kit::Secrets::generate().unwrap()),
        opt_in: None,
    };
    let dir = std::env::temp_dir().join(format!("urr-personas-{}", Uuid::new_v4()));
    let live = Arc::new(Live::new());
    let result = run(scenario, &target, live, CancellationToken::new(), &dir)
        .await
        .unwrap();
    std::fs::remove_dir_all(&dir).unwrap();
    (result, double)
}

fn named<'a>(result: &'a LoadResult, name: &str) -> &'a PersonaResult {
    result
        .personas
        .iter()
        .find(|persona| persona.name == name)
        .unwrap()
}

fn ended(persona: &PersonaResult, outcome: Outcome) -> u64 {
    persona.outcomes[outcome as usize]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tabs_and_awakenings_join_again_and_are_told_the_same_place() {
    let scenario = scenario(
        "    - opens-tabs: { share: 50%, think: 5ms, tabs: 3, apart: 200ms }
    - sleeps: { share: 50%, think: 5ms, awake: 100ms, asleep: 300ms }\n",
        &[],
    );
    // Nobody is served for a second, so that there is time to open tabs and to fall asleep.
    let manners = Manners {
        opens_in: Duration::from_secs(4),
        ..Manners::default()
    };
    let (result, double) = rehearse(&scenario, manners).await;
    let seen = double.seen.lock().unwrap();
    let tabs = named(&result, "opens-tabs");
    let joins: Vec<u32> = seen.places.values().map(|(_, joins)| *joins).collect();
    assert_eq!(joins.len(), 60, "nobody has two places");
    let thrice = joins.iter().filter(|joins| **joins >= 3).count() as u64;
    assert!(thrice >= tabs.came, "{thrice} of {} had three tabs", tabs.came);
    assert!(
        joins.iter().all(|joins| *joins >= 2),
        "who slept came back: {joins:?}"
    );
    let mut told: HashMap<&str, u64> = HashMap::new();
    for join in &result.observations.laws.joins {
        assert_eq!(*told.entry(&join.visitor).or_insert(join.position), join.position);
    }
    assert_eq!(result.fairness.places, 60);
    let slept = named(&result, "sleeps");
    assert!(
        slept.admitted > 0,
        "who sleeps keeps the place and is served on waking: {slept:?}"
    );
    let bought: u64 = result.personas.iter().map(|persona| persona.seats).sum();
    assert!(bought >= 25, "{bought}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_loses_heart_leaves_by_the_shown_wait_and_who_mashes_is_not_served_sooner() {
    let scenario = scenario(
        "    - loses-heart: { share: 50%, think: 5ms, hazard: [{ shown: 10s, left: 0% }, { shown: 50s, left: 100% }] }
    - mashes: { share: 50%, think: 5ms, every: 50ms }\n",
        &[],
    );
    // Told to wait for so long that a masher's first poll is too early on the slowest machine.
    let patient = Manners {
        next_poll_ms: 3000,
        ..Manners::default()
    };
    let (result, double) = rehearse(&scenario, patient).await;
    let fearful = named(&result, "loses-heart");
    // Shown 30 s: half of them.
    let gone = ended(fearful, Outcome::GaveUp);
    assert!(
        (fearful.came / 4..=fearful.came * 3 / 4).contains(&gone),
        "{fearful:?}"
    );
    assert_eq!(ended(named(&result, "mashes"), Outcome::GaveUp), 0);
    let hasty = double.seen.lock().unwrap().hasty;
    assert!(hasty > 10, "{hasty} polls came before they were told to");
    // The same seed, the same people: whatever the timing, these and no others lose heart.
    let slow = Manners {
        latency: Duration::from_millis(20),
        ..Manners::default()
    };
    let (again, _) = rehearse(&scenario, slow).await;
    assert_eq!(ended(named(&again, "loses-heart"), Outcome::GaveUp), gone);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_abandons_gives_nothing_back() {
    let scenario = scenario(
        "    - abandons: { share: 40%, think: 5ms, at: door }
    - abandons: { share: 60%, think: 5ms, at: hold }\n",
        &[],
    );
    let (result, double) = rehearse(&scenario, Manners::default()).await;
    let seen = double.seen.lock().unwrap();
    assert_eq!((seen.left, seen.sold.len()), (0, 0));
    assert_eq!(result.funnel.held, 30, "all seats are held and none is paid for");
    let [door, hold] = &result.personas[..] else {
        panic!()
    };
    assert_eq!(ended(door, Outcome::WalkedAway), door.came);
    assert!(ended(hold, Outcome::WalkedAway) >= 30, "{hold:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scripts_are_counted_apart_and_tampering_does_not_get_them_in() {
    let scenario = scenario(
        "    - buys: { share: 50%, think: 5ms }
    - grabs: { share: 30%, every: 60ms, reaches: 4, arrivals: [at-once: { share: 100%, at: -500ms }] }
    - intrudes: { share: 20%, tricks: [tampered-place, tampered-token] }\n",
        &[("dropped <= 0", "bot-advantage < 100")],
    );
    let (result, double) = rehearse(&scenario, Manners::default()).await;
    let seen = double.seen.lock().unwrap();
    let (people, grabs, intruders) = (
        named(&result, "buys"),
        named(&result, "grabs"),
        named(&result, "intrudes"),
    );
    assert_eq!(people.seats + grabs.seats, seen.sold.len() as u64);
    // First in line and several seats each: this is what a sale without a draw invites.
    assert!(grabs.seats > people.seats, "{grabs:?} {people:?}");
    let share = urr_loadgen::tally::bot_share(&result.personas).unwrap();
    assert!(share.advantage > 1.2, "{share:?}");
    assert_eq!(ended(intruders, Outcome::Blocked), intruders.came);
    let tries = &result.observations.intrusions;
    assert_eq!(tries.len() as u64, intruders.came * 2);
    assert!(tries.iter().all(|intrusion| !intrusion.got_in), "{tries:?}");
    let judged = result
        .thresholds
        .iter()
        .find(|judged| judged.rule == "bot-advantage < 100");
    assert!(judged.unwrap().passed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_draw_is_watched_replayed_and_unrelated_to_arrival() {
    let scenario = scenario(
        "    - buys: { share: 100%, think: 5ms }\n",
        &[
            // Time enough before the opening that also on a busy machine most are there to be drawn.
            ("opens_in: 3s", "opens_in: 5s"),
            ("pre_queue: 500ms", "pre_queue: 4500ms\n  ordering: shuffle"),
            ("from: -400ms, to: 300ms", "from: -4s, to: 300ms"),
            ("run_at_most: 20s", "run_at_most: 30s"),
            ("visitors: 60", "visitors: 400"),
            (
                "dropped <= 0",
                "draw-violations <= 0\n  - draw-tau < 0.25\n  - inversions <= 0",
            ),
        ],
    );
    let manners = Manners {
        draw: Some(Seed::from_bytes([3; 32])),
        opens_in: Duration::from_secs(5),
        next_poll_ms: 150,
        ..Manners::default()
    };
    let (result, _) = rehearse(&scenario, manners).await;
    let fairness = &result.fairness;
    let draw = fairness.draw.as_ref().unwrap();
    assert_eq!(draw.violation, None);
    assert!(draw.drawn.is_some_and(|drawn| drawn > 100), "{draw:?}");
    assert!(draw.places > 50, "{draw:?}");
    assert_eq!(result.observations.laws.places.len() as u64, fairness.places);
    // The latencies are this machine's business.
    let fair = |rule: &str| rule.starts_with("draw") || rule.starts_with("inversions");
    let judged: Vec<_> = result
        .thresholds
        .iter()
        .filter(|judged| fair(&judged.rule))
        .collect();
    assert!(
        judged.len() == 3 && judged.iter().all(|judged| judged.passed),
        "{judged:?}"
    );
}
