//! The sales that are loaded: each with a workload of its own, in groups that share their instants.

use super::seen::Seen;
use super::{Day, LOOK_PERIOD};
use anyhow::ensure;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::jiff::Timestamp;
use kube::Api;
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use std::time::Duration;
use urr_api::TicketSale;
use urr_core::time::Millis;
use urr_testkit::pods::Behaviour;
use urr_testkit::{Scope, eventually};
use uuid::Uuid;

/// From one group of sales to the next.
const APART_MS: i64 = 1000;
/// From PreScaling to PreQueue, and from there to the opening.
const STEP_S: i64 = 15;
/// How many objects are made at once.
const AT_ONCE: usize = 16;
/// While sales are made their boundaries are this far away: nothing is due before all are known.
const FAR_S: i64 = 6 * 3600;
/// What the slowest machine takes to make them known.
const LOADED: Duration = Duration::from_secs(240);
/// Their boundaries then come after as long as making them took, and this: moving them is less work.
const MARGIN_S: i64 = 8;

/// A sale's name and where its boundaries are.
pub(super) struct Planned {
    pub(super) name: String,
    warm_at: Millis,
}

impl Planned {
    /// The instant at which `phase` begins, if it is one of the schedule.
    pub(super) fn begins(&self, phase: &str) -> Option<Millis> {
        let steps = ["PreScaling", "PreQueue", "Open"]
            .iter()
            .position(|name| *name == phase)?;
        Some(self.warm_at.plus_s(STEP_S * i64::try_from(steps).ok()?))
    }

    fn schedule(&self) -> Value {
        let at = |seconds: i64| {
            let instant = Timestamp::from_millisecond(self.warm_at.plus_s(seconds).0);
            instant.map_or_else(|_| String::new(), |at| at.to_string())
        };
        json!({
            "preQueueAt": at(STEP_S), "opensAt": at(2 * STEP_S), "closesAt": at(2 * STEP_S + 3600)
        })
    }

    fn document(&self) -> Value {
        json!({
            "apiVersion": "urr.guru/v1alpha1",
            "kind": "TicketSale",
            "metadata": {"name": self.name},
            "spec": {
                "eventId": Uuid::new_v4(),
                "seats": 100,
                "schedule": self.schedule(),
                "crowd": {"expectedVisitors": 5000},
                "capacity": {"replicas": 1, "ratePerReplica": 10, "leadSeconds": STEP_S},
                "targets": [{"name": self.name}],
            }
        })
    }
}

fn plan(count: usize, together: usize, first: Millis) -> Vec<Planned> {
    let instants = (0i64..).map(|group| first.plus_ms(group * APART_MS));
    instants
        .flat_map(|at| std::iter::repeat_n(at, together))
        .take(count)
        .enumerate()
        .map(|(number, warm_at)| Planned {
            name: format!("hall-{number:03}"),
            warm_at,
        })
        .collect()
}

fn now() -> Millis {
    Millis(Timestamp::now().as_millisecond())
}

/// Makes `count` sales, and for each a workload that has nothing to do yet; when `seen` knows all of
/// them, moves the boundaries of those that pass on `day` near, and returns those at the first boundary.
pub(super) async fn load(
    scope: &Scope,
    seen: &Seen,
    count: usize,
    day: &Day,
) -> anyhow::Result<Vec<Planned>> {
    let began = now();
    let far = plan(count, day.together, began.plus_s(FAR_S));
    stream::iter(&far)
        .map(|planned| make(scope, planned))
        .buffer_unordered(AT_ONCE)
        .try_collect::<()>()
        .await?;
    eventually(LOADED, "all sales are known", async || {
        tokio::time::sleep(LOOK_PERIOD).await;
        match seen.boundaries(&far, "Scheduled").len() {
            known if known == count => Ok(()),
            known => Err(format!("{known} are")),
        }
    })
    .await?;
    let took_s = now().since(began) / 1000;
    settled(scope).await?;
    tracing::info!(took_s, settled_s = now().since(began) / 1000, "loaded");
    let near = plan(day.passing, day.together, now().plus_s(took_s + MARGIN_S));
    let moving = seen.count().writes;
    stream::iter(&near)
        .map(|planned| put_near(scope, planned))
        .buffer_unordered(AT_ONCE)
        .try_collect::<()>()
        .await?;
    let first = near.first().map_or_else(now, |planned| planned.warm_at);
    let left = u64::try_from(first.since(now())).unwrap_or(0);
    tokio::time::sleep(Duration::from_millis(left)).await;
    // Each was told to the control plane and reported.
    let told = seen.count().writes - moving;
    ensure!(
        told >= 2 * day.passing as u64,
        "at the first boundary not all of {} sales had been moved to it ({told} writes)",
        day.passing
    );
    Ok(near)
}

/// Waits until the controllers have done what new workloads ask of them: the rest of it would be in the way of
/// the first boundaries.
async fn settled(scope: &Scope) -> anyhow::Result<()> {
    let deployments: Api<Deployment> = scope.api();
    eventually(
        LOADED,
        "all workloads are known to their controller",
        async || {
            tokio::time::sleep(LOOK_PERIOD).await;
            let all = deployments.list(&ListParams::default()).await;
            let all = all.map_err(|error| error.to_string())?;
            let is_behind = |deployment: &&Deployment| {
                let seen = deployment
                    .status
                    .as_ref()
                    .and_then(|status| status.observed_generation);
                seen != deployment.metadata.generation
            };
            match all.iter().filter(is_behind).count() {
                0 => Ok(()),
                behind => Err(format!("{behind} are not")),
            }
        },
    )
    .await?;
    Ok(())
}

/// Waits for the last opening.
pub(super) async fn opened(sales: &[Planned]) {
    let last = sales.last().and_then(|planned| planned.begins("Open"));
    let left = last.map_or(0, |at| at.since(now()));
    tokio::time::sleep(Duration::from_millis(u64::try_from(left).unwrap_or(0))).await;
}

async fn make(scope: &Scope, planned: &Planned) -> anyhow::Result<()> {
    scope.deployment(&planned.name, 0, &Behaviour::default()).await?;
    let sale: TicketSale = serde_json::from_value(planned.document())?;
    let sales: Api<TicketSale> = scope.api();
    sales.create(&PostParams::default(), &sale).await?;
    Ok(())
}

async fn put_near(scope: &Scope, planned: &Planned) -> anyhow::Result<()> {
    let sales: Api<TicketSale> = scope.api();
    let patch = Patch::Merge(json!({"spec": {"schedule": planned.schedule()}}));
    sales
        .patch(&planned.name, &PatchParams::default(), &patch)
        .await?;
    Ok(())
}
