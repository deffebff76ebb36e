//! TicketSales: announced, looked at, waited for, moved; and what is said when that does not go.

use crate::world::World;
use serde_json::Value;
use urr_testkit::eventually;

#[tokio::test(flavor = "multi_thread")]
async fn sales_are_announced_looked_at_waited_for_and_opened() {
    let world = World::new("declared").await;
    let file = world.sale("night", [-60, 3600, 7200]);
    world.run(&["validate", &file]).await.ok();

    // Tried: nothing is there afterwards.
    let tried = world.run(&["apply", "-f", &file, "--dry-run"]).await.ok();
    assert_eq!(tried, "ticketsale/night created (dry run)\n");
    let tried = world.run(&["apply", "-f", &file, "--dry-run=server"]).await.ok();
    assert_eq!(tried, "ticketsale/night created (server dry run)\n");
    assert!(world.run(&["get"]).await.err.contains("no sales"));

    let by = ["--yes", "--actor", "mina", "--reason", "the band said yes"];
    let apply = |file: &str| {
        let args: Vec<String> = ["apply", "-f", file]
            .into_iter()
            .chain(by)
            .map(str::to_owned)
            .collect();
        args
    };
    let run = async |args: Vec<String>| {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        world.run(&args).await
    };
    assert_eq!(run(apply(&file)).await.ok(), "ticketsale/night created\n");
    assert_eq!(run(apply(&file)).await.ok(), "ticketsale/night unchanged\n");

    world
        .run(&["wait", "night", "--for=condition=Ready", "--timeout=60s"])
        .await
        .ok();
    world
        .run(&["wait", "night", "--for=phase=pre-queue", "--timeout=60s"])
        .await
        .ok();
    assert_eq!(world.run(&["get", "-o", "name"]).await.ok(), "night\n");
    let table = world.run(&["get", "-o", "wide"]).await.ok();
    for word in ["NAME", "night", "PreQueue", "40/s", "in place"] {
        assert!(table.contains(word), "{word} in\n{table}");
    }
    let object = world.run(&["get", "night", "-o", "json"]).await.json();
    assert_eq!(object["metadata"]["annotations"]["urr.guru/changed-by"], "mina");
    assert_eq!(
        object["metadata"]["annotations"]["urr.guru/change-reason"],
        "the band said yes"
    );
    let rate = world
        .run(&["get", "night", "-o", "jsonpath={.spec.admission.ratePerSecond}"])
        .await
        .ok();
    assert_eq!(rate, "40\n");
    let page = world.run(&["describe", "night"]).await.ok();
    for word in [
        "Club night",
        "mina: the band said yes",
        "Ready",
        "AsPlanned",
        "40/s",
    ] {
        assert!(page.contains(word), "{word} in\n{page}");
    }

    // A change says what it changes from what to what.
    let text = std::fs::read_to_string(&file).unwrap();
    let faster = world.file(
        "faster.yaml",
        &text.replace("ratePerSecond: 40", "ratePerSecond: 30"),
    );
    let tried = world
        .run(&["apply", "-f", &faster, "--dry-run=server"])
        .await
        .ok();
    assert_eq!(
        tried,
        "ticketsale/night configured: rate 40 -> 30 (server dry run)\n"
    );

    // Opened by hand: a few seconds from now, by everybody's own clock.
    let opened = world
        .run(&["open", "night", "--yes", "--reason", "they wait in the rain"])
        .await
        .ok();
    assert!(opened.contains("a few seconds from now"), "{opened}");
    world
        .run(&["wait", "night", "--for=phase=open", "--timeout=60s"])
        .await
        .ok();
    let again = world
        .run(&["open", "night", "--yes", "--reason", "x"])
        .await
        .refused(4);
    assert!(again.contains("has opened already"), "{again}");
    // What cannot be undone wants the object's name.
    let unsure = world
        .run(&["close", "night", "--yes", "--reason", "x"])
        .await
        .refused(2);
    assert!(unsure.contains("--confirm 'night'"), "{unsure}");
    world
        .run(&["close", "night", "--confirm", "night", "--reason", "sold out"])
        .await
        .ok();
    world
        .run(&["wait", "night", "--for=phase=closed", "--timeout=60s"])
        .await
        .ok();

    world
        .scope
        .kubectl(&["delete", "ts", "night", "--wait=false"])
        .await
        .unwrap()
        .ok()
        .unwrap();
    world
        .run(&["wait", "night", "--for=delete", "--timeout=60s"])
        .await
        .ok();
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_go_says_why_and_what_to_do() {
    let world = World::new("refusals").await;
    let file = world.sale("night", [3600, 7200, 10_800]);
    let by = ["--yes", "--reason", "x"];
    let missing = world.run(&["describe", "nigth"]).await.refused(3);
    assert!(missing.contains("nigth"), "{missing}");
    let nobody = world
        .run(&["get", "--context", "nowhere", "--timeout", "2s"])
        .await
        .refused(5);
    assert!(nobody.contains("context"), "{nobody}");
    let unknown = world.run(&["get", "--context", "neverland"]).await.refused(2);
    assert!(unknown.contains("neverland"), "{unknown}");
    let stranger = world.run(&["get", "--context", "stranger"]).await.refused(6);
    assert!(stranger.contains("kubectl auth can-i"), "{stranger}");
    let late = world
        .run(&["wait", "--for=phase=open", "--timeout=1s"])
        .await
        .refused(5);
    assert!(late.contains("time is up"), "{late}");

    // The API server's rules come from the API server, whoever has checked before.
    world.run(&[&["apply", "-f", &file], &by[..]].concat()).await.ok();
    let text = std::fs::read_to_string(&file).unwrap();
    let mut moved: Value = serde_yaml::from_str(&text).unwrap();
    moved["spec"]["eventId"] = uuid::Uuid::new_v4().to_string().into();
    let moved = world.file("moved.yaml", &moved.to_string());
    let refused = world
        .run(&["apply", "-f", &moved, "--dry-run=server"])
        .await
        .refused(2);
    assert!(refused.contains("a sale keeps its event"), "{refused}");
    // A field that somebody else owns is theirs.
    let theirs = world.scope.kubectl(&[
        "patch",
        "ts",
        "night",
        "--type=merge",
        "--field-manager=autopilot",
        "-p",
        r#"{"spec":{"seats":90}}"#,
    ]);
    theirs.await.unwrap().ok().unwrap();
    let conflict = world
        .run(&[&["apply", "-f", &file], &by[..]].concat())
        .await
        .refused(4);
    assert!(conflict.contains("autopilot"), "{conflict}");

    // Steering without a Pod of the control plane, and without rights.
    let nobody = world
        .run(&["rate", "30", "night", "--yes", "--reason", "x"])
        .await
        .refused(5);
    assert!(nobody.contains("kubectl get pods"), "{nobody}");
    let stranger = world.run(&["top", "--context", "stranger"]).await.refused(6);
    assert!(stranger.contains("pods"), "{stranger}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watched_list_prints_what_changes_a_line_each() {
    let world = World::new("watched").await;
    let file = world.sale("night", [3600, 7200, 10_800]);
    world
        .run(&["apply", "-f", &file, "--yes", "--reason", "x"])
        .await
        .ok();
    let watching = world.watching(&["get", "--watch", "-o", "json"]);
    let documents = async |seats: i64| {
        let seen: Vec<Value> = watching.documents();
        let found = seen.iter().any(|sale| sale["spec"]["seats"] == seats);
        if found { Ok(()) } else { Err(format!("{seen:?}")) }
    };
    eventually(crate::world::SOON, "the sale", async || documents(100).await)
        .await
        .unwrap();
    let patch = [
        "patch",
        "ts",
        "night",
        "--type=merge",
        "-p",
        r#"{"spec":{"seats":80}}"#,
    ];
    world.scope.kubectl(&patch).await.unwrap().ok().unwrap();
    eventually(crate::world::SOON, "the change", async || documents(80).await)
        .await
        .unwrap();
    watching.end().await;
    world.end().await;
}
