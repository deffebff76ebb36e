//! The testkit does what it promises: Pods come up, crash and are lost as told, Jobs end, writes are
//! numbered and fail where they should, the API server can be restarted.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use http::StatusCode;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, ResourceExt};
use serde_json::json;
use std::sync::Arc;
use std::time::{Duration, Instant};
use urr_testkit::pods::Behaviour;
use urr_testkit::proxy::{Fault, Faults, Proxy, WatchFault};
use urr_testkit::{Cluster, Scope, eventually, nodes};

const SOON: Duration = Duration::from_secs(30);

async fn scope(name: &str) -> Scope {
    Cluster::shared().await.unwrap().scope(name).await.unwrap()
}

fn config_map(name: &str) -> ConfigMap {
    serde_json::from_value(json!({"metadata": {"name": name}, "data": {"k": "v"}})).unwrap()
}

#[tokio::test]
async fn a_deployments_pods_become_ready_when_told_and_crash_when_told() {
    let scope = scope("pods").await;
    let began = Instant::now();
    let slow = Behaviour::default().ready_after(Duration::from_secs(2));
    scope.deployment("booking", 4, &slow).await.unwrap();
    scope.await_replicas("booking", 4, 4, SOON).await.unwrap();
    assert!(began.elapsed() >= Duration::from_secs(2), "{:?}", began.elapsed());

    scope.crash("booking", 1).await.unwrap();
    scope.await_replicas("booking", 4, 3, SOON).await.unwrap();
    scope.recover("booking").await.unwrap();
    scope.await_replicas("booking", 4, 4, SOON).await.unwrap();
}

#[tokio::test]
async fn a_job_ends_as_its_pods_do_and_takes_them_with_it() {
    let scope = scope("jobs").await;
    let job = |name: &str, pods: &Behaviour| -> Job {
        let mut template = pods.template(name, scope.namespace());
        template["spec"]["restartPolicy"] = json!("Never");
        serde_json::from_value(json!({
            "metadata": {"name": name},
            "spec": {
                "completions": 3, "parallelism": 3, "completionMode": "Indexed", "backoffLimit": 0,
                "template": template
            }
        }))
        .unwrap()
    };
    let jobs: Api<Job> = scope.api();
    let runs = Behaviour::default().runs_for(Duration::from_millis(300));
    jobs.create(&PostParams::default(), &job("good", &runs))
        .await
        .unwrap();
    jobs.create(&PostParams::default(), &job("bad", &runs.clone().exit_code(7)))
        .await
        .unwrap();
    let ends_with = |wanted: &'static str| {
        move |job: &Job| {
            let conditions = job
                .status
                .clone()
                .unwrap_or_default()
                .conditions
                .unwrap_or_default();
            if conditions
                .iter()
                .any(|condition| condition.type_ == wanted && condition.status == "True")
            {
                Ok(())
            } else {
                Err(format!("{conditions:?}"))
            }
        }
    };
    scope
        .await_object("good", "Job good complete", SOON, ends_with("Complete"))
        .await
        .unwrap();
    scope
        .await_object("bad", "Job bad failed", SOON, ends_with("Failed"))
        .await
        .unwrap();
    // Garbage collection is the real one.
    scope
        .kubectl(&["delete", "job", "good", "--wait=false"])
        .await
        .unwrap()
        .ok()
        .unwrap();
    eventually(SOON, "the Pods of job good are gone", async || {
        match scope.pods("good").await.map_err(|error| error.to_string())?.len() {
            0 => Ok(()),
            some => Err(format!("{some} left")),
        }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_node_without_kubelet_is_lost_and_its_pods_are_not_ready() {
    let scope = scope("nodes").await;
    let node = format!("node-{}", scope.namespace());
    nodes::reserved(&scope.client(), &node, scope.namespace())
        .await
        .unwrap();
    scope
        .deployment("booking", 2, &Behaviour::default().on_node(&node))
        .await
        .unwrap();
    scope.await_replicas("booking", 2, 2, SOON).await.unwrap();
    nodes::lose(&scope.client(), &node).await.unwrap();
    scope.await_replicas("booking", 2, 0, SOON).await.unwrap();
    nodes::bring_back(&scope.client(), &node).await.unwrap();
    scope.await_replicas("booking", 2, 2, SOON).await.unwrap();
}

#[tokio::test]
async fn an_autoscaler_is_real() {
    let scope = scope("hpa").await;
    scope
        .deployment("booking", 1, &Behaviour::default())
        .await
        .unwrap();
    let hpa = json!({
        "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "booking"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "booking"},
            "minReplicas": 3, "maxReplicas": 10,
            "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}}]
        }
    });
    let applied = scope
        .kubectl_with(&["apply", "-f", "-"], &hpa.to_string())
        .await
        .unwrap();
    applied.ok().unwrap();
    scope.await_replicas("booking", 3, 3, SOON).await.unwrap();
}

#[tokio::test]
async fn writes_are_numbered_and_the_chosen_one_fails_as_chosen() {
    let scope = scope("writes").await;
    let faults = Faults::default();
    let proxy = Proxy::to_cluster(scope.cluster().config(), faults.clone())
        .await
        .unwrap();
    let maps: Api<ConfigMap> = Api::namespaced(proxy.client().unwrap(), scope.namespace());
    let make = async |name: &str| maps.create(&PostParams::default(), &config_map(name)).await;

    faults.at_write(2, Fault::Refuse(StatusCode::CONFLICT));
    faults.at_write(3, Fault::DropAnswer);
    faults.at_write(4, Fault::Cut);
    make("one").await.unwrap();
    let refused = make("two").await.unwrap_err();
    assert!(
        matches!(&refused, kube::Error::Api(status) if status.code == 409),
        "{refused}"
    );
    make("three").await.unwrap_err();
    make("four").await.unwrap_err();
    make("five").await.unwrap();
    let names = || async {
        let direct: Api<ConfigMap> = scope.api();
        let all = direct.list(&ListParams::default()).await.unwrap();
        let mut names: Vec<String> = all.iter().map(ResourceExt::name_any).collect();
        names.retain(|name| !name.starts_with("kube-"));
        names.sort();
        names
    };
    assert_eq!(
        names().await,
        ["five", "one", "three"],
        "three was carried out, four never arrived"
    );
    let statuses: Vec<Option<u16>> = faults
        .writes()
        .iter()
        .map(|write| write.status.map(|s| s.as_u16()))
        .collect();
    assert_eq!(statuses, [Some(201), Some(409), Some(201), None, Some(201)]);

    // A crash: the write is there, the caller hears nothing, and then nobody is served.
    faults.at_write(6, Fault::CrashAfter);
    make("six").await.unwrap_err();
    assert_eq!(faults.crashed().await, 6);
    maps.get("one").await.unwrap_err();
    faults.revive();
    assert!(maps.get("six").await.is_ok());
    assert_eq!(faults.write_count(), 6);
}

#[tokio::test]
async fn a_watch_event_can_be_dropped_and_a_read_can_be_stale() {
    let scope = scope("watches").await;
    let faults = Faults::default();
    let proxy = Proxy::to_cluster(scope.cluster().config(), faults.clone())
        .await
        .unwrap();
    let through: Api<ConfigMap> = Api::namespaced(proxy.client().unwrap(), scope.namespace());
    let direct: Api<ConfigMap> = scope.api();
    faults.for_watch_events(|event| (event.name == "unseen").then_some(WatchFault::Drop));

    let mut seen = Box::pin(watcher(through.clone(), watcher::Config::default()).applied_objects());
    let look = async {
        use futures::StreamExt as _;
        let mut names = Vec::new();
        while let Some(object) = seen.next().await {
            let name = object.unwrap().name_any();
            if name == "last" {
                break;
            }
            names.push(name);
        }
        names
    };
    let write = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        for name in ["seen", "unseen", "last"] {
            direct
                .create(&PostParams::default(), &config_map(name))
                .await
                .unwrap();
        }
    };
    let (names, ()) = tokio::time::timeout(SOON, futures::future::join(look, write))
        .await
        .unwrap();
    assert!(
        names.contains(&"seen".to_owned()) && !names.contains(&"unseen".to_owned()),
        "{names:?}"
    );

    faults.record_reads();
    assert_eq!(through.get("seen").await.unwrap().data.unwrap()["k"], "v");
    faults.go_stale();
    let patch = Patch::Merge(json!({"data": {"k": "new"}}));
    direct
        .patch("seen", &PatchParams::default(), &patch)
        .await
        .unwrap();
    assert_eq!(
        through.get("seen").await.unwrap().data.unwrap()["k"],
        "v",
        "an old answer"
    );
    faults.heal();
    assert_eq!(through.get("seen").await.unwrap().data.unwrap()["k"], "new");
}

#[tokio::test]
async fn who_goes_through_the_proxy_has_only_the_rights_it_was_given() {
    let scope = scope("rights").await;
    let nobody = format!("system:serviceaccount:{}:default", scope.namespace());
    let proxy = Proxy::to_cluster(scope.cluster().config_as(&nobody), Faults::default())
        .await
        .unwrap();
    let pods: Api<Pod> = Api::namespaced(proxy.client().unwrap(), scope.namespace());
    let refused = pods.list(&ListParams::default()).await.unwrap_err();
    assert!(
        matches!(&refused, kube::Error::Api(status) if status.code == 403),
        "{refused}"
    );
}

#[tokio::test]
async fn the_api_server_comes_back_with_everything_it_knew() {
    let cluster = Arc::new(Cluster::start().await.unwrap());
    let scope = cluster.scope("restart").await.unwrap();
    scope
        .deployment("booking", 2, &Behaviour::default())
        .await
        .unwrap();
    scope.await_replicas("booking", 2, 2, SOON).await.unwrap();
    cluster.restart_api_server().await.unwrap();
    // The others find it again: a change is still carried out.
    let patch = Patch::Merge(json!({"spec": {"replicas": 3}}));
    scope
        .api::<Deployment>()
        .patch("booking", &PatchParams::default(), &patch)
        .await
        .unwrap();
    scope.await_replicas("booking", 3, 3, SOON).await.unwrap();
    let dir = cluster.dir().unwrap().to_owned();
    drop(scope);
    Arc::into_inner(cluster).unwrap().stop().unwrap();
    assert!(!dir.exists(), "nothing is left");
}
