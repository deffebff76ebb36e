//! R-QUE-16: whoever is told of admissions hears of each, in the order of the line, whatever happens
//! in between. One suite for both destinations; what only SQS has stands in [`fifo`].

mod emulator;
mod fifo;
mod stages;

use super::on_one_server::{Sale, is_active};
use crate::{
    Config,
    admissions::{Admission, Destination, Publisher, Told},
    store::{Act, Guards},
    ticker::Ticker,
};
use futures::future::BoxFuture;
use redis::AsyncCommands as _;
use stages::{OnBus, OnSqs, Stage};
use std::{collections::HashSet, sync::Arc, time::Duration};
use tokio::sync::Notify;
use urr_kit::{
    events::{ADMISSION_EVENTS, dlq},
    state::limits::Limits,
    testing::eventually,
};
use uuid::Uuid;

const SOON: Duration = Duration::from_secs(60);

/// A sale that lets in whoever comes.
async fn open_sale() -> Sale {
    let sale = Sale::new().await;
    sale.limit(Limits {
        cap: 1000,
        rate_per_s: 1000,
        burst: 100,
        ..sale.limits()
    })
    .await;
    sale
}

async fn publisher(sale: &Sale, stage: &impl Stage) -> Publisher {
    told_by(sale, stage.destination(sale).await)
}

fn told_by(sale: &Sale, to: Box<dyn Destination>) -> Publisher {
    let store = Arc::clone(&sale.app.store);
    Publisher::new(store, sale.redis.clone(), sale.app.clock.clone(), to)
}

/// Lets `count` more people in, one after the other.
async fn let_in(sale: &Sale, places: std::ops::Range<u64>) -> Vec<Uuid> {
    let mut users = Vec::new();
    for position in places {
        let user = Uuid::new_v4();
        assert!(is_active(sale.join(user, position).await));
        users.push(user);
        sale.bed.clock().advance_ms(10);
    }
    users
}

/// As if its holder had been gone for long.
async fn lease_ends(sale: &Sale, to: &str) {
    let lease = sale.redis.key(&format!("{{{}}}:publisher:{to}", sale.id));
    let _: u64 = sale.redis.conn().del(lease).await.unwrap();
}

async fn all_is_told(publisher: &Publisher) {
    eventually(SOON, "everything is told", async || {
        let round = publisher.round().await;
        round.failure.is_none() && !round.more
    })
    .await;
}

async fn in_order_whoever_tells<S: Stage>() {
    let (sale, stage) = (open_sale().await, S::new().await);
    let publishers = [
        publisher(&sale, &stage).await,
        publisher(&sale, &stage).await,
        publisher(&sale, &stage).await,
    ];
    for position in (1..=60).step_by(3) {
        let_in(&sale, position..position + 3).await;
        // The lease changes hands at every step, and all publish at once.
        lease_ends(&sale, S::NAME).await;
        let [a, b, c] = &publishers;
        let (a, b, c) = tokio::join!(a.round(), b.round(), c.round());
        for round in [a, b, c] {
            assert!(round.failure.is_none(), "{:?}", round.failure);
        }
    }
    lease_ends(&sale, S::NAME).await;
    all_is_told(&publishers[0]).await;
    let admitted = sale.admitted().await;
    assert_eq!(admitted.len(), 60);
    assert_eq!(stage.heard(sale.id).await, admitted);
}

/// A destination whose publisher does not live to hear that it was told, or to tell it.
struct Last {
    to: Box<dyn Destination>,
    tells: bool,
    reached: Arc<Notify>,
}

impl Destination for Last {
    fn name(&self) -> &'static str {
        self.to.name()
    }

    fn tell<'a>(&'a self, lines: &'a [&'a [Admission]]) -> BoxFuture<'a, Told> {
        Box::pin(async {
            if self.tells {
                let told = self.to.tell(lines).await;
                assert!(told.failure.is_none(), "{:?}", told.failure);
            }
            self.reached.notify_one();
            std::future::pending().await
        })
    }
}

/// Nothing of a publisher outlives it but what lies in Redis and at the destination, so a round that is
/// dropped in there leaves behind what `kill -9` leaves behind.
async fn who_dies_around_telling_leaves_no_gap<S: Stage>() {
    let (sale, stage) = (open_sale().await, S::new().await);
    for (from, tells) in [(1, true), (11, false), (21, true), (31, false)] {
        let_in(&sale, from..from + 10).await;
        let reached = Arc::new(Notify::new());
        let last = Last {
            to: stage.destination(&sale).await,
            tells,
            reached: Arc::clone(&reached),
        };
        let dying = told_by(&sale, Box::new(last));
        tokio::select! {
            _ = dying.round() => panic!("it was to die"),
            () = reached.notified() => {}
        }
        lease_ends(&sale, S::NAME).await;
    }
    all_is_told(&publisher(&sale, &stage).await).await;
    assert_eq!(stage.heard(sale.id).await, sale.admitted().await);
}

async fn away_and_back<S: Stage>() {
    let (sale, stage) = (open_sale().await, S::new().await);
    let publisher = publisher(&sale, &stage).await;
    let_in(&sale, 1..6).await;
    all_is_told(&publisher).await;
    stage.go_away().await;
    for from in [6, 11] {
        // Nobody at the door notices.
        let_in(&sale, from..from + 5).await;
        let round = publisher.round().await;
        assert!(round.failure.is_some() && !round.more);
    }
    stage.come_back().await;
    all_is_told(&publisher).await;
    let_in(&sale, 16..18).await;
    all_is_told(&publisher).await;
    assert_eq!(stage.heard(sale.id).await, sale.admitted().await);
}

async fn a_refused_one_stops_nobody_behind_it<S: Stage>() {
    let (sale, stage) = (open_sale().await, S::new().await);
    let publisher = publisher(&sale, &stage).await;
    let_in(&sale, 1..3).await;
    all_is_told(&publisher).await;
    let refused = Uuid::new_v4();
    stage.refuse(refused).await;
    assert!(is_active(sale.join(refused, 3).await));
    all_is_told(&publisher).await;
    stage.refuse_no_more(refused).await;
    let_in(&sale, 4..6).await;
    all_is_told(&publisher).await;
    let mut expected = sale.admitted().await;
    expected.retain(|user| *user != refused);
    assert_eq!(stage.heard(sale.id).await, expected);
    let letters = dlq::list(&sale.redis, ADMISSION_EVENTS, 10).await.unwrap();
    let [letter] = &letters[..] else {
        panic!("{letters:?}")
    };
    assert!(letter.event.contains(&refused.to_string()), "{letter:?}");
    assert!(letter.reason.starts_with(S::NAME), "{letter:?}");
    assert!(!letter.event.contains("entryToken"), "{letter:?}");
}

/// The ticker forgets a line in which nobody is any more.
async fn a_line_that_ended_untold_is_told_later<S: Stage>() {
    let config = Config {
        queue_admission_events: true,
        queue_admission_sqs_url: Some(String::new()),
        ..Config::default()
    };
    let (sale, stage) = (Sale::with(&config, Guards::default()).await, S::new().await);
    let first = publisher(&sale, &stage).await;
    stage.go_away().await;
    // An event without limits: whoever comes first goes in, and when all have left it is over.
    let users = [Uuid::new_v4(), Uuid::new_v4()];
    sale.app.store.announce(sale.id, sale.now()).await.unwrap();
    for user in users {
        assert!(is_active(sale.act(Act::Join(user, None)).await.standing));
    }
    assert!(first.round().await.failure.is_some());
    for user in users {
        sale.act(Act::Leave(user)).await;
    }
    let mut ticker = Ticker::new(Arc::clone(&sale.app.store), sale.app.clock.clone(), 1000);
    ticker.round().await;
    assert!(sale.app.store.lines.all().is_empty());
    stage.come_back().await;
    // Also a replica that has never heard of it.
    lease_ends(&sale, S::NAME).await;
    all_is_told(&publisher(&sale, &stage).await).await;
    assert_eq!(stage.heard(sale.id).await, users);
    let untold = sale.redis.key(&format!("queue:untold:{}", S::NAME));
    let publisher = publisher(&sale, &stage).await;
    lease_ends(&sale, S::NAME).await;
    eventually(SOON, "the line is off the list", async || {
        publisher.round().await;
        let left: HashSet<String> = sale.redis.conn().smembers(&untold).await.unwrap();
        left.is_empty()
    })
    .await;
}

macro_rules! suite {
    ($destination:ident, $stage:ident, $($fact:ident),+ $(,)?) => {
        mod $destination {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $fact() {
                    super::$fact::<super::$stage>().await;
                }
            )+
        }
    };
}

macro_rules! suites {
    ($($fact:ident),+ $(,)?) => {
        suite!(bus, OnBus, $($fact),+);
        suite!(sqs, OnSqs, $($fact),+);
    };
}

suites!(
    in_order_whoever_tells,
    who_dies_around_telling_leaves_no_gap,
    away_and_back,
    a_refused_one_stops_nobody_behind_it,
    a_line_that_ended_untold_is_told_later,
);
