//! What a place is good for, and when it is good no more: a turn that has ended (quirk 20), a line that has
//! ended (a higher epoch), and how long Redis keeps what is over.

use super::{OPENS_AT, Sale, is_active};
use crate::{
    Config, assemble,
    durable::Durable,
    store::{Act, Guards, MOVES_MAX, Place, Proof, Standing},
    tests::judged::judge,
    ticker::Ticker,
};
use redis::AsyncCommands as _;
use std::sync::Arc;
use urr_core::{admission::LogKind, audit::Verdict, law::Law};
use urr_kit::state::limits::{DECLARED_EVENTS_KEY, Limits};
use uuid::Uuid;

const TURN_S: i64 = 100;

#[tokio::test]
async fn whose_turn_has_ended_stands_behind_all_who_wait() {
    // R-QUE-05, quirk 20: with the smallest position of all he would be the next to go in, each time.
    let sale = Sale::one_at_a_time().await;
    let [kim, lee, park, choi] = [(); 4].map(|()| Uuid::new_v4());
    for (user, position) in [(kim, 1), (lee, 2), (park, 3)] {
        sale.join(user, position).await;
    }
    for s in 1..TURN_S {
        sale.bed.clock().set(OPENS_AT.plus_s(s));
        assert!(is_active(sale.standing(kim).await));
    }
    sale.bed.clock().set(OPENS_AT.plus_s(TURN_S));
    // The same call ends the slot, gets him in line, and lets in whose turn it is.
    assert_eq!(sale.join(kim, 1).await, Standing::Queued { ahead: 1 });
    assert!(is_active(sale.standing(lee).await));
    // Who comes later with a place of tier 1 has not had his turn.
    assert_eq!(sale.join(choi, 4).await, Standing::Queued { ahead: 1 });
    assert_eq!(sale.standing(kim).await, Standing::Queued { ahead: 2 });
    assert_eq!(
        sale.join(kim, 1).await,
        Standing::Queued { ahead: 2 },
        "joining again"
    );
    for next in [lee, park, choi] {
        assert!(is_active(sale.standing(next).await));
        sale.act(Act::Leave(next)).await;
    }
    assert!(is_active(sale.standing(kim).await));
    assert_eq!(sale.admitted().await, [kim, lee, park, choi, kim]);
    in_order(&sale).await;
}

#[tokio::test]
async fn who_goes_out_and_in_again_gains_no_second_turn() {
    let sale = Sale::one_at_a_time().await;
    let [kim, lee] = [Uuid::new_v4(), Uuid::new_v4()];
    sale.join(kim, 1).await;
    sale.join(lee, 2).await;
    // Within his turn he finds his place again: a page that is loaded anew leaves.
    sale.act(Act::Leave(kim)).await;
    assert!(is_active(sale.standing(lee).await));
    assert_eq!(sale.join(kim, 1).await, Standing::Queued { ahead: 0 });
    sale.act(Act::Leave(lee)).await;
    assert!(is_active(sale.standing(kim).await));
    // After it he does not, though it was by leaving, or by silence, that he went.
    sale.join(lee, 2).await;
    sale.bed.clock().set(OPENS_AT.plus_s(TURN_S - 1));
    sale.act(Act::Tick).await;
    assert_eq!(sale.standing(kim).await, Standing::None, "silent");
    let park = Uuid::new_v4();
    sale.join(park, 3).await;
    sale.bed.clock().set(OPENS_AT.plus_s(TURN_S));
    assert_eq!(sale.join(kim, 1).await, Standing::Queued { ahead: 1 });
}

#[tokio::test]
async fn who_is_let_in_a_second_time_is_told_so_at_once() {
    // Such places raise no watermark; a poll answered from here would say for ever that he waits.
    let sale = Sale::one_at_a_time().await;
    let [kim, lee] = [Uuid::new_v4(), Uuid::new_v4()];
    sale.join(kim, 1).await;
    sale.join(lee, 2).await;
    sale.bed.clock().set(OPENS_AT.plus_s(29));
    sale.standing(kim).await;
    sale.bed.clock().set(OPENS_AT.plus_s(TURN_S));
    let (check, status) = (
        format!("/api/queue/check/{}", sale.id),
        format!("/api/queue/status/{}", sale.id),
    );
    let waits = sale
        .call("POST", &check, Some((kim, "user")), Some(sale.place_token(1)))
        .await;
    assert_eq!(waits.1["status"], "queued", "{waits:?}");
    sale.act(Act::Leave(lee)).await;
    let inside = sale.call("GET", &status, Some((kim, "user")), None).await;
    assert_eq!(inside.1["status"], "active", "{inside:?}");
    // Nor does his admission make polls of others dearer.
    assert_eq!(sale.act(Act::Look).await.watermark, 2);
}

#[tokio::test]
async fn who_waits_for_a_second_turn_keeps_that_place_through_a_loss_of_redis() {
    let sale = Sale::one_at_a_time().await;
    let users: Vec<Uuid> = (0..3).map(|_| Uuid::new_v4()).collect();
    sale.join(users[0], 1).await;
    sale.join(users[1], 2).await;
    sale.bed.clock().set(OPENS_AT.plus_s(TURN_S));
    let again = sale
        .act(Act::Join(
            users[0],
            Some(Place {
                position: 1,
                epoch: 1,
            }),
        ))
        .await;
    let place = Place {
        position: again.position,
        epoch: again.life.epoch,
    };
    lose(&sale).await;
    assert_eq!(
        sale.act(Act::Rejoin(users[0], place)).await.position,
        place.position
    );
    sale.join(users[2], 3).await;
    assert_eq!(sale.standing(users[0]).await, Standing::Queued { ahead: 1 });
}

#[tokio::test]
async fn a_new_line_begins_with_nobody_of_the_old_one() {
    let sale = Sale::new().await;
    let many = u64::from(MOVES_MAX) * 2;
    let limits = Limits {
        cap: 3,
        burst: 3,
        rate_per_s: 1000,
        ..sale.limits()
    };
    sale.limit(limits.clone()).await;
    for position in 1..=many {
        sale.join(Uuid::new_v4(), 1000 + position).await;
    }
    let before = sale.act(Act::Look).await;
    assert_eq!(
        (before.watermark, before.admitted_total, before.active),
        (1003, 3, 3)
    );

    // The sale is deleted and put again: another line at the door, whose positions count from 1.
    let opens_at = OPENS_AT.plus_s(100);
    let again = Limits {
        epoch: 2,
        opens_at,
        ..limits
    };
    sale.limit(again).await;
    let place = |position| Some(Place { position, epoch: 2 });
    let [kim, lee] = [Uuid::new_v4(), Uuid::new_v4()];
    let view = sale.act(Act::Join(kim, place(1))).await;
    assert_eq!(view.standing, Standing::Full, "the old line is not out yet");
    assert_eq!((view.watermark, view.admitted_total, view.life.epoch), (0, 0, 2));
    assert_eq!(view.waiting, many - 3 - u64::from(MOVES_MAX), "a bounded run");
    while sale.act(Act::Tick).await.more {}
    let view = sale.act(Act::Join(kim, place(1))).await;
    assert_eq!(view.standing, Standing::Queued { ahead: 0 });
    // Slots are slots: who is inside still is.
    assert_eq!((view.waiting, view.active), (1, 3));
    sale.act(Act::Join(lee, place(2))).await;
    sale.bed.clock().set(opens_at);
    let view = sale.act(Act::Tick).await;
    assert_eq!(
        (view.waiting, view.active, view.admitted_total),
        (0, 2, 2),
        "the others fell silent"
    );
    assert_eq!(view.watermark, 2);
    let log = sale.entries().await;
    let openings = log.iter().filter(|entry| entry.kind == LogKind::Open);
    let openings: Vec<_> = openings.map(|entry| entry.at).collect();
    assert_eq!(openings, [OPENS_AT, opens_at]);
    in_order(&sale).await;
}

#[tokio::test]
async fn what_was_seen_of_an_old_line_is_not_given_back_to_a_new_one() {
    let sale = Sale::new().await;
    let limits = Limits {
        cap: 1,
        burst: 1,
        ..sale.limits()
    };
    sale.limit(limits.clone()).await;
    let users: Vec<Uuid> = (0..3).map(|_| Uuid::new_v4()).collect();
    sale.join(users[0], 500).await;
    sale.join(users[1], 501).await;
    // Redis is lost, and a new line begins, before this replica has looked again.
    lose(&sale).await;
    sale.limit(Limits { epoch: 2, ..limits }).await;
    let old = Place {
        position: 400,
        epoch: 1,
    };
    let view = sale.act(Act::Rejoin(users[2], old)).await;
    assert_eq!(view.standing, Standing::NoPlace);
    assert_eq!((view.watermark, view.admitted_total), (0, 0));
    let new = Place {
        position: 1,
        epoch: 2,
    };
    let view = sale.act(Act::Join(users[1], Some(new))).await;
    assert_eq!(view.standing, Standing::Queued { ahead: 0 });
}

#[tokio::test]
async fn a_strangers_line_is_kept_for_minutes_and_a_sales_for_a_week() {
    let mut sale = Sale::new().await;
    let left_s = async |sale: &Sale, name: &str| -> i64 {
        let key = sale.redis.key(&format!("{{{}}}:{name}", sale.id));
        sale.redis.conn().ttl(key).await.unwrap()
    };
    for declared in [false, true] {
        sale.id = Uuid::new_v4();
        if declared {
            sale.limit(sale.limits()).await;
        }
        let user = Uuid::new_v4();
        sale.app.store.announce(sale.id, sale.now()).await.unwrap();
        sale.app.store.set_threshold(sale.id, 5).await.unwrap();
        sale.join(user, 1).await;
        sale.act(Act::Leave(user)).await;
        sale.bed.clock().set(OPENS_AT.plus_s(3600));
        Ticker::new(Arc::clone(&sale.app.store), sale.app.clock.clone(), 1000)
            .round()
            .await;
        for name in ["log", "state"] {
            let (left_s, most_s) = (left_s(&sale, name).await, if declared { 604_800 } else { 600 });
            assert!((1..=most_s).contains(&left_s), "{name} of {declared}: {left_s}");
            assert!(!declared || left_s > 600, "{name}: {left_s}");
        }
        assert!(left_s(&sale, "threshold").await > 600, "an admin's word stays");
        let listed: bool = sale
            .redis
            .conn()
            .sismember(sale.redis.key(DECLARED_EVENTS_KEY), sale.id.to_string())
            .await
            .unwrap();
        assert!(!listed);
        sale.bed.clock().set(OPENS_AT);
    }
}

#[tokio::test]
async fn a_line_that_is_declared_after_it_was_over_is_kept() {
    // Else it would be taken for lost in mid-sale, and nobody let in for five seconds.
    let sale = Sale::new().await;
    let user = Uuid::new_v4();
    let state = sale.redis.key(&format!("{{{}}}:state", sale.id));
    let left_s = async || -> i64 { sale.redis.conn().ttl(&state).await.unwrap() };
    sale.act(Act::Join(user, None)).await;
    sale.act(Act::Leave(user)).await;
    sale.act(Act::Retire).await;
    assert!(left_s().await > 0);
    let limits = sale.limits();
    for (epoch, opens_after_s) in [(1, 0), (2, 10_000)] {
        let opens_at = OPENS_AT.plus_s(opens_after_s);
        sale.limit(Limits {
            epoch,
            opens_at,
            closes_at: opens_at.plus_s(3600),
            ..limits.clone()
        })
        .await;
        sale.act(Act::Tick).await;
        assert_eq!(left_s().await, -1, "epoch {epoch}");
        sale.bed.clock().set(opens_at.plus_s(3600));
        sale.act(Act::Retire).await;
        assert!(left_s().await > 600, "epoch {epoch}");
    }
}

#[tokio::test]
async fn a_strangers_line_that_redis_let_go_of_was_not_lost() {
    let sale = Sale::new().await;
    let other = assemble(
        &sale.bed.ctx(),
        &Config::default(),
        sale.redis.clone(),
        Durable::new(None),
        Guards::default(),
    );
    // Another replica saw the line once.
    sale.act(Act::Join(Uuid::new_v4(), None)).await;
    let seen = other.store.act(sale.id, Act::Look, sale.now()).await.unwrap();
    assert_eq!(seen.active, 1);
    lose(&sale).await;
    sale.bed.clock().set(OPENS_AT.plus_s(600));
    // After a loss nobody new would be let in for 5 s.
    let join = Act::Join(Uuid::new_v4(), None);
    let view = other
        .store
        .act_with(sale.id, join, Proof::default(), sale.now())
        .await
        .unwrap();
    assert!(is_active(view.standing), "{view:?}");
}

/// Law fair-order, as the audit of a drill judges it.
async fn in_order(sale: &Sale) {
    let finding = judge(sale.id, &sale.limits(), sale.entries().await, Law::FairOrder);
    assert_eq!(finding.verdict, Verdict::Held, "{finding:?}");
}

/// As if Redis had lost the line, or let go of it.
async fn lose(sale: &Sale) {
    for name in [
        "queue",
        "active",
        "seen",
        "active-seen",
        "limits",
        "claims",
        "log",
        "state",
    ] {
        let key = sale.redis.key(&format!("{{{}}}:{name}", sale.id));
        let _: u64 = sale.redis.conn().del(key).await.unwrap();
    }
}
