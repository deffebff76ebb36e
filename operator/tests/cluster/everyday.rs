//! What people and probes ask a running operator every day.

use crate::common::{SOON, sale, set};
use crate::world::{World, holds, in_seconds, phase};
use http::StatusCode;
use serde_json::{Value, json};
use urr_testkit::eventually;
use urr_testkit::pods::Behaviour;
use urr_testkit::proxy::Fault;

#[tokio::test]
async fn the_leader_says_when_the_control_plane_does_not_answer() {
    let mut world = World::with_every_write_counted("probed").await;
    let port = crate::leading::free_port();
    world.stop_operator().await;
    world.listen = ([127, 0, 0, 1], port).into();
    world.start_operator();
    let pods = Behaviour::default();
    world.scope.deployment("booking", 1, &pods).await.unwrap();
    world.announce("club-night", [-10, 0, 600], &["booking"]).await;
    world
        .await_sale("club-night", "ready", |sale| holds(sale, "Ready"))
        .await;
    let ready = async || {
        let answer = reqwest::get(format!("http://127.0.0.1:{port}/ready")).await;
        let answer = answer.map_err(|error| error.to_string())?;
        let status = answer.status();
        let body: Value = answer.json().await.map_err(|error| error.to_string())?;
        Ok::<_, String>((status.as_u16(), body))
    };
    assert_eq!(
        ready().await.unwrap(),
        (200, json!({"ready": true, "missing": {}}))
    );

    world.faults.for_calls(|call| {
        let refused = Fault::Refuse(StatusCode::SERVICE_UNAVAILABLE);
        call.path.starts_with("/control/").then_some(refused)
    });
    let annotate = ["annotate", "ts", "club-night", "looked=again"];
    world.scope.kubectl(&annotate).await.unwrap().ok().unwrap();
    eventually(SOON, "not ready, for the control plane", async || {
        match ready().await? {
            (503, body) if body["missing"]["control"].is_string() => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await
    .unwrap();
    let unheard = |sale: &urr_api::TicketSale| crate::world::reason(sale, "RoomActive");
    world
        .await_sale("club-night", "the same in its conditions", |sale| {
            unheard(sale) == "ControlApiUnreachable"
        })
        .await;
    // Nothing is taken away on hearsay.
    world.await_replicas("booking", 4).await;
    world.faults.heal();
    eventually(SOON, "ready again", async || match ready().await? {
        (200, _) => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await
    .unwrap();
    world
        .await_sale("club-night", "ready again", |sale| holds(sale, "Ready"))
        .await;
}

#[tokio::test]
async fn kubectl_finds_a_sale_that_is_kept_as_it_was_applied() {
    let world = World::new("everyday").await;
    let pods = Behaviour::default();
    world.scope.deployment("booking", 1, &pods).await.unwrap();
    let mut document = sale("club-night");
    for (pointer, value) in [
        ("/spec/eventId", json!(uuid::Uuid::new_v4())),
        ("/spec/targets", json!([{"name": "booking"}])),
        ("/spec/schedule/preQueueAt", in_seconds(-10)),
        ("/spec/schedule/opensAt", in_seconds(0)),
        ("/spec/schedule/closesAt", in_seconds(900)),
    ] {
        set(&mut document, pointer, &value);
    }
    let text = document.to_string();
    let with = async |args: &[&str], input: &str| world.scope.kubectl_with(args, input).await.unwrap();
    with(&["apply", "-f", "-"], &text).await.ok().unwrap();
    let wait = ["wait", "ts/club-night", "--for=condition=Ready", "--timeout=60s"];
    world.scope.kubectl(&wait).await.unwrap().ok().unwrap();
    world
        .await_sale("club-night", "Open", |sale| phase(sale) == "Open")
        .await;

    // Status, finalizer and who owns them are no difference to whoever keeps sales in git ...
    let diff = with(&["diff", "-f", "-"], &text).await;
    assert_eq!(diff.status.code(), Some(0), "{}{}", diff.stdout, diff.stderr);
    // ... and a change is shown before it is made.
    set(&mut document, "/spec/admission/ratePerSecond", &json!(30));
    let changed = document.to_string();
    let diff = with(&["diff", "-f", "-"], &changed).await;
    assert_eq!(diff.status.code(), Some(1));
    assert!(
        diff.stdout.contains("-    ratePerSecond: 40") && diff.stdout.contains("+    ratePerSecond: 30"),
        "{}",
        diff.stdout
    );

    // A manager of its own field, beside whoever applied the rest and the operator that reports.
    let capacity = json!({
        "apiVersion": "urr.guru/v1alpha1", "kind": "TicketSale", "metadata": {"name": "club-night"},
        "spec": {"targets": [{"name": "booking", "peak": 5}]}
    });
    let apply = [
        "apply",
        "--server-side",
        "--field-manager=capacity-team",
        "-f",
        "-",
    ];
    with(&apply, &capacity.to_string()).await.ok().unwrap();
    let theirs = world
        .await_sale("club-night", "seen, and still in order", |sale| {
            let status = sale.status.clone().unwrap_or_default();
            status.observed_generation == sale.metadata.generation && holds(sale, "Ready")
        })
        .await;
    assert_eq!(theirs.spec.targets[0].peak, Some(5));
    world.await_replicas("booking", 5).await;
    world
        .await_sale("club-night", "five seen", |sale| {
            holds(sale, "Ready") && sale.status.as_ref().and_then(|status| status.ready_replicas) == Some(5)
        })
        .await;
    let managers: Vec<_> = theirs.metadata.managed_fields.unwrap_or_default();
    let owns = |manager: &str, subresource: Option<&str>| {
        managers.iter().any(|entry| {
            entry.manager.as_deref() == Some(manager) && entry.subresource.as_deref() == subresource
        })
    };
    assert!(
        owns("capacity-team", None) && owns("urr-operator", Some("status")),
        "{managers:?}"
    );
    // The operator reports, and that is all it has of the object besides its finalizer.
    let spec_of_ours = managers.iter().any(|entry| {
        let fields = serde_json::to_string(&entry.fields_v1).unwrap();
        entry.manager.as_deref() == Some("urr-operator") && fields.contains("f:spec")
    });
    assert!(!spec_of_ours, "{managers:?}");

    let wide = world.scope.kubectl(&["get", "ts", "--output=wide"]).await;
    let wide = wide.unwrap().ok().unwrap();
    let mut lines = wide
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>());
    let (head, row) = (lines.next().unwrap(), lines.next().unwrap());
    let of = |column: &str| row[head.iter().position(|name| *name == column).unwrap()];
    assert_eq!(
        (of("PHASE"), of("READY"), of("REPLICAS"), of("RATE")),
        ("Open", "True", "5", "40")
    );

    // Deleted while open, in the foreground: `kubectl` comes back when the room is closed.
    let delete = ["delete", "ts", "club-night", "--timeout=60s"];
    world.scope.kubectl(&delete).await.unwrap().ok().unwrap();
    world.await_replicas("booking", 1).await;
}
