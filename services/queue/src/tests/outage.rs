//! R-QUE-13: without Redis nobody is let in, and nobody is told otherwise.

use super::{OPENS_AT, on_one_server::Sale};
use crate::{
    Config, assemble,
    breaker::OPEN_MS,
    durable::Durable,
    http,
    store::{Act, Guards, Standing, StoreError},
    ticker::Ticker,
};
use axum::{
    body::Body,
    http::{Request, StatusCode, header::RETRY_AFTER},
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tower::ServiceExt as _;
use urr_kit::{
    engines::RedisEngine,
    state::{limits::Limits, rooms::Rooms},
    testing::{TestBed, eventually},
};
use uuid::Uuid;

const SOON: Duration = Duration::from_secs(60);

const CALLS: [(&str, &str); 4] = [
    ("POST", "check"),
    ("GET", "status"),
    ("POST", "heartbeat"),
    ("POST", "leave"),
];

/// A queue service on a Redis that the test ends.
struct Service {
    _bed: TestBed,
    redis: RedisEngine,
    app: Arc<http::App>,
    event: Uuid,
}

impl Service {
    async fn new() -> Self {
        let redis = RedisEngine::alone().await.unwrap();
        let bed = TestBed::at(OPENS_AT).await.with_redis(redis.url());
        let (ctx, config) = (bed.ctx(), Config::default());
        let conn = ctx.redis().await.unwrap();
        Self {
            app: assemble(&ctx, &config, conn, Durable::new(None), Guards::default()),
            _bed: bed,
            redis,
            event: Uuid::new_v4(),
        }
    }

    async fn call(&self, (method, call): (&str, &str)) -> StatusCode {
        let request = Request::builder()
            .method(method)
            .uri(format!("/api/queue/{call}/{}", self.event))
            .header("x-user-id", Uuid::from_u128(7).to_string())
            .body(Body::empty())
            .unwrap();
        let router = http::router(Arc::clone(&self.app));
        let response = router.oneshot(request).await.unwrap();
        let (status, retry_after) = (response.status(), response.headers().get(RETRY_AFTER).cloned());
        let body = axum::body::to_bytes(response.into_body(), 1 << 16).await.unwrap();
        let body = String::from_utf8(body.to_vec()).unwrap();
        if status != StatusCode::OK {
            assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{call}: {body}");
            assert!(
                body.contains("Queue service temporarily unavailable. Please retry."),
                "{body}"
            );
            assert_eq!(retry_after.unwrap(), "2");
            assert!(!body.contains("entryToken"));
        }
        status
    }

    fn ticker(&self) -> Ticker {
        Ticker::new(Arc::clone(&self.app.store), self.app.clock.clone(), 1000)
    }

    fn is_given_up(&self) -> bool {
        self.app.store.breaker(self.event).is_open()
    }

    /// Asks until Redis is given up.
    async fn give_up(&self) {
        eventually(SOON, "Redis is given up", async || {
            let all = CALLS.map(|call| self.call(call));
            let statuses = futures::future::join_all(all).await;
            assert!(statuses.iter().all(|status| *status != StatusCode::OK));
            self.is_given_up()
        })
        .await;
    }

    /// Ticks until visitors are let through again.
    async fn come_back(&self) {
        let mut ticker = self.ticker();
        eventually(SOON, "the queue is back", async || {
            ticker.round().await;
            !self.is_given_up() && self.call(CALLS[0]).await == StatusCode::OK
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_redis_every_call_is_503_and_afterwards_all_is_well() {
    let service = Service::new().await;
    assert_eq!(service.call(CALLS[0]).await, StatusCode::OK);
    service.redis.kill();
    service.give_up().await;
    // A tick that fails is skipped, not fatal.
    service.ticker().round().await;
    assert!(service.is_given_up());
    service.redis.restart().await.unwrap();
    service.come_back().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_redis_stands_still_nobody_waits_for_it_but_the_first_few() {
    let service = Service::new().await;
    assert_eq!(service.call(CALLS[0]).await, StatusCode::OK);
    service.redis.freeze();
    service.give_up().await;
    let (began, asked_before) = (Instant::now(), service.app.store.calls());
    for _ in 0..250 {
        for call in CALLS {
            assert_eq!(service.call(call).await, StatusCode::SERVICE_UNAVAILABLE);
        }
    }
    // None of the thousand asked Redis, but for the trials that are due on a machine that is this slow.
    let trials = began.elapsed().as_millis() / u128::from(OPEN_MS) + 1;
    let asked = service.app.store.calls() - asked_before;
    assert!(u128::from(asked) < trials, "{asked} of 1,000 asked");
    service.redis.thaw();
    service.come_back().await;
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

#[tokio::test]
async fn an_event_is_served_without_a_sale_only_once_it_was_read_that_there_is_none() {
    // R-QUE-13, never free entry. Without its tables DynamoDB has no answer.
    let bed = TestBed::at(OPENS_AT).await;
    let ctx = bed.ctx();
    let rooms = Rooms::new(&ctx.dynamo().await);
    let durable = Durable::new(Some(rooms.clone()));
    let (config, redis) = (Config::default(), ctx.redis().await.unwrap());
    let app = assemble(&ctx, &config, redis, durable, Guards::default());
    let sale = Sale::on(bed, &config, Guards::default()).await;
    let join = async |event| {
        let act = Act::Join(Uuid::new_v4(), None);
        app.store.act(event, act, sale.now()).await
    };
    for _ in 0..2 {
        let refused = join(Uuid::new_v4()).await;
        assert!(matches!(refused, Err(StoreError::Lost)), "{refused:?}");
    }
    // A sale whose limits Redis has needs no more.
    sale.limit(sale.limits()).await;
    assert_eq!(join(sale.id).await.unwrap().standing, Standing::NoPlace);

    let event = Uuid::new_v4();
    assert!(join(event).await.is_err());
    rooms.ensure_tables().await.unwrap();
    // That there was no answer is not remembered for long.
    sale.bed.clock().advance_ms(1000);
    assert!(matches!(
        join(event).await.unwrap().standing,
        Standing::Active { .. }
    ));
}
