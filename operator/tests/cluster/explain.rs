//! `operator explain`, and a trace that replays: on a sale that really runs.

use crate::common::SOON;
use crate::world::{World, holds, phase, reason};
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;
use urr_kit::clock::{Clock as _, SystemClock};
use urr_operator::explain::{Args, explain};
use urr_operator::{run, trace};
use urr_testkit::eventually;
use urr_testkit::pods::Behaviour;

#[tokio::test]
async fn an_explanation_tells_phase_owners_and_what_is_short_of_a_real_sale() {
    run::choose_tls();
    let world = World::new("explain").await;
    let pods = Behaviour::default();
    world.scope.deployment("booking", 1, &pods).await.unwrap();
    let never = Behaviour::default().ready_after(Duration::from_secs(3600));
    world.scope.deployment("payment", 1, &never).await.unwrap();
    world
        .announce("club-night", [-10, 0, 600], &["booking", "payment", "queue"])
        .await;
    world
        .await_sale("club-night", "scaled", |sale| {
            phase(sale) == "Open" && !holds(sale, "CapacityReady")
        })
        .await;
    world.await_replicas("booking", 4).await;
    let args = Args {
        sale: "club-night".into(),
        namespace: Some(world.scope.namespace().to_owned()),
        lease_namespace: None,
    };
    let told = eventually(SOON, "an explanation of a settled sale", async || {
        let told = explain(&world.scope.client(), &args, SystemClock.now()).await;
        let told = told.map_err(|error| format!("{error:#}"))?;
        let wanted = [
            ": Open\n",
            "the schedule: Closed at",
            "spec.replicas: urr-operator (apply)",
            "metadata.annotations.urr.guru/scaled-for: urr-operator (apply)",
            "spec.seats: kubectl (apply)",
            "payment: 0 of 4 replicas are ready",
            "there is no Deployment queue",
            "create Deployment queue, or take it off spec.targets",
            "the operator that looks: ",
        ];
        match wanted.iter().find(|wanted| !told.contains(**wanted)) {
            None => Ok(told),
            Some(missing) => Err(format!("no {missing:?} in:\n{told}")),
        }
    })
    .await
    .unwrap();
    assert!(!told.contains("none is known"), "{told}");
    let none = Args {
        sale: "no-such".into(),
        ..args
    };
    let error = explain(&world.scope.client(), &none, SystemClock.now())
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("there is no TicketSale no-such"),
        "{error:#}"
    );
}

fn lines(file: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(file).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[tokio::test]
async fn looks_that_refuse_abort_or_close_a_sale_are_in_the_trace_and_replay_too() {
    let mut world = World::new("replay-ends").await;
    let pods = Behaviour::default();
    world.scope.deployment("booking", 1, &pods).await.unwrap();
    let instants = [-10, 0, 600];
    let event = world.announce("first", instants, &["booking"]).await;
    world.await_replicas("booking", 4).await;
    world.await_another_second("first").await;
    let same = [("/spec/eventId", json!(event)), ("/spec/targets", json!([]))];
    world.announce_with("second", instants, &same).await;
    world
        .await_sale("second", "refused", |sale| reason(sale, "Ready") == "Refused")
        .await;
    world.patch("first", json!({"abort": true})).await;
    world
        .await_sale("first", "Aborted", |sale| phase(sale) == "Aborted")
        .await;
    world.await_replicas("booking", 1).await;
    world
        .await_sale("second", "has the event", |sale| phase(sale) == "Open")
        .await;
    let delete = ["delete", "ts", "first", "second", "--timeout=60s"];
    world.scope.kubectl(&delete).await.unwrap().ok().unwrap();
    world.stop_operator().await;

    let replayed = trace::replay(&world.trace_file()).unwrap();
    assert!(replayed.is_same() && !replayed.is_cut, "{replayed}");
    let lines = lines(&world.trace_file());
    let decided = |sale: &str, kind: &str, pointer: &str| -> Vec<Value> {
        let sale = format!("{}/{sale}", world.scope.namespace());
        let ours = |line: &&Value| line["sale"] == *sale && line["saw"]["kind"] == *kind;
        let all = lines.iter().filter(ours);
        let mut all: Vec<_> = all.filter_map(|line| line.pointer(pointer).cloned()).collect();
        all.dedup();
        all
    };
    assert_eq!(decided("second", "refused", "/saw/rival").len(), 1, "{lines:#?}");
    let step = "/decided/targets/0/step";
    assert_eq!(
        decided("first", "aborted", step)[0],
        json!({"restore": {"to": 1}})
    );
    // What was ended by its spec has no room any more: that is the second's.
    assert_eq!(decided("first", "deleted", "/decided/closesRoom"), [json!(false)]);
    assert_eq!(decided("second", "deleted", "/decided/closesRoom"), [json!(true)]);
}

#[tokio::test]
async fn a_recorded_sale_replays_without_a_difference_and_a_tampered_line_is_named() {
    let mut world = World::new("replay").await;
    let file = world.trace_file();
    for (name, replicas) in [("booking", 1), ("payment", 2)] {
        let pods = Behaviour::default().ready_after(Duration::from_secs(1));
        world.scope.deployment(name, replicas, &pods).await.unwrap();
    }
    // All of its life: scaled, opened, crashed, held, closed, given back.
    world
        .announce("club-night", [2, 4, 600], &["booking", "payment"])
        .await;
    world
        .await_sale("club-night", "open and ready", |sale| {
            phase(sale) == "Open" && holds(sale, "Ready")
        })
        .await;
    world.scope.crash("booking", 2).await.unwrap();
    world
        .await_sale("club-night", "short", |sale| !holds(sale, "CapacityReady"))
        .await;
    world.scope.recover("booking").await.unwrap();
    world.patch("club-night", json!({"hold": true})).await;
    world
        .await_sale("club-night", "held", |sale| phase(sale) == "Paused")
        .await;
    // An instant is fixed 5 s before it: a busy machine must have told the control plane by then.
    let closes_at = Timestamp::from_millisecond(SystemClock.now().plus_s(20).0).unwrap();
    let over = json!({"hold": false, "schedule": {"closesAt": closes_at.to_string()}});
    world.patch("club-night", over).await;
    world
        .await_sale("club-night", "Closed", |sale| phase(sale) == "Closed")
        .await;
    world.await_replicas("booking", 1).await;
    world.stop_operator().await;

    let replayed = trace::replay(&file).unwrap();
    assert!(replayed.looks > 10, "{replayed}");
    assert!(replayed.is_same() && !replayed.is_cut, "{replayed}");

    // Somebody changes what was decided in one look.
    let mut lines = lines(&file);
    let kept = |line: &Value| line["saw"]["kind"] == "kept";
    let nth = lines.iter().rposition(kept).unwrap();
    let look = lines[nth]["look"].as_u64().unwrap();
    lines[nth]["decided"]["word"]["readyUnits"] = json!(99);
    let tampered: String = lines.iter().map(|line| format!("{line}\n")).collect();
    std::fs::write(&file, tampered).unwrap();
    let replayed = trace::replay(&file).unwrap();
    assert_eq!(replayed.difference_count, 1, "{replayed}");
    let difference = &replayed.differences[0];
    assert_eq!(
        (
            difference.sale.as_str(),
            difference.look,
            difference.field.as_str()
        ),
        (
            format!("{}/club-night", world.scope.namespace()).as_str(),
            look,
            "word.readyUnits"
        )
    );
    // And the program says so by its exit code.
    let operator = env!("CARGO_BIN_EXE_operator");
    let ran = std::process::Command::new(operator)
        .arg("replay")
        .arg(&file)
        .output()
        .unwrap();
    assert_eq!(ran.status.code(), Some(1), "{ran:?}");
    let told = String::from_utf8(ran.stdout).unwrap();
    assert!(
        told.contains(&format!("look {look} at")) && told.contains("word.readyUnits"),
        "{told}"
    );
}
