//! The operator is killed at its k-th write, for every k of a LoadRun's life: what is there in the end, and
//! what was written, is as in a run in which nothing happens.

use super::{await_run, begin, condition, end, hand_in, orders_of, phase, world};
use crate::world::World;
use futures::{StreamExt as _, stream};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::ConfigMap;
use serde_json::Value;
use urr_api::LoadRun;
use urr_operator::load_run::names;
use urr_testkit::proxy::{Fault, Write};

/// Runs at once: each waits most of its time.
const AT_ONCE: usize = 6;
/// Within the ten minutes for which runners may be waited for: they are made at once.
const OPENS_IN_S: i64 = 500;
const RUN: &str = "rehearsal";

/// What is compared. Statuses on the way follow Pods; what is *made* must be the same.
#[derive(Debug, PartialEq, Eq)]
struct End {
    /// Status and reason.
    conditions: Vec<(String, String)>,
    ready_runners: Option<i32>,
    artefacts: Vec<String>,
    visitors: Value,
    job_goes_after_s: Option<i32>,
    /// Carried-out writes but reports, in their order.
    made: Vec<&'static str>,
}

/// What a write to something of `job` makes.
fn made(write: &Write, job: &str) -> Option<&'static str> {
    let path = &write.call.path;
    let of = |name: String| path.ends_with(&format!("/configmaps/{name}"));
    if !write.status.is_some_and(|status| status.is_success()) {
        None
    } else if of(names::orders(job)) {
        Some("orders")
    } else if of(names::start(job)) {
        Some("start")
    } else if of(names::result(job)) {
        Some("result")
    } else if path.ends_with(&format!("/jobs/{job}")) {
        let body: Value = serde_json::from_slice(&write.call.body).unwrap();
        let is_made = body.pointer("/spec/template").is_some();
        Some(if is_made { "Job" } else { "Job's end" })
    } else {
        None
    }
}

/// All that people and Pods do for a run, each when it is time.
async fn act(world: &World) -> LoadRun {
    let told = |run: &LoadRun| ["Running", "Succeeded"].contains(&phase(run));
    let run = await_run(world, RUN, "Running", told).await;
    let orders = orders_of(world, &run).await;
    for nth in [1, 2] {
        hand_in(world, &orders, nth).await.unwrap();
        end(world, &orders, nth, 0).await;
    }
    await_run(world, RUN, "Succeeded", |run| phase(run) == "Succeeded").await
}

/// Plays a run's whole life; the operator is killed after its `crash`th write for it. Returns how many there
/// were, too.
async fn play(crash: Option<u64>) -> (End, usize) {
    let mut world = world("run-crash", OPENS_IN_S).await;
    world.kill_operator().await;
    world.lease_seconds = 3;
    world.start_operator();
    world
        .await_sale("club-night", "reported", |sale| sale.status.is_some())
        .await;
    world.look_again("club-night").await;
    let before = world.faults.write_count();
    if let Some(number) = crash {
        world.faults.at_write(before as u64 + number, Fault::CrashAfter);
    }
    begin(&world, RUN, &[]).await;
    let acted = {
        let mut acting = Box::pin(act(&world));
        tokio::select! {
            biased;
            _ = world.faults.crashed() => None,
            // Another run may have taken a report less.
            run = &mut acting => Some(run),
        }
    };
    let run = match acted {
        Some(run) => run,
        None => {
            world.kill_operator().await;
            world.faults.revive();
            world.start_operator();
            // Whoever handed in hands in again: that changes nothing.
            act(&world).await
        }
    };
    let job_name = names::job(&run);
    let job: Job = world.scope.api().get(&job_name).await.unwrap();
    let result: ConfigMap = world.scope.api().get(&names::result(&job_name)).await.unwrap();
    let load: Value = serde_json::from_str(&result.data.unwrap()["load.json"]).unwrap();
    let writes = world.faults.writes().split_off(before);
    let status = run.status.clone().unwrap();
    let outcome = End {
        conditions: ["Started", "Succeeded"]
            .map(|type_| condition(&run, type_))
            .map(|(status, reason, _)| (status, reason))
            .to_vec(),
        ready_runners: status.ready_runners,
        artefacts: status
            .artefacts
            .into_iter()
            .map(|artefact| artefact.name)
            .collect(),
        visitors: load["visitors"].clone(),
        job_goes_after_s: job.spec.unwrap().ttl_seconds_after_finished,
        made: writes.iter().filter_map(|write| made(write, &job_name)).collect(),
    };
    (outcome, writes.len())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_killed_at_any_write_of_a_load_run_makes_everything_once_and_judges_the_same() {
    let (clean, writes) = Box::pin(play(None)).await;
    assert_eq!(
        clean.made,
        ["orders", "Job", "start", "result", "Job's end"],
        "{clean:#?}"
    );
    assert!(writes > clean.made.len(), "{writes} writes with the reports");
    let ends: Vec<_> = stream::iter(1..=writes as u64)
        .map(|k| async move { (k, Box::pin(play(Some(k))).await.0) })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    let other: Vec<_> = ends.iter().filter(|(_, end)| *end != clean).collect();
    assert!(other.is_empty(), "clean: {clean:#?}\nothers: {other:#?}");
}
