//! One look at one `TicketSale`: observe, plan, apply, report.

use crate::control_api::{ControlApi, ControlError, SaleState};
use crate::mapping;
use crate::reports::Reports;
use crate::status::{self, Findings};
use crate::targets::{self, FIELD_MANAGER, Step, Target};
use chrono::Utc;
use k8s_openapi::api::apps::v1::Deployment;
use kube::api::{Patch, PatchParams};
use kube::runtime::controller::Action;
use kube::runtime::finalizer::{self, Event, finalizer};
use kube::{Api, Client, ResourceExt as _};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use urr_api::{TicketSale, TicketSaleStatus};
use urr_core::plan::{AppliedLimits, Observed, Plan, REPLICAS_AT_REST, plan};
use urr_core::sale::{Phase, Problem, Sale};
use urr_core::time::Millis;

/// Keeps a sale's object until its room is closed and its capacity given back.
const FINALIZER: &str = "urr.guru/close-room";
/// While something is missing, look again this soon.
const PERIOD_UNREADY: Duration = Duration::from_secs(2);
/// While a sale is near or open: readiness must reach the control plane quickly. Watches report
/// it too; this is for the one that was lost.
const PERIOD_NEAR: Duration = Duration::from_secs(10);
/// Otherwise.
const PERIOD_FAR: Duration = Duration::from_secs(300);
/// A requeue never comes at once: what is due is due after a breath.
const REQUEUE_MIN: Duration = Duration::from_millis(50);

/// What a look needs.
pub struct Context {
    client: Client,
    control: ControlApi,
    reports: Reports,
}

impl Context {
    /// Looks through `client` at the cluster, and steers through `control`.
    #[must_use]
    pub fn new(client: Client, control: ControlApi) -> Self {
        Self {
            client,
            control,
            reports: Reports::default(),
        }
    }
}

/// Why a look failed; the next one tries again.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The API server.
    #[error("the cluster's API did not do it")]
    Kube(#[from] kube::Error),
    /// The control API, while closing a sale: the object stays until it answers.
    #[error("the sale could not be closed")]
    Close(#[source] ControlError),
    /// The finalizer could not be set or removed.
    #[error("the finalizer could not be changed")]
    Finalizer(#[source] Box<finalizer::Error<Self>>),
}

/// Looks at `sale` once.
///
/// # Errors
/// [`Error`].
pub async fn reconcile(sale: Arc<TicketSale>, context: Arc<Context>) -> Result<Action, Error> {
    let namespace = sale.namespace().unwrap_or_default();
    let sales = Api::namespaced(context.client.clone(), &namespace);
    let look = |event| async {
        match event {
            Event::Apply(sale) => context.keep(&sale).await,
            Event::Cleanup(sale) => context.close(&sale).await,
        }
    };
    finalizer(&sales, FINALIZER, sale, look)
        .await
        .map_err(|error| Error::Finalizer(Box::new(error)))
}

/// After an error: soon, whatever it was; a sale does not wait for a back-off to grow.
#[must_use]
pub fn on_error(sale: &TicketSale, error: &Error) -> Action {
    tracing::warn!(
        sale = sale.name_any(),
        error = chain(error),
        "looking at the sale failed"
    );
    Action::requeue(PERIOD_UNREADY)
}

/// What a look saw of the cluster.
struct Seen {
    targets: Vec<Target>,
    missing: Vec<String>,
    ready_replicas: u32,
}

impl Context {
    async fn keep(&self, object: &TicketSale) -> Result<Action, Error> {
        let sale = match mapping::sale(&object.name_any(), &object.spec) {
            Ok(sale) => sale,
            Err(problems) => return self.refuse(object, &problems).await,
        };
        let seen = self.observe(object, &sale).await?;
        // The control plane learns of readiness first: the rate follows capacity, both ways.
        let control = self.tell(&sale, &seen).await;
        let now = now();
        let plan = plan(&sale, &observed(&seen, control.as_ref().ok()), now);
        let conflicts = self.scale(object, &seen, &plan, control.is_ok()).await?;
        let found = Findings {
            generation: object.metadata.generation,
            plan: &plan,
            ready_replicas: seen.ready_replicas,
            missing_targets: &seen.missing,
            conflicting_targets: &conflicts,
            not_done: &mapping::not_done(&object.spec),
            control: control.as_ref(),
        };
        let shown = self.reports.newest(object);
        let status = status::compute(shown.as_ref(), &found, now);
        let in_order = seen.ready_replicas >= plan.replicas && control.is_ok();
        self.report(object, status).await?;
        Ok(Action::requeue(wake_after(&plan, in_order, now)))
    }

    async fn observe(&self, object: &TicketSale, sale: &Sale) -> Result<Seen, Error> {
        let (targets, missing) = targets::observe(&self.deployments(object), &object.spec.targets).await?;
        let fewest = targets.iter().map(|target| target.ready).min();
        let ready_replicas = match (fewest, missing.is_empty()) {
            (_, false) => 0,
            (Some(ready), true) => ready,
            // Nothing to scale: capacity is somebody else's and counts as there.
            (None, true) => sale.capacity.replicas,
        };
        Ok(Seen {
            targets,
            missing,
            ready_replicas,
        })
    }

    async fn tell(&self, sale: &Sale, seen: &Seen) -> Result<SaleState, ControlError> {
        let state = self.control.put(sale).await?;
        if state.ready_replicas == Some(seen.ready_replicas) {
            return Ok(state);
        }
        self.control.report_capacity(sale.id, seen.ready_replicas).await
    }

    /// Returns the workloads that another sale holds.
    async fn scale(
        &self,
        object: &TicketSale,
        seen: &Seen,
        plan: &Plan,
        control_answers: bool,
    ) -> Result<Vec<String>, Error> {
        let (deployments, name) = (self.deployments(object), object.name_any());
        let wanted = (plan.replicas > REPLICAS_AT_REST).then_some(plan.replicas);
        let mut conflicts = Vec::new();
        for target in &seen.targets {
            // Without the control plane's word the rate in force is unknown: nothing shrinks.
            match targets::step(target, &name, wanted, control_answers) {
                Step::Conflict => conflicts.push(target.name.clone()),
                step => targets::apply(&deployments, target, &name, step).await?,
            }
        }
        Ok(conflicts)
    }

    async fn close(&self, object: &TicketSale) -> Result<Action, Error> {
        // An id that is none was never put anywhere.
        if let Ok(id) = object.spec.event_id.parse() {
            let closed = self
                .control
                .delete(id, "the TicketSale was deleted")
                .await
                .map_err(Error::Close)?;
            if !closed {
                return Err(Error::Close(ControlError::Failed {
                    status: reqwest::StatusCode::ACCEPTED,
                    message: "the room is being closed".to_owned(),
                }));
            }
        }
        self.reports.forget(object);
        // The rate is down; now capacity may go.
        let deployments = self.deployments(object);
        let name = object.name_any();
        for target in targets::observe(&deployments, &object.spec.targets).await?.0 {
            let step = targets::step(&target, &name, None, true);
            targets::apply(&deployments, &target, &name, step).await?;
        }
        Ok(Action::await_change())
    }

    async fn refuse(&self, object: &TicketSale, problems: &[Problem]) -> Result<Action, Error> {
        let generation = object.metadata.generation;
        let shown = self.reports.newest(object);
        let status = status::refused(shown.as_ref(), generation, problems, now());
        self.report(object, status).await?;
        Ok(Action::await_change())
    }

    async fn report(&self, object: &TicketSale, status: TicketSaleStatus) -> Result<(), Error> {
        if self.reports.newest(object).as_ref() == Some(&status) {
            return Ok(());
        }
        let namespace = object.namespace().unwrap_or_default();
        let sales: Api<TicketSale> = Api::namespaced(self.client.clone(), &namespace);
        let patch = json!({"apiVersion": "urr.guru/v1alpha1", "kind": "TicketSale", "status": status});
        let params = PatchParams::apply(FIELD_MANAGER).force();
        let written = sales
            .patch_status(&object.name_any(), &params, &Patch::Apply(patch))
            .await?;
        self.reports.remember(written);
        Ok(())
    }

    fn deployments(&self, object: &TicketSale) -> Api<Deployment> {
        Api::namespaced(self.client.clone(), &object.namespace().unwrap_or_default())
    }
}

/// What core plans on: the cluster as seen, and the control plane's word for what is in force.
fn observed(seen: &Seen, control: Option<&SaleState>) -> Observed {
    let in_force = control.and_then(|state| state.plan.as_ref());
    Observed {
        ready_replicas: seen.ready_replicas,
        sold_out: in_force.is_some_and(|plan| plan.phase == Phase::SoldOut),
        hand: control.map(|state| state.hand).unwrap_or_default(),
        room: None,
        limits: in_force.map(|plan| AppliedLimits {
            rate_per_s: plan.limits.rate_per_s,
            cap: plan.limits.cap,
            paused: plan.limits.paused,
        }),
        // The door's pace is the control plane's business.
        turnout: None,
    }
}

fn wake_after(plan: &Plan, in_order: bool, now: Millis) -> Duration {
    let period = match (in_order, plan.phase) {
        (false, _) => PERIOD_UNREADY,
        (true, Phase::Scheduled | Phase::Closed) => PERIOD_FAR,
        (true, _) => PERIOD_NEAR,
    };
    let until_due = plan.next_transition_at.map_or(Duration::MAX, |at| {
        Duration::from_millis(u64::try_from(at.since(now)).unwrap_or(0))
    });
    period.min(until_due).max(REQUEUE_MIN)
}

fn now() -> Millis {
    Millis(Utc::now().timestamp_millis())
}

/// The error and its causes in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !line.ends_with(&text) {
            line.push_str(": ");
            line.push_str(&text);
        }
        cause = error.source();
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::tests::spec;

    #[test]
    fn the_operator_wakes_for_the_next_instant_and_sooner_when_something_is_missing() {
        let sale = mapping::sale("x", &spec()).unwrap();
        let at = |now: Millis, in_order| {
            let observed = Observed {
                ready_replicas: 4,
                ..Observed::default()
            };
            wake_after(&plan(&sale, &observed, now), in_order, now)
        };
        let opens_at = sale.schedule.opens_at;
        assert_eq!(at(opens_at.plus_s(-86_400), true), PERIOD_FAR);
        assert_eq!(at(opens_at.plus_s(-86_400), false), PERIOD_UNREADY);
        assert_eq!(at(opens_at.plus_ms(-300), true), Duration::from_millis(300));
        assert_eq!(at(opens_at, true), PERIOD_NEAR);
    }
}
