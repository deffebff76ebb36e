//! Two control planes at once: the store refuses the one that decided on old news.

use crate::world::{SOON, World};
use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::json;
use urr_controlplane::store::{SaleRecord, StoreError};
use urr_core::plan::Hand;
use urr_kit::Clock as _;
use urr_kit::state::StateError;
use urr_kit::state::limits::Written;
use urr_kit::testing::eventually;

#[tokio::test]
async fn a_record_written_from_old_news_is_refused_and_without_the_condition_an_override_is_lost() {
    // Law fenced.
    let world = World::new().await;
    let now = world.bed.clock().now();
    let first = world
        .sales
        .write(&SaleRecord::new(world.sale(), now), None, now)
        .await
        .unwrap();
    let id = first.sale.id;
    let stale = first.clone();
    let paused = Hand {
        paused: true,
        ..Hand::default()
    };
    world
        .sales
        .write(
            &SaleRecord {
                hand: paused,
                ..first
            },
            None,
            now,
        )
        .await
        .unwrap();

    let late = SaleRecord {
        ready_replicas: Some(2),
        ..stale
    };
    let refused = world.sales.write(&late, None, now).await;
    assert!(matches!(refused, Err(StoreError::Fenced)), "{refused:?}");
    assert!(world.sales.get(id).await.unwrap().unwrap().hand.paused);

    // The same write with its guard off, done by hand: the operator's pause is gone.
    let dynamo = world.bed.ctx().dynamo().await;
    let table = dynamo.table("sales");
    let key = AttributeValue::S(id.to_string());
    let stored = dynamo
        .client
        .get_item()
        .table_name(&table)
        .key("saleId", key)
        .send()
        .await
        .unwrap();
    let mut item = stored.item.unwrap();
    item.insert("paused".into(), AttributeValue::Bool(late.hand.paused));
    item.insert("readyReplicas".into(), AttributeValue::N("2".into()));
    dynamo
        .client
        .put_item()
        .table_name(&table)
        .set_item(Some(item))
        .send()
        .await
        .unwrap();
    assert!(
        !world.sales.get(id).await.unwrap().unwrap().hand.paused,
        "the guard is what keeps it"
    );
}

#[tokio::test]
async fn a_control_plane_that_planned_on_old_records_cannot_write_them() {
    // Law fenced: both targets refuse the revision that somebody else has moved on from.
    let world = World::new().await;
    let now = world.bed.clock().now();
    let record = world
        .sales
        .write(&SaleRecord::new(world.sale(), now), None, now)
        .await
        .unwrap();
    let sale = record.sale.id;
    world.reconciler().step(sale).await.unwrap();
    let (old_room, old_limits) = (world.room(sale).await, world.limits(sale).await);

    let hand = Hand {
        rate_per_s: Some(5),
        ..Hand::default()
    };
    let record = world.sales.get(sale).await.unwrap().unwrap();
    world
        .sales
        .write(&SaleRecord { hand, ..record }, None, now)
        .await
        .unwrap();
    world.reconciler().step(sale).await.unwrap();

    let late = world
        .rooms
        .replace(old_room.revision, &old_room.with_rate(20, now))
        .await;
    assert!(matches!(late, Err(StateError::Fenced { .. })), "{late:?}");
    let late = urr_kit::state::limits::Limits {
        revision: old_limits.revision + 1,
        ..old_limits
    };
    assert_eq!(world.limits.write(&late).await.unwrap(), Written::Stale);
    assert_eq!(
        (
            world.room(sale).await.clock.rate_per_s,
            world.limits(sale).await.rate_per_s
        ),
        (5, 5)
    );
}

#[tokio::test]
async fn two_control_planes_agree_and_log_each_override_once() {
    let world = World::new().await;
    let (one, two) = (world.control().await, world.control().await);
    let sale = world.sale();
    one.put(&sale).await;
    // Both write at once, again and again; every call must succeed and none may be lost.
    for round in 0..5_u32 {
        let rate = json!({"action": "rate", "value": 10 + round, "actor": "one", "reason": "r"});
        let cap = json!({"action": "cap", "value": 30 + round, "actor": "two", "reason": "r"});
        let (a, b) = tokio::join!(one.override_sale(sale.id, rate), two.override_sale(sale.id, cap));
        assert_eq!((a.0, b.0), (200, 200), "{a:?} {b:?}");
    }
    eventually(SOON, "the last overrides are in force", async || {
        let limits = world.limits(sale.id).await;
        (limits.rate_per_s, limits.cap) == (14, 34) && world.room(sale.id).await.clock.rate_per_s == 14
    })
    .await;
    let log = world.sales.audit(sale.id, 500).await.unwrap();
    let count = |action: &str| log.iter().filter(|entry| entry.action == action).count();
    assert_eq!((count("rate"), count("cap"), count("phase")), (5, 5, 1));
}
