//! Who stands where: order, claims, slots that come back, and the times when nobody is let in.

use super::{OPENS_AT, Sale, is_active};
use crate::{
    Config,
    store::{Act, Gate, Guards, MOVES_MAX, Place, Standing},
    ticker::Ticker,
};
use std::sync::Arc;
use urr_core::{admission::LogKind, time::Millis};
use urr_kit::state::limits::Limits;
use uuid::Uuid;

fn people(n: usize) -> Vec<Uuid> {
    (0..n).map(|_| Uuid::new_v4()).collect()
}

#[tokio::test]
async fn people_go_in_by_position_whatever_the_order_of_their_arrival() {
    let sale = Sale::new().await;
    sale.bed.clock().set(OPENS_AT.plus_s(-10));
    sale.limit(Limits {
        cap: 100,
        burst: 1,
        ..sale.limits()
    })
    .await;
    let users = people(20);
    // Arriving last first.
    for (i, user) in users.iter().enumerate().rev() {
        let standing = sale.join(*user, i as u64 + 1).await;
        assert_eq!(
            standing,
            Standing::Queued { ahead: 0 },
            "the newest has the lowest number"
        );
    }
    for tick in 0..=20 {
        sale.bed.clock().set(OPENS_AT.plus_ms(tick * 100));
        sale.act(Act::Tick).await;
    }
    assert_eq!(sale.admitted().await, users);
}

#[tokio::test]
async fn a_place_is_good_for_one_user_and_a_user_for_one_place() {
    let sale = Sale::capped(0).await;
    let [kim, lee] = [Uuid::new_v4(), Uuid::new_v4()];
    assert_eq!(sale.join(kim, 1).await, Standing::Queued { ahead: 0 });
    assert_eq!(sale.join(lee, 1).await, Standing::Taken);
    assert_eq!(
        sale.join(kim, 2).await,
        Standing::Queued { ahead: 0 },
        "keeps the first"
    );
    assert_eq!(sale.join(lee, 2).await, Standing::Queued { ahead: 1 });
    assert_eq!(sale.act(Act::Look).await.waiting, 2);
    // Leaving does not free the place for others; its owner finds it again.
    sale.act(Act::Leave(kim)).await;
    assert_eq!(sale.join(lee, 1).await, Standing::Queued { ahead: 0 });
    assert_eq!(sale.join(Uuid::new_v4(), 1).await, Standing::Taken);
    assert_eq!(sale.join(kim, 1).await, Standing::Queued { ahead: 0 });
}

#[tokio::test]
async fn a_place_of_an_older_line_or_none_is_refused() {
    let sale = Sale::new().await;
    sale.limit(Limits {
        epoch: 2,
        ..sale.limits()
    })
    .await;
    let user = Uuid::new_v4();
    assert_eq!(sale.join(user, 1).await, Standing::NoPlace);
    assert_eq!(sale.act(Act::Join(user, None)).await.standing, Standing::NoPlace);
    let place = Place {
        position: 1,
        epoch: 2,
    };
    assert!(is_active(sale.act(Act::Join(user, Some(place))).await.standing));
    // Who is in needs no token to be told so.
    assert!(is_active(sale.act(Act::Join(user, None)).await.standing));
}

#[tokio::test]
async fn joining_again_changes_nothing() {
    let sale = Sale::capped(1).await;
    let [kim, lee] = [Uuid::new_v4(), Uuid::new_v4()];
    for _ in 0..3 {
        assert!(is_active(sale.join(kim, 1).await));
        assert_eq!(sale.join(lee, 2).await, Standing::Queued { ahead: 0 });
    }
    let view = sale.act(Act::Look).await;
    assert_eq!((view.active, view.waiting, view.admitted_total), (1, 1, 1));
    let log = sale.log().await;
    assert_eq!(log.iter().filter(|l| l.kind == LogKind::Enqueue).count(), 2);
}

#[tokio::test]
async fn a_slot_comes_back_when_its_user_leaves_falls_silent_or_runs_out_of_time() {
    let sale = Sale::one_at_a_time().await;
    let [kim, lee, park, choi] = [(); 4].map(|()| Uuid::new_v4());
    for (user, position) in [(kim, 1), (lee, 2), (park, 3), (choi, 4)] {
        sale.join(user, position).await;
    }
    assert!(is_active(sale.standing(kim).await));
    assert_eq!(sale.act(Act::Leave(kim)).await.moved, 1, "given on at once");
    assert_eq!(sale.standing(kim).await, Standing::None);
    assert!(is_active(sale.standing(lee).await));
    // Lee says nothing for 30 s; the others' waiting is not disturbed.
    sale.bed.clock().set(OPENS_AT.plus_s(29));
    assert_eq!(sale.act(Act::Tick).await.moved, 0);
    sale.bed.clock().set(OPENS_AT.plus_s(30));
    assert_eq!(sale.act(Act::Tick).await.moved, 1);
    assert_eq!(sale.standing(lee).await, Standing::None);
    // Park polls all the time, and the slot ends all the same (quirk 20).
    for s in 31..=129 {
        sale.bed.clock().set(OPENS_AT.plus_s(s));
        assert!(is_active(sale.standing(park).await), "{s} s");
        sale.standing(choi).await;
    }
    sale.bed.clock().set(OPENS_AT.plus_s(130));
    assert_eq!(sale.act(Act::Tick).await.moved, 1);
    assert_eq!(sale.standing(park).await, Standing::None);
    assert!(is_active(sale.standing(choi).await));
    assert_eq!(sale.reasons().await, ["left", "silent", "expired"]);
}

#[tokio::test]
async fn a_slot_that_has_ended_is_no_slot_even_before_the_next_tick() {
    let sale = Sale::new().await;
    sale.limit(Limits {
        active_ttl_s: 10,
        ..sale.limits()
    })
    .await;
    let kim = Uuid::new_v4();
    sale.join(kim, 1).await;
    sale.bed.clock().set(OPENS_AT.plus_s(10));
    assert_eq!(sale.standing(kim).await, Standing::None);
}

#[tokio::test]
async fn who_waits_keeps_the_place_for_ten_minutes_of_silence() {
    let sale = Sale::capped(0).await;
    let kim = Uuid::new_v4();
    sale.join(kim, 1).await;
    sale.bed.clock().set(OPENS_AT.plus_s(599));
    assert_eq!(sale.act(Act::Tick).await.waiting, 1);
    sale.bed.clock().set(OPENS_AT.plus_s(600));
    assert_eq!(sale.act(Act::Tick).await.waiting, 0);
    assert_eq!(
        sale.join(kim, 1).await,
        Standing::Queued { ahead: 0 },
        "the place is still theirs"
    );
}

#[tokio::test]
async fn nobody_goes_in_before_the_opening_after_the_close_while_held_or_sold_out() {
    let mut sale = Sale::new().await;
    let kim = Uuid::new_v4();
    let cases = [
        (OPENS_AT.plus_ms(-1), Gate::Early, sale.limits()),
        (
            OPENS_AT,
            Gate::Paused,
            Limits {
                paused: true,
                ..sale.limits()
            },
        ),
        (
            OPENS_AT,
            Gate::SoldOut,
            Limits {
                sold_out: true,
                ..sale.limits()
            },
        ),
        (OPENS_AT.plus_s(3600), Gate::Closed, sale.limits()),
    ];
    for (at, gate, limits) in cases {
        // Another line: time does not go back in one.
        sale.id = Uuid::new_v4();
        sale.limit(Limits {
            sale: sale.id,
            ..limits
        })
        .await;
        sale.bed.clock().set(at);
        assert_eq!(sale.join(kim, 1).await, Standing::Queued { ahead: 0 }, "{gate:?}");
        assert_eq!(sale.act(Act::Tick).await.gate, gate);
        assert_eq!(sale.act(Act::Tick).await.active, 0);
    }
    sale.id = Uuid::new_v4();
    sale.limit(sale.limits()).await;
    sale.bed.clock().set(OPENS_AT);
    assert!(is_active(sale.join(kim, 1).await));
}

#[tokio::test]
async fn a_line_that_was_held_does_not_burst_afterwards() {
    let sale = Sale::new().await;
    sale.limit(Limits {
        cap: 1000,
        burst: 1,
        ..sale.limits()
    })
    .await;
    sale.join(Uuid::new_v4(), 1).await;
    sale.limit(Limits {
        cap: 1000,
        burst: 50,
        paused: true,
        ..sale.limits()
    })
    .await;
    for position in 2..=60 {
        sale.join(Uuid::new_v4(), position).await;
    }
    sale.bed.clock().set(OPENS_AT.plus_s(100));
    sale.act(Act::Tick).await;
    sale.limit(Limits {
        cap: 1000,
        burst: 50,
        ..sale.limits()
    })
    .await;
    assert_eq!(sale.act(Act::Tick).await.moved, 0);
    sale.bed.clock().set(OPENS_AT.plus_s(101));
    assert_eq!(sale.act(Act::Tick).await.moved, 10);
}

#[tokio::test]
async fn the_opening_is_logged_once_by_whoever_acts_first() {
    let sale = Sale::new().await;
    sale.limit(sale.limits()).await;
    sale.bed.clock().set(OPENS_AT.plus_ms(-1));
    sale.act(Act::Tick).await;
    assert!(sale.log().await.is_empty());
    for after_ms in [0, 5, 1000] {
        sale.bed.clock().set(OPENS_AT.plus_ms(after_ms));
        sale.act(Act::Tick).await;
    }
    let log = sale.log().await;
    assert_eq!(log.len(), 1);
    assert_eq!(
        (log[0].kind, log[0].at, log[0].user),
        (LogKind::Open, OPENS_AT.0, None)
    );
}

#[tokio::test]
async fn one_run_moves_a_bounded_number_and_a_ticker_goes_round_until_all_are_moved() {
    let sale = Sale::new().await;
    sale.bed.clock().set(OPENS_AT.plus_s(-1));
    let many = u64::from(MOVES_MAX) * 5 / 2;
    let big = Limits {
        cap: 10_000,
        rate_per_s: 10_000,
        burst: 10_000,
        ..sale.limits()
    };
    sale.limit(big).await;
    for position in 1..=many {
        sale.join(Uuid::new_v4(), position).await;
    }
    sale.bed.clock().set(OPENS_AT);
    let place = Place {
        position: many + 1,
        epoch: 1,
    };
    let view = sale.act(Act::Join(Uuid::new_v4(), Some(place))).await;
    assert_eq!((view.moved, view.more), (u64::from(MOVES_MAX), true));
    let mut ticker = Ticker::new(Arc::clone(&sale.app.store), sale.app.clock.clone(), 1000);
    let mut rounds = 1;
    while ticker.round().await.is_zero() {
        rounds += 1;
    }
    assert_eq!(rounds, 2, "what is left of {many}, at {MOVES_MAX} a round");
    assert_eq!(sale.act(Act::Look).await.active, many + 1);
    assert!(!sale.act(Act::Clear).await.more);
    let view = sale.act(Act::Look).await;
    assert_eq!((view.waiting, view.active), (0, 0));
}

#[tokio::test]
async fn an_event_without_a_sale_is_served_by_the_defaults_in_order_of_arrival() {
    let config = Config {
        queue_threshold: 2,
        ..Config::default()
    };
    let sale = Sale::with(&config, Guards::default()).await;
    let users = people(5);
    for user in &users {
        // A client's number, token or not, is no order here.
        sale.act(Act::Join(*user, None)).await;
    }
    assert_eq!(sale.admitted().await, users[..2]);
    assert_eq!(sale.standing(users[4]).await, Standing::Queued { ahead: 2 });
    sale.app.store.set_threshold(sale.id, 4).await.unwrap();
    sale.act(Act::Tick).await;
    assert_eq!(sale.admitted().await, users[..4]);
}

#[tokio::test]
async fn a_full_line_turns_people_back_and_keeps_their_place() {
    let sale = Sale::with(
        &Config {
            queue_line_max: 2,
            ..Config::default()
        },
        Guards::default(),
    )
    .await;
    sale.limit(Limits {
        cap: 0,
        ..sale.limits()
    })
    .await;
    let users = people(3);
    for (user, position) in users.iter().zip(1..) {
        sale.join(*user, position).await;
    }
    assert_eq!(sale.join(users[2], 3).await, Standing::Full);
    sale.act(Act::Leave(users[0])).await;
    assert_eq!(sale.join(users[2], 3).await, Standing::Queued { ahead: 1 });
}

#[tokio::test]
async fn the_ticker_opens_a_sale_that_nobody_asked_about() {
    let sale = Sale::new().await;
    let opens_at = Millis(OPENS_AT.0);
    sale.bed.clock().set(opens_at.plus_ms(-400));
    sale.limit(sale.limits()).await;
    let mut ticker = Ticker::new(Arc::clone(&sale.app.store), sale.app.clock.clone(), 1000);
    let pause = ticker.round().await;
    assert_eq!(pause.as_millis(), 400, "the next tick is the opening");
    sale.bed.clock().set(opens_at);
    ticker.round().await;
    assert_eq!(sale.log().await[0].kind, LogKind::Open);
}

#[tokio::test]
async fn the_ticker_lets_go_of_a_line_that_is_over_and_takes_it_up_again() {
    let sale = Sale::new().await;
    let users = people(2);
    let listed = async || sale.app.store.listed(16).await.unwrap();
    sale.app.store.announce(sale.id, sale.now()).await.unwrap();
    sale.act(Act::Join(users[0], None)).await;
    assert_eq!(listed().await, [sale.id]);
    let ticker = || Ticker::new(Arc::clone(&sale.app.store), sale.app.clock.clone(), 1000);
    ticker().round().await;
    assert_eq!(listed().await, [sale.id], "somebody is inside");
    sale.act(Act::Leave(users[0])).await;
    ticker().round().await;
    assert!(listed().await.is_empty());
    sale.bed.clock().advance_ms(1000);
    sale.app.store.announce(sale.id, sale.now()).await.unwrap();
    assert_eq!(listed().await, [sale.id]);
}
