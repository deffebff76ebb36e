//! Other seats for a hold (R-BOOK-09), and who may hold at all while an artist's fans come first (R-BOOK-14).

use super::{HOLD_MS, World};
use crate::holds::{HoldError, Refusal};
use crate::reservation;
use crate::store::change::{self, Outcome};
use crate::store::handover::Guarded;
use crate::store::settle::{self, Fencing, Paid, SettleError};
use futures::future::join_all;
use urr_core::presale::Tier;
use urr_core::terms;
use urr_kit::wire;
use uuid::Uuid;

impl World {
    pub(super) async fn change(
        &self,
        user: Uuid,
        reservation: Uuid,
        seats: &[Uuid],
    ) -> Result<crate::store::hold::Hold, Refusal> {
        match self.holds.change(user, reservation, seats).await {
            Ok(hold) => Ok(hold),
            Err(HoldError::Refused(refusal)) => Err(refusal),
            Err(HoldError::Store(error)) => panic!("{error}"),
        }
    }

    async fn pay(&self, id: Uuid, amount: i64) -> Result<bool, reservation::Refusal> {
        let mut conn = self.pool.acquire().await.unwrap();
        let paid = Paid {
            payment: None,
            payer: None,
            amount: Some(amount),
            method: "toss",
        };
        match settle::confirm(&mut conn, id, paid, Fencing::Compared, wire::at(self.now())).await {
            Ok(settled) => Ok(settled.changed),
            Err(SettleError::Refused(refusal)) => Err(refusal),
            Err(other) => panic!("{other}"),
        }
    }

    /// The show is this artist's, on sale from now on for `days`.
    async fn presale(&self, artist: Uuid, days: i64) {
        sqlx::query(
            "UPDATE event_copies SET artist_id = $1, sale_start_date = $2, sale_end_date = $3 WHERE event_id = $4",
        )
        .bind(artist)
        .bind(wire::at(self.now()))
        .bind(wire::at(self.now().plus_s(days * 24 * 3600)))
        .bind(self.event)
        .execute(&self.pool)
        .await
        .unwrap();
        self.holds.forget(self.event);
    }
}

#[tokio::test]
async fn r_book_09_other_seats_at_the_same_end_and_the_old_ones_are_free() {
    let world = World::new(4, 2, true).await;
    let (a, b) = (Uuid::new_v4(), Uuid::new_v4());
    let (vip, cheap) = (&world.seats[..2], &world.seats[2..]);
    let first = world.hold(a, vip).await.unwrap();
    world.clock.advance_ms(60_000);
    let changed = world.change(a, first.id, cheap).await.unwrap();
    assert_eq!((changed.id, changed.expires_at), (first.id, first.expires_at));
    assert_eq!((first.total_amount, changed.total_amount), (300_000, 180_000));
    assert_eq!(world.counts().await, (2, 2, 0));
    // Free for others at once, in the filter too; and what is wanted already is a change of nothing.
    let others = world.hold(b, vip).await.unwrap();
    assert_eq!(world.change(a, first.id, cheap).await.unwrap(), changed);
    assert_eq!(world.change(a, first.id, vip).await, Err(Refusal::Taken));
    // One of two: the other goes back.
    world.change(a, first.id, &cheap[..1]).await.unwrap();
    assert_eq!(world.counts().await, (1, 3, 0));
    assert_eq!(super::anything::broken(&world).await, Vec::<String>::new());
    // What is another's, what is not there, what is paid, what is over.
    assert_eq!(
        world.change(b, first.id, cheap).await,
        Err(Refusal::NoReservation)
    );
    let unknown = world.change(a, first.id, &[Uuid::new_v4()]).await;
    assert_eq!(unknown, Err(Refusal::SeatNotFound));
    world.confirm(first.id, Fencing::Compared).await.unwrap();
    assert_eq!(world.change(a, first.id, cheap).await, Err(Refusal::NotPending));
    assert_eq!(world.change(b, others.id, &cheap[..1]).await, Err(Refusal::Sold));
    world.clock.advance_ms(HOLD_MS);
    assert_eq!(world.change(b, others.id, cheap).await, Err(Refusal::NotPending));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn r_book_09_of_ten_who_change_to_one_seat_one_gets_it_and_nine_keep_theirs() {
    for with_redis in [true, false] {
        let world = World::new(11, 1, with_redis).await;
        let (wanted, theirs) = world.seats.split_first().unwrap();
        let mut holds = Vec::new();
        for seat in theirs {
            let user = Uuid::new_v4();
            let hold = world.hold(user, std::slice::from_ref(seat)).await.unwrap();
            holds.push((user, hold.id));
        }
        let tries = holds
            .iter()
            .map(|(user, id)| world.change(*user, *id, std::slice::from_ref(wanted)));
        let got = join_all(tries).await.into_iter().filter(Result::is_ok).count();
        assert_eq!(got, 1, "redis: {with_redis}");
        assert_eq!(world.counts().await, (1, 10, 0));
        assert_eq!(super::anything::broken(&world).await, Vec::<String>::new());
    }
}

#[tokio::test]
async fn without_its_guard_a_change_takes_a_seat_from_its_holder() {
    let world = World::new(2, 1, false).await;
    let (a, b) = (Uuid::new_v4(), Uuid::new_v4());
    let mine = world.hold(a, &world.seats[..1]).await.unwrap();
    world.hold(b, &world.seats[1..]).await.unwrap();
    let now = wire::at(world.now());
    let attempt = |guarded| change::change(&world.pool, mine.id, a, &world.seats[1..], guarded, now);
    assert_eq!(attempt(Guarded::Yes).await.unwrap(), Outcome::Taken);
    assert!(super::anything::broken(&world).await.is_empty());
    let freed = world.seats[..1].to_vec();
    assert_eq!(attempt(Guarded::No).await.unwrap(), Outcome::Changed { freed });
    let theirs = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM seats WHERE locked_by = $1")
        .bind(b)
        .fetch_one(&world.pool)
        .await
        .unwrap();
    assert_eq!(theirs, 0, "the guard is what keeps it");
}

#[tokio::test]
async fn r_book_09_a_payment_buys_only_what_it_was_asked_for() {
    // Law paid-means-ticket: the seats change while the charge is under way.
    let world = World::new(2, 1, false).await;
    let user = Uuid::new_v4();
    let hold = world.hold(user, &world.seats[..1]).await.unwrap();
    assert_eq!(hold.total_amount, 150_000);
    world.change(user, hold.id, &world.seats[1..]).await.unwrap();
    assert_eq!(
        world.pay(hold.id, 150_000).await,
        Err(reservation::Refusal::PriceChanged)
    );
    assert_eq!(world.pay(hold.id, 90_000).await, Ok(true));
    assert_eq!(world.pay(hold.id, 90_000).await, Ok(false));
    assert_eq!(world.counts().await, (1, 0, 1));
}

#[tokio::test]
async fn r_book_04_a_change_counts_against_the_limit_like_a_hold() {
    let world = World::new(8, 4, false).await;
    let user = Uuid::new_v4();
    let three = world.hold(user, &world.seats[..3]).await.unwrap();
    let one = world.hold(user, &world.seats[3..4]).await.unwrap();
    assert_eq!(
        world.change(user, one.id, &world.seats[4..6]).await,
        Err(Refusal::OverLimit)
    );
    world.change(user, three.id, &world.seats[..2]).await.unwrap();
    world.change(user, one.id, &world.seats[4..6]).await.unwrap();
    assert_eq!(super::anything::broken(&world).await, Vec::<String>::new());
}

#[tokio::test]
async fn r_book_14_an_artists_fans_come_first_by_tier_and_everybody_last() {
    // R-MEM-04.
    let world = World::new(4, 1, true).await;
    let artist = Uuid::new_v4();
    let fans = [Tier::Diamond, Tier::Gold, Tier::Silver, Tier::Bronze].map(|tier| (tier, Uuid::new_v4()));
    for ((tier, fan), points) in fans.iter().zip([1500, 500, 0]) {
        world.member(*fan, artist, points).await;
        assert_eq!(world.tier(*fan, artist).await, *tier);
    }
    let start = world.now();
    world.presale(artist, 30).await;
    for ((tier, fan), seat) in fans.iter().zip(&world.seats) {
        let seat = std::slice::from_ref(seat);
        let opens_at = start.plus_s(tier.wait_s());
        if *tier != Tier::Diamond {
            let refusal = Refusal::Terms(terms::Refusal::Presale {
                tier: *tier,
                opens_at,
            });
            assert_eq!(world.hold(*fan, seat).await, Err(refusal));
            world.clock.advance_ms(opens_at.since(world.now()) - 1);
            assert_eq!(world.hold(*fan, seat).await, Err(refusal), "a millisecond early");
            world.clock.advance_ms(1);
        }
        world.hold(*fan, seat).await.unwrap();
    }
}

#[tokio::test]
async fn r_book_14_no_ticket_is_sold_for_a_show_that_has_begun() {
    // R-CAT-03: it is over for catalog, whether or not somebody set an end of its sale.
    let world = World::new(3, 1, true).await;
    sqlx::query("UPDATE event_copies SET sale_end_date = NULL, event_date = $1")
        .bind(wire::at(world.now().plus_s(3600)))
        .execute(&world.pool)
        .await
        .unwrap();
    world.clock.advance_ms(3_600_000 - 1);
    world.hold(Uuid::new_v4(), &world.seats[..1]).await.unwrap();
    world.clock.advance_ms(1);
    let closed = Refusal::Terms(terms::Refusal::Closed);
    assert_eq!(world.hold(Uuid::new_v4(), &world.seats[1..2]).await, Err(closed));
}

#[tokio::test]
async fn r_book_14_nothing_is_asked_about_anybody_where_there_is_no_presale() {
    let world = World::new(3, 1, false).await;
    sqlx::query("ALTER TABLE artist_memberships RENAME TO out_of_reach")
        .execute(&world.pool)
        .await
        .unwrap();
    // No artist; an artist's sale that is over before its general part would begin; and one in that part.
    world.hold(Uuid::new_v4(), &world.seats[..1]).await.unwrap();
    world.presale(Uuid::new_v4(), 2).await;
    world.hold(Uuid::new_v4(), &world.seats[1..2]).await.unwrap();
    world.presale(Uuid::new_v4(), 30).await;
    let during = world
        .holds
        .hold(Uuid::new_v4(), world.event, &world.seats[2..], None)
        .await;
    assert!(
        matches!(during, Err(HoldError::Store(_))),
        "the tier is asked for"
    );
    world.clock.advance_ms(48 * 3_600_000);
    world.hold(Uuid::new_v4(), &world.seats[2..]).await.unwrap();
}
