//! The manifests say what the code reads and writes: names of settings, subcommands, ports, metrics,
//! sample objects. What a real API server makes of them: `cluster/manifests.rs`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use urr_api::{LoadRun, TicketSale};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .canonicalize()
        .unwrap()
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Every document of every YAML file, with its file.
fn documents() -> Vec<(PathBuf, Value)> {
    let mut all = Vec::new();
    for path in files(&root().join("manifests"), "yaml") {
        let text = std::fs::read_to_string(&path).unwrap();
        let documents: Vec<Value> =
            serde_yaml::from_multiple(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert!(!documents.is_empty(), "{} is empty", path.display());
        all.extend(documents.into_iter().map(|document| (path.clone(), document)));
    }
    all
}

fn of_kind(kind: &str) -> Vec<(PathBuf, Value)> {
    documents()
        .into_iter()
        .filter(|(_, document)| document["kind"] == kind)
        .collect()
}

fn containers(deployment: &Value) -> Vec<Value> {
    deployment["spec"]["template"]["spec"]["containers"]
        .as_array()
        .cloned()
        .unwrap_or_default()
}

/// Everything in quotes in upper case in the sources: every setting's name is among it.
fn names_in_the_sources() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for room in ["services", "controlplane", "operator/src"] {
        for path in files(&root().join(room), "rs") {
            let text = std::fs::read_to_string(path).unwrap();
            let quoted = text.split('"').skip(1).step_by(1);
            names.extend(quoted.filter(|name| is_setting(name)).map(str::to_owned));
        }
    }
    names
}

fn is_setting(name: &str) -> bool {
    name.len() > 3
        && name
            .chars()
            .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

#[test]
fn every_object_says_what_it_is() {
    for (path, document) in documents() {
        assert!(
            document["kind"].is_string(),
            "{}: a document without kind",
            path.display()
        );
        assert!(
            document["apiVersion"].is_string(),
            "{}: no apiVersion",
            path.display()
        );
    }
}

#[test]
fn every_setting_that_is_given_is_read_by_somebody() {
    let known = names_in_the_sources();
    let mut given: Vec<(String, String)> = Vec::new();
    for (path, map) in of_kind("ConfigMap") {
        let data = map["data"].as_object().unwrap();
        given.extend(data.keys().map(|name| (path.display().to_string(), name.clone())));
    }
    for (path, deployment) in of_kind("Deployment") {
        // Engines read their own.
        if path.ends_with("engines.yaml") {
            continue;
        }
        for container in containers(&deployment) {
            for variable in container["env"].as_array().into_iter().flatten() {
                given.push((
                    path.display().to_string(),
                    variable["name"].as_str().unwrap().to_owned(),
                ));
            }
        }
    }
    let template = root().join("manifests/overlays/laptop/secrets.env.template");
    for line in std::fs::read_to_string(template)
        .unwrap()
        .lines()
        .filter(|line| !line.starts_with('#'))
    {
        let (name, value) = line.split_once('=').unwrap();
        assert_eq!(value, "", "a template holds no secret");
        if name != "POSTGRES_PASSWORD" {
            given.push(("secrets.env.template".into(), name.to_owned()));
        }
    }
    assert!(given.len() > 20, "{given:?}");
    for (whence, name) in given {
        assert!(
            known.contains(&name),
            "{whence} gives {name}, which nothing reads"
        );
    }
}

#[test]
fn every_service_is_started_by_its_name_on_its_port() {
    let cli = std::fs::read_to_string(root().join("services/urr/src/cli.rs"))
        .unwrap()
        .to_lowercase();
    let settings = std::fs::read_to_string(root().join("services/kit/src/settings.rs")).unwrap();
    let mut seen = 0;
    for (path, deployment) in of_kind("Deployment") {
        if deployment["metadata"]["labels"]["urr.guru/role"] != "service" {
            continue;
        }
        seen += 1;
        let name = deployment["metadata"]["name"].as_str().unwrap();
        let container = &containers(&deployment)[0];
        assert_eq!(container["args"][0], name, "{}", path.display());
        assert!(
            cli.contains(&format!("    {name}(box<")),
            "`urr {name}` is no command"
        );
        let port = container["ports"][0]["containerPort"].as_u64().unwrap();
        assert_eq!(
            container["env"][0]["value"],
            format!("0.0.0.0:{port}"),
            "{}",
            path.display()
        );
        let setting = format!("--{name}-url").trim_start_matches('-').to_owned();
        if settings.contains(&format!("\"{setting}\"")) {
            let line = settings
                .lines()
                .find(|line| line.contains(&format!("\"{setting}\"")))
                .unwrap();
            let default = settings[settings.find(line).unwrap()..]
                .lines()
                .take(4)
                .collect::<String>();
            assert!(
                default.contains(&format!(":{port}\"")),
                "{name}: the default port is not {port}"
            );
        }
        let service = of_kind("Service")
            .into_iter()
            .find(|(_, service)| service["metadata"]["name"] == name);
        assert_eq!(service.unwrap().1["spec"]["ports"][0]["port"], port, "{name}");
    }
    assert_eq!(seen, 12, "one Deployment per service and the control plane");
}

#[test]
fn kustomizations_name_files_that_exist_and_leave_none_out() {
    let mut all = of_kind("Kustomization");
    all.extend(of_kind("Component"));
    for (path, kustomization) in all {
        let folder = path.parent().unwrap();
        let mut named = BTreeSet::from(["kustomization.yaml".to_owned()]);
        for resource in kustomization["resources"].as_array().unwrap() {
            let resource = resource.as_str().unwrap();
            assert!(
                folder.join(resource).exists(),
                "{}: no {resource}",
                path.display()
            );
            named.insert(resource.to_owned());
        }
        for component in kustomization["components"].as_array().into_iter().flatten() {
            let component = component.as_str().unwrap();
            assert!(
                folder.join(component).exists(),
                "{}: no {component}",
                path.display()
            );
        }
        for patch in kustomization["patches"].as_array().into_iter().flatten() {
            if let Some(file) = patch["path"].as_str() {
                assert!(folder.join(file).exists(), "{}: no {file}", path.display());
                named.insert(file.to_owned());
            }
        }
        for entry in std::fs::read_dir(folder).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            assert!(
                !name.ends_with(".yaml") || named.contains(&name),
                "{}: {name} is not named",
                path.display()
            );
        }
    }
}

#[test]
fn samples_are_sound() {
    let (_, sale) = of_kind("TicketSale").pop().unwrap();
    let sale: TicketSale = serde_json::from_value(sale).unwrap();
    assert!(sale.validate_cel().is_ok(), "{:?}", sale.validate_cel());
    urr_operator::mapping::sale("club-night", &sale.spec).unwrap();
    let deployments = of_kind("Deployment");
    for target in &sale.spec.targets {
        assert!(
            deployments
                .iter()
                .any(|(_, deployment)| deployment["metadata"]["name"] == target.name.as_str()),
            "{} is no Deployment of ours",
            target.name
        );
    }
    // A count that two hands pull at is nobody's: what an autoscaler scales is named.
    for target in &sale.spec.targets {
        let named = target
            .autoscaler
            .as_ref()
            .map(|autoscaler| autoscaler.name.clone());
        let scaled_by = of_kind("HorizontalPodAutoscaler")
            .into_iter()
            .find_map(|(_, hpa)| {
                let is_it = hpa["spec"]["scaleTargetRef"]["name"] == target.name.as_str();
                is_it.then(|| hpa["metadata"]["name"].as_str().unwrap().to_owned())
            });
        assert_eq!(named, scaled_by, "{}", target.name);
    }
    let (_, run) = of_kind("LoadRun").pop().unwrap();
    let run: LoadRun = serde_json::from_value(run).unwrap();
    assert!(run.validate_cel().is_ok());
}

/// Every word that looks like a metric of ours.
fn metrics_in(text: &str) -> BTreeSet<String> {
    let is_part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    text.split(|c| !is_part(c))
        .filter(|word| {
            ["urr_", "control_", "operator_"]
                .iter()
                .any(|ours| word.starts_with(ours))
        })
        .map(|word| {
            let ends = ["_bucket", "_sum", "_count"];
            let end = ends.iter().find(|end| word.ends_with(*end));
            end.map_or(word, |end| word.trim_end_matches(end)).to_owned()
        })
        .collect()
}

#[test]
fn every_metric_that_is_looked_at_is_recorded_by_somebody() {
    let mut recorded = BTreeSet::new();
    for room in ["services", "controlplane", "operator/src"] {
        for path in files(&root().join(room), "rs") {
            let text = std::fs::read_to_string(path).unwrap();
            recorded.extend(text.split('"').flat_map(metrics_in));
        }
    }
    let folder = root().join("manifests/components/monitoring");
    for name in ["rules.yaml", "dashboard.json"] {
        let text = std::fs::read_to_string(folder.join(name)).unwrap();
        let looked_at = metrics_in(&text);
        assert!(looked_at.len() >= 8, "{name}: {looked_at:?}");
        let missing: Vec<_> = looked_at.difference(&recorded).collect();
        assert!(
            missing.is_empty(),
            "{name} looks at what nobody records: {missing:?}"
        );
    }
}

#[test]
fn every_alert_has_a_runbook_and_every_panel_says_what_it_shows() {
    let operations = std::fs::read_to_string(root().join("docs/operations.md")).unwrap();
    let (_, rules) = of_kind("PrometheusRule").pop().unwrap();
    let rules = rules["spec"]["groups"][0]["rules"].as_array().unwrap().clone();
    assert!(rules.len() > 8);
    for rule in rules {
        let name = rule["alert"].as_str().unwrap();
        let link = rule["annotations"]["runbook_url"].as_str().unwrap();
        assert!(
            link.ends_with(&format!("docs/operations.md#{}", name.to_lowercase())),
            "{name}: {link}"
        );
        assert!(
            operations.contains(&format!("\n### {name}\n")),
            "{name} has no runbook"
        );
        let open = |text: &str, c| text.matches(c).count();
        let expr = rule["expr"].as_str().unwrap();
        for (left, right) in [('(', ')'), ('[', ']'), ('{', '}')] {
            assert_eq!(open(expr, left), open(expr, right), "{name}: {expr}");
        }
    }
    let dashboard =
        std::fs::read_to_string(root().join("manifests/components/monitoring/dashboard.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&dashboard).unwrap();
    for panel in dashboard["panels"].as_array().unwrap() {
        assert!(
            panel["description"].as_str().unwrap().len() > 10,
            "{}",
            panel["title"]
        );
    }
}

#[test]
fn the_images_hold_the_programs_that_the_manifests_start() {
    let text = std::fs::read_to_string(root().join("Containerfile")).unwrap();
    for (path, deployment) in of_kind("Deployment") {
        for container in containers(&deployment) {
            if container["image"] == "urr" && container["command"].is_array() {
                let program = container["command"][0].as_str().unwrap();
                assert!(
                    text.contains(&format!("/out/{program}")),
                    "{}: {program} is in no image",
                    path.display()
                );
            }
        }
    }
    for package in ["-p urr ", "-p urr-operator ", "-p ticketctl "] {
        assert!(text.contains(package), "{package}");
    }
}
