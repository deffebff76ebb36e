//! Reads workloads and writes their counts: the one place that does.

use super::{
    ASKED_ANNOTATION, BEFORE_ANNOTATION, Claim, FIELD_MANAGER, Moves, SALE_ANNOTATION, Step, Target,
};
use crate::lease::{Claim as Leadership, NotLeading};
use crate::sabotage::{Guard, is_off};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, Client, ResourceExt as _};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use urr_api::spec::TargetSpec;
use urr_core::time::Millis;

/// The objects of one namespace that are moved.
#[derive(Clone)]
pub struct Workloads {
    deployments: Api<Deployment>,
    autoscalers: Api<HorizontalPodAutoscaler>,
}

impl Workloads {
    /// Those of `namespace`.
    #[must_use]
    pub fn of(client: &Client, namespace: &str) -> Self {
        Self {
            deployments: Api::namespaced(client.clone(), namespace),
            autoscalers: Api::namespaced(client.clone(), namespace),
        }
    }

    /// Reads the workloads of `specs`; what is missing comes second, in words. `autoscalers` are all that are
    /// known: one that a sale does not name and that comes later wakes it.
    ///
    /// # Errors
    /// When the API server does not answer.
    pub async fn observe(
        &self,
        specs: &[TargetSpec],
        autoscalers: &[Arc<HorizontalPodAutoscaler>],
    ) -> Result<(Vec<Target>, Vec<String>), kube::Error> {
        let (mut found, mut missing) = (Vec::new(), Vec::new());
        for TargetSpec { name, autoscaler, .. } in specs {
            let Some(deployment) = self.deployments.get_opt(name).await? else {
                missing.push(format!("Deployment {name}"));
                continue;
            };
            let Some(autoscaler) = autoscaler else {
                let is_rival = |hpa: &HorizontalPodAutoscaler| {
                    hpa.metadata.namespace == deployment.metadata.namespace && scales(hpa, name)
                };
                let rival = autoscalers.iter().find(|hpa| is_rival(hpa));
                found.push(Target {
                    rival: rival.map(|hpa| hpa.name_any()),
                    ..scaled_by_hand(&deployment)
                });
                continue;
            };
            match self.autoscalers.get_opt(&autoscaler.name).await? {
                Some(hpa) if scales(&hpa, name) => found.push(scaled_by(&hpa, &deployment)),
                _ => missing.push(format!(
                    "HorizontalPodAutoscaler {} that scales {name}",
                    autoscaler.name
                )),
            }
        }
        Ok((found, missing))
    }

    /// All autoscalers, for who does not watch them.
    ///
    /// # Errors
    /// When the API server does not answer.
    pub async fn autoscalers(&self) -> Result<Vec<Arc<HorizontalPodAutoscaler>>, kube::Error> {
        let all = self.autoscalers.list(&ListParams::default()).await?;
        Ok(all.items.into_iter().map(Arc::new).collect())
    }

    /// Carries `step` of `sale` out by server-side apply, owning only the count and our annotations.
    ///
    /// # Errors
    /// When the API server refuses or does not answer, or this replica does not lead.
    pub async fn apply(
        &self,
        target: &Target,
        sale: &str,
        step: Step,
        leadership: &Leadership,
    ) -> Result<(), ApplyError> {
        let Some(patch) = patch(target, sale, step) else {
            return Ok(());
        };
        leadership.check()?;
        tracing::info!(workload = target.name, sale, ?step, "scaling");
        metrics::counter!("operator_writes_total", "to" => "workload").increment(1);
        for patch in writes(patch) {
            self.write(target, patch).await?;
        }
        Ok(())
    }

    async fn write(&self, target: &Target, patch: Value) -> Result<(), kube::Error> {
        // Forced: the count was somebody's before, and it is ours inside the window.
        let params = PatchParams::apply(FIELD_MANAGER).force();
        let patch = Patch::Apply(patch);
        match &target.moves {
            Moves::Replicas => drop(self.deployments.patch(&target.name, &params, &patch).await?),
            Moves::Floor { autoscaler, .. } => {
                drop(self.autoscalers.patch(autoscaler, &params, &patch).await?);
            }
        }
        Ok(())
    }
}

/// One write: a count is never there without the memory of what was before. (Without the guard, two.)
fn writes(patch: Value) -> Vec<Value> {
    if !is_off(Guard::OneWrite) {
        return vec![patch];
    }
    let mut bare = patch.clone();
    bare["metadata"]["annotations"] = json!({});
    vec![bare, patch]
}

/// Why a step was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The API server.
    #[error("the cluster's API did not do it")]
    Kube(#[from] kube::Error),
    /// Nothing was written.
    #[error(transparent)]
    NotLeading(#[from] NotLeading),
}

fn scales(hpa: &HorizontalPodAutoscaler, deployment: &str) -> bool {
    hpa.spec.as_ref().is_some_and(|spec| {
        let target = &spec.scale_target_ref;
        target.kind == "Deployment" && target.name == deployment
    })
}

fn count(value: Option<i32>) -> Option<u32> {
    value.and_then(|value| u32::try_from(value).ok())
}

fn claim(annotations: &BTreeMap<String, String>) -> Option<Claim> {
    Some(Claim {
        sale: annotations.get(SALE_ANNOTATION)?.clone(),
        before: annotations.get(BEFORE_ANNOTATION)?.parse().ok()?,
        asked_at: annotations
            .get(ASKED_ANNOTATION)
            .and_then(|text| text.parse().ok())
            .map(Millis),
    })
}

fn ready(deployment: &Deployment) -> u32 {
    count(
        deployment
            .status
            .as_ref()
            .and_then(|status| status.ready_replicas),
    )
    .unwrap_or(0)
}

fn scaled_by_hand(deployment: &Deployment) -> Target {
    Target {
        name: deployment.name_any(),
        moves: Moves::Replicas,
        // Kubernetes' own default.
        count: count(deployment.spec.as_ref().and_then(|spec| spec.replicas)).unwrap_or(1),
        ready: ready(deployment),
        claim: claim(deployment.annotations()),
        rival: None,
    }
}

fn scaled_by(hpa: &HorizontalPodAutoscaler, deployment: &Deployment) -> Target {
    let spec = hpa.spec.as_ref();
    Target {
        name: deployment.name_any(),
        moves: Moves::Floor {
            autoscaler: hpa.name_any(),
            max: count(spec.map(|spec| spec.max_replicas)).unwrap_or(1),
        },
        // Kubernetes' own default.
        count: count(spec.and_then(|spec| spec.min_replicas)).unwrap_or(1),
        ready: ready(deployment),
        claim: claim(hpa.annotations()),
        rival: None,
    }
}

pub(super) fn patch(target: &Target, sale: &str, step: Step) -> Option<Value> {
    let (to, annotations) = match step {
        Step::Keep | Step::Wait | Step::Conflict => return None,
        Step::Scale { to, before, asked_at } => {
            let mut all = json!({BEFORE_ANNOTATION: before.to_string(), SALE_ANNOTATION: sale});
            if let Some(at) = asked_at {
                all[ASKED_ANNOTATION] = json!(at.0.to_string());
            }
            (to, all)
        }
        // The count stays applied: to give the field up would reset it to 1.
        Step::Restore { to } => (to, json!({})),
        Step::Leave => (target.count, json!({})),
    };
    Some(match &target.moves {
        Moves::Replicas => json!({
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": target.name, "annotations": annotations},
            "spec": {"replicas": to}
        }),
        Moves::Floor { autoscaler, .. } => json!({
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": autoscaler, "annotations": annotations},
            "spec": {"minReplicas": to}
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workload_is_read_with_its_claim() {
        let deployment: Deployment = serde_json::from_value(json!({
            "metadata": {
                "name": "booking",
                "annotations": {BEFORE_ANNOTATION: "2", SALE_ANNOTATION: "club-night", ASKED_ANNOTATION: "5000"}
            },
            "spec": {"replicas": 6, "selector": {}, "template": {}},
            "status": {"readyReplicas": 5}
        }))
        .unwrap();
        assert_eq!(
            scaled_by_hand(&deployment),
            Target {
                name: "booking".into(),
                moves: Moves::Replicas,
                count: 6,
                ready: 5,
                claim: Some(Claim {
                    sale: "club-night".into(),
                    before: 2,
                    asked_at: Some(Millis(5000)),
                }),
                rival: None,
            }
        );
    }
}
