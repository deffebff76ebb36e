//! A node whose Pods can be reached: kwok as its kubelet, forwarding every port of a namespace's Pods to
//! one address on this machine. The way there is the real one: client, API server, kubelet.

use k8s_openapi::api::core::v1::Node;
use kube::{
    Api,
    api::{DeleteParams, PostParams},
};
use serde_json::{Value, json};
use std::{net::TcpListener, path::Path, time::Duration};
use urr_kit::engines::child::{Child, Program};
use urr_testkit::{Scope, assets::Assets, eventually};

/// A busy machine gets this for a node to come up.
const READY: Duration = Duration::from_secs(60);
/// As the testkit's nodes: shorter, and a busy machine would lose them by itself.
const NODE_LEASE_S: u64 = 12;

/// A kubelet and its node.
pub(crate) struct Kubelet {
    pub(crate) node: String,
    _kwok: Child,
    _dir: tempfile::TempDir,
}

impl Kubelet {
    /// A node of `scope` alone, whose Pods' ports are all `port` of this machine.
    pub(crate) async fn start(scope: &Scope, port: u16) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let node = format!("{}-reachable", scope.namespace());
        let config = dir.path().join("kwok.yaml");
        std::fs::write(&config, configuration(scope.namespace(), port)).unwrap();
        let (certificate, key) = certificate(scope.cluster().kubeconfig_path());
        let own_port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let assets = tokio::task::spawn_blocking(Assets::find).await.unwrap().unwrap();
        let kwok = Program {
            engine: "kwok",
            setpriv: Path::new("setpriv"),
            path: &assets.program("kwok"),
            args: vec![
                format!("--kubeconfig={}", scope.cluster().kubeconfig_path().display()),
                format!("--config={}", config.display()),
                format!("--manage-single-node={node}"),
                format!("--node-lease-duration-seconds={NODE_LEASE_S}"),
                "--node-ip=127.0.0.1".to_owned(),
                format!("--node-port={own_port}"),
                format!("--server-address=127.0.0.1:{own_port}"),
                format!("--tls-cert-file={certificate}"),
                format!("--tls-private-key-file={key}"),
            ],
            dir: dir.path(),
            log: &dir.path().join("kwok.log"),
            run_as: None,
            death_signal: "KILL",
        };
        make_node(scope, &node).await;
        let kubelet = Self {
            node,
            _kwok: kwok.spawn().unwrap(),
            _dir: dir,
        };
        kubelet.await_ready(scope).await;
        kubelet
    }

    async fn await_ready(&self, scope: &Scope) {
        let nodes: Api<Node> = Api::all(scope.client());
        let ready = async || {
            let node = nodes.get(&self.node).await.map_err(|error| error.to_string())?;
            let status = node.status.unwrap_or_default();
            let conditions = status.conditions.unwrap_or_default();
            let is_ready = conditions
                .iter()
                .any(|one| one.type_ == "Ready" && one.status == "True");
            let answers = status.daemon_endpoints.is_some();
            if is_ready && answers {
                Ok(())
            } else {
                Err(format!("ready {is_ready}, answers {answers}"))
            }
        };
        let outcome = eventually(READY, "a node that can be reached", ready).await;
        if let Err(error) = outcome {
            let log = std::fs::read_to_string(self._dir.path().join("kwok.log")).unwrap_or_default();
            panic!("{error}\n{log}");
        }
    }

    /// Takes the node away: it would be lost anyhow once its kubelet is.
    pub(crate) async fn end(self, scope: &Scope) {
        let nodes: Api<Node> = Api::all(scope.client());
        nodes.delete(&self.node, &DeleteParams::default()).await.unwrap();
    }
}

fn configuration(namespace: &str, port: u16) -> String {
    let forward = json!({
        "apiVersion": "kwok.x-k8s.io/v1alpha1",
        "kind": "ClusterPortForward",
        "metadata": {"name": "to-this-machine"},
        "spec": {
            "selector": {"matchNamespaces": [namespace]},
            "forwards": [{"target": {"port": port, "address": "127.0.0.1"}}],
        },
    });
    // Its Pods and itself come up as the testkit's do, but with a kubelet that answers.
    let stages = std::fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../operator/testkit/src/stages.yaml"
    ));
    let answering = "phase: Running\n      daemonEndpoints: {kubeletEndpoint: {Port: {{ NodePort }}}}\n";
    let stages = stages.unwrap().replacen("phase: Running\n", answering, 1);
    format!("{stages}\n---\n{forward}\n")
}

/// The API server's own certificate and key: it trusts any kubelet's.
fn certificate(kubeconfig: &Path) -> (String, String) {
    let text = std::fs::read_to_string(kubeconfig).unwrap();
    let kubeconfig: Value = serde_yaml::from_str(&text).unwrap();
    let certificate = kubeconfig["clusters"][0]["cluster"]["certificate-authority"]
        .as_str()
        .unwrap();
    (certificate.to_owned(), certificate.replace(".crt", ".key"))
}

async fn make_node(scope: &Scope, name: &str) {
    let resources = json!({"cpu": "64", "memory": "256Gi", "pods": "100"});
    let node: Node = serde_json::from_value(json!({
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}},
        // Nobody else's Pods come here.
        "spec": {"taints": [{"key": "urr.guru/reserved-for", "value": scope.namespace(), "effect": "NoSchedule"}]},
        "status": {"allocatable": resources, "capacity": resources},
    }))
    .unwrap();
    let nodes: Api<Node> = Api::all(scope.client());
    nodes.create(&PostParams::default(), &node).await.unwrap();
}
