//! How a visitor behaves towards answers: obeys, retries, gives up, reads.

use super::*;
use crate::goose_shell::Tap;
use crate::http::{Answer, Ask, Lost};
use crate::measure::Live;
use crate::scenario::Scenario;
use crate::target::Target;
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio_util::sync::CancellationToken;
use urr_core::time::Millis;
use urr_kit::clock::{Clock, SystemClock};

/// A client that never answers.
struct Silent;

impl Http for Silent {
    fn send(&self, _ask: Ask) -> BoxFuture<'static, Result<Answer, Lost>> {
        std::future::pending().boxed()
    }

    fn lane(&self) -> Lane {
        Lane::Crowd
    }
}

pub(super) fn good() -> Scenario {
    Scenario::parse("good.yaml", include_str!("../../tests/good.yaml")).unwrap()
}

fn world() -> Arc<World> {
    world_of(&good())
}

pub(super) fn world_of(scenario: &Scenario) -> Arc<World> {
    let now: Millis = SystemClock.now();
    let target = Target {
        base_url: "http://127.0.0.1:1".to_owned(),
        sale: scenario.sale(uuid::Uuid::from_u128(7), now),
        hall: scenario.hall(),
        secrets: Arc::new(urr_kit::Secrets::generate().unwrap()),
        opt_in: None,
    };
    let live = Arc::new(Live::new());
    Arc::new(World::new(
        scenario,
        &target,
        live,
        Tap::closed(),
        now,
        CancellationToken::new(),
    ))
}

pub(super) fn journey(world: &Arc<World>, index: u64) -> Journey {
    let arrival_us = world.clock.us_from_start(Instant::now());
    let standing = Standing::new(world.seed, index, 0, arrival_us);
    Journey::resume(Arc::clone(world), Arc::new(Silent), standing)
}

#[tokio::test]
async fn two_visitors_never_share_a_key_or_a_user_and_keep_both() {
    let world = world();
    let (one, other) = (journey(&world, 1), journey(&world, 2));
    assert_eq!(one.visitor_key(), journey(&world, 1).visitor_key());
    assert_ne!(one.visitor_key(), other.visitor_key());
    assert_eq!(world.user_of(1), world.user_of(1));
    assert_ne!(world.user_of(1), world.user_of(2));
    assert!(one.visitor_key().starts_with("anon-"), "{}", one.visitor_key());
}

#[test]
fn a_minted_access_token_is_one_the_services_accept() {
    let world = world();
    let account = world.mint(3);
    let identity = world
        .tokens
        .verify_access(&account.access, world.clock.now())
        .unwrap();
    assert_eq!(identity.user_id, world.user_of(3));
}

#[test]
fn retries_wait_longer_each_time_and_never_less_than_the_server_asks() {
    let backoff = Backoff::default();
    let mut dice = crate::seed::Dice::new(1, 1, crate::seed::Purpose::Journey);
    for attempt in 1..=14 {
        let wait = backoff.wait(attempt, None, &mut dice);
        let least = backoff
            .first
            .saturating_mul(1 << (attempt - 1).min(16))
            .min(backoff.most)
            / 2;
        assert!(
            wait >= least && wait <= backoff.most.mul_f64(1.5),
            "{attempt}: {wait:?}"
        );
    }
    let asked = std::time::Duration::from_secs(7);
    assert!(backoff.wait(1, Some(asked), &mut dice) >= asked);
    let absurd = std::time::Duration::from_secs(86_400);
    assert!(backoff.wait(1, Some(absurd), &mut dice) <= std::time::Duration::from_secs(60));
}

#[test]
fn the_clock_of_a_run_counts_from_the_opening() {
    let world = world();
    let opening = world.clock.from_opening(0);
    assert_eq!(world.clock.us_from_opening(opening), 0);
    assert_eq!(
        world.clock.us_from_opening(world.clock.from_opening(-2_000_000)),
        -2_000_000
    );
    assert_eq!(opening - world.clock.start(), std::time::Duration::from_secs(5));
    assert!(!world.clock.is_open() && !world.clock.is_closed());
}

#[tokio::test]
async fn who_loses_patience_leaves_at_that_moment_and_not_at_the_next_poll() {
    let mut scenario = good();
    scenario.crowd.personas[0].behaviour = Behaviour::GivesUp { patience_ms: 100 };
    let world = world_of(&scenario);
    let journey = journey(&world, 1);
    let ends = journey.patience_ends().unwrap();
    assert_eq!(
        journey.patience_ends(),
        Some(ends),
        "patience does not change by asking"
    );
    let far = Instant::now() + std::time::Duration::from_secs(60);
    assert_eq!(journey.wait_until(far).await, Err(Outcome::GaveUp));
    journey.world.line_over.cancel();
    assert_eq!(journey.wait_until(far).await, Err(Outcome::StillWaiting));
}
