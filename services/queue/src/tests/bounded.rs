//! No run of the script does more than a stated number of moves, whatever has piled up: nothing
//! else runs in Redis meanwhile. How long such a run takes at a million members is measured by
//! `make bench` (`admit_max_block_ms`).

use super::{OPENS_AT, idle_view, on_one_server::Sale};
use crate::{
    store::{Act, MOVES_MAX, View},
    ticker::{STRANGERS_MAX, Ticker, label},
};
use redis::AsyncCommands as _;
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;
use urr_core::admission::LogKind;
use urr_kit::{state::limits::Limits, testing::eventually};
use uuid::Uuid;

const PILE: u64 = 1000;

/// Puts `PILE` people into the set, as if they had all come (or been heard of) at `score`.
async fn pile(sale: &Sale, name: &str, users: &[Uuid], score: impl Fn(u64) -> i64) {
    let key = sale.redis.key(&format!("{{{}}}:{name}", sale.id));
    let members: Vec<(i64, String)> = users
        .iter()
        .zip(1..)
        .map(|(user, n)| (score(n), user.to_string()))
        .collect();
    let _: u64 = sale.redis.conn().zadd_multiple(key, &members).await.unwrap();
}

#[tokio::test]
async fn one_run_moves_no_more_than_it_may_of_all_that_has_piled_up() {
    let sale = Sale::new().await;
    sale.limit(Limits {
        cap: 100_000,
        rate_per_s: 100_000,
        burst: 100_000,
        ..sale.limits()
    })
    .await;
    sale.act(Act::Tick).await;
    let people: Vec<Vec<Uuid>> = (0..4)
        .map(|_| (0..PILE).map(|_| Uuid::new_v4()).collect())
        .collect();
    let long_ago = OPENS_AT.plus_s(-3600).0;
    // Slots that have ended, silent ones, people who wait in vain, people whose turn it is.
    pile(&sale, "active", &people[0], |_| long_ago).await;
    pile(&sale, "active", &people[1], |_| OPENS_AT.plus_s(600).0).await;
    pile(&sale, "active-seen", &people[1], |_| long_ago).await;
    pile(&sale, "queue", &people[2], |n| n as i64).await;
    pile(&sale, "seen", &people[2], |_| long_ago).await;
    pile(&sale, "queue", &people[3], |n| (PILE + n) as i64).await;
    pile(&sale, "seen", &people[3], |_| OPENS_AT.0).await;

    sale.bed.clock().set(OPENS_AT.plus_s(1));
    let mut runs = 0;
    let log = sale.redis.key(&format!("{{{}}}:log", sale.id));
    let length = async || -> usize { sale.redis.conn().xlen(&log).await.unwrap() };
    let mut logged = length().await;
    loop {
        let view = sale.act(Act::Tick).await;
        let now_logged = length().await;
        let moves = now_logged - logged;
        assert!(moves <= MOVES_MAX as usize, "run {runs} moved {moves}");
        // While there is work of every kind, each kind gets on.
        if runs < 10 {
            assert!(view.moved > 0, "run {runs} let nobody in");
            assert_eq!(moves, MOVES_MAX as usize, "run {runs}");
        }
        logged = now_logged;
        runs += 1;
        if !view.more {
            assert_eq!(view.waiting, 0);
            break;
        }
    }
    let fewest = 4 * PILE / u64::from(MOVES_MAX);
    assert!(
        (fewest..=fewest * 3 / 2).contains(&runs),
        "{runs} runs for {} moves",
        4 * PILE
    );
    for act in [Act::Look, Act::Retire, Act::Survey] {
        sale.act(act).await;
    }
}

/// As many lines as no ticker takes up, of strangers who were let in.
async fn strangers_lines(sale: &mut Sale) {
    for _ in 0..STRANGERS_MAX * 2 {
        sale.id = Uuid::new_v4();
        sale.app.store.list(sale.id).await.unwrap();
        sale.act(Act::Join(Uuid::new_v4(), None)).await;
    }
}

fn ticker(sale: &Sale) -> Ticker {
    Ticker::new(Arc::clone(&sale.app.store), sale.app.clock.clone(), 1000)
}

#[tokio::test]
async fn strangers_lines_do_not_keep_an_opening_from_being_ticked() {
    // Law on-time. Anybody may join any event, and an event that nobody declared is served too.
    let mut sale = Sale::new().await;
    sale.bed.clock().set(OPENS_AT.plus_s(-10));
    strangers_lines(&mut sale).await;
    let mut declared = Vec::new();
    for _ in 0..10 {
        sale.id = Uuid::new_v4();
        sale.limit(sale.limits()).await;
        declared.push(sale.id);
    }
    sale.bed.clock().set(OPENS_AT);
    let before = sale.app.store.calls();
    ticker(&sale).round().await;
    let calls = sale.app.store.calls() - before;
    // A declared sale is ticked and its limits are read; nothing else is asked of anybody.
    let most = declared.len() * 2 + STRANGERS_MAX;
    assert!(
        calls <= u64::try_from(most).unwrap(),
        "{calls} calls, {most} at most"
    );
    for id in declared {
        sale.id = id;
        let log = sale.log().await;
        assert_eq!(log.first().map(|entry| entry.kind), Some(LogKind::Open));
    }
}

#[tokio::test]
async fn of_more_lines_than_are_ticked_each_has_its_turn() {
    let mut sale = Sale::new().await;
    strangers_lines(&mut sale).await;
    let listed = async || sale.app.store.listed(STRANGERS_MAX * 4).await.unwrap().len();
    assert_eq!(listed().await, STRANGERS_MAX * 2);
    // All have fallen silent. Each ticker draws for itself, so two are enough or a few more.
    sale.bed.clock().set(OPENS_AT.plus_s(60));
    for _ in 0..1000 {
        ticker(&sale).round().await;
        if listed().await == 0 {
            return;
        }
    }
    panic!("{} lines are over and still listed", listed().await);
}

#[tokio::test]
async fn lines_without_an_answer_delay_no_other() {
    // One node of a cluster is dead: its lines get no answer. More of them than ticks may be in flight.
    let mut sale = Sale::new().await;
    sale.bed.clock().set(OPENS_AT.plus_s(-10));
    let mut ticker = ticker(&sale);
    for _ in 0..40 {
        sale.limit(Limits {
            sale: Uuid::new_v4(),
            ..sale.limits()
        })
        .await;
        ticker.stuck.extend(sale.app.store.declared().await.unwrap());
    }
    sale.id = Uuid::new_v4();
    sale.limit(sale.limits()).await;
    let shutdown = CancellationToken::new();
    let running = tokio::spawn(ticker.run(shutdown.clone()));
    let state = sale.redis.key(&format!("{{{}}}:state", sale.id));
    for second in 0..5 {
        let now = OPENS_AT.plus_s(second);
        sale.bed.clock().set(now);
        eventually(Duration::from_secs(60), "the other line is ticked", async || {
            let ticked_at: Option<i64> = sale.redis.conn().hget(&state, "clock").await.unwrap();
            ticked_at == Some(now.0)
        })
        .await;
    }
    shutdown.cancel();
    running.await.unwrap();
}

#[test]
fn strangers_make_no_names_in_metrics() {
    let (sale, declared) = (Uuid::new_v4(), idle_view());
    let joined = View {
        configured: false,
        ..declared
    };
    assert_eq!(label(sale, &declared), Some(sale.to_string()));
    assert_eq!(label(sale, &joined), None);
}
