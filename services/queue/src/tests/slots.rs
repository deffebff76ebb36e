//! How slots come back (R-QUE-05), how well they are used, and who may stand in a line at all.

use super::{
    OPENS_AT,
    on_one_server::{Sale, is_active},
};
use crate::{
    Config,
    store::{Act, Guards, Place, Proof},
    ticker::Ticker,
};
use axum::http::StatusCode;
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use std::{cmp::Reverse, collections::BinaryHeap, sync::Arc};
use urr_core::{admission::LogKind, time::Millis};
use urr_kit::state::limits::Limits;
use uuid::Uuid;

#[tokio::test]
async fn a_phone_may_be_silent_for_longer() {
    let sale = Sale::new().await;
    sale.limit(sale.limits()).await;
    let [kim, lee] = [Uuid::new_v4(), Uuid::new_v4()];
    sale.join(kim, 1).await;
    sale.join(lee, 2).await;
    let phone = Proof {
        is_phone: true,
        ..Proof::default()
    };
    let touch = sale
        .app
        .store
        .act_with(sale.id, Act::Touch(kim), phone, sale.now());
    assert!(is_active(touch.await.unwrap().standing));
    for (after_s, active) in [(29, 2), (30, 1), (89, 1), (90, 0)] {
        sale.bed.clock().set(OPENS_AT.plus_s(after_s));
        assert_eq!(sale.act(Act::Tick).await.active, active, "{after_s} s");
    }
    let admitted = sale.log().await;
    let left: Vec<_> = admitted.iter().filter(|l| l.kind == LogKind::Leave).collect();
    assert_eq!((left[0].user, left[1].user), (Some(lee), Some(kim)));
}

/// Two sales of which each turns away who waits in the other, seen by one replica.
async fn two_sales() -> (Sale, Uuid, Uuid) {
    let mut sale = Sale::new().await;
    let mut ids = Vec::new();
    for _ in 0..2 {
        sale.id = Uuid::new_v4();
        sale.limit(Limits {
            cap: 0,
            one_line_per_user: true,
            ..sale.limits()
        })
        .await;
        ids.push(sale.id);
    }
    (sale, ids[0], ids[1])
}

async fn check(sale: &Sale, id: Uuid, user: Uuid) -> (StatusCode, serde_json::Value) {
    let claims = urr_core::token::tier1::Claims::new(id, "v", user.as_u64_pair().1 >> 12, 1, sale.now(), 600);
    let token = urr_core::token::tier1::issue(&sale.app.vwr_keys, &claims);
    let path = format!("/api/queue/check/{id}");
    sale.call("POST", &path, Some((user, "user")), Some(token)).await
}

#[tokio::test]
async fn who_waits_in_one_sale_waits_in_no_other_that_wants_it_so() {
    // R-QUE-11.
    let (mut sale, first, second) = two_sales().await;
    let user = Uuid::new_v4();
    assert_eq!(check(&sale, first, user).await.0, StatusCode::OK);
    for later_s in [0, 10] {
        sale.bed.clock().set(OPENS_AT.plus_s(later_s));
        let (status, body) = check(&sale, second, user).await;
        assert_eq!(status, StatusCode::CONFLICT);
        assert_eq!(body["eventId"], first.to_string());
        assert_eq!(body["error"], "You are already waiting for another event");
        assert_eq!(
            check(&sale, first, user).await.0,
            StatusCode::OK,
            "nothing is lost by asking"
        );
    }
    // Having left, or having got in, one is free.
    sale.call(
        "POST",
        &format!("/api/queue/leave/{first}"),
        Some((user, "user")),
        None,
    )
    .await;
    assert_eq!(check(&sale, second, user).await.0, StatusCode::OK);
    sale.bed.clock().set(OPENS_AT.plus_s(20));
    sale.id = second;
    sale.limit(Limits {
        one_line_per_user: true,
        ..sale.limits()
    })
    .await;
    sale.act(Act::Tick).await;
    assert!(is_active(sale.standing(user).await));
    let (status, body) = check(&sale, first, user).await;
    assert_eq!((status, &body["status"]), (StatusCode::OK, &"queued".into()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_joins_at_once_end_in_one_line() {
    let (sale, first, second) = two_sales().await;
    let sale = Arc::new(sale);
    for _ in 0..20 {
        let user = Uuid::new_v4();
        let joins = [first, second].map(|id| {
            let sale = Arc::clone(&sale);
            tokio::spawn(async move { check(&sale, id, user).await.0 })
        });
        let mut answers = Vec::new();
        for join in joins {
            answers.push(join.await.unwrap());
        }
        answers.sort_unstable();
        assert_eq!(answers, [StatusCode::OK, StatusCode::CONFLICT]);
    }
}

#[tokio::test]
async fn slots_are_used_to_99_percent_though_half_of_the_admitted_abandon() {
    const CAP: u32 = 100;
    let sale = Sale::with(
        &Config {
            queue_line_max: 100_000,
            ..Config::default()
        },
        Guards::default(),
    )
    .await;
    let limits = Limits {
        cap: CAP,
        rate_per_s: 50,
        burst: 50,
        ..sale.limits()
    };
    sale.limit(limits.clone()).await;
    sale.bed.clock().set(OPENS_AT.plus_s(-1));
    let users: Vec<Uuid> = (0..2000).map(|_| Uuid::new_v4()).collect();
    for (user, position) in users.iter().zip(1..) {
        let place = Place { position, epoch: 1 };
        sale.act(Act::Join(*user, Some(place))).await;
    }
    let mut dice = StdRng::seed_from_u64(20_261_121);
    let mut ticker = Ticker::new(Arc::clone(&sale.app.store), sale.app.clock.clone(), 1000);
    // (when, who, leaves or beats)
    let mut due: BinaryHeap<Reverse<(Millis, Uuid, bool)>> = BinaryHeap::new();
    let (mut known, mut used_ms, mut full_ms) = (0, 0_i64, 0_i64);
    let mut next_tick = OPENS_AT;
    let (from, until) = (OPENS_AT.plus_s(10), OPENS_AT.plus_s(190));
    while next_tick < until {
        let now = next_tick.min(due.peek().map_or(next_tick, |Reverse((at, ..))| *at));
        let span_ms = now.since(sale.now().max(from)).max(0);
        let head = sale.app.store.lines.get(sale.id).unwrap().head().unwrap();
        let active = i64::try_from(head.active).unwrap();
        assert!(active <= i64::from(CAP));
        used_ms += active * span_ms;
        full_ms += i64::from(CAP) * span_ms;
        sale.bed.clock().set(now);
        if now == next_tick {
            let pause = ticker.round().await;
            next_tick = now.plus_ms(i64::try_from(pause.as_millis()).unwrap().max(1));
        }
        while let Some(Reverse((at, user, leaves))) =
            due.peek().copied().filter(|Reverse((at, ..))| *at <= now)
        {
            due.pop();
            let act = if leaves {
                Act::Leave(user)
            } else {
                Act::Touch(user)
            };
            sale.act(act).await;
            if !leaves
                && due
                    .iter()
                    .any(|Reverse((_, other, leaves))| *other == user && *leaves)
            {
                due.push(Reverse((at.plus_s(10), user, false)));
            }
        }
        // Admission is by position: who is in is known by the count.
        let admitted = usize::try_from(
            sale.app
                .store
                .lines
                .get(sale.id)
                .unwrap()
                .head()
                .unwrap()
                .admitted_total,
        );
        for user in &users[known..admitted.unwrap()] {
            // Half say nothing any more; the others stay for 5 to 60 s and say so.
            if dice.random_bool(0.5) {
                let stays_ms = dice.random_range(5_000..60_000);
                due.push(Reverse((now.plus_ms(stays_ms), *user, true)));
                due.push(Reverse((now.plus_s(10), *user, false)));
            }
            known += 1;
        }
    }
    assert!(known < users.len(), "the line never ran dry");
    // A slot whose user has been silent for too long is wasted until it is given on.
    let mut admitted_at = std::collections::HashMap::new();
    for entry in sale.log().await {
        let user = entry.user.unwrap_or_default();
        match entry.kind {
            LogKind::Admit => drop(admitted_at.insert(user, entry.at)),
            LogKind::Leave if entry.reason.as_deref() == Some("silent") && entry.at >= from.0 => {
                used_ms -= entry.at - admitted_at[&user] - 30_000;
            }
            _ => {}
        }
    }
    let use_percent = used_ms as f64 * 100.0 / full_ms as f64;
    println!(
        "{use_percent:.2} % of {CAP} slots used over {} s, {known} admitted",
        until.since(from) / 1000
    );
    assert!(use_percent >= 99.0, "{use_percent:.2} %");
    for law in [urr_core::law::Law::HardCap, urr_core::law::Law::CapacityFirst] {
        let finding = sale.judge(&limits, sale.entries().await, law);
        assert_eq!(finding.verdict, urr_core::audit::Verdict::Held, "{finding:?}");
    }
}

#[tokio::test]
async fn a_long_line_does_not_slow_another() {
    let mut sale = Sale::new().await;
    let mut ids = Vec::new();
    for people in [3000, 20] {
        sale.id = Uuid::new_v4();
        sale.bed.clock().set(OPENS_AT.plus_s(-1));
        sale.limit(Limits {
            cap: 10_000,
            rate_per_s: 10_000,
            burst: 10_000,
            ..sale.limits()
        })
        .await;
        for position in 1..=people {
            sale.join(Uuid::new_v4(), position).await;
        }
        ids.push(sale.id);
    }
    sale.bed.clock().set(OPENS_AT);
    let mut ticker = Ticker::new(Arc::clone(&sale.app.store), sale.app.clock.clone(), 1000);
    // Both are due at the opening. One round is one bounded run for each.
    ticker.round().await;
    sale.id = ids[1];
    assert_eq!(sale.act(Act::Look).await.active, 20, "the short line is in");
    sale.id = ids[0];
    let long = sale.act(Act::Look).await;
    assert_eq!(
        long.active,
        u64::from(crate::store::MOVES_MAX),
        "the long line waits its turns"
    );
    while ticker.round().await.is_zero() {}
    assert_eq!(sale.act(Act::Look).await.active, 3000);
}
