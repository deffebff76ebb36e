//! Boundaries that are met, that are missed, and that nobody is there for.

use crate::common::SOON;
use crate::world::{World, holds, in_seconds, phase, reason};
use serde_json::json;
use urr_api::TicketSale;
use urr_core::room::Mode;
use urr_core::time::Millis;
use urr_kit::clock::{Clock as _, SystemClock};
use urr_testkit::eventually;
use urr_testkit::pods::Behaviour;
use uuid::Uuid;

/// From where an opening is moved to until it comes: time to hear of it, and to be killed.
const NOTICE_S: i64 = 14;

fn lateness_ms(sale: &TicketSale) -> Option<i64> {
    sale.status.as_ref()?.lateness_milliseconds
}

/// A sale in its pre-queue, with everything ready, whose opening comes in a few seconds and is waited for
/// by the operator and by the room; then the operator dies. Returns its event and the instant.
async fn dies_before_the_opening(world: &mut World) -> (Uuid, Millis) {
    let pods = Behaviour::default();
    world.scope.deployment("booking", 1, &pods).await.unwrap();
    let event = world.announce("club-night", [-1, 600, 900], &["booking"]).await;
    world
        .await_sale("club-night", "ready", |sale| holds(sale, "Ready"))
        .await;
    let opens_at = in_seconds(NOTICE_S);
    world
        .patch("club-night", json!({"schedule": {"opensAt": opens_at}}))
        .await;
    let moved = world
        .await_sale("club-night", "the opening is waited for", |sale| {
            let next = sale
                .status
                .as_ref()
                .and_then(|status| status.next_transition_at.clone());
            // The status keeps whole seconds.
            next.is_some_and(|next| next.0.as_second() == sale.spec.schedule.opens_at.0.as_second())
        })
        .await;
    let opens_at = Millis(moved.spec.schedule.opens_at.0.as_millisecond());
    world
        .await_room(event, "told of it", |room| room.opens_at == opens_at)
        .await;
    world.kill_operator().await;
    assert!(
        SystemClock.now() < opens_at,
        "the machine is too busy for {NOTICE_S} s"
    );
    (event, opens_at)
}

#[tokio::test]
async fn who_was_dead_at_a_boundary_says_how_late_it_was_acted_on() {
    let mut world = World::new("late").await;
    let (_, opens_at) = dies_before_the_opening(&mut world).await;
    eventually(SOON, "a second after the opening", async || {
        let late = SystemClock.now().since(opens_at);
        (late > 1000).then_some(()).ok_or_else(|| format!("{late} ms"))
    })
    .await
    .unwrap();
    world.start_operator();
    let late = world
        .await_sale("club-night", "Open, late", |sale| {
            phase(sale) == "Open" && lateness_ms(sale).is_some_and(|late| late > 1000)
        })
        .await;
    assert_eq!(reason(&late, "ScheduleHonoured"), "Late", "{:?}", late.status);
    let conditions = late.status.clone().unwrap().conditions;
    let said = conditions
        .iter()
        .find(|condition| condition.type_ == "ScheduleHonoured")
        .unwrap();
    let figure = lateness_ms(&late).unwrap();
    assert_eq!(said.message, format!("Open was acted on {figure} ms late"));
    // What was late is past: the sale itself is in order.
    world
        .await_sale("club-night", "ready", |sale| holds(sale, "Ready"))
        .await;
}

#[tokio::test]
async fn an_operator_that_is_dead_at_the_opening_changes_nothing_for_visitors() {
    let mut world = World::new("dead").await;
    let (event, opens_at) = dies_before_the_opening(&mut world).await;
    let room = world
        .await_room(event, "moving by its own clock", |room| {
            room.mode == Mode::Active && room.clock.rate_per_s == 40 && room.raw(SystemClock.now()) > 0
        })
        .await;
    // Law on-time: it moves from the instant itself, whoever lives.
    assert_eq!(room.clock.since, opens_at, "{room:?}");
    let shown = world.scope.api::<TicketSale>().get("club-night").await.unwrap();
    assert_eq!(phase(&shown), "PreQueue", "somebody was there after all");
    world.start_operator();
    world
        .await_sale("club-night", "Open", |sale| {
            phase(sale) == "Open" && holds(sale, "Ready")
        })
        .await;
    let after = world.rooms.get(event).await.unwrap().unwrap();
    assert_eq!(
        after.clock, room.clock,
        "who comes back late finds it as it should be"
    );
}
