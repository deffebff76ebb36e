//! Law `free-poll` in tier 2: waiting costs no store I/O, and loses nothing for it.

use super::{OPENS_AT, on_one_server::Sale};
use crate::{
    Config,
    store::{Act, Guards, Standing},
    ticker::Ticker,
};
use axum::http::StatusCode;
use serde_json::Value;
use std::sync::Arc;
use urr_kit::{engines::RedisEngine, state::limits::Limits, testing::TestBed};
use uuid::Uuid;

fn ticker(sale: &Sale) -> Ticker {
    Ticker::new(Arc::clone(&sale.app.store), sale.app.clock.clone(), 1000)
}

async fn poll(sale: &Sale, method: &str, path: &str, user: Uuid) -> Value {
    let path = format!("/api/queue/{path}/{}", sale.id);
    let (status, body) = sale.call(method, &path, Some((user, "user")), None).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    body
}

/// A line of `positions` behind a full cap of one; returns who waits.
async fn a_line(sale: &Sale, positions: impl Iterator<Item = u64>) -> Vec<(Uuid, u64)> {
    sale.limit(Limits {
        cap: 1,
        ..sale.limits()
    })
    .await;
    sale.join(Uuid::new_v4(), 1).await;
    let mut line = Vec::new();
    for position in positions {
        let user = Uuid::new_v4();
        let path = format!("/api/queue/check/{}", sale.id);
        let token = Some(sale.place_token(position));
        let (_, body) = sale.call("POST", &path, Some((user, "user")), token).await;
        assert_eq!(body["status"], "queued");
        line.push((user, position));
    }
    line
}

/// Commands this Redis has processed.
async fn commands(sale: &Sale) -> u64 {
    let info: String = redis::cmd("INFO")
        .arg("stats")
        .query_async(&mut sale.redis.conn())
        .await
        .unwrap();
    let line = info
        .lines()
        .find(|line| line.starts_with("total_commands_processed:"));
    line.unwrap().rsplit(':').next().unwrap().trim().parse().unwrap()
}

#[tokio::test]
async fn a_thousand_waiting_polls_do_not_touch_redis() {
    // A Redis of our own, so that it can be asked what it did.
    let engine = RedisEngine::alone().await.unwrap();
    let bed = TestBed::at(OPENS_AT).await.with_redis(engine.url());
    let sale = Sale::on(bed, &Config::default(), Guards::default()).await;
    let line = a_line(&sale, (2..=101).map(|n| n * 3)).await;
    ticker(&sale).round().await;

    let (before, calls) = (commands(&sale).await, sale.app.store.calls());
    for (user, _) in line.iter().cycle().take(1000) {
        for (method, path) in [("GET", "status"), ("POST", "check"), ("POST", "heartbeat")] {
            assert_eq!(poll(&sale, method, path, *user).await["status"], "queued");
        }
    }
    assert_eq!(sale.app.store.calls() - calls, 0);
    assert_eq!(commands(&sale).await - before, 1, "the second INFO itself");

    // An old head is no head: the poll asks again.
    sale.bed.clock().advance_ms(1000);
    poll(&sale, "GET", "status", line[0].0).await;
    assert!(sale.app.store.calls() > calls);
}

#[tokio::test]
async fn what_a_free_poll_says_is_what_redis_would_have_said() {
    let sale = Sale::new().await;
    // Holes of all sizes.
    let line = a_line(&sale, (2..=120).map(|n| n * n)).await;
    ticker(&sale).round().await;
    for (rank, (user, _)) in line.iter().enumerate() {
        let free = poll(&sale, "GET", "status", *user).await;
        let asked = sale.standing(*user).await;
        assert_eq!(asked, Standing::Queued { ahead: rank as u64 });
        let off = free["peopleAhead"].as_u64().unwrap().abs_diff(rank as u64);
        assert!(off <= rank as u64 / 8, "{rank}: {free}");
        assert!(rank > 16 || off == 0, "{rank}: {free}");
        assert_eq!(free["queueSize"], 119);
        assert_eq!(free["currentUsers"], 1);
        assert_eq!(
            free["peopleAhead"].as_u64().unwrap() + free["peopleBehind"].as_u64().unwrap() + 1,
            119
        );
    }
}

#[tokio::test]
async fn whose_turn_it_is_hears_it_at_the_next_tick_of_any_replica() {
    let sale = Sale::new().await;
    let line = a_line(&sale, 2..=50).await;
    let mut ticker = ticker(&sale);
    ticker.round().await;
    let (first, _) = line[0];
    assert_eq!(poll(&sale, "GET", "status", first).await["status"], "queued");
    // Another replica lets people in; this one hears of it by its own tick.
    sale.limit(Limits {
        cap: 3,
        ..sale.limits()
    })
    .await;
    let store = &sale.app.store;
    sale.bed.clock().advance_ms(200);
    ticker.round().await;
    assert_eq!(sale.admitted().await.len(), 3);
    for (user, _) in &line[..2] {
        let body = poll(&sale, "GET", "status", *user).await;
        assert_eq!(body["status"], "active");
        assert!(body["entryToken"].is_string());
    }
    let calls = store.calls();
    assert_eq!(poll(&sale, "GET", "status", line[2].0).await["status"], "queued");
    assert_eq!(store.calls(), calls);
}

#[tokio::test]
async fn free_polls_are_signs_of_life_and_silence_costs_the_place() {
    let sale = Sale::new().await;
    let line = a_line(&sale, 2..=3).await;
    let [(polls, _), (silent, _)] = line[..] else {
        panic!()
    };
    sale.limit(Limits {
        cap: 0,
        ..sale.limits()
    })
    .await;
    let mut ticker = ticker(&sale);
    for minute in 1..=40 {
        sale.bed.clock().set(OPENS_AT.plus_s(minute * 60));
        ticker.round().await;
        let calls = sale.app.store.calls();
        assert_eq!(poll(&sale, "GET", "status", polls).await["status"], "queued");
        assert_eq!(sale.app.store.calls(), calls, "minute {minute}");
    }
    assert_eq!(sale.act(Act::Look).await.waiting, 1);
    assert_eq!(sale.standing(silent).await, Standing::None);
    assert_eq!(
        poll(&sale, "GET", "status", silent).await["status"],
        "not_in_queue"
    );
}

#[tokio::test]
async fn who_leaves_or_is_cleared_is_not_told_to_wait() {
    let sale = Sale::new().await;
    let line = a_line(&sale, 2..=4).await;
    let mut ticker = ticker(&sale);
    ticker.round().await;
    poll(&sale, "POST", "leave", line[0].0).await;
    assert_eq!(
        poll(&sale, "GET", "status", line[0].0).await["status"],
        "not_in_queue"
    );
    let path = format!("/api/queue/admin/clear/{}", sale.id);
    let admin = Some((Uuid::new_v4(), "admin"));
    assert_eq!(sale.call("POST", &path, admin, None).await.0, StatusCode::OK);
    assert_eq!(
        poll(&sale, "GET", "status", line[1].0).await["status"],
        "not_in_queue"
    );
}

#[tokio::test]
async fn a_look_at_an_event_that_is_none_leaves_nothing_behind() {
    let mut sale = Sale::new().await;
    sale.id = Uuid::new_v4();
    let body = poll(&sale, "GET", "status", Uuid::new_v4()).await;
    assert_eq!(body["status"], "not_in_queue");
    let pattern = sale.redis.key(&format!("{{{}}}:*", sale.id));
    let left: Vec<String> = redis::cmd("KEYS")
        .arg(pattern)
        .query_async(&mut sale.redis.conn())
        .await
        .unwrap();
    assert!(left.is_empty(), "{left:?}");
    assert!(sale.app.store.lines.get(sale.id).is_none());
}
