//! Real runners, as processes, that send real visitors to loadgen's double of the services.

use super::{await_run, begin, condition, end, place, world};
use double::{Double, Manners};
use futures::future::join_all;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::ConfigMap;
use serde_json::{Value, json};
use std::time::Duration;
use urr_kit::Secrets;
use urr_kit::clock::{Clock as _, SystemClock};
use urr_operator::load_run::names;
use urr_operator::load_run::orders::Orders;
use urr_testkit::proxy::{Faults, Proxy};

#[path = "../../../../loadgen/tests/double/mod.rs"]
#[allow(dead_code, reason = "loadgen's own tests use all of it")]
mod double;

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
    // The status has the figures that people ask for first: the result's own.
    let figures = json!(over.status.as_ref().unwrap().figures);
    for (figure, of) in [("joined", "joined"), ("letIn", "admitted"), ("sold", "sold")] {
        assert_eq!(figures[figure], load["funnel"][of], "{figure}");
    }
    assert!(figures["pollP95Milliseconds"].as_u64().unwrap() > 0, "{figures}");
    let (_, reason, message) = condition(&over, "Succeeded");
    assert!(
        ["Passed", "Invalid", "Skewed", "ThresholdsMissed"].contains(&reason.as_str()),
        "{reason}: {message}"
    );
    assert!(out.join("2/segment.json").is_file(), "with all notes");
}
