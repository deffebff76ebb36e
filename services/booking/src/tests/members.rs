//! Memberships: a term is bought once, whatever comes twice, late or backwards.

use super::World;
use crate::membership::Refusal;
use crate::store::MIGRATOR;
use crate::store::memberships::{self, Verdict};
use crate::store::points::{self, Deed};
use crate::store::purchases::{Outcome, Purchase};
use futures::future::join_all;
use sqlx::types::Json;
use urr_core::presale::Tier;
use urr_core::time::Millis;
use urr_kit::events::{Envelope, MembershipActivated, SeatingChanged};
use urr_kit::testing::TestBed;
use urr_kit::wire;
use uuid::Uuid;

const PRICE: i64 = 30_000;
const DAY_MS: i64 = 24 * 3_600_000;
const YEAR_MS: i64 = 366 * DAY_MS;

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
    let told = world.outbox("MEMBERSHIP_ACTIVATED").await;
    assert_eq!(told.len(), 1);
    let term: i64 = told[0]["payload"]["expiresAt"].as_i64().unwrap();
    assert!((365..=366).contains(&(Millis(term).since(world.now()) / DAY_MS)));
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
    // Others who count members hear of that one end, and of no more.
    world.refund_membership(id, payment).await;
    let ended = world.outbox("MEMBERSHIP_ENDED").await;
    assert_eq!(ended.len(), 1, "{ended:?}");
    assert_eq!(ended[0]["payload"]["membershipId"], id.to_string());
}

#[tokio::test]
async fn what_was_there_before_it_was_told_is_told_by_the_migration() {
    // docs/decisions/0027.
    let bed = TestBed::new().await;
    let before = MIGRATOR.iter().filter(|step| step.version < 3).cloned();
    let before = sqlx::migrate::Migrator::with_migrations(before.collect());
    let pool = bed.ctx().postgres("booking", &before).await.unwrap();
    let (active, artist, event) = (Uuid::new_v4(), Uuid::new_v4(), Uuid::new_v4());
    for (id, status) in [(active, "active"), (Uuid::new_v4(), "pending")] {
        sqlx::query(
            "INSERT INTO artist_memberships
                 (id, user_id, artist_id, status, joined_at, expires_at, created_at, updated_at)
             VALUES ($1, gen_random_uuid(), $2, $3, '2026-02-01Z', '2027-02-01Z', '2026-02-01Z', '2026-02-01Z')",
        )
        .bind(id)
        .bind(artist)
        .bind(status)
        .execute(&pool)
        .await
        .unwrap();
    }
    let hall = Json(super::hall(3));
    for statement in [
        "INSERT INTO seat_layouts (id, name, total_seats, layout_config, created_at)
         VALUES ($1, 'Hall', 3, $2, '2026-02-01Z')",
        "INSERT INTO seatings (event_id, layout_id, generation, seats, layout_config, created_at)
         VALUES ($1, $1, $1, 3, $2, '2026-02-01Z')",
    ] {
        let filled = sqlx::query(statement).bind(event).bind(&hall);
        filled.execute(&pool).await.unwrap();
    }
    let pool = bed.ctx().postgres("booking", &MIGRATOR).await.unwrap();
    let told: Vec<Json<Envelope>> = sqlx::query_scalar("SELECT payload FROM outbox_events ORDER BY seq")
        .fetch_all(&pool)
        .await
        .unwrap();
    let [joined, made] = &told[..] else {
        panic!("{told:?}")
    };
    let joined: MembershipActivated = joined.decode().unwrap();
    assert_eq!((joined.membership_id, joined.artist_id), (active, Some(artist)));
    assert_eq!(joined.expires_at, Some(Millis(1_801_440_000_000)));
    let made: SeatingChanged = made.decode().unwrap();
    assert_eq!((made.event_id, made.hall), (event, Some(super::hall(3))));
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
