//! Memberships: a term is bought once, whatever comes twice, late or backwards.

use super::World;
use crate::membership::Refusal;
use crate::store::memberships::{self, Verdict};
use crate::store::points::{self, Deed};
use crate::store::purchases::{Outcome, Purchase};
use futures::future::join_all;
use urr_core::presale::Tier;
use urr_kit::wire;
use uuid::Uuid;

const PRICE: i64 = 30_000;
const YEAR_MS: i64 = 366 * 24 * 3_600_000;

impl World {
    pub(super) async fn offer(&self, user: Uuid, artist: Uuid) -> Option<Uuid> {
        memberships::offer(&self.pool, user, artist, PRICE, wire::at(self.now()))
            .await
            .unwrap()
    }

    pub(super) async fn activate(&self, id: Uuid, user: Uuid, payment: Uuid) -> Verdict<Refusal> {
        let purchase = Purchase {
            payment,
            target: id,
            payer: user,
            method: "toss",
        };
        let mut tx = self.pool.begin().await.unwrap();
        let verdict = memberships::activate(&mut tx, purchase, wire::at(self.now()))
            .await
            .unwrap();
        tx.commit().await.unwrap();
        verdict
    }

    /// An active member with so many points.
    pub(super) async fn member(&self, user: Uuid, artist: Uuid, points: i32) -> Uuid {
        let id = self.offer(user, artist).await.unwrap();
        let joined = self.activate(id, user, Uuid::new_v4()).await;
        assert_eq!(joined, Verdict::Done { fresh: true });
        sqlx::query("UPDATE artist_memberships SET points = $2 WHERE id = $1")
            .bind(id)
            .bind(points)
            .execute(&self.pool)
            .await
            .unwrap();
        id
    }

    pub(super) async fn tier(&self, user: Uuid, artist: Uuid) -> Tier {
        memberships::tier(&self.pool, user, artist, wire::at(self.now()))
            .await
            .unwrap()
    }

    pub(super) async fn points(&self, user: Uuid, artist: Uuid) -> i32 {
        let found = memberships::of_artist(&self.pool, user, artist).await.unwrap();
        found.unwrap().points
    }

    async fn refund_membership(&self, id: Uuid, payment: Uuid) {
        let mut tx = self.pool.begin().await.unwrap();
        memberships::refunded(&mut tx, id, payment, wire::at(self.now()))
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn r_mem_01_a_payment_that_comes_twenty_times_at_once_begins_one_term() {
    // R-MEM-01, R-MEM-03, R-PAY-07.
    let world = World::new(1, 1, false).await;
    let (user, artist, payment) = (Uuid::new_v4(), Uuid::new_v4(), Uuid::new_v4());
    let id = world.offer(user, artist).await.unwrap();
    assert_eq!(world.offer(user, artist).await, Some(id), "an open offer stays");
    assert_eq!(world.tier(user, artist).await, Tier::Bronze);
    let told = join_all((0..20).map(|_| world.activate(id, user, payment))).await;
    let fresh = told
        .iter()
        .filter(|v| **v == Verdict::Done { fresh: true })
        .count();
    let repeats = told
        .iter()
        .filter(|v| **v == Verdict::Done { fresh: false })
        .count();
    assert_eq!((fresh, repeats), (1, 19), "{told:?}");
    assert_eq!(world.outbox("MEMBERSHIP_ACTIVATED").await.len(), 1);
    assert_eq!(world.points(user, artist).await, 200);
    assert_eq!(world.tier(user, artist).await, Tier::Silver);
    assert_eq!(world.offer(user, artist).await, None, "active: nothing to buy");
    // A second payment for the same term buys nothing, ever.
    let second = Uuid::new_v4();
    assert_eq!(
        world.activate(id, user, second).await,
        Verdict::Refused(Refusal::Active)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn r_mem_01_offers_at_the_same_instant_are_one() {
    let world = World::new(1, 1, false).await;
    let (user, artist) = (Uuid::new_v4(), Uuid::new_v4());
    let offers = join_all((0..10).map(|_| world.offer(user, artist))).await;
    assert!(offers.iter().all(|id| id.is_some() && *id == offers[0]));
}

#[tokio::test]
async fn r_mem_01_a_term_ends_by_the_clock_and_the_next_is_another_thing_to_pay_for() {
    let world = World::new(1, 1, false).await;
    let (user, artist, first) = (Uuid::new_v4(), Uuid::new_v4(), Uuid::new_v4());
    let id = world.offer(user, artist).await.unwrap();
    world.activate(id, user, first).await;
    world.clock.advance_ms(YEAR_MS);
    assert_eq!(world.tier(user, artist).await, Tier::Bronze);
    let next = world.offer(user, artist).await.unwrap();
    assert_ne!(next, id);
    // The first payment's event, replayed a year later, begins no second year.
    assert_eq!(
        world.activate(id, user, first).await,
        Verdict::Done { fresh: false }
    );
    assert_eq!(world.tier(user, artist).await, Tier::Bronze);
    assert_eq!(
        world.activate(next, user, Uuid::new_v4()).await,
        Verdict::Done { fresh: true }
    );
    assert_eq!(world.tier(user, artist).await, Tier::Silver);
    let history = memberships::history(&world.pool, next).await.unwrap();
    let mut actions: Vec<_> = history.iter().map(|log| log.action_type.as_str()).collect();
    actions.sort_unstable();
    assert_eq!(actions, ["MEMBERSHIP_JOIN", "MEMBERSHIP_RENEW"]);
}

#[tokio::test]
async fn a_refund_that_overtakes_its_payment_leaves_nothing_bought() {
    // R-MSG-01: events come in any order. Law paid-means-ticket.
    let world = World::new(1, 1, false).await;
    let (user, artist, payment) = (Uuid::new_v4(), Uuid::new_v4(), Uuid::new_v4());
    let id = world.offer(user, artist).await.unwrap();
    world.refund_membership(id, payment).await;
    assert_eq!(
        world.activate(id, user, payment).await,
        Verdict::Refused(Refusal::NotPending)
    );
    assert_eq!(world.tier(user, artist).await, Tier::Bronze);
    // Without that record the same story gives a membership away: it is what the test is about.
    sqlx::query("DELETE FROM purchases")
        .execute(&world.pool)
        .await
        .unwrap();
    assert_eq!(
        world.activate(id, user, payment).await,
        Verdict::Done { fresh: true }
    );
    // And a refund after it ends what it had bought.
    world.refund_membership(id, payment).await;
    assert_eq!(world.tier(user, artist).await, Tier::Bronze);
    let said: Outcome = sqlx::query_scalar("SELECT outcome FROM purchases")
        .fetch_one(&world.pool)
        .await
        .unwrap();
    assert_eq!(said, Outcome::Refunded);
}

#[tokio::test]
async fn a_strangers_payment_and_one_for_nothing_are_turned_down() {
    let world = World::new(1, 1, false).await;
    let (user, artist) = (Uuid::new_v4(), Uuid::new_v4());
    let id = world.offer(user, artist).await.unwrap();
    assert_eq!(
        world.activate(id, Uuid::new_v4(), Uuid::new_v4()).await,
        Verdict::Refused(Refusal::NotOwner)
    );
    assert_eq!(
        world.activate(Uuid::new_v4(), user, Uuid::new_v4()).await,
        Verdict::NotFound
    );
    assert_eq!(world.outbox("MEMBERSHIP_ACTIVATED").await.len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn r_mem_03_one_deed_counts_once_and_lifts_the_tier() {
    let world = World::new(1, 1, false).await;
    let (user, artist) = (Uuid::new_v4(), Uuid::new_v4());
    let deed = |reference, artist| Deed {
        user,
        artist,
        action: "COMMUNITY_POST",
        points: 300,
        description: "post",
        reference: Some(reference),
    };
    let award = async |reference, artist| {
        let mut conn = world.pool.acquire().await.unwrap();
        points::award(&mut conn, &deed(reference, artist), wire::at(world.now()))
            .await
            .unwrap()
    };
    let post = Uuid::new_v4();
    assert_eq!(award(post, Some(artist)).await.members, 0, "no member, no points");
    let id = world.member(user, artist, 200).await;
    let given = join_all((0..8).map(|_| award(post, Some(artist)))).await;
    assert_eq!(given.iter().filter(|award| award.given).count(), 1);
    assert_eq!(
        (world.points(user, artist).await, world.tier(user, artist).await),
        (500, Tier::Gold)
    );
    // Unnamed, it is for the only artist there is; of two it is nobody's.
    assert!(award(Uuid::new_v4(), None).await.given);
    world.member(user, Uuid::new_v4(), 0).await;
    let nobodys = award(Uuid::new_v4(), None).await;
    assert_eq!((nobodys.members, nobodys.given), (2, false));
    assert_eq!(world.points(user, artist).await, 800);
    let stored: String = sqlx::query_scalar("SELECT tier FROM artist_memberships WHERE id = $1")
        .bind(id)
        .fetch_one(&world.pool)
        .await
        .unwrap();
    assert_eq!(stored, "GOLD");
}
