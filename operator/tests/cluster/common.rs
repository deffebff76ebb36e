//! A sale to start from, and the shared cluster with our definitions in it.

use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use kube::Api;
use kube::api::PostParams;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OnceCell;
use urr_api::testing::sale_spec;
use urr_testkit::{Cluster, Scope};

/// For what takes a moment; the machine may be busy.
pub(crate) const SOON: Duration = Duration::from_secs(30);

pub(crate) async fn cluster() -> Arc<Cluster> {
    static INSTALLED: OnceCell<()> = OnceCell::const_new();
    let cluster = Cluster::shared().await.unwrap();
    INSTALLED.get_or_init(|| installed_on(&cluster)).await;
    cluster
}

/// Brings our definitions to `cluster`.
pub(crate) async fn installed_on(cluster: &Cluster) {
    cluster.install(&urr_api::crds()).await.unwrap();
}

pub(crate) async fn scope(name: &str) -> Scope {
    cluster().await.scope(name).await.unwrap()
}

/// A sound sale, as a person writes it.
pub(crate) fn sale(name: &str) -> Value {
    json!({
        "apiVersion": "urr.guru/v1alpha1",
        "kind": "TicketSale",
        "metadata": {"name": name},
        "spec": sale_spec(2036)
    })
}

/// Makes an autoscaler of the Deployment `of`, that keeps between so many replicas.
pub(crate) async fn autoscaler(
    scope: &Scope,
    name: &str,
    of: &str,
    [floor, most]: [i32; 2],
) -> Api<HorizontalPodAutoscaler> {
    let hpa = json!({
        "metadata": {"name": name},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": of},
            "minReplicas": floor, "maxReplicas": most,
            "metrics": [{"type": "Resource", "resource": {
                "name": "cpu", "target": {"type": "Utilization", "averageUtilization": 60}}}]
        }
    });
    let hpas = scope.api();
    let hpa = serde_json::from_value(hpa).unwrap();
    hpas.create(&PostParams::default(), &hpa).await.unwrap();
    hpas
}

/// A sound run.
pub(crate) fn run(name: &str) -> Value {
    json!({
        "apiVersion": "urr.guru/v1alpha1",
        "kind": "LoadRun",
        "metadata": {"name": name},
        "spec": {
            "saleRef": {"name": "club-night"},
            "scenario": {"configMap": "scenarios", "key": "club-night.yaml"},
            "runners": 2
        }
    })
}

/// Sets the value at a JSON pointer, making objects on the way; `null` takes a field away.
pub(crate) fn set(object: &mut Value, pointer: &str, value: &Value) {
    let (parent, last) = pointer.rsplit_once('/').unwrap();
    let mut at = object;
    for step in parent.split('/').skip(1) {
        at = match at {
            Value::Array(items) => &mut items[step.parse::<usize>().unwrap()],
            Value::Object(fields) => fields.entry(step).or_insert_with(|| json!({})),
            other => panic!("{pointer} leads through {other}"),
        };
    }
    match at {
        Value::Array(items) => items[last.parse::<usize>().unwrap()] = value.clone(),
        Value::Object(fields) if value.is_null() => {
            fields.remove(last);
        }
        Value::Object(fields) => {
            fields.insert(last.to_owned(), value.clone());
        }
        other => panic!("{pointer} leads into {other}"),
    }
}
