//! The destinations under test, as their consumers see them.

use super::emulator::{self, Fault};
use crate::{
    admissions::{Bus, Destination, Sqs},
    tests::on_one_server::Sale,
};
use redis::{AsyncCommands as _, streams::StreamRangeReply};
use serde_json::Value;
use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
};
use urr_core::sale::SaleId;
use urr_kit::{
    Redis,
    engines::RedisEngine,
    events::{Envelope, RedisStreams, USER_ADMITTED, UserAdmitted},
    store::FifoQueue,
};
use uuid::Uuid;

/// What the suite needs of a destination.
pub(super) trait Stage {
    const NAME: &'static str;
    async fn new() -> Self;
    async fn destination(&self, sale: &Sale) -> Box<dyn Destination>;
    async fn go_away(&self);
    async fn come_back(&self);
    /// Refuses whatever is about `user`.
    async fn refuse(&self, user: Uuid);
    async fn refuse_no_more(&self, user: Uuid);
    /// Who was let in to `sale`, as a consumer takes it in that minds the ids it is given.
    async fn heard(&self, sale: SaleId) -> Vec<Uuid>;
}

/// The bus, on a Redis of its own.
pub(super) struct OnBus {
    _engine: RedisEngine,
    redis: Redis,
}

impl OnBus {
    async fn memory_max(&self, bytes: &str) {
        let mut set = redis::cmd("CONFIG");
        set.arg(("SET", "maxmemory", bytes));
        set.query_async::<()>(&mut self.redis.conn()).await.unwrap();
    }
}

impl Stage for OnBus {
    const NAME: &'static str = Bus::NAME;

    async fn new() -> Self {
        let engine = RedisEngine::alone().await.unwrap();
        let redis = Redis::connect(engine.url(), "").await.unwrap();
        Self {
            _engine: engine,
            redis,
        }
    }

    async fn destination(&self, _sale: &Sale) -> Box<dyn Destination> {
        Box::new(Bus(RedisStreams::new(self.redis.clone())))
    }

    /// It is full. (One that stands still takes in what it was sent as soon as it goes on.)
    async fn go_away(&self) {
        self.memory_max("1").await;
    }

    async fn come_back(&self) {
        self.memory_max("0").await;
    }

    /// Something else lies where the stream belongs.
    async fn refuse(&self, _user: Uuid) {
        let _: () = self
            .redis
            .conn()
            .rename("{events}:admissions", "{events}:aside")
            .await
            .unwrap();
        let _: () = self.redis.conn().set("{events}:admissions", "x").await.unwrap();
    }

    async fn refuse_no_more(&self, _user: Uuid) {
        let _: () = self
            .redis
            .conn()
            .rename("{events}:aside", "{events}:admissions")
            .await
            .unwrap();
    }

    async fn heard(&self, sale: SaleId) -> Vec<Uuid> {
        let entries: StreamRangeReply = self.redis.conn().xrange_all("{events}:admissions").await.unwrap();
        let events = entries
            .ids
            .iter()
            .map(|entry| entry.get::<String>("event").unwrap());
        let events = events.map(|text| serde_json::from_str::<Envelope>(&text).unwrap());
        let mut seen = HashSet::new();
        events
            .filter(|event| event.aggregate_id == sale.to_string() && seen.insert(event.event_id))
            .map(|event| {
                assert_eq!(event.kind, USER_ADMITTED);
                let admitted: UserAdmitted = event.decode().unwrap();
                assert_eq!((admitted.event_id, Some(admitted.user_id)), (sale, event.user_id));
                admitted.user_id
            })
            .collect()
    }
}

/// An SQS FIFO queue, in an emulator of its own. SQS itself drops what it has had.
pub(super) struct OnSqs {
    pub(super) sqs: emulator::Sqs,
    heard: Mutex<Vec<Value>>,
}

impl Stage for OnSqs {
    const NAME: &'static str = Sqs::NAME;

    async fn new() -> Self {
        Self {
            sqs: emulator::Sqs::start().await,
            heard: Mutex::default(),
        }
    }

    async fn destination(&self, sale: &Sale) -> Box<dyn Destination> {
        let queue = FifoQueue::connect("TEST", &self.sqs.url, Some(&self.sqs.endpoint)).await;
        Box::new(Sqs {
            queue: queue.unwrap(),
            store: Arc::clone(&sale.app.store),
            entry_keys: sale.app.entry_keys.clone(),
        })
    }

    async fn go_away(&self) {
        self.sqs.be_away(true);
    }

    async fn come_back(&self) {
        self.sqs.be_away(false);
    }

    async fn refuse(&self, user: Uuid) {
        self.sqs.fail(user, Some(Fault::Refused));
    }

    async fn refuse_no_more(&self, user: Uuid) {
        self.sqs.fail(user, None);
    }

    async fn heard(&self, sale: SaleId) -> Vec<Uuid> {
        let received = self.sqs.receive_all().await;
        emulator::assert_one_of_each_group(&self.sqs.requests());
        let mut heard = self.heard.lock().unwrap();
        heard.extend(
            received
                .iter()
                .map(|message| serde_json::from_str::<Value>(message.body.as_ref().unwrap()).unwrap()),
        );
        heard
            .iter()
            .filter(|body| body["eventId"] == sale.to_string())
            .map(|body| body["userId"].as_str().unwrap().parse().unwrap())
            .collect()
    }
}
