//! The operator with 500 sales: how late it is at boundaries, what it writes when nothing changes,
//! how much memory it takes, how often it calls.
//!
//! It runs as a process of its own, through proxies that number and time whatever it says to a real API
//! server and to the real control plane. Lateness is therefore the outsider's: from the instant in the
//! spec to the answer of the write that carries the news.

mod process;
mod sales;
mod seen;

use crate::{serve, table::Row, table::Table};
use anyhow::{Context as _, ensure};
use axum::routing::{get, put};
use axum::{Json, Router};
use process::Operator;
use seen::Seen;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use urr_kit::ctx::Ctx;
use urr_kit::service::supervise;
use urr_testkit::proxy::Proxy;
use urr_testkit::{Cluster, eventually};

/// The keys that are measured together.
pub(crate) const KEYS: [&str; 4] = [
    "operator_lateness_ms_p99",
    "operator_writes_idle",
    "operator_calls_per_look",
    "operator_rss_mib",
];

/// Sales loaded (issue 5).
const SALES: usize = 500;
/// Of those, how many pass their boundaries while we look. The others are days away, as most are.
const PASSING: usize = 100;
/// From when all are loaded until these are open: their boundaries, and twice that on a busy machine.
const OPENING: Duration = Duration::from_secs(120);
/// Long enough that every open sale, which is looked at every ten seconds, is looked at.
const IDLE: Duration = Duration::from_secs(20);

/// The promise (law `on-time`).
const LATENESS_MAX_MS: f64 = 250.0;
/// `limits.memory` of manifests/base/operator.yaml.
const MEMORY_LIMIT_MIB: f64 = 256.0;
/// A look reads the sale's record at the control plane and its workload.
const THINGS_READ: f64 = 2.0;

/// Adds the operator's rows to `table`.
pub(crate) async fn measure(ctx: &Ctx, table: &mut Table) -> anyhow::Result<()> {
    let cluster = Cluster::start()
        .await
        .context("starting a Kubernetes control plane")?;
    let cluster = Arc::new(cluster);
    let measured = measure_on(&cluster, ctx, table).await;
    if let Some(cluster) = Arc::into_inner(cluster) {
        cluster.stop()?;
    }
    measured
}

async fn measure_on(cluster: &Arc<Cluster>, ctx: &Ctx, table: &mut Table) -> anyhow::Result<()> {
    cluster.install(&urr_api::crds()).await?;
    let scope = cluster.scope("bench").await?;
    let control = control_plane(ctx).await?;
    let seen = Seen::default();
    let to_cluster = Proxy::to_cluster(cluster.config(), seen.cluster()).await?;
    let to_control = Proxy::to_url(&control, seen.control()).await?;
    let operator = Operator::start(ctx, &scope, &to_cluster, &to_control).await?;
    let sales = sales::load(&scope, &seen, SALES, PASSING).await?;
    let opened = eventually(OPENING, "all that pass are open, and quiet", async || {
        if let Err(ended) = operator.alive() {
            return Ok(Err(ended));
        }
        match seen.boundaries(&sales, "Open").len() {
            PASSING => seen.quiet().await.map(Ok),
            open => Err(format!("{open} are open")),
        }
    });
    opened.await?.map_err(anyhow::Error::msg)?;
    table.add(&Row {
        name: "operator_lateness_ms_p99",
        value: seen.lateness_ms_p99(&sales)?,
        unit: "ms",
        baseline_name: "the promise; of 500 sales 100 open, 5 a second",
        baseline: LATENESS_MAX_MS,
    });

    let (before, looks) = (seen.count(), operator.looks().await?);
    tokio::time::sleep(IDLE).await;
    let (after, looks) = (seen.count(), operator.looks().await? - looks);
    ensure!(
        looks >= PASSING as f64,
        "only {looks} looks in {IDLE:?}: what was dead is not idle"
    );
    if after.writes > before.writes {
        tracing::warn!(write = seen.last_write(), "written when nothing changed");
    }
    #[expect(clippy::cast_precision_loss, reason = "counts of one run")]
    let [writes, calls] = [after.writes - before.writes, after.calls - before.calls].map(|n| n as f64);
    table.add(&Row {
        name: "operator_writes_idle",
        value: writes,
        unit: "writes",
        baseline_name: "looks in the same time",
        baseline: looks,
    });
    table.add(&Row {
        name: "operator_calls_per_look",
        value: calls / looks,
        unit: "calls",
        baseline_name: "the sale's record and its workload",
        baseline: THINGS_READ,
    });
    table.add(&Row {
        name: "operator_rss_mib",
        value: operator.peak_rss_mib()?,
        unit: "MiB",
        baseline_name: "the memory limit of the manifests",
        baseline: MEMORY_LIMIT_MIB,
    });
    operator.end().await
}

/// The real control plane, before services that have nothing to do. Returns its address.
async fn control_plane(ctx: &Ctx) -> anyhow::Result<String> {
    let seats =
        || async { Json(json!({"capacity": 100, "free": 100, "held": 0, "sold": 0, "sections": []})) };
    let services = Router::new()
        .route("/internal/sales/{id}", put(|| async { Json(json!({})) }))
        .route("/internal/seats/summary/{id}", get(seats))
        .route("/health", get(|| async {}));
    let services = format!("http://{}", serve(ctx, services).await?);
    let ctx = ctx.with_settings(|settings| {
        settings.urls.booking.clone_from(&services);
        settings.urls.queue.clone_from(&services);
    });
    let control = urr_controlplane::start(&ctx, urr_controlplane::Config::default()).await?;
    tokio::spawn(supervise(control.tasks, ctx.shutdown.clone()));
    Ok(format!("http://{}", serve(&ctx, control.internal).await?))
}
