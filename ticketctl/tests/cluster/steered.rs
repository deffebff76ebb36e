//! A hand on the wheel of a cluster's sale, through the API server to the control plane.

use crate::world::{SOON, World};
use serde_json::Value;
use urr_core::snapshot::Snapshot;
use urr_testkit::eventually;

#[tokio::test(flavor = "multi_thread")]
async fn a_sale_in_a_cluster_is_steered_followed_and_undone() {
    let world = World::new("steered").await;
    let file = world.sale("night", [-60, -30, 3600]);
    let by = ["--yes", "--actor", "mina", "--reason", "the provider is slow"];
    world.run(&[&["apply", "-f", &file], &by[..]].concat()).await.ok();
    world
        .run(&["wait", "--for=condition=Ready", "--timeout=60s"])
        .await
        .ok();
    world.control_pod("control-a").await;
    world.allow_on_call().await;
    let on_call = async |args: &[&str]| world.run(&[args, &["--context", "on-call"]].concat()).await;

    // By the object's name, by the name people know, and as the only one.
    let tried = on_call(&["rate", "30", "night", "--dry-run"]).await.ok();
    assert_eq!(tried, "would change: Club night: rate 40/s -> 30/s.\n");
    let steered = on_call(&[&["rate", "30", "night", "-o", "json"], &by[..]].concat())
        .await
        .json();
    assert_eq!(steered["hand"]["ratePerS"], 30);
    let steered = on_call(&[&["cap", "50", "Club night", "-o", "json"], &by[..]].concat())
        .await
        .json();
    assert_eq!(steered["hand"]["cap"], 50);
    for (verb, field) in [("pause", "paused"), ("drain", "draining")] {
        let steered = on_call(&[&[verb, "-o", "json"], &by[..]].concat()).await.json();
        assert_eq!(steered["hand"][field], true, "{verb}");
        let undone = on_call(&["undo", "-o", "json"]).await.json();
        assert_eq!(undone["hand"][field], false, "{verb}");
    }
    on_call(&[&["pause"], &by[..]].concat()).await.ok();
    on_call(&[&["resume"], &by[..]].concat()).await.ok();
    let too_much = on_call(&[&["rate", "5000"], &by[..]].concat()).await.refused(4);
    assert!(too_much.contains("40"), "{too_much}");

    // The operator goes on reconciling and leaves the hand alone.
    let patch = [
        "patch",
        "ts",
        "night",
        "--type=merge",
        "-p",
        r#"{"spec":{"crowd":{"expectedVisitors":600}}}"#,
    ];
    world.scope.kubectl(&patch).await.unwrap().ok().unwrap();
    eventually(SOON, "600 expected and the hand's rate", async || {
        let all = on_call(&["top", "-o", "json"]).await.json();
        let rate = all["items"][0]["room"]["ratePerS"].as_u64();
        (rate == Some(30)).then_some(()).ok_or_else(|| format!("{all:#}"))
    })
    .await
    .unwrap();
    let top = on_call(&["top"]).await.ok();
    assert!(top.contains("Club night") && top.contains("30/s"), "{top}");

    followed_through_the_loss_of_its_pod(&world).await;

    // Without the right to read the Secret, the token comes in a file.
    let role = [
        "patch",
        "role",
        "urr-on-call",
        "--type=json",
        "-p",
        r#"[{"op":"remove","path":"/rules/3"}]"#,
    ];
    world.scope.kubectl(&role).await.unwrap().ok().unwrap();
    let said = eventually(SOON, "the Role to count", async || {
        let said = on_call(&["top"]).await;
        if said.code == Some(0) {
            Err(said.out)
        } else {
            Ok(said)
        }
    });
    let denied = said.await.unwrap().refused(6);
    assert!(
        denied.contains("urr-secrets") && denied.contains("--token-file"),
        "{denied}"
    );
    let token = world.file("token", &world.token);
    on_call(&["top", "--token-file", &token]).await.ok();
    let wrong = world.file("wrong", "of somebody else, and long enough to be one");
    let wrong = on_call(&["top", "--token-file", &wrong]).await.refused(6);
    assert!(wrong.contains("token"), "{wrong}");
    world.end().await;
}

/// The stream goes on when the Pod it came from is replaced, and tells who changed what.
async fn followed_through_the_loss_of_its_pod(world: &World) {
    let watching = world.watching(&["watch", "night", "-o", "json"]);
    let snapshots = || watching.documents::<Snapshot>();
    let mut before = 0;
    for pod in ["control-a", "control-b"] {
        eventually(SOON, "snapshots", async || {
            let all = snapshots();
            if all.len() > before + 2 {
                Ok(())
            } else {
                Err(format!("{}", all.len()))
            }
        })
        .await
        .unwrap();
        if pod == "control-a" {
            world.control_pod("control-b").await;
            let delete = ["delete", "pod", "control-a", "--grace-period=0", "--force"];
            world.scope.kubectl(&delete).await.unwrap().ok().unwrap();
            before = snapshots().len();
        }
    }
    let all = snapshots();
    let last = &all[all.len() - 1];
    assert_eq!(last.seats.as_ref().map(|seats| seats.sold), Some(7));
    let said: Vec<Value> = last
        .events
        .iter()
        .map(|event| serde_json::to_value(event).unwrap())
        .collect();
    assert!(said.iter().any(|event| event["actor"] == "mina"), "{said:#?}");
    watching.end().await;
}
