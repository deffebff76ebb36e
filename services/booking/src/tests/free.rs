//! C§8 lets prices be 0: such a ticket is sold where it is held, and nobody owes anything for it.

use super::World;
use super::served::Api;
use crate::holds::Refusal as HoldRefusal;
use crate::reservation::{PaymentStatus, Status};
use crate::store::sales;
use crate::store::settle::Cancel;
use http::Method;
use serde_json::json;
use urr_kit::wire;
use uuid::Uuid;

impl World {
    async fn give_away(&self, seats: &[Uuid]) {
        sqlx::query("UPDATE seats SET price = 0 WHERE id = ANY ($1)")
            .bind(seats)
            .execute(&self.pool)
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_seat_that_costs_nothing_is_had_by_taking_it_and_given_back_for_nothing() {
    let world = World::new(4, 2, true).await;
    let user = Uuid::new_v4();
    world.give_away(&world.seats[..2]).await;
    let had = world
        .hold_keyed(user, &world.seats[..2], Some("k"))
        .await
        .unwrap();
    assert_eq!(
        (had.status, had.payment_status, had.total_amount),
        (Status::Confirmed, PaymentStatus::Completed, 0)
    );
    assert_eq!(
        world.hold(Uuid::new_v4(), &world.seats[..1]).await,
        Err(HoldRefusal::Sold)
    );
    assert_eq!(
        world.hold_keyed(user, &world.seats[..2], Some("k")).await,
        Ok(had.clone())
    );
    assert_eq!(world.counts().await, (2, 0, 2));
    let told = world.outbox("RESERVATION_CONFIRMED").await;
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["payload"]["paymentMethod"], "free");
    assert_eq!(super::anything::broken(&world).await, Vec::<String>::new());

    world.cancel(had.id, Cancel::ByOwner(user)).await.unwrap();
    assert_eq!(world.money(had.id).await, "refunded");
    let told = world.outbox("RESERVATION_CANCELLED").await;
    assert_eq!(told[0]["payload"]["wasPaid"], false);
    let owed: i64 = sqlx::query_scalar("SELECT count(*) FROM refunds_owed")
        .fetch_one(&world.pool)
        .await
        .unwrap();
    assert_eq!((world.counts().await, owed), ((4, 0, 0), 0));
}

#[tokio::test]
async fn only_what_costs_nothing_altogether_is_given_away() {
    let world = World::new(4, 2, true).await;
    let user = Uuid::new_v4();
    let (free, dear) = (world.seats[0], world.seats[1]);
    world.give_away(&[free]).await;
    let mixed = world.hold(user, &[free, dear]).await.unwrap();
    assert_eq!(mixed.status, Status::Pending);
    // R-BOOK-09: he lets go of what costs something.
    let changed = world.change(user, mixed.id, &[free]).await.unwrap();
    assert_eq!(
        (changed.status, world.counts().await),
        (Status::Confirmed, (3, 0, 1))
    );
    assert_eq!(super::anything::broken(&world).await, Vec::<String>::new());
}

#[tokio::test]
async fn nothing_is_given_away_for_a_show_that_was_called_off_a_moment_ago() {
    let world = World::new(2, 1, false).await;
    world.give_away(&world.seats).await;
    // This replica's terms are a second old.
    world.hold(Uuid::new_v4(), &world.seats[..1]).await.unwrap();
    sales::call_off(&world.pool, world.event, wire::at(world.now()))
        .await
        .unwrap();
    let late = world.hold(Uuid::new_v4(), &world.seats[1..]).await.unwrap();
    assert_eq!((late.status, world.counts().await), (Status::Pending, (0, 1, 1)));
}

#[tokio::test]
async fn a_standing_ticket_that_costs_nothing_is_had_by_asking() {
    let api = Api::new(1).await;
    let visitor = api.visitor();
    let new = json!({"eventId": api.event, "name": "Guest", "price": 0, "totalQuantity": 3});
    let (_, made) = api.internal(Method::POST, "/internal/ticket-types", &new).await;
    let items = json!([{"ticketTypeId": made["ticketType"]["id"], "quantity": 2}]);
    let body = json!({"eventId": api.event, "items": items, "idempotencyKey": "k"});
    for _ in 0..2 {
        let (status, had) = api
            .call(Some(&visitor), Method::POST, "/api/reservations", &body)
            .await;
        assert_eq!(status, 200, "{had}");
        assert_eq!(
            (
                &had["reservation"]["status"],
                &had["reservation"]["paymentStatus"]
            ),
            (&json!("confirmed"), &json!("completed"))
        );
    }
}
