//! LoadRuns on a real control plane: real Jobs and garbage collection, the RBAC of the manifests for the
//! operator and for runners. Most runners are played: their Pods are fake, and what they hand in is
//! written, packed and cut by the runner's own code. The last test lets real runners send real visitors.

use crate::common::{SOON, run as document, set};
use crate::world::{self, World, holds, reason};
use futures::future::join_all;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use k8s_openapi::jiff::Timestamp;
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use kube::{Client, ResourceExt as _};
use serde_json::{Value, json};
use std::time::Duration;
use urr_api::LoadRun;
use urr_core::room::Mode;
use urr_kit::Secrets;
use urr_kit::clock::{Clock as _, SystemClock};
use urr_loadgen::segments::SegmentResult;
use urr_operator::load_run::names;
use urr_operator::load_run::orders::Orders;
use urr_operator::load_run::runner::{self, Place, RunnerError};
use urr_testkit::eventually;
use urr_testkit::proxy::{Faults, Proxy};

#[path = "../../../loadgen/tests/double/mod.rs"]
#[allow(dead_code, reason = "loadgen's own tests use all of it")]
mod double;

use double::{Double, Manners};

const SCENARIO: &str = include_str!("../rehearsal.yaml");
/// How long before the opening a run is to begin: `opens_in` of the scenario.
const OPENS_IN_S: i64 = 5;

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
    let job = names::job(&run);
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
    let opens_at = orders.sale.schedule.opens_at;
    serde_json::from_value(json!({
        "segment": format!("{nth}/{}", orders.runners), "scenario": "rehearsal", "seed": orders.seed,
        "startedAt": orders.due.0, "opensAt": opens_at.0, "finishedAt": opens_at.0 + 20_000,
        "funnel": urr_loadgen::measure::Funnel::default(),
        "steps": [], "series": [], "personas": [],
        "generator": urr_loadgen::result::Generator::default(),
        "goose": urr_loadgen::result::GooseSummary::default(),
        "cutShort": null,
        "observations": urr_loadgen::observe::Observations::default(),
    }))
    .unwrap()
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
    tokio::time::sleep(Duration::from_secs(1)).await;
    let later: LoadRun = world.scope.api().get("rehearsal").await.unwrap();
    assert_eq!(later.status, passed.status);
    // Its spec does not change, and deleting it takes everything along.
    let patch = r#"{"spec":{"runners":3}}"#;
    let args = ["patch", "lr", "rehearsal", "--type=merge", "--patch", patch];
    let refused = world.scope.kubectl(&args).await.unwrap().refused().unwrap();
    assert!(refused.contains("make another LoadRun"), "{refused}");
    delete(&world, "rehearsal", &orders).await;
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

#[tokio::test]
async fn a_sale_that_must_be_rehearsed_is_held_until_its_dress_rehearsal_has_passed_and_then_never() {
    // `club-night` is the dress rehearsal, the real sale opens before it is over.
    let world = world("run-required", 180).await;
    begin(&world, "rehearsal", &[]).await;
    let required = json!({"policy": "Required", "saleRef": {"name": "club-night"}, "maxAgeSeconds": 3600});
    let fields = [("/spec/rehearsal", required), ("/spec/targets", json!([]))];
    let event = world.announce_with("real", [-5, 8, 600], &fields).await;
    let told_why = |sale: &urr_api::TicketSale| reason(sale, "Ready") == "NotRehearsed";
    let sale = world.await_sale("real", "not rehearsed", told_why).await;
    let status = sale.status.unwrap();
    let ready = status
        .conditions
        .iter()
        .find(|found| found.type_ == "Ready")
        .unwrap();
    assert!(ready.message.contains("the opening is held"), "{ready:?}");
    let orders = told(&world, "rehearsal").await;
    world
        .await_sale("real", "held at its opening", |sale| {
            world::phase(sale) == "Paused"
        })
        .await;
    let room = world.rooms.get(event).await.unwrap().unwrap();
    assert_eq!(room.mode, Mode::Paused, "nobody is let in");
    for nth in [1, 2] {
        hand_in(&world, &orders, nth).await.unwrap();
        end(&world, &orders, nth, 0).await;
    }
    world
        .await_sale("real", "open", |sale| {
            world::phase(sale) == "Open" && holds(sale, "Ready")
        })
        .await;
    world
        .await_room(event, "the line moves", |room| room.mode == Mode::Active)
        .await;
    // It has opened: what becomes of the LoadRun changes nothing any more.
    delete(&world, "rehearsal", &orders).await;
    let annotate = ["annotate", "ts", "real", "looked=again"];
    world.scope.kubectl(&annotate).await.unwrap().ok().unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let sale: urr_api::TicketSale = world.scope.api().get("real").await.unwrap();
    assert_eq!(world::phase(&sale), "Open", "{:?}", sale.status);
    assert_eq!(world.rooms.get(event).await.unwrap().unwrap().mode, Mode::Active);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_real_runners_hand_in_is_what_the_operator_judges() {
    let opens_in_s = 50;
    let mut world = world("run-real", opens_in_s).await;
    world.stop_operator().await;
    // Announced already: the double opens when the sale does.
    let sale: urr_api::TicketSale = world.scope.api().get("club-night").await.unwrap();
    let opens_at = urr_operator::mapping::millis(&sale.spec.schedule.opens_at);
    let left = u64::try_from(opens_at.since(SystemClock.now())).unwrap();
    let manners = Manners {
        opens_in: Duration::from_millis(left),
        next_poll_ms: 200,
        seats: 100,
        ..Manners::default()
    };
    let (door, url) = Double::start(manners).await;
    world.runners.runner_target_url = url;
    world.start_operator();
    begin(&world, "rehearsal", &[]).await;
    let run = await_run(&world, "rehearsal", "a Job", |run| {
        run.status.as_ref().is_some_and(|status| status.job.is_some())
    })
    .await;
    let map: ConfigMap = world
        .scope
        .api()
        .get(&names::orders(&names::job(&run)))
        .await
        .unwrap();
    let data = map.data.unwrap();
    let orders = Orders::read(&data).unwrap();
    // What kubelets would do: mount the orders, start the program of the Job, report how it ended.
    let dir = tempfile::tempdir().unwrap();
    for (key, text) in &data {
        std::fs::write(dir.path().join(key), text).unwrap();
    }
    let who = format!("system:serviceaccount:{}:urr-runner", world.scope.namespace());
    let faults = Faults::default();
    let way = Proxy::to_cluster(world.scope.cluster().config_as(&who), faults)
        .await
        .unwrap();
    let kubeconfig = dir.path().join("kubeconfig");
    std::fs::write(&kubeconfig, way.kubeconfig()).unwrap();
    let job: Job = world.scope.api().get(&orders.job).await.unwrap();
    let container = &job.spec.unwrap().template.spec.unwrap().containers[0];
    assert_eq!(container.command.as_ref().unwrap(), &["operator", "runner"]);
    let out = dir.path().join("out");
    let secrets = Secrets::generate().unwrap().to_env();
    let runners = (1..=2).map(|nth| {
        let (world, orders, secrets, out) = (&world, &orders, secrets.clone(), &out);
        let (orders_dir, kubeconfig) = (dir.path(), &kubeconfig);
        async move {
            let place = place(world, orders, nth).await;
            let ran = tokio::process::Command::new(env!("CARGO_BIN_EXE_operator"))
                .arg("runner")
                .arg("--orders")
                .arg(orders_dir)
                .arg("--out")
                .arg(out)
                .args(["--ready-on", "127.0.0.1:0"])
                .envs(secrets)
                .env("KUBECONFIG", kubeconfig)
                .env("JOB_COMPLETION_INDEX", (nth - 1).to_string())
                .env("POD_NAME", &place.pod)
                .env("POD_NAMESPACE", &place.namespace)
                .env("JOB_UID", &place.job_uid)
                .kill_on_drop(true)
                .output()
                .await
                .unwrap();
            assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
            end(world, orders, nth, 0).await;
        }
    });
    join_all(runners).await;
    let over = await_run(&world, "rehearsal", "over", |run| {
        run.status
            .as_ref()
            .is_some_and(|status| status.finished_at.is_some())
    })
    .await;
    let map: ConfigMap = world.scope.api().get(&names::result(&orders.job)).await.unwrap();
    let load: Value = serde_json::from_str(&map.data.unwrap()["load.json"]).unwrap();
    // All of the crowd came, each once, from two runners; how quick a busy machine was is not asked.
    assert_eq!(load["funnel"]["arrived"], 100, "{load:#}");
    // Those who come by the back door stand in no line.
    let stood = door.seen.lock().unwrap().places.len();
    assert!((60..100).contains(&stood), "{stood}");
    assert!(load["funnel"]["sold"].as_u64().unwrap() > 0, "{load:#}");
    let (_, reason, message) = condition(&over, "Succeeded");
    assert!(
        ["Passed", "Invalid", "Skewed", "ThresholdsMissed"].contains(&reason.as_str()),
        "{reason}: {message}"
    );
    assert!(out.join("2/segment.json").is_file(), "with all notes");
}
