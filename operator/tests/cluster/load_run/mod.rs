//! LoadRuns on a real control plane: real Jobs and garbage collection, the RBAC of the manifests for the
//! operator and for runners. Most runners are played: their Pods are fake, and what they hand in is
//! written, packed and cut by the runner's own code. In [`real`] real runners send real visitors.

mod crashes;
mod real;
mod rehearsals;
#[path = "../../samples/mod.rs"]
mod samples;
mod verdicts;

use crate::common::{SOON, run as document, set};
use crate::world::World;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use kube::{Client, ResourceExt as _};
use samples::nobody_came;
use serde_json::{Value, json};
use urr_api::LoadRun;
use urr_loadgen::segments::SegmentResult;
use urr_operator::load_run::names;
use urr_operator::load_run::orders::Orders;
use urr_operator::load_run::runner::{self, Place, RunnerError};
use urr_testkit::eventually;

const SCENARIO: &str = include_str!("../../rehearsal.yaml");
/// A world with a sale that opens in so many seconds, and scenarios for it.
async fn world(name: &str, opens_in_s: i64) -> World {
    let world = World::new(name).await;
    let rbac = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../manifests/base/runner-rbac.yaml");
    let rbac = std::fs::read_to_string(rbac).unwrap();
    let subjects = format!("name: urr-runner\n    namespace: {}\n", world.scope.namespace());
    let (rest, _) = rbac.rsplit_once("name: urr-runner\n").unwrap();
    apply(&world, &format!("{rest}{subjects}")).await;
    let quiet = SCENARIO.replace("  - poll p95 < 50ms\n", "");
    let scenarios: ConfigMap = serde_json::from_value(json!({
        "metadata": {"name": "scenarios"},
        "data": {"club-night.yaml": quiet, "strict.yaml": SCENARIO, "wrong.yaml": "visitors: many"}
    }))
    .unwrap();
    world
        .scope
        .api()
        .create(&PostParams::default(), &scenarios)
        .await
        .unwrap();
    world
        .announce("club-night", [opens_in_s - 10, opens_in_s, opens_in_s + 600], &[])
        .await;
    world
}

async fn apply(world: &World, document: &str) {
    let applied = world
        .scope
        .kubectl_with(&["apply", "--server-side", "-f", "-"], document)
        .await
        .unwrap();
    applied.ok().unwrap();
}

/// Applies a run, with more fields set.
async fn begin(world: &World, name: &str, fields: &[(&str, Value)]) {
    let mut run = document(name);
    set(&mut run, "/spec/runner/image", &json!("urr.invalid/none"));
    for (pointer, value) in fields {
        set(&mut run, pointer, value);
    }
    apply(world, &run.to_string()).await;
}

async fn await_run(world: &World, name: &str, what: &str, look: impl Fn(&LoadRun) -> bool) -> LoadRun {
    let seen = |run: &LoadRun| {
        if look(run) {
            Ok(())
        } else {
            Err(format!("{:?}", run.status))
        }
    };
    world
        .scope
        .await_object(name, what, SOON * 2, seen)
        .await
        .unwrap()
}

fn phase(run: &LoadRun) -> &str {
    let status = run.status.as_ref();
    status
        .and_then(|status| status.phase.as_deref())
        .unwrap_or_default()
}

/// Status, reason and message of a condition.
fn condition(run: &LoadRun, type_: &str) -> (String, String, String) {
    let conditions = run.status.iter().flat_map(|status| &status.conditions);
    let mut found = conditions.filter(|condition| condition.type_ == type_);
    let found = found
        .next()
        .unwrap_or_else(|| panic!("no {type_} in {:?}", run.status));
    (found.status.clone(), found.reason.clone(), found.message.clone())
}

async fn await_failed(world: &World, name: &str, reason: &str) -> LoadRun {
    let failed = await_run(world, name, "Failed", |run| phase(run) == "Failed").await;
    let (status, why, message) = condition(&failed, "Succeeded");
    assert_eq!((status.as_str(), why.as_str()), ("False", reason), "{message}");
    failed
}

/// Waits until all its runners were told to begin; gives back what they were told.
async fn told(world: &World, name: &str) -> Orders {
    let run = await_run(world, name, "Running", |run| phase(run) == "Running").await;
    orders_of(world, &run).await
}

async fn orders_of(world: &World, run: &LoadRun) -> Orders {
    let job = names::job(run);
    let map: ConfigMap = world.scope.api().get(&names::orders(&job)).await.unwrap();
    Orders::read(&map.data.unwrap()).unwrap()
}

fn runner_client(world: &World) -> Client {
    let who = format!("system:serviceaccount:{}:urr-runner", world.scope.namespace());
    Client::try_from(world.scope.cluster().config_as(&who)).unwrap()
}

/// The Pod of a segment, once there is one.
async fn pod_of(world: &World, job: &str, nth: u32) -> Pod {
    let labels = format!(
        "batch.kubernetes.io/job-name={job},batch.kubernetes.io/job-completion-index={}",
        nth - 1
    );
    eventually(SOON, "a Pod of the segment", async || {
        let pods = world.scope.api::<Pod>();
        let found = pods.list(&ListParams::default().labels(&labels)).await;
        let found = found.map_err(|error| error.to_string())?;
        found.items.into_iter().next().ok_or_else(|| "none".to_owned())
    })
    .await
    .unwrap()
}

/// Where the runner of a segment is.
async fn place(world: &World, orders: &Orders, nth: u32) -> Place {
    let pod = pod_of(world, &orders.job, nth).await;
    Place {
        client: runner_client(world),
        namespace: world.scope.namespace().to_owned(),
        pod: pod.name_any(),
        job_uid: pod.labels()["batch.kubernetes.io/controller-uid"].clone(),
    }
}

/// A result of somebody whom nobody came to see.
fn result(orders: &Orders, nth: u32) -> SegmentResult {
    let segment = format!("{nth}/{}", orders.runners);
    let instants = [orders.due, orders.sale.schedule.opens_at];
    nobody_came(&segment, ("rehearsal", orders.seed), instants)
}

/// The Pod of segment `nth` hands a result in as its runner would.
async fn hand_in(world: &World, orders: &Orders, nth: u32) -> Result<(), RunnerError> {
    let place = place(world, orders, nth).await;
    runner::hand_in(&place, orders, result(orders, nth), Some(0)).await
}

/// The Pod of segment `nth` ends with `code`.
async fn end(world: &World, orders: &Orders, nth: u32, code: i32) {
    let pod = pod_of(world, &orders.job, nth).await;
    let patch = json!({"metadata": {"annotations": {"urr.guru/ends-with": code.to_string()}}});
    let pods = world.scope.api::<Pod>();
    pods.patch(&pod.name_any(), &PatchParams::default(), &Patch::Merge(patch))
        .await
        .unwrap();
}

/// Deletes a run and waits until all that belongs to it is gone.
async fn delete(world: &World, name: &str, orders: &Orders) {
    let delete = ["delete", "lr", name, "--timeout=30s"];
    world.scope.kubectl(&delete).await.unwrap().ok().unwrap();
    let all = ListParams::default().labels(&format!("{}={}", names::RUN_LABEL, orders.run_uid));
    eventually(SOON * 2, "nothing left of the run", async || {
        let jobs = world.scope.api::<Job>().list(&all).await.unwrap().items.len();
        let pods = world.scope.api::<Pod>().list(&all).await.unwrap().items.len();
        let maps = world
            .scope
            .api::<ConfigMap>()
            .list(&all)
            .await
            .unwrap()
            .items
            .len();
        if jobs + pods + maps == 0 {
            Ok(())
        } else {
            Err(format!("{jobs} Jobs, {pods} Pods, {maps} ConfigMaps"))
        }
    })
    .await
    .unwrap();
}
