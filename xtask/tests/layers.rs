//! Dependencies point one way (design.md section 2), and the domain stays pure.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use cargo_metadata::{DependencyKind, MetadataCommand, Package};
use std::collections::{BTreeMap, BTreeSet};

const SERVICES: [&str; 12] = [
    "urr-gateway",
    "urr-page",
    "urr-auth",
    "urr-catalog",
    "urr-vwr",
    "urr-queue",
    "urr-booking",
    "urr-payment",
    "urr-testpay",
    "urr-stats",
    "urr-community",
    "urr-notification",
];

/// Which rooms a room may know. Whoever adds an edge writes the reason in docs/decisions.
fn allowed() -> BTreeMap<&'static str, BTreeSet<&'static str>> {
    let mut edges: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    edges.insert("urr-core", BTreeSet::new());
    edges.insert("urr-api", BTreeSet::from(["urr-core"]));
    edges.insert("urr-kit", BTreeSet::from(["urr-core"]));
    for service in SERVICES {
        edges.insert(service, BTreeSet::from(["urr-core", "urr-kit"]));
    }
    // `urr edge` serves the page itself: it must be there when all else is not (decision 0011).
    edges.insert("urr-gateway", BTreeSet::from(["urr-core", "urr-kit", "urr-page"]));
    edges.insert(
        "urr-controlplane",
        BTreeSet::from(["urr-core", "urr-api", "urr-kit"]),
    );
    // The operator merges what the runners of a LoadRun hand in, and is their image (decision 0016).
    edges.insert(
        "urr-operator",
        BTreeSet::from(["urr-core", "urr-api", "urr-kit", "urr-loadgen"]),
    );
    // kit lends how child processes are kept and swept (decision 0012); the operator itself has
    // testkit for its tests only, which are not counted here.
    edges.insert("urr-testkit", BTreeSet::from(["urr-core", "urr-kit"]));
    // kit gives the auditor its engine clients; visitors speak HTTP only.
    edges.insert("urr-loadgen", BTreeSet::from(["urr-core", "urr-kit"]));
    let mut all: BTreeSet<&str> = SERVICES.into_iter().collect();
    all.extend(["urr-core", "urr-kit", "urr-controlplane"]);
    edges.insert("urr", all.clone());
    // design.md section 2: ticketctl knows all of them (the operator for its mapping of a TicketSale).
    all.extend(["urr", "urr-api", "urr-loadgen", "urr-operator"]);
    edges.insert("ticketctl", all.clone());
    all.insert("urr-testkit");
    edges.insert("urr-bench", all);
    edges.insert("xtask", BTreeSet::new());
    edges
}

fn packages() -> Vec<Package> {
    let metadata = MetadataCommand::new().no_deps().exec().expect("cargo metadata");
    metadata.packages
}

fn needs(package: &Package) -> impl Iterator<Item = &str> {
    package
        .dependencies
        .iter()
        .filter(|dependency| dependency.kind != DependencyKind::Development)
        .map(|dependency| dependency.name.as_str())
}

#[test]
fn rooms_depend_to_the_left_only() {
    let allowed = allowed();
    let mut wrong = Vec::new();
    for package in packages() {
        let name = package.name.to_string();
        let Some(may) = allowed.get(name.as_str()) else {
            panic!("{name} is no room of xtask/tests/layers.rs: add it with the rooms it may know");
        };
        wrong.extend(
            needs(&package)
                .filter(|other| allowed.contains_key(other) && !may.contains(other))
                .map(|other| format!("{name} -> {other}")),
        );
    }
    assert!(wrong.is_empty(), "edges that point the wrong way: {wrong:?}");
}

#[test]
fn the_domain_knows_no_engine_no_runtime_and_no_wire() {
    let packages = packages();
    let core = packages
        .iter()
        .find(|package| package.name == "urr-core")
        .expect("urr-core");
    let banned = [
        "tokio",
        "futures",
        "axum",
        "hyper",
        "reqwest",
        "redis",
        "sqlx",
        "kube",
        "aws-sdk-dynamodb",
        "rand",
        "chrono",
    ];
    let found: Vec<&str> = needs(core).filter(|name| banned.contains(name)).collect();
    assert!(found.is_empty(), "urr-core is pure; it must not know {found:?}");
}

#[test]
fn every_room_takes_the_workspace_lints() {
    for package in packages() {
        let manifest = std::fs::read_to_string(&package.manifest_path).expect("manifest");
        assert!(
            manifest.contains("[lints]\nworkspace = true"),
            "{} has no `[lints] workspace = true`",
            package.name
        );
    }
}
