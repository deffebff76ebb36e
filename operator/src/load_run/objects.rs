//! The objects of a run: its orders, its Job, its start, its result. Pure: documents for server-side
//! apply.
//!
//! The Job: Indexed, all Pods at once, each index tried once. A Pod that is tried again would begin in
//! the middle of the opening and bring its visitors a second time; so a runner that dies is gone, and the
//! run knows. `maxFailedIndexes` ends the Job with the first one, or lets the others go on, as the spec
//! says.

use super::decide::{Failure, Preparation};
use super::settings::Settings;
use super::{names, orders::Orders};
use kube::ResourceExt as _;
use serde_json::{Value, json};
use urr_api::LoadRun;
use urr_api::load_run::WhenRunnerLost;
use urr_core::time::Millis;

/// Where runners find what they are told.
pub const ORDERS_DIR: &str = "/run/urr";
/// Where they leave what they leave.
pub const OUT_DIR: &str = "/var/urr";
/// Where they listen once they are ready to begin.
pub const READY_PORT: u16 = 8090;
/// Ends a Job that would go on: its Pods are stopped, what it is stays to be looked at.
const AT_ONCE_S: i64 = 1;

fn owner(run: &LoadRun) -> Value {
    json!([{
        "apiVersion": "urr.guru/v1alpha1", "kind": "LoadRun",
        "name": run.name_any(), "uid": run.uid().unwrap_or_default(), "controller": true
    }])
}

fn labels(run: &LoadRun) -> Value {
    json!({
        names::RUN_LABEL: run.uid().unwrap_or_default(),
        "app.kubernetes.io/part-of": "urr",
        "app.kubernetes.io/name": "urr-runner",
    })
}

fn config_map(run: &LoadRun, name: &str, immutable: bool, data: &Value) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "labels": labels(run), "ownerReferences": owner(run)},
        "immutable": immutable,
        "data": data
    })
}

/// What runners are told when they are made.
#[must_use]
pub fn orders(run: &LoadRun, preparation: &Preparation) -> Value {
    let orders = serde_json::to_string(&preparation.orders).unwrap_or_default();
    let data = json!({names::ORDERS_KEY: orders, names::SCENARIO_KEY: preparation.scenario_text});
    config_map(run, &names::orders(&preparation.orders.job), true, &data)
}

/// When they begin.
#[must_use]
pub fn start(run: &LoadRun, orders: &Orders, at: Millis) -> Value {
    let data = json!({names::START_KEY: at.0.to_string()});
    config_map(run, &names::start(&orders.job), true, &data)
}

/// What came of it.
#[must_use]
pub fn result(run: &LoadRun, job: &str, load: &str, summary: &str) -> Value {
    let data = json!({names::RESULT_KEY: load, names::SUMMARY_KEY: summary});
    config_map(run, &names::result(job), false, &data)
}

/// Ends a Job's Pods, if any are left, and lets it go after a while; `because` stays on it.
#[must_use]
pub fn end(job: &str, keep_seconds: i32, is_over: bool, because: Option<&Failure>) -> Value {
    let mut spec = json!({"ttlSecondsAfterFinished": keep_seconds});
    if !is_over {
        spec["activeDeadlineSeconds"] = json!(AT_ONCE_S);
    }
    let mut metadata = json!({"name": job});
    if let Some(Failure { reason, message }) = because {
        let told = json!({"reason": reason, "message": message}).to_string();
        metadata["annotations"] = json!({names::ENDED_BECAUSE_ANNOTATION: told});
    }
    json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec})
}

/// The Job.
#[must_use]
pub fn job(run: &LoadRun, preparation: &Preparation, settings: &Settings, image: &str) -> Value {
    let Preparation {
        orders, deadline_s, ..
    } = preparation;
    let tolerated = match run.spec.when_runner_lost {
        WhenRunnerLost::Fail => 0,
        WhenRunnerLost::Continue => orders.runners,
    };
    json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": orders.job, "labels": labels(run), "ownerReferences": owner(run)},
        "spec": {
            "completionMode": "Indexed",
            "completions": orders.runners,
            "parallelism": orders.runners,
            "backoffLimitPerIndex": 0,
            "maxFailedIndexes": tolerated,
            "activeDeadlineSeconds": deadline_s,
            "template": {"metadata": {"labels": labels(run)}, "spec": pod(run, orders, settings, image)}
        }
    })
}

fn pod(run: &LoadRun, orders: &Orders, settings: &Settings, image: &str) -> Value {
    let runner = &run.spec.runner;
    let of_pod = |path: &str| json!({"fieldRef": {"fieldPath": path}});
    let resources = match &runner.resources {
        Some(resources) => json!(resources),
        // A runner that is short of CPU reports itself as the bottleneck.
        None => json!({"requests": {"cpu": "500m", "memory": "256Mi"}}),
    };
    let out = match &run.spec.artefacts.volume_claim {
        Some(claim) => json!({"name": "out", "persistentVolumeClaim": {"claimName": claim}}),
        None => json!({"name": "out", "emptyDir": {}}),
    };
    json!({
        "restartPolicy": "Never",
        "serviceAccountName": settings.runner_service_account,
        "nodeSelector": runner.node_selector,
        "terminationGracePeriodSeconds": 30,
        "securityContext": {
            "runAsNonRoot": true, "runAsUser": 65532, "fsGroup": 65532,
            "seccompProfile": {"type": "RuntimeDefault"}
        },
        "topologySpreadConstraints": [{
            "maxSkew": 1,
            "topologyKey": "kubernetes.io/hostname",
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": {names::RUN_LABEL: orders.run_uid}}
        }],
        "volumes": [
            {"name": "orders", "configMap": {"name": names::orders(&orders.job)}},
            out
        ],
        "containers": [{
            "name": "runner",
            "image": image,
            "command": ["operator", "runner"],
            "args": [
                "--orders", ORDERS_DIR,
                "--out", format!("{OUT_DIR}/{}", orders.job),
                "--ready-on", format!("0.0.0.0:{READY_PORT}")
            ],
            // JOB_COMPLETION_INDEX is Kubernetes' own.
            "env": [
                {"name": "POD_NAME", "valueFrom": of_pod("metadata.name")},
                {"name": "POD_NAMESPACE", "valueFrom": of_pod("metadata.namespace")},
                {"name": "JOB_UID",
                    "valueFrom": of_pod("metadata.labels['batch.kubernetes.io/controller-uid']")}
            ],
            // Visitors sign their own tokens, and the target is asked whether it may be loaded.
            "envFrom": [{"secretRef": {"name": settings.runner_secret}}],
            "volumeMounts": [
                {"name": "orders", "mountPath": ORDERS_DIR, "readOnly": true},
                {"name": "out", "mountPath": OUT_DIR}
            ],
            "readinessProbe": {"tcpSocket": {"port": READY_PORT}, "periodSeconds": 1},
            "terminationMessagePolicy": "FallbackToLogsOnError",
            "resources": resources,
            "securityContext": {
                "allowPrivilegeEscalation": false,
                "readOnlyRootFilesystem": true,
                "capabilities": {"drop": ["ALL"]}
            }
        }]
    })
}

#[cfg(test)]
mod tests;
