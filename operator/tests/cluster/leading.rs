//! Two operators, of which one leads; what each says of itself; and objects that nobody can read.

use crate::common::{SOON, sale, set};
use crate::world::{WhenEnded, World, holds, phase};
use serde_json::{Value, json};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use urr_api::TicketSale;
use urr_core::room::Mode;
use urr_testkit::eventually;
use urr_testkit::pods::Behaviour;
use urr_testkit::proxy::Fault;

pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

#[tokio::test]
async fn one_of_two_leads_and_when_its_lease_is_lost_it_ends_and_the_other_goes_on() {
    urr_operator::health::record_metrics();
    let mut world = World::new("leads").await;
    world.stop_operator().await;
    (world.lease_seconds, world.when_ended) = (4, WhenEnded::StaysDown);
    world.start_operator();
    let pods = Behaviour::default();
    world.scope.deployment("booking", 1, &pods).await.unwrap();
    let event = world.announce("club-night", [-10, 0, 600], &["booking"]).await;
    world
        .await_sale("club-night", "ready", |sale| holds(sale, "Ready"))
        .await;

    let port = free_port();
    let mut config = world.config();
    config.listen = ([127, 0, 0, 1], port).into();
    let second = world.another_operator(config).await;
    let ask = async |path: &str| {
        let url = format!("http://127.0.0.1:{port}/{path}");
        let answer = reqwest::get(url).await.map_err(|error| error.to_string())?;
        let status = answer.status();
        let text = answer.text().await.map_err(|error| error.to_string())?;
        if status.is_success() { Ok(text) } else { Err(text) }
    };
    eventually(SOON, "a second one that stands by", async || ask("ready").await)
        .await
        .unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    second.faults.for_calls(move |call| {
        if call.is_lease() {
            counter.fetch_add(1, Ordering::Relaxed);
        }
        None
    });
    eventually(SOON, "it asks who leads again and again", async || {
        let times = asked.load(Ordering::Relaxed);
        (times >= 4).then_some(()).ok_or_else(|| times.to_string())
    })
    .await
    .unwrap();
    assert_eq!(second.faults.write_count(), 0, "who stands by writes nothing");
    assert!(!world.has_ended());

    // The first one loses its lease, and nothing else: it still reaches all it could write to.
    world
        .faults
        .for_calls(|call| call.is_lease().then_some(Fault::Cut));
    eventually(SOON, "the end of the first", async || {
        world.has_ended().then_some(()).ok_or_else(String::new)
    })
    .await
    .unwrap();
    // Before it has anything to say the second one has made itself heard: who led before is refused.
    let url = format!("{}/control/v1/sales/{event}", world.control_url);
    let term_heard = async || {
        let request = reqwest::Client::new().get(&url).bearer_auth(&world.control_token);
        let state: Value = request.send().await.unwrap().json().await.unwrap();
        state["operatorTerm"].as_u64().unwrap()
    };
    let first = term_heard().await;
    eventually(SOON, "a later term", async || {
        let term = term_heard().await;
        (term > first)
            .then_some(())
            .ok_or_else(|| format!("{term} after {first}"))
    })
    .await
    .unwrap();
    let before = world.faults.write_count();
    world.patch("club-night", json!({"hold": true})).await;
    world
        .await_room(event, "held by the second", |room| room.mode == Mode::Paused)
        .await;
    world
        .await_sale("club-night", "Paused", |sale| phase(sale) == "Paused")
        .await;
    assert!(second.faults.write_count() > 0);
    assert_eq!(world.faults.write_count(), before);
    let metrics = ask("metrics").await.unwrap();
    assert!(metrics.contains("operator_looks_total"), "{metrics}");

    // Law fenced: an operator of an earlier term is not heard, whatever it believes.
    let url = format!("{}/control/v1/sales/{event}/capacity", world.control_url);
    let say = async |term: u64| {
        let report = json!({"readyReplicas": 4, "term": term});
        let request = reqwest::Client::new().put(&url).json(&report);
        let answer = request.bearer_auth(&world.control_token).send().await.unwrap();
        answer.status().as_u16()
    };
    assert_eq!((say(1).await, say(first).await), (409, 409));
    assert_eq!(world.rooms.get(event).await.unwrap().unwrap().mode, Mode::Paused);
    // Without the fence the same words let the line go.
    assert_eq!(say(0).await, 200);
    world
        .await_room(event, "let go by words without a term", |room| {
            room.mode == Mode::Active
        })
        .await;
}

#[tokio::test]
async fn a_sale_that_nobody_can_read_stops_no_other() {
    let world = World::new("unreadable").await;
    let pods = Behaviour::default();
    world.scope.deployment("booking", 1, &pods).await.unwrap();
    // The API server reads more digits of a second than our type does.
    let mut document: Value = sale("odd");
    let instant = json!("2036-12-01T10:55:00.1234567891Z");
    set(&mut document, "/spec/schedule/preQueueAt", &instant);
    assert!(serde_json::from_value::<TicketSale>(document.clone()).is_err());
    let apply = ["apply", "--server-side", "-f", "-"];
    let applied = world.scope.kubectl_with(&apply, &document.to_string()).await;
    applied.unwrap().ok().unwrap();
    world.announce("sound", [-10, 0, 600], &["booking"]).await;
    world
        .await_sale("sound", "ready", |sale| holds(sale, "Ready"))
        .await;
    world.await_replicas("booking", 4).await;
}
