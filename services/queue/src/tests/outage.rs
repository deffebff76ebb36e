//! R-QUE-13: without Redis nobody is let in, and nobody is told otherwise.

use super::{OPENS_AT, on_one_server::Sale};
use crate::{
    Config, assemble,
    durable::Durable,
    http,
    store::{Act, Guards, Standing},
    ticker::Ticker,
};
use axum::{
    body::Body,
    http::{Request, StatusCode},
};
use std::{sync::Arc, time::Duration};
use tower::ServiceExt as _;
use urr_kit::{
    engines::{EngineOptions, Engines},
    state::limits::Limits,
    testing::{TestBed, eventually},
};
use uuid::Uuid;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_redis_every_call_is_503_and_afterwards_all_is_well() {
    let bed = TestBed::at(OPENS_AT).await;
    let engines = Engines::start(EngineOptions::default()).await.unwrap();
    let ctx = bed
        .ctx()
        .with_settings(|s| s.redis_url = engines.redis.url().to_owned());
    let redis = ctx.redis().await.unwrap();
    let app = assemble(
        &ctx,
        &Config::default(),
        redis,
        Durable::new(None),
        Guards::default(),
    );
    let router = http::router(Arc::clone(&app));
    let event = Uuid::new_v4();
    let call = async |method: &str, call: &str| {
        let request = Request::builder()
            .method(method)
            .uri(format!("/api/queue/{call}/{event}"))
            .header("x-user-id", Uuid::from_u128(7).to_string())
            .body(Body::empty())
            .unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let body = axum::body::to_bytes(response.into_body(), 1 << 16).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    };
    assert_eq!(call("POST", "check").await.0, StatusCode::OK);

    engines.redis.kill();
    for (method, path) in [
        ("POST", "check"),
        ("GET", "status"),
        ("POST", "heartbeat"),
        ("POST", "leave"),
    ] {
        let (status, body) = call(method, path).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{path}: {body}");
        assert!(
            body.contains("Queue service temporarily unavailable. Please retry."),
            "{body}"
        );
        assert!(!body.contains("entryToken"));
    }
    // A tick that fails is skipped, not fatal.
    let mut ticker = Ticker::new(Arc::clone(&app.store), app.clock.clone(), 1000);
    ticker.round().await;

    engines.redis.restart().await.unwrap();
    eventually(Duration::from_secs(10), "the queue is back", async || {
        call("POST", "check").await.0 == StatusCode::OK
    })
    .await;
    ticker.round().await;
    engines.stop().await.unwrap();
}

/// What is left of a Redis that kept nothing on disk.
async fn lose_everything(sale: &Sale) {
    for name in [
        "queue",
        "active",
        "seen",
        "active-seen",
        "claims",
        "state",
        "limits",
    ] {
        let key = sale.redis.key(&format!("{{{}}}:{name}", sale.id));
        let _: () = redis::AsyncCommands::del(&mut sale.redis.conn(), key)
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_redis_that_comes_back_empty_does_not_open_a_sale_to_everybody() {
    let sale = Sale::new().await;
    sale.limit(Limits {
        cap: 1,
        ..sale.limits()
    })
    .await;
    sale.join(Uuid::new_v4(), 1).await;
    lose_everything(&sale).await;
    let without_place = sale.act(Act::Join(Uuid::new_v4(), None)).await;
    assert_eq!(without_place.standing, Standing::NoPlace);
    assert_eq!((without_place.cap, without_place.active), (1, 0));
    // What the control plane writes next is newer and wins.
    sale.limit(Limits {
        cap: 3,
        ..sale.limits()
    })
    .await;
    assert_eq!(sale.act(Act::Look).await.cap, 3);
}

#[tokio::test]
async fn order_survives_the_loss_of_redis_because_the_tokens_carry_it() {
    let sale = Sale::new().await;
    sale.bed.clock().set(OPENS_AT.plus_s(-60));
    sale.limit(sale.limits()).await;
    let users: Vec<Uuid> = (0..5).map(|_| Uuid::new_v4()).collect();
    for (user, position) in users.iter().zip(1..) {
        sale.join(*user, position).await;
    }
    lose_everything(&sale).await;
    // They come back in whatever order their polls happen to fall.
    for (user, position) in users.iter().rev().zip([5, 4, 3, 2, 1]) {
        sale.join(*user, position).await;
    }
    sale.bed.clock().set(OPENS_AT);
    sale.act(Act::Tick).await;
    assert_eq!(sale.admitted().await, users);
}
