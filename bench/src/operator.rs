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

/// What happens while 500 sales are loaded, and the keys that are measured by it.
pub(crate) struct Day {
    pub(crate) keys: &'static [&'static str],
    /// How many pass their boundaries while we look. The others are days away, as most are.
    passing: usize,
    /// How many of them share their instants: people like round hours. From one such instant to the next is
    /// a second, and as the three boundaries of a sale are closer together than the first sale and the
    /// last, twice as many boundaries come in one.
    together: usize,
    told: &'static str,
}

impl Day {
    /// A busy one: the promise is held to it.
    pub(crate) const fn busy() -> Self {
        Self {
            keys: &[
                "operator_lateness_ms_p99",
                "operator_writes_idle",
                "operator_calls_per_look",
                "operator_rss_mib",
            ],
            passing: 100,
            together: 5,
            told: "the promise; of 500 sales 100 open, 5 a second",
        }
    }

    /// All open within half a minute: also a test of how many Pods two cores can bring up beside an API
    /// server.
    pub(crate) const fn rush() -> Self {
        Self {
            keys: &["operator_rush_lateness_ms_p99"],
            passing: SALES,
            together: 20,
            told: "the promise; all 500 sales open, 20 a second",
        }
    }
}

/// Sales loaded (issue 5).
const SALES: usize = 500;
/// From the last opening until all are open and nothing is written any more.
const OPENING: Duration = Duration::from_secs(120);
/// How often that is asked.
const LOOK_PERIOD: Duration = Duration::from_secs(2);
/// Long enough that every open sale, which is looked at every ten seconds, is looked at.
const IDLE: Duration = Duration::from_secs(20);

/// The promise (law `on-time`).
const LATENESS_MAX_MS: f64 = 250.0;
/// `limits.memory` of manifests/base/operator.yaml.
const MEMORY_LIMIT_MIB: f64 = 256.0;
/// A look reads the sale's record at the control plane and its workload.
const THINGS_READ: f64 = 2.0;

/// Adds the operator's rows to `table`.
pub(crate) async fn measure(ctx: &Ctx, day: &Day, table: &mut Table) -> anyhow::Result<()> {
    let cluster = Cluster::start()
        .await
        .context("starting a Kubernetes control plane")?;
    let cluster = Arc::new(cluster);
    let measured = measure_on(&cluster, ctx, day, table).await;
    if let Some(cluster) = Arc::into_inner(cluster) {
        cluster.stop()?;
    }
    measured
}

async fn measure_on(cluster: &Arc<Cluster>, ctx: &Ctx, day: &Day, table: &mut Table) -> anyhow::Result<()> {
    cluster.install(&urr_api::crds()).await?;
    let scope = cluster.scope("bench").await?;
    let control = control_plane(ctx).await?;
    let seen = Seen::default();
    let to_cluster = Proxy::to_cluster(cluster.config(), seen.cluster()).await?;
    let to_control = Proxy::to_url(&control, seen.control()).await?;
    let operator = Operator::start(ctx, &scope, &to_cluster, &to_control).await?;
    let sales = sales::load(&scope, &seen, SALES, day).await?;
    sales::opened(&sales).await;
    let opened = eventually(OPENING, "all that pass are open, and quiet", async || {
        // To look through thousands of writes takes a core a while: not the one that is measured.
        tokio::time::sleep(LOOK_PERIOD).await;
        if let Err(ended) = operator.alive() {
            return Ok(Err(ended));
        }
        match seen.boundaries(&sales, "Open").len() {
            open if open == day.passing => seen.quiet().await.map(Ok),
            open => Err(format!("{open} are open")),
        }
    });
    opened.await?.map_err(anyhow::Error::msg)?;
    let (lateness, others) = day.keys.split_first().context("a day without keys")?;
    table.add(&Row {
        name: lateness,
        value: seen.lateness_ms_p99(&sales)?,
        unit: "ms",
        baseline_name: day.told,
        baseline: LATENESS_MAX_MS,
    });
    seen.tell_kinds(operator.looks().await?);
    if !others.is_empty() {
        at_rest(&operator, &seen, day, table).await?;
    }
    operator.end().await
}

/// What it does when nothing changes, and what it has taken by then.
async fn at_rest(operator: &Operator, seen: &Seen, day: &Day, table: &mut Table) -> anyhow::Result<()> {
    let (before, looks) = (seen.count(), operator.looks().await?);
    tokio::time::sleep(IDLE).await;
    let (after, looks) = (seen.count(), operator.looks().await? - looks);
    ensure!(
        looks >= day.passing as f64,
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
    Ok(())
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
