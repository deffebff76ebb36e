//! What comes of a run: one verdict, or a failure with its reason.

use super::{
    await_failed, await_run, begin, condition, delete, end, hand_in, phase, place, pod_of, result, told,
    world,
};
use crate::common::SOON;
use futures::future::join_all;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt as _};
use serde_json::{Value, json};
use urr_api::LoadRun;
use urr_kit::clock::{Clock as _, SystemClock};
use urr_operator::load_run::decide::Failure;
use urr_operator::load_run::orders::Orders;
use urr_operator::load_run::runner::{self, Place, RunnerError};
use urr_operator::load_run::{names, objects};
use urr_testkit::eventually;

/// How long before the opening a run is to begin: `opens_in` of the scenario.
const OPENS_IN_S: i64 = 5;

#[tokio::test]
async fn two_runners_begin_together_and_one_verdict_comes_of_it_also_when_the_operator_dies_in_between() {
    let mut world = world("run-passes", 180).await;
    begin(&world, "rehearsal", &[]).await;
    let orders = told(&world, "rehearsal").await;
    assert_eq!(orders.runners, 2);

    // One Indexed Job whose Pods are told where the segment is.
    let job: Job = world.scope.api().get(&orders.job).await.unwrap();
    let spec = job.spec.as_ref().unwrap();
    assert_eq!(
        (
            spec.completions,
            spec.parallelism,
            spec.completion_mode.as_deref()
        ),
        (Some(2), Some(2), Some("Indexed"))
    );
    // All were told one instant, before the opening and not before the scenario wants it.
    let start: ConfigMap = world.scope.api().get(&names::start(&orders.job)).await.unwrap();
    let at: i64 = start.data.unwrap()[names::START_KEY].parse().unwrap();
    let opens_at = orders.sale.schedule.opens_at.0;
    assert!(
        (opens_at - OPENS_IN_S * 1000..opens_at).contains(&at),
        "{at} {opens_at}"
    );

    world.kill_operator().await;
    for nth in [1, 2] {
        hand_in(&world, &orders, nth).await.unwrap();
        end(&world, &orders, nth, 0).await;
    }
    // Handing in again, as after a lost answer, changes nothing; somebody else's is refused.
    hand_in(&world, &orders, 1).await.unwrap();
    let other = Place {
        pod: "somebody-else".into(),
        ..place(&world, &orders, 1).await
    };
    let again = runner::hand_in(&other, &orders, result(&orders, 1), None).await;
    assert!(matches!(again, Err(RunnerError::Twice { .. })), "{again:?}");
    world.start_operator();

    let passed = await_run(&world, "rehearsal", "Succeeded", |run| phase(run) == "Succeeded").await;
    let waited = [
        "wait",
        "lr/rehearsal",
        "--for=condition=Succeeded",
        "--timeout=5s",
    ];
    world.scope.kubectl(&waited).await.unwrap().ok().unwrap();
    assert_eq!(condition(&passed, "Started").0, "True");
    let status = passed.status.as_ref().unwrap();
    assert_eq!(
        (
            status.ready_runners,
            status.skew_milliseconds,
            status.lost_visitors
        ),
        (Some(2), Some(0), None)
    );
    assert_eq!(status.rehearsed.as_ref().unwrap().seats, 100);
    assert!(status.figures.is_some(), "{status:?}");
    let table = world
        .scope
        .kubectl(&["get", "lr", "rehearsal"])
        .await
        .unwrap()
        .ok()
        .unwrap();
    for column in ["JOINED", "POLL-P95-MS", "SOLD", "VERDICT", "Passed"] {
        assert!(table.contains(column), "{column} in\n{table}");
    }
    // What it left is where it says, and goes with the run; the Job goes after a while.
    let named: Vec<_> = status
        .artefacts
        .iter()
        .map(|artefact| artefact.name.as_str())
        .collect();
    assert_eq!(named, ["load.json", "summary.txt"]);
    let map: ConfigMap = world.scope.api().get(&names::result(&orders.job)).await.unwrap();
    let data = map.data.unwrap();
    let load: Value = serde_json::from_str(&data["load.json"]).unwrap();
    assert_eq!(
        (&load["scenario"], &load["visitors"]),
        (&json!("rehearsal"), &json!(100))
    );
    assert!(data["summary.txt"].contains("passed"), "{}", data["summary.txt"]);
    let job: Job = world.scope.api().get(&orders.job).await.unwrap();
    assert_eq!(job.spec.unwrap().ttl_seconds_after_finished, Some(86_400));
    // It is over: nobody writes anything any more, whoever looks.
    let annotate = ["annotate", "lr", "rehearsal", "looked=again"];
    world.scope.kubectl(&annotate).await.unwrap().ok().unwrap();
    // The watch tells things in their order: who has judged a run made afterwards has looked.
    begin(&world, "wrong", &[("/spec/scenario/key", json!("wrong.yaml"))]).await;
    await_failed(&world, "wrong", "ScenarioUnfit").await;
    let later: LoadRun = world.scope.api().get("rehearsal").await.unwrap();
    assert_eq!(later.status, passed.status);
    // Its spec does not change, and deleting it takes everything along.
    let patch = r#"{"spec":{"runners":3}}"#;
    let args = ["patch", "lr", "rehearsal", "--type=merge", "--patch", patch];
    let refused = world.scope.kubectl(&args).await.unwrap().refused().unwrap();
    assert!(refused.contains("make another LoadRun"), "{refused}");
    delete(&world, "rehearsal", &orders).await;
}

/// Ended for one reason, and killed before it was told: by the next look the clock alone would find another.
#[tokio::test]
async fn a_run_tells_what_its_job_was_ended_for_whenever_it_is_told() {
    let mut world = world("run-ended", 180).await;
    begin(&world, "late", &[]).await;
    let orders = told(&world, "late").await;
    world.kill_operator().await;
    let too_late = Failure {
        reason: "TooLate",
        message: "all runners were ready only at the sale's opening".to_owned(),
    };
    let end = objects::end(&orders.job, 60, false, Some(&too_late));
    let jobs: Api<Job> = world.scope.api();
    let params = PatchParams::default();
    jobs.patch(&orders.job, &params, &Patch::Merge(end))
        .await
        .unwrap();
    world.start_operator();
    let failed = await_failed(&world, "late", "TooLate").await;
    assert_eq!(condition(&failed, "Succeeded").2, too_late.message);
}

#[tokio::test]
async fn what_goes_wrong_with_runners_and_results_fails_the_run_with_its_reason() {
    let world = world("run-fails", 180).await;
    let names = [
        "dead", "gone", "missing", "twice", "stranger", "deleted", "goes-on",
    ];
    for name in names {
        let fields = [("/spec/whenRunnerLost", json!("Continue"))];
        let fields = if name == "goes-on" { &fields[..] } else { &[] };
        begin(&world, name, fields).await;
    }
    let orders = join_all(names.map(|name| told(&world, name))).await;
    let of = |name: &str| &orders[names.iter().position(|known| *known == name).unwrap()];

    // A runner dies: at once, for a crowd that is not the scenario's proves nothing.
    end(&world, of("dead"), 2, 137).await;
    let dead = await_failed(&world, "dead", "RunnerLost").await;
    assert!(condition(&dead, "Succeeded").2.contains("segment 2"), "{dead:?}");
    eventually(SOON, "the other runner is stopped", async || {
        let job: Job = world.scope.api().get(&of("dead").job).await.unwrap();
        let status = job.status.unwrap();
        if status.active.unwrap_or(0) == 0 && job.spec.unwrap().ttl_seconds_after_finished.is_some() {
            Ok(())
        } else {
            Err(format!("{status:?}"))
        }
    })
    .await
    .unwrap();

    // A Pod is deleted (a node drained, say): the same.
    let pod = pod_of(&world, &of("gone").job, 1).await;
    let delete_pod = ["delete", "pod", &pod.name_any(), "--wait=false"];
    world.scope.kubectl(&delete_pod).await.unwrap().ok().unwrap();
    await_failed(&world, "gone", "RunnerLost").await;

    // Both end well, one has handed nothing in.
    hand_in(&world, of("missing"), 1).await.unwrap();
    end(&world, of("missing"), 1, 0).await;
    end(&world, of("missing"), 2, 0).await;
    let missing = await_failed(&world, "missing", "ResultMissing").await;
    assert!(condition(&missing, "Succeeded").2.contains("segment 2"));

    // One is there twice, under another name.
    let twice = of("twice");
    for nth in [1, 2] {
        hand_in(&world, twice, nth).await.unwrap();
    }
    let maps = world.scope.api::<ConfigMap>();
    let mut second = maps.get(&names::piece(&twice.job, 2, 1)).await.unwrap();
    second.metadata.name = Some("another".into());
    second.metadata.resource_version = None;
    let pod = second.metadata.annotations.as_mut().unwrap();
    pod.insert(names::POD_ANNOTATION.into(), "another".into());
    maps.create(&PostParams::default(), &second).await.unwrap();
    for nth in [1, 2] {
        end(&world, twice, nth, 0).await;
    }
    await_failed(&world, "twice", "ResultTwice").await;

    // One is of another scenario.
    let stranger = of("stranger");
    hand_in(&world, stranger, 1).await.unwrap();
    let elsewhere = Orders {
        fingerprint: "0".repeat(64),
        ..stranger.clone()
    };
    hand_in(&world, &elsewhere, 2).await.unwrap();
    for nth in [1, 2] {
        end(&world, stranger, nth, 0).await;
    }
    await_failed(&world, "stranger", "ResultOfAnotherRun").await;

    // With Continue the others go on; the result says how many are missing, and it is no passing one.
    hand_in(&world, of("goes-on"), 1).await.unwrap();
    end(&world, of("goes-on"), 2, 1).await;
    end(&world, of("goes-on"), 1, 0).await;
    let partly = await_failed(&world, "goes-on", "Invalid").await;
    assert_eq!(partly.status.unwrap().lost_visitors, Some(50));

    // Deleted in the middle of its run.
    delete(&world, "deleted", of("deleted")).await;
}

#[tokio::test]
async fn a_run_that_cannot_begin_says_why_and_makes_no_runner_wait_for_ever() {
    let world = world("run-waits", 180).await;
    // No node is like that: its Pods are never ready.
    let soon = SystemClock.now().plus_s(15);
    let nowhere = [
        ("/spec/runner/nodeSelector", json!({"urr.guru/no": "such"})),
        (
            "/spec/start/at",
            json!(Timestamp::from_millisecond(soon.0).unwrap().to_string()),
        ),
    ];
    begin(&world, "nowhere", &nowhere).await;
    let short = ("/spec/start/timeoutSeconds", json!(1));
    begin(
        &world,
        "no-sale",
        &[("/spec/saleRef/name", json!("none")), short.clone()],
    )
    .await;
    begin(
        &world,
        "no-scenario",
        &[("/spec/scenario/key", json!("none.yaml")), short],
    )
    .await;
    begin(&world, "wrong", &[("/spec/scenario/key", json!("wrong.yaml"))]).await;
    begin(&world, "crowded", &[("/spec/runners", json!(101))]).await;
    let failed = |name: &'static str, reason: &'static str| await_failed(&world, name, reason);
    failed("wrong", "ScenarioUnfit").await;
    let crowded = failed("crowded", "ScenarioUnfit").await;
    assert!(condition(&crowded, "Succeeded").2.contains("101 runners"));
    failed("no-sale", "SaleMissing").await;
    failed("no-scenario", "ScenarioMissing").await;
    let nowhere = failed("nowhere", "NotReady").await;
    assert!(condition(&nowhere, "Started").2.contains("0 of 2"), "{nowhere:?}");
    assert_eq!(condition(&nowhere, "Started").0, "False");
}
