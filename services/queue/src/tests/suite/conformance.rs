//! The script does `urr_core::admission::admit`, to the last digit, whatever happens to it.

use super::{OPENS_AT, Sale};
use crate::store::{Act, Place, Standing};
use proptest::prelude::*;
use redis::AsyncCommands as _;
use std::collections::{BTreeMap, BTreeSet};
use urr_core::{
    admission::{self, Bucket},
    time::Millis,
};
use urr_kit::state::limits::Limits;
use uuid::Uuid;

#[derive(Debug, Clone)]
struct Step {
    /// Sometimes back: another replica's clock.
    after_ms: i64,
    rate_per_s: u32,
    burst: u32,
    cap: u32,
    paused: bool,
    joins: Vec<u16>,
    leaves: u8,
}

fn step() -> impl Strategy<Value = Step> {
    (
        prop_oneof![8 => 0_i64..700, 1 => 1000_i64..20_000, 1 => -300_i64..0],
        0_u32..40,
        0_u32..12,
        0_u32..12,
        prop::bool::weighted(0.15),
        prop::collection::vec(1_u16..2000, 0..6),
        0_u8..4,
    )
        .prop_map(|(after_ms, rate_per_s, burst, cap, paused, joins, leaves)| Step {
            after_ms,
            rate_per_s,
            burst,
            cap,
            paused,
            joins,
            leaves,
        })
}

/// What the script must do, in memory.
#[derive(Default)]
struct Model {
    /// The line's clock: the latest instant anybody named.
    clock: Option<Millis>,
    bucket: Option<Bucket>,
    rate_per_s: Option<u32>,
    waiting: BTreeMap<u64, Uuid>,
    active: BTreeSet<Uuid>,
}

impl Model {
    fn admit(&mut self, limits: &Limits, called_at: Millis) {
        let now = self.clock.map_or(called_at, |clock| clock.max(called_at));
        self.clock = Some(now);
        let rate_before = self
            .rate_per_s
            .replace(limits.rate_per_s)
            .unwrap_or(limits.rate_per_s);
        if now < limits.opens_at {
            return;
        }
        let by = admission::Limits {
            rate_per_s: limits.rate_per_s,
            burst: limits.burst,
            cap: limits.cap,
        };
        let bucket = self
            .bucket
            .unwrap_or_else(|| Bucket::at_opening(limits.opens_at, by));
        if limits.paused {
            self.bucket = Some(Bucket {
                tokens_milli: bucket.tokens_milli.min(by.depth_milli()),
                at: bucket.at.max(now),
            });
            return;
        }
        // Until a change was heard of the lower rate held.
        let until_now = admission::Limits {
            rate_per_s: by.rate_per_s.min(rate_before),
            ..by
        };
        let (_, bucket) = admission::admit(bucket, until_now, now, 0, 0);
        let (n, after) = admission::admit(
            bucket,
            by,
            now,
            self.waiting.len() as u64,
            self.active.len() as u64,
        );
        self.bucket = Some(after);
        for _ in 0..n {
            let (_, user) = self.waiting.pop_first().unwrap();
            self.active.insert(user);
        }
    }
}

/// The script's bucket, once there is one.
async fn bucket(sale: &Sale) -> Option<Bucket> {
    let key = sale.redis.key(&format!("{{{}}}:state", sale.id));
    let (tokens_milli, at): (Option<i64>, Option<i64>) = sale
        .redis
        .conn()
        .hmget(key, &["tokens_milli", "at"])
        .await
        .unwrap();
    Some(Bucket {
        tokens_milli: tokens_milli?,
        at: Millis(at?),
    })
}

async fn follows_the_model(sale: &mut Sale, steps: Vec<Step>) {
    sale.id = Uuid::new_v4();
    let mut model = Model::default();
    let mut now = OPENS_AT.plus_ms(-500);
    let mut taken = BTreeSet::new();
    for step in steps {
        now = now.plus_ms(step.after_ms);
        sale.bed.clock().set(now);
        let limits = Limits {
            rate_per_s: step.rate_per_s,
            burst: step.burst,
            cap: step.cap,
            paused: step.paused,
            // Nobody is taken out by time here.
            silence_s: 100_000,
            active_ttl_s: 100_000,
            ..sale.limits()
        };
        sale.limit(limits.clone()).await;
        for position in step.joins.into_iter().map(u64::from).filter(|p| taken.insert(*p)) {
            let user = Uuid::new_v4();
            model.waiting.insert(position, user);
            model.admit(&limits, now);
            let place = Place { position, epoch: 1 };
            let view = sale.act(Act::Join(user, Some(place))).await;
            let expected = match model.waiting.range(..=position).count() as u64 {
                _ if model.active.contains(&user) => None,
                ahead => Some(ahead - 1),
            };
            match (view.standing, expected) {
                (Standing::Active { .. }, None) => {}
                (Standing::Queued { ahead }, Some(expected)) => assert_eq!(ahead, expected),
                other => panic!("{other:?}"),
            }
        }
        for _ in 0..step.leaves {
            if let Some(user) = model.active.pop_first() {
                // The slot is given on at once.
                model.admit(&limits, now);
                sale.act(Act::Leave(user)).await;
            }
        }
        model.admit(&limits, now);
        let view = sale.act(Act::Tick).await;
        assert_eq!(
            (view.waiting, view.active),
            (model.waiting.len() as u64, model.active.len() as u64)
        );
        assert_eq!(bucket(sale).await, model.bucket);
    }
    for user in &model.active {
        assert!(super::is_active(sale.standing(*user).await));
    }
}

#[test]
fn the_script_admits_whom_the_model_admits() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let sale = std::cell::RefCell::new(runtime.block_on(Sale::new()));
    let config = ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(40)
    };
    proptest!(config, |(steps in prop::collection::vec(step(), 1..14))| {
        runtime.block_on(follows_the_model(&mut sale.borrow_mut(), steps));
    });
}
