//! A sale with its visitors, two replicas and a Redis that can be killed.

use crate::{
    Config, assemble,
    durable::Durable,
    http,
    store::Guards,
    tests::{OPENS_AT, on_one_server::Sale},
    ticker::Ticker,
};
use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode},
};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng, seq::SliceRandom as _};
use serde_json::Value;
use std::{collections::HashSet, sync::Arc, time::Duration};
use tower::ServiceExt as _;
use urr_core::{
    admission::{LogEntry, LogKind},
    time::Millis,
};
use urr_kit::{
    engines::RedisEngine,
    state::{limits::Limits, rooms::Rooms},
    testing::{TestBed, eventually},
};
use uuid::Uuid;

const VISITORS: u64 = 300;
pub(super) const CAP: u32 = 20;
/// How long a visitor stays inside.
const STAY_MS: i64 = 2_000;
pub(super) const STEP_MS: i64 = 100;
pub(super) const KILLED_AT: Millis = Millis(OPENS_AT.0 + 6_000);

#[derive(Debug, Clone, PartialEq)]
pub(super) enum State {
    Waits {
        next: Millis,
    },
    Inside {
        token: String,
        next: Millis,
        leaves: Millis,
    },
    Gone,
}

pub(super) struct Visitor {
    pub(super) user: Uuid,
    place: String,
    pub(super) state: State,
    /// How often the visitor was told to go in, a slot kept through the loss counting once.
    went_in: u32,
}

pub(super) struct World {
    pub(super) sale: Sale,
    pub(super) engine: RedisEngine,
    pub(super) replicas: Vec<(Router, Ticker)>,
    pub(super) visitors: Vec<Visitor>,
    most_inside: usize,
    pub(super) log: Vec<LogEntry>,
    /// Let in when Redis died, without having heard of it.
    pub(super) untold: HashSet<Uuid>,
}

impl World {
    pub(super) async fn new(guards: Guards, seed: u64) -> Self {
        let engine = RedisEngine::alone().await.unwrap();
        let bed = TestBed::at(OPENS_AT.plus_s(-10)).await.with_redis(engine.url());
        let rooms = Rooms::new(&bed.ctx().dynamo().await);
        rooms.ensure_tables().await.unwrap();
        let sale = Sale::on(bed, &Config::default(), guards).await;
        let mut world = Self {
            sale,
            engine,
            replicas: Vec::new(),
            visitors: Vec::new(),
            most_inside: 0,
            log: Vec::new(),
            untold: HashSet::new(),
        };
        world.sale.limit(world.limits()).await;
        for _ in 0..2 {
            let replica = world.replica(guards).await;
            world.replicas.push(replica);
        }
        world.visitors = (1..=VISITORS)
            .map(|position| Visitor {
                user: Uuid::new_v4(),
                place: world.sale.place_token(position),
                state: State::Waits {
                    next: world.sale.now(),
                },
                went_in: 0,
            })
            .collect();
        let mut order: Vec<usize> = (0..world.visitors.len()).collect();
        order.shuffle(&mut StdRng::seed_from_u64(seed));
        for (n, visitor) in order.into_iter().enumerate() {
            world.poll(visitor, "check", n % 2).await;
        }
        world
    }

    pub(super) fn limits(&self) -> Limits {
        Limits {
            cap: CAP,
            rate_per_s: 50,
            burst: 5,
            ..self.sale.limits()
        }
    }

    /// Another process of the service, with a memory of its own.
    pub(super) async fn replica(&self, guards: Guards) -> (Router, Ticker) {
        let ctx = self.sale.bed.ctx();
        let durable = Durable::new(Some(Rooms::new(&ctx.dynamo().await)));
        let app = assemble(
            &ctx,
            &Config::default(),
            ctx.redis().await.unwrap(),
            durable,
            guards,
        );
        let ticker = Ticker::new(Arc::clone(&app.store), app.clock.clone(), 1000);
        (http::router(app), ticker)
    }

    pub(super) async fn call(
        &self,
        replica: usize,
        method: &str,
        path: &str,
        visitor: &Visitor,
    ) -> (StatusCode, Value) {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("/api/queue/{path}/{}", self.sale.id))
            .header("x-user-id", visitor.user.to_string())
            .header("cookie", format!("urr-vwr-token={}", visitor.place));
        if let State::Inside { token, .. } = &visitor.state {
            request = request.header("x-queue-entry-token", token);
        }
        let request = request.body(Body::empty()).unwrap();
        let response = self.replicas[replica].0.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let body = axum::body::to_bytes(response.into_body(), 1 << 16).await.unwrap();
        (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
    }

    /// One poll, as a client does it.
    async fn poll(&mut self, index: usize, path: &str, replica: usize) {
        let now = self.sale.now();
        let method = if path == "check" { "POST" } else { "GET" };
        let (status, body) = self.call(replica, method, path, &self.visitors[index]).await;
        let visitor = &mut self.visitors[index];
        let next = now.plus_s(body["nextPoll"].as_i64().unwrap_or(1));
        if status == StatusCode::SERVICE_UNAVAILABLE {
            // What one was told before holds until one is told otherwise.
            match &mut visitor.state {
                State::Waits { next } | State::Inside { next, .. } => *next = now.plus_s(1),
                State::Gone => {}
            }
            return;
        }
        assert_eq!(status, StatusCode::OK, "{body}");
        match (body["status"].as_str().unwrap(), &mut visitor.state) {
            ("active", State::Inside { next: at, .. }) => *at = next,
            ("active", state) => {
                visitor.went_in += 1;
                *state = State::Inside {
                    token: body["entryToken"].as_str().unwrap().to_owned(),
                    next,
                    leaves: now.plus_ms(STAY_MS),
                };
            }
            ("queued", state) => *state = State::Waits { next },
            ("not_in_queue", State::Waits { next }) => *next = now,
            (other, state) => panic!("{other} while {state:?}"),
        }
    }

    /// Lets true time pass, everybody doing what is due.
    pub(super) async fn step(&mut self, dice: &mut StdRng) {
        let now = self.sale.now().plus_ms(STEP_MS);
        self.sale.bed.clock().set(now);
        for (_, ticker) in &mut self.replicas {
            ticker.round().await;
        }
        let mut order: Vec<usize> = (0..self.visitors.len()).collect();
        order.shuffle(dice);
        for index in order {
            let replica = dice.random_range(0..self.replicas.len());
            match self.visitors[index].state.clone() {
                State::Waits { next } if next <= now => {
                    self.poll(index, "status", replica).await;
                    // Forgotten: step up again, as clients do.
                    if self.visitors[index].state == (State::Waits { next: now }) {
                        self.poll(index, "check", replica).await;
                    }
                }
                State::Inside { leaves, .. } if leaves <= now => {
                    let (status, _) = self.call(replica, "POST", "leave", &self.visitors[index]).await;
                    if status == StatusCode::OK {
                        self.visitors[index].state = State::Gone;
                    }
                }
                State::Inside { next, .. } if next <= now => self.poll(index, "status", replica).await,
                _ => {}
            }
        }
        self.most_inside = self.most_inside.max(self.inside().count());
    }

    pub(super) fn inside(&self) -> impl Iterator<Item = &Visitor> {
        self.visitors
            .iter()
            .filter(|visitor| matches!(visitor.state, State::Inside { .. }))
    }

    pub(super) async fn keep_log(&mut self) {
        let entries = self.sale.entries().await;
        self.log.extend(entries);
    }

    /// The test's own look at Redis.
    pub(super) async fn reconnect(&mut self) {
        let ctx = self.sale.bed.ctx();
        self.sale.redis = ctx.redis().await.unwrap();
        let (redis, durable) = (self.sale.redis.clone(), Durable::new(None));
        self.sale.app = assemble(&ctx, &Config::default(), redis, durable, Guards::default());
    }

    pub(super) async fn lose_redis(&mut self) {
        self.keep_log().await;
        let admitted = self.log.iter().filter(|entry| entry.kind == LogKind::Admit);
        let admitted: HashSet<Uuid> = admitted.filter_map(|entry| entry.user).collect();
        let untold = self.visitors.iter().filter(|visitor| visitor.went_in == 0);
        self.untold = untold
            .map(|visitor| visitor.user)
            .filter(|user| admitted.contains(user))
            .collect();
        self.engine.kill();
        // Polls and ticks meanwhile fail, and say so.
        let mut dice = StdRng::seed_from_u64(1);
        self.step(&mut dice).await;
        self.engine.restart().await.unwrap();
        self.reconnect().await;
        let keys: u64 = redis::cmd("DBSIZE")
            .query_async(&mut self.sale.redis.conn())
            .await
            .unwrap();
        assert_eq!(keys, 0, "Redis is back and empty");
        for (router, _) in &self.replicas {
            // Connections come back with their next call; here that must not be a visitor's.
            eventually(Duration::from_secs(30), "the replica has found it", async || {
                let path = format!("/api/queue/status/{}", Uuid::new_v4());
                let request = Request::builder()
                    .uri(path)
                    .header("x-user-id", Uuid::new_v4().to_string())
                    .body(Body::empty())
                    .unwrap();
                router.clone().oneshot(request).await.unwrap().status() == StatusCode::OK
            })
            .await;
        }
    }

    /// What is wrong with the whole history, if anything. `aside`: whose admission is void.
    pub(super) fn wrongs(&self, aside: &HashSet<Uuid>) -> Vec<String> {
        let mut wrongs = Vec::new();
        let admitted: Vec<u64> = self
            .log
            .iter()
            .filter(|entry| entry.kind == LogKind::Admit && !aside.contains(&entry.user.unwrap()))
            .filter_map(|entry| entry.position)
            .collect();
        let inversions = admitted.windows(2).filter(|pair| pair[1] < pair[0]).count();
        if inversions > 0 {
            wrongs.push(format!("{inversions} inversions"));
        }
        let different: HashSet<u64> = admitted.iter().copied().collect();
        if different.len() != admitted.len() {
            wrongs.push(format!("{} let in twice", admitted.len() - different.len()));
        }
        let lost = self
            .visitors
            .iter()
            .filter(|visitor| visitor.state != State::Gone)
            .count();
        if lost > 0 {
            wrongs.push(format!("{lost} lost"));
        }
        let again = self
            .visitors
            .iter()
            .filter(|visitor| visitor.went_in != 1)
            .count();
        if again > 0 {
            wrongs.push(format!("{again} did not go in exactly once"));
        }
        if self.most_inside > CAP as usize {
            wrongs.push(format!("{} inside, cap {CAP}", self.most_inside));
        }
        wrongs
    }
}
