//! The rate that follows the services, and the line that waits for seats that come back.

use crate::world::{Control, SOON, World};
use serde_json::{Value, json};
use urr_core::adaptive::RISE_EVERY_MS;
use urr_core::pulse::{EDGES_MS, Pulse};
use urr_core::room::Mode;
use urr_core::sale::{Adaptive, Sale, WhenSoldOut};
use urr_kit::testing::eventually;

/// From 5 to 40, beginning with 20; 40 is what all replicas bear.
fn adaptive(world: &World) -> Sale {
    let mut sale = world.sale();
    sale.admission.adaptive = Some(Adaptive::between(5, 40));
    sale
}

/// A hundred reservations that took so long.
fn pulse(ms: u32) -> Option<Pulse> {
    let mut reservations = vec![0; EDGES_MS.len() + 1];
    reservations[Pulse::class_of(u128::from(ms))] = 100;
    Some(Pulse {
        requests: 100,
        reservations,
        ..Pulse::default()
    })
}

fn feels(world: &World, pulse: Option<Pulse>) {
    *world.services.pulse.lock().unwrap() = pulse;
}

async fn await_rate(world: &World, sale: &Sale, what: &'static str, wanted: impl Fn(u32) -> bool) -> u32 {
    let mut rate = 0;
    eventually(SOON, what, async || {
        rate = world.limits(sale.id).await.rate_per_s;
        wanted(rate)
    })
    .await;
    rate
}

async fn reasons(control: &Control, sale: &Sale) -> (Value, String) {
    let (_, state) = control.get(&format!("/{}", sale.id)).await;
    let reasons = state["plan"]["reasons"].to_string();
    (state, reasons)
}

#[tokio::test]
async fn the_rate_falls_when_reservations_get_slow_and_comes_back_in_steps() {
    let world = World::new().await;
    let control = world.control().await;
    let sale = adaptive(&world);
    feels(&world, pulse(2500));
    control.put(&sale).await;
    let opens = sale.schedule.opens_at;
    world.at(opens.plus_s(-1));
    assert_eq!(world.limits(sale.id).await.rate_per_s, 20, "nobody is in yet");
    world.at(opens.plus_s(1));
    let fell = await_rate(&world, &sale, "a lower rate", |rate| rate < 20).await;
    assert!((5..=18).contains(&fell), "{fell}");
    let (state, why) = reasons(&control, &sale).await;
    assert!(
        why.contains("reservations take") && why.contains("instead of 20/s"),
        "{why}"
    );
    assert_eq!(state["pace"]["ratePerS"], json!(fell));

    // What was learned outlives who learned it.
    control.kill();
    feels(&world, pulse(120));
    let control = world.control().await;
    world.at(opens.plus_ms(1000 + RISE_EVERY_MS));
    let rose = await_rate(&world, &sale, "a higher rate", |rate| rate > fell).await;
    assert!(rose < 20, "a step and not all of it: {rose}");

    // A person's rate is the one that counts; taken back, the adaptive one goes on where it was.
    let by_hand = json!({"action": "rate", "value": 11, "actor": "mina", "reason": "a test"});
    control.override_sale(sale.id, by_hand).await;
    assert_eq!(world.limits(sale.id).await.rate_per_s, 11);
    let reset = json!({"action": "reset", "actor": "mina", "reason": "a test"});
    control.override_sale(sale.id, reset).await;
    assert_eq!(world.limits(sale.id).await.rate_per_s, rose);
}

#[tokio::test]
async fn it_never_goes_above_what_ready_capacity_bears() {
    // Law capacity-first.
    let world = World::new().await;
    let control = world.control().await;
    let sale = adaptive(&world);
    feels(&world, pulse(50));
    control.put(&sale).await;
    let report = control.request(reqwest::Method::PUT, &format!("/{}/capacity", sale.id));
    let answer = report
        .json(&json!({"readyReplicas": 1, "term": 1}))
        .send()
        .await
        .unwrap();
    assert!(answer.status().is_success());
    world.at(sale.schedule.opens_at.plus_s(300));
    await_rate(&world, &sale, "what one replica bears", |rate| rate == 10).await;
    let report = control.request(reqwest::Method::PUT, &format!("/{}/capacity", sale.id));
    report
        .json(&json!({"readyReplicas": 4, "term": 1}))
        .send()
        .await
        .unwrap();
    let rose = await_rate(&world, &sale, "more with more", |rate| rate > 20).await;
    assert!(rose <= 40, "{rose}");
}

#[tokio::test]
async fn services_that_say_nothing_change_nothing() {
    let world = World::new().await;
    let sale = adaptive(&world);
    let now = sale.schedule.opens_at.plus_s(60);
    let record = urr_controlplane::store::SaleRecord::new(sale.clone(), now);
    world.sales.write(&record, None, now).await.unwrap();
    world.at(now);
    feels(&world, None);
    let reconciler = world.reconciler();
    for _ in 0..3 {
        world.pulses.ask().await;
        reconciler.step(sale.id).await.unwrap();
    }
    assert_eq!(world.limits(sale.id).await.rate_per_s, 20);
    assert_eq!(world.sales.get(sale.id).await.unwrap().unwrap().pace, None);
}

#[tokio::test]
async fn a_line_that_keeps_waiting_stands_while_all_is_sold_and_moves_on_when_a_seat_comes_back() {
    let world = World::new().await;
    let control = world.control().await;
    let mut sale = world.sale();
    sale.admission.when_sold_out = WhenSoldOut::KeepWaiting;
    control.put(&sale).await;
    world.at(sale.schedule.opens_at.plus_s(1));
    world.services.set_seats(0, 0, 100);
    // The room is written first, then the limits, then the log that lists go by.
    eventually(SOON, "the line stands", async || {
        let (state, why) = reasons(&control, &sale).await;
        let is_told = state["phase"] == json!("soldOut") && why.contains("stands until one comes back");
        let stands = world.room(sale.id).await.mode == Mode::Paused;
        is_told && stands && world.limits(sale.id).await.paused
    })
    .await;
    assert!(
        !world.limits(sale.id).await.sold_out,
        "who waits is not sent away"
    );

    // Booking does not answer for a moment: that is no seat.
    *world.services.seats.lock().unwrap() = None;
    world.reconciler().step(sale.id).await.unwrap();
    assert_eq!(world.room(sale.id).await.mode, Mode::Paused);

    world.services.set_seats(1, 0, 99);
    eventually(SOON, "the line moves", async || {
        let limits = world.limits(sale.id).await;
        let moves = world.room(sale.id).await.mode == Mode::Active;
        moves && !limits.paused && limits.rate_per_s == 20
    })
    .await;
}
