//! Law `hard-cap`: never more inside than the cap, on any path, and the test can tell.

use super::{OPENS_AT, Sale};
use crate::{
    Config,
    store::{Act, Guards},
};
use std::sync::Arc;
use urr_core::admission::LogKind;
use urr_kit::state::limits::Limits;
use uuid::Uuid;

/// 50 people join, poll and leave at once on the fast path while two replicas tick; returns the
/// most that were inside at any instant, by the log and by look.
async fn most_inside(guards: Guards) -> u64 {
    let sale = Arc::new(Sale::with(&Config::default(), guards).await);
    sale.limit(Limits {
        cap: 7,
        rate_per_s: 100_000,
        burst: 100_000,
        ..sale.limits()
    })
    .await;
    let people = (1..=50).map(|position| {
        let sale = Arc::clone(&sale);
        tokio::spawn(async move {
            let user = Uuid::new_v4();
            let mut most = 0;
            for _ in 0..3 {
                sale.join(user, position).await;
                most = most.max(sale.act(Act::Touch(user)).await.active);
                most = most.max(sale.act(Act::Tick).await.active);
                if position % 3 == 0 {
                    sale.act(Act::Leave(user)).await;
                }
            }
            most
        })
    });
    let mut most = 0;
    for person in futures::future::join_all(people).await {
        most = most.max(person.unwrap());
    }
    let log = sale.log().await;
    let logged = log
        .iter()
        .filter(|l| l.kind == LogKind::Admit)
        .map(|l| l.active_after)
        .max();
    most.max(logged.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_at_once_never_exceed_the_cap() {
    assert_eq!(
        most_inside(Guards::default()).await,
        7,
        "and the slots are all used"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_guard_the_cap_is_exceeded() {
    assert!(
        most_inside(Guards {
            cap_off: true,
            ..Guards::default()
        })
        .await
            > 7,
        "the race cannot fail, so it proves nothing"
    );
}

#[tokio::test]
async fn a_cap_that_is_lowered_takes_nobody_out_and_lets_nobody_in() {
    let sale = Sale::new().await;
    sale.limit(sale.limits()).await;
    for position in 1..=5 {
        assert!(super::is_active(sale.join(Uuid::new_v4(), position).await));
    }
    sale.limit(Limits {
        cap: 2,
        ..sale.limits()
    })
    .await;
    sale.bed.clock().set(OPENS_AT.plus_s(10));
    assert!(!super::is_active(sale.join(Uuid::new_v4(), 6).await));
    assert_eq!(sale.act(Act::Tick).await.active, 5);
}

#[tokio::test]
async fn the_rate_bounds_what_free_slots_would_allow() {
    let sale = Sale::capped(1000).await;
    for position in 1..=100 {
        sale.join(Uuid::new_v4(), position).await;
    }
    assert_eq!(sale.act(Act::Tick).await.active, 5, "the burst");
    for (after_ms, active) in [(99, 5), (100, 6), (400, 9), (10_000, 14)] {
        sale.bed.clock().set(OPENS_AT.plus_ms(after_ms));
        assert_eq!(sale.act(Act::Tick).await.active, active, "{after_ms} ms");
    }
}
