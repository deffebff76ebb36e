//! `kubectl apply -k` installs everything: each overlay is rendered by the real kubectl, taken by a real
//! API server without a warning, and its Pods come up under the Pod Security the namespace enforces.
//! The namespace's name is changed to the test's own; nothing else is.

use crate::common::scope;
use k8s_openapi::api::apps::v1::Deployment;
use kube::api::ListParams;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;
use urr_testkit::{Scope, eventually};

fn manifests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../manifests")
        .canonicalize()
        .unwrap()
}

/// A copy to which a person has added what is theirs: the secrets of the laptop overlay.
fn filled_in(into: &Path) {
    fn copy(from: &Path, to: &Path) {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap() {
            let path = entry.unwrap().path();
            let target = to.join(path.file_name().unwrap());
            if path.is_dir() {
                copy(&path, &target);
            } else {
                fs::copy(&path, &target).unwrap();
            }
        }
    }
    copy(&manifests(), into);
    let laptop = into.join("overlays/laptop");
    let template = fs::read_to_string(laptop.join("secrets.env.template")).unwrap();
    let filled: String = template
        .lines()
        .map(|line| match line.strip_suffix('=') {
            Some(name) => format!("{name}=not-a-secret\n"),
            None => format!("{line}\n"),
        })
        .collect();
    fs::write(laptop.join("secrets.env"), filled).unwrap();
}

/// The overlay's objects, moved into the test's namespace.
async fn rendered(scope: &Scope, overlay: &str) -> Vec<Value> {
    let dir = tempfile::tempdir().unwrap();
    filled_in(dir.path());
    let path = dir.path().join("overlays").join(overlay);
    let text = scope
        .cluster()
        .kubectl(&["kustomize", path.to_str().unwrap()])
        .await
        .unwrap();
    let mut objects: Vec<Value> = serde_yaml::from_multiple(&text.ok().unwrap()).unwrap();
    assert!(objects.len() > 40, "{} objects", objects.len());
    for object in &mut objects {
        let here = json!(scope.namespace());
        if object["kind"] == "Namespace" {
            object["metadata"]["name"] = here.clone();
        }
        if object["metadata"]["namespace"] == "urr" {
            object["metadata"]["namespace"] = here.clone();
        }
        for subject in object
            .get_mut("subjects")
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            subject["namespace"] = here.clone();
        }
    }
    // The definitions are there already, shared with the other tests.
    objects.retain(|object| object["kind"] != "CustomResourceDefinition");
    objects
}

fn yaml(objects: &[Value]) -> String {
    objects.iter().map(|object| format!("---\n{object}\n")).collect()
}

/// Takes the overlay twice: as a dry run, then in earnest, and waits for every Deployment.
async fn comes_up(scope: &Scope, objects: &[Value]) -> String {
    let (namespace, others): (Vec<Value>, Vec<Value>) = objects
        .iter()
        .cloned()
        .partition(|object| object["kind"] == "Namespace");
    assert_eq!(namespace.len(), 1);
    let apply = ["apply", "--server-side", "--force-conflicts", "-f", "-"];
    let cluster = scope.cluster();
    cluster
        .kubectl_with(&apply, &yaml(&namespace))
        .await
        .unwrap()
        .ok()
        .unwrap();
    let dry = ["apply", "--server-side", "--dry-run=server", "-f", "-"];
    cluster
        .kubectl_with(&dry, &yaml(&others))
        .await
        .unwrap()
        .ok()
        .unwrap();
    let applied = cluster.kubectl_with(&apply, &yaml(&others)).await.unwrap();
    let warnings = applied.stderr.clone();
    applied.ok().unwrap();
    let deployments = scope.api::<Deployment>();
    eventually(
        Duration::from_secs(90),
        "every Deployment available",
        async || {
            let all = deployments
                .list(&ListParams::default())
                .await
                .map_err(|error| error.to_string())?;
            let waiting: Vec<String> = all
                .iter()
                .filter(|deployment| {
                    let wanted = deployment
                        .spec
                        .as_ref()
                        .and_then(|spec| spec.replicas)
                        .unwrap_or(1);
                    deployment
                        .status
                        .as_ref()
                        .and_then(|status| status.ready_replicas)
                        .unwrap_or(0)
                        < wanted
                })
                .map(|deployment| deployment.metadata.name.clone().unwrap())
                .collect();
            if waiting.is_empty() && all.items.len() >= 13 {
                Ok(())
            } else {
                Err(format!("of {} these wait: {waiting:?}", all.items.len()))
            }
        },
    )
    .await
    .unwrap();
    warnings
}

/// The Prometheus operator's kinds as far as we use them, and strict: what is not here is refused.
fn monitoring_kinds() -> Vec<Value> {
    let text = json!({"type": "string"});
    let words = json!({"type": "object", "additionalProperties": text});
    let definition = |plural: &str, kind: &str, spec: Value| {
        json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": format!("{plural}.monitoring.coreos.com")},
            "spec": {
                "group": "monitoring.coreos.com", "scope": "Namespaced",
                "names": {"plural": plural, "kind": kind, "listKind": format!("{kind}List"), "singular": kind.to_lowercase()},
                "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {
                    "type": "object", "required": ["spec"], "properties": {"spec": spec}
                }}}]
            }
        })
    };
    let monitor = json!({"type": "object", "required": ["selector", "endpoints"], "properties": {
        "selector": {"type": "object", "properties": {"matchLabels": words}},
        "endpoints": {"type": "array", "items": {"type": "object", "properties": {
            "port": text, "path": text, "interval": {"type": "string", "pattern": "^[0-9]+(ms|s|m)$"}
        }}}
    }});
    let rule = json!({"type": "object", "properties": {"groups": {"type": "array", "items": {
        "type": "object", "required": ["name"], "properties": {
            "name": text, "interval": text,
            "rules": {"type": "array", "items": {"type": "object", "required": ["expr"], "properties": {
                "alert": text, "expr": text, "for": {"type": "string", "pattern": "^[0-9]+(s|m|h)$"},
                "labels": words, "annotations": words
            }}}
        }
    }}}});
    vec![
        definition("servicemonitors", "ServiceMonitor", monitor),
        definition("prometheusrules", "PrometheusRule", rule),
    ]
}

#[tokio::test]
async fn the_production_overlay_comes_up_without_a_warning() {
    let scope = scope("production").await;
    let kinds: Vec<_> = monitoring_kinds()
        .into_iter()
        .map(|kind| serde_json::from_value(kind).unwrap())
        .collect();
    scope.cluster().install(&kinds).await.unwrap();
    let mut objects = rendered(&scope, "production").await;
    // What production brings itself.
    objects.push(json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": "urr-secrets", "namespace": scope.namespace()}, "stringData": {"JWT_SECRET": "x"}
    }));
    let warnings = comes_up(&scope, &objects).await;
    // `restricted` is enforced, so whatever came up keeps to it.
    assert_eq!(warnings, "");
    // A disruption budget, a network policy and a spread for every service.
    let of = |kind: &str| {
        objects
            .iter()
            .filter(|object| object["kind"] == kind)
            .collect::<Vec<_>>()
    };
    let services: Vec<_> = of("Deployment")
        .into_iter()
        .filter(|object| object["metadata"]["labels"]["urr.guru/role"] == "service")
        .collect();
    assert_eq!(services.len(), 12);
    for service in services {
        let name = &service["metadata"]["name"];
        assert!(
            of("PodDisruptionBudget")
                .iter()
                .any(|budget| budget["metadata"]["name"] == *name),
            "{name}"
        );
        let pod = &service["spec"]["template"]["spec"];
        assert_eq!(
            pod["topologySpreadConstraints"].as_array().unwrap().len(),
            2,
            "{name}"
        );
        let container = &pod["containers"][0];
        for field in ["readinessProbe", "livenessProbe", "startupProbe", "resources"] {
            assert!(container[field].is_object(), "{name} has no {field}");
        }
    }
}

#[tokio::test]
async fn the_laptop_overlay_comes_up() {
    let scope = scope("laptop").await;
    let objects = rendered(&scope, "laptop").await;
    let warnings = comes_up(&scope, &objects).await;
    // Only the engines' images want more than `restricted` gives; `baseline` is what is enforced.
    let lines: Vec<&str> = warnings
        .lines()
        .filter(|line| line.starts_with("Warning:"))
        .collect();
    assert_eq!(lines.len(), 3, "{warnings}");
    for engine in ["postgres", "redis", "dynamodb"] {
        let container = format!("container \"{engine}\"");
        assert!(lines.iter().any(|line| line.contains(&container)), "{warnings}");
    }
}

#[tokio::test]
async fn the_operator_may_do_its_work_and_nothing_else() {
    let scope = scope("rbac").await;
    let objects = rendered(&scope, "laptop").await;
    let rbac: Vec<Value> = objects
        .into_iter()
        .filter(|object| {
            let kind = object["kind"].as_str().unwrap();
            matches!(
                kind,
                "Role" | "RoleBinding" | "ServiceAccount" | "ClusterRole" | "ClusterRoleBinding"
            )
        })
        .collect();
    assert!(
        rbac.iter()
            .all(|object| !object["kind"].as_str().unwrap().starts_with("Cluster")),
        "one namespace only"
    );
    scope
        .kubectl_with(&["apply", "-f", "-"], &yaml(&rbac))
        .await
        .unwrap()
        .ok()
        .unwrap();
    let who = format!("--as=system:serviceaccount:{}:urr-operator", scope.namespace());
    let may = async |what: &[&str]| {
        let mut args = vec!["auth", "can-i", who.as_str()];
        args.extend(what);
        scope.kubectl(&args).await.unwrap().stdout.trim().to_owned()
    };
    for work in [
        &["watch", "ticketsales.urr.guru"][..],
        &["patch", "ticketsales.urr.guru", "--subresource=status"],
        &["patch", "deployments.apps"],
        &["watch", "loadruns.urr.guru"],
        &["create", "jobs.batch"],
    ] {
        assert_eq!(may(work).await, "yes", "{work:?}");
    }
    for else_ in [
        &["get", "secrets"][..],
        &["create", "pods"],
        &["delete", "horizontalpodautoscalers.autoscaling"],
        &["create", "ticketsales.urr.guru"],
        &["delete", "ticketsales.urr.guru"],
        &["list", "ticketsales.urr.guru", "--all-namespaces"],
        &["patch", "roles.rbac.authorization.k8s.io"],
        &["delete", "jobs.batch"],
        &["delete", "configmaps"],
        &["create", "loadruns.urr.guru"],
    ] {
        assert_eq!(may(else_).await, "no", "{else_:?}");
    }
    // A LoadRun's runner hears when to begin and hands in; it changes nothing that is there.
    let who = format!("--as=system:serviceaccount:{}:urr-runner", scope.namespace());
    for (work, answer) in [
        (&["watch", "configmaps"][..], "yes"),
        (&["create", "configmaps"], "yes"),
        (&["patch", "configmaps"], "no"),
        (&["get", "secrets"], "no"),
        (&["get", "pods"], "no"),
    ] {
        let mut args = vec!["auth", "can-i", who.as_str()];
        args.extend(work);
        let told = scope.kubectl(&args).await.unwrap().stdout;
        assert_eq!(told.trim(), answer, "{work:?}");
    }
}

#[tokio::test]
async fn the_samples_are_taken() {
    let scope = scope("samples").await;
    for name in ["ticketsale.yaml", "loadrun.yaml"] {
        let text = fs::read_to_string(manifests().join("samples").join(name)).unwrap();
        let text = text.replace("namespace: urr", &format!("namespace: {}", scope.namespace()));
        let applied = scope
            .cluster()
            .kubectl_with(&["apply", "-f", "-"], &text)
            .await
            .unwrap();
        applied.ok().unwrap();
        let document: Value = serde_yaml::from_str(&text).unwrap();
        assert_eq!(urr_api::validate_document(&document, None), [], "{name}");
    }
    // `kubectl diff` finds nothing to say about what was just applied.
    let text = fs::read_to_string(manifests().join("samples/ticketsale.yaml")).unwrap();
    let text = text.replace("namespace: urr", &format!("namespace: {}", scope.namespace()));
    let diff = scope
        .cluster()
        .kubectl_with(&["diff", "-f", "-"], &text)
        .await
        .unwrap();
    assert_eq!(
        (diff.status.code(), diff.stdout.as_str()),
        (Some(0), ""),
        "{}",
        diff.stderr
    );
}
