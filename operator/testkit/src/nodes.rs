//! Fake nodes: real `Node` objects whose kubelet is kwok.
//!
//! kwok looks after nodes that carry the label [`ALIVE`]. Taking the label away is pulling the plug:
//! the lease is not renewed any more, and the real node controller finds the node lost, marks its Pods
//! not ready and taints it, in its own time (12 s here, 40 s in the wild).

use crate::{Cluster, Error, control_plane, eventually};
use k8s_openapi::api::core::v1::Node;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::json;
use std::time::Duration;

/// The label of nodes that have a kubelet.
pub const ALIVE: &str = "urr.guru/kubelet=alive";
const ALIVE_KEY: &str = "urr.guru/kubelet";
/// The taint of a node that takes only one test's Pods.
const RESERVED: &str = "urr.guru/reserved-for";
const READY: Duration = Duration::from_secs(60);

/// The nodes every private cluster has, one per zone.
const USUAL: [(&str, &str); 3] = [("node-a", "zone-a"), ("node-b", "zone-b"), ("node-c", "zone-c")];

pub(crate) async fn make_usual(cluster: &Cluster) -> Result<(), Error> {
    let client = cluster.client()?;
    for (name, zone) in USUAL {
        make(&client, name, zone, None).await?;
    }
    for (name, _) in USUAL {
        await_ready(&client, name, "True", READY).await?;
    }
    Ok(())
}

/// Makes a ready node that takes only Pods of namespace `reserved_for` (with its toleration and node
/// selector: [`crate::pods::Behaviour::on_node`]), so that losing it hurts nobody else.
///
/// # Errors
/// When the API server refuses, or kwok does not bring it up.
pub async fn reserved(client: &Client, name: &str, reserved_for: &str) -> Result<(), Error> {
    make(client, name, "zone-reserved", Some(reserved_for)).await?;
    await_ready(client, name, "True", READY).await
}

/// Pulls the plug of `node` and waits until the node controller has noticed.
///
/// # Errors
/// When it does not notice.
pub async fn lose(client: &Client, node: &str) -> Result<(), Error> {
    label(client, node, None).await?;
    let limit = Duration::from_secs(control_plane::NODE_GRACE_S * 4);
    await_ready(client, node, "Unknown", limit).await
}

/// Gives `node` its kubelet back and waits until it is ready.
///
/// # Errors
/// When it does not become ready.
pub async fn bring_back(client: &Client, node: &str) -> Result<(), Error> {
    label(client, node, Some("alive")).await?;
    await_ready(client, node, "True", READY).await
}

async fn label(client: &Client, node: &str, value: Option<&str>) -> Result<(), Error> {
    let patch = json!({"metadata": {"labels": {ALIVE_KEY: value}}});
    Api::<Node>::all(client.clone())
        .patch(node, &PatchParams::default(), &Patch::Merge(patch))
        .await?;
    Ok(())
}

async fn make(client: &Client, name: &str, zone: &str, reserved_for: Option<&str>) -> Result<(), Error> {
    let taints: Vec<_> = reserved_for
        .map(|value| json!({"key": RESERVED, "value": value, "effect": "NoSchedule"}))
        .into_iter()
        .collect();
    let resources = json!({"cpu": "64", "memory": "256Gi", "pods": "1000"});
    let node = serde_json::from_value(json!({
        "metadata": {
            "name": name,
            "labels": {
                ALIVE_KEY: "alive",
                "kubernetes.io/hostname": name,
                "kubernetes.io/os": "linux",
                "kubernetes.io/arch": "amd64",
                "topology.kubernetes.io/zone": zone,
            }
        },
        "spec": {"taints": taints},
        "status": {"allocatable": resources, "capacity": resources}
    }));
    let node: Node = node.map_err(kube::Error::SerdeError)?;
    Api::all(client.clone())
        .create(&PostParams::default(), &node)
        .await?;
    Ok(())
}

async fn await_ready(client: &Client, name: &str, wanted: &str, limit: Duration) -> Result<(), Error> {
    let api: Api<Node> = Api::all(client.clone());
    eventually(limit, &format!("node {name} Ready={wanted}"), async || {
        let node = api.get(name).await.map_err(|error| error.to_string())?;
        let conditions = node
            .status
            .and_then(|status| status.conditions)
            .unwrap_or_default();
        let ready = conditions
            .into_iter()
            .find(|condition| condition.type_ == "Ready");
        let status = ready.map_or_else(|| "absent".to_owned(), |ready| ready.status);
        if status == wanted {
            Ok(())
        } else {
            Err(format!("Ready={status}"))
        }
    })
    .await
}
