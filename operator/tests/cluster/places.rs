//! Places held on nodes before a scale-up: when, as large as the real Pods, and given up to them.

use crate::autopilot::{await_event, deploy};
use crate::common::SOON;
use crate::world::{World, holds, in_seconds, phase};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::node::v1::RuntimeClass;
use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, ResourceExt as _};
use serde_json::json;
use urr_testkit::{Scope, eventually};

/// Brings the PriorityClass of the manifests.
pub(crate) async fn allow_placeholders(scope: &Scope) {
    let class = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../manifests/base/policies/priorities.yaml"
    );
    let apply = ["apply", "--server-side", "-f", class];
    scope.cluster().kubectl(&apply).await.unwrap().ok().unwrap();
}

#[tokio::test]
async fn places_are_held_on_nodes_before_the_scale_up_and_given_up_to_it() {
    let world = World::new("places").await;
    allow_placeholders(&world.scope).await;
    deploy(&world, "booking", 1).await;
    let fields = [
        ("/spec/targets", json!([{"name": "booking"}])),
        ("/spec/capacity/leadSeconds", json!(0)),
        ("/spec/capacity/placeholders", json!("Reserve")),
    ];
    // Within the ten minutes, and not so near that anything depends on how fast Pods come.
    world.announce_with("club-night", [500, 510, 1200], &fields).await;
    let deployments = world.scope.api::<Deployment>();
    let placeholders = async || {
        let all = deployments.list(&ListParams::default()).await.unwrap();
        all.items
            .into_iter()
            .find(|found| found.name_any().starts_with("placeholder-"))
    };
    let held = eventually(SOON, "three placeholders that run", async || {
        let held = placeholders().await.ok_or_else(|| "none".to_owned())?;
        let ready = held.status.as_ref().and_then(|status| status.ready_replicas);
        if ready == Some(3) {
            Ok(held)
        } else {
            Err(format!("{:?}", held.status))
        }
    })
    .await
    .unwrap();
    let owners = held.metadata.owner_references.clone().unwrap_or_default();
    assert_eq!(
        owners[0].name, "club-night",
        "it goes with the sale whatever happens"
    );
    let pod = held.spec.unwrap().template.spec.unwrap();
    assert_eq!(pod.priority_class_name.as_deref(), Some("urr-placeholder"));
    await_event(&world, "PlacesReserved").await;
    world
        .await_sale("club-night", "shown", |sale| {
            let status = sale.status.clone().unwrap_or_default();
            status.targets.iter().any(|target| target.reserved == Some(3))
        })
        .await;
    let sooner = json!({"schedule": {"preQueueAt": in_seconds(10), "opensAt": in_seconds(11)}});
    world.patch("club-night", sooner).await;
    world.await_replicas("booking", 4).await;
    eventually(SOON, "no placeholder any more", async || {
        match placeholders().await {
            None => Ok(()),
            Some(left) => Err(left.name_any()),
        }
    })
    .await
    .unwrap();
    let open = world
        .await_sale("club-night", "open and in order", |sale| {
            phase(sale) == "Open" && holds(sale, "Ready")
        })
        .await;
    assert!(
        open.status
            .unwrap()
            .targets
            .iter()
            .all(|target| target.reserved.is_none())
    );
}

/// A target that migrates before it starts, has a proxy beside it and runs in a sandbox of its own: its places
/// are as large as the API server makes its Pods.
#[tokio::test]
async fn a_place_is_as_large_as_the_real_pod_with_init_containers_sidecars_and_overhead() {
    let world = World::new("footprint").await;
    allow_placeholders(&world.scope).await;
    let sandbox = json!({
        "apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": "sandbox-of-places"},
        "handler": "sandbox", "overhead": {"podFixed": {"cpu": "250m", "memory": "120Mi"}}
    });
    let classes: Api<RuntimeClass> = Api::all(world.scope.client());
    let params = PatchParams::apply("test").force();
    classes
        .patch("sandbox-of-places", &params, &Patch::Apply(&sandbox))
        .await
        .unwrap();
    let asks = |cpu: &str| json!({"requests": {"cpu": cpu, "memory": "64Mi"}});
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "booking"},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "booking"}}, "template": {
            "metadata": {"labels": {"app": "booking"}},
            "spec": {
                "runtimeClassName": "sandbox-of-places",
                "initContainers": [
                    {"name": "proxy", "image": "urr.invalid/x", "restartPolicy": "Always", "resources": asks("100m")},
                    {"name": "migrate", "image": "urr.invalid/x", "resources": asks("2")}
                ],
                "containers": [{"name": "main", "image": "urr.invalid/x", "resources": asks("500m")}]
            }
        }}
    });
    let deployments = world.scope.api::<Deployment>();
    deployments
        .patch("booking", &params, &Patch::Apply(&deployment))
        .await
        .unwrap();
    let fields = [
        ("/spec/targets", json!([{"name": "booking"}])),
        ("/spec/capacity/leadSeconds", json!(0)),
        ("/spec/capacity/placeholders", json!("Reserve")),
    ];
    world.announce_with("club-night", [500, 510, 1200], &fields).await;
    let pods = world.scope.api::<Pod>();
    let (place, real) = eventually(SOON, "a placeholder's Pod and a real one", async || {
        let all = pods.list(&ListParams::default()).await.unwrap().items;
        let of = |is_place: bool| {
            let is_wanted = |pod: &&Pod| pod.name_any().starts_with("placeholder-") == is_place;
            all.iter().find(is_wanted).and_then(|pod| pod.spec.clone())
        };
        of(true)
            .zip(of(false))
            .ok_or_else(|| format!("{} Pods", all.len()))
    })
    .await
    .unwrap();
    assert_eq!(place.overhead, real.overhead, "the API server's own, for both");
    assert!(real.overhead.is_some_and(|overhead| overhead.contains_key("cpu")));
    let asked = place.containers[0].resources.clone().unwrap_or_default().requests;
    // The proxy beside the migration is the most CPU, and as much memory as the proxy beside the service.
    assert_eq!(json!(asked), json!({"cpu": "2100m", "memory": "128Mi"}));
    assert!(place.init_containers.is_none() && place.containers.len() == 1);
}
