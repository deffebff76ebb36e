//! The workloads of a sale: how many replicas are ready, and how many there should be.
//!
//! Outside a sale's window its workloads are not touched. On the first touch the count that was
//! there is written down as an annotation on the workload itself, so giving it back needs no
//! memory: it works after a restart of the operator. The same place names the sale it is scaled
//! for: another sale in its own window leaves it alone and reports a conflict instead of two sales
//! pulling at one count. With an HPA on the same workload there would be two hands again; that
//! comes with issue 5.

use k8s_openapi::api::apps::v1::Deployment;
use kube::api::{Patch, PatchParams};
use kube::{Api, ResourceExt as _};
use serde_json::{Value, json};
use urr_api::spec::TargetSpec;

/// Our name as a field manager.
pub const FIELD_MANAGER: &str = "urr-operator";
/// How many replicas there were before the first sale touched the workload.
pub const BEFORE_ANNOTATION: &str = "urr.guru/replicas-before";

/// Which sale touched it.
pub const SALE_ANNOTATION: &str = "urr.guru/scaled-for";

/// A sale's hold on a workload, written on the workload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Name of the TicketSale.
    pub sale: String,
    /// Replicas before it.
    pub before: u32,
}

/// A workload as observed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Its name.
    pub name: String,
    /// `spec.replicas`.
    pub replicas: u32,
    /// `status.readyReplicas` of the present generation.
    pub ready: u32,
    /// Who touched it, if anybody did.
    pub claim: Option<Claim>,
}

/// What to do with a workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It is as it should be.
    Keep,
    /// Another sale scaled it: not ours to touch now.
    Conflict,
    /// Have `to` replicas, and remember that there were `before`.
    Scale {
        /// Replicas to have.
        to: u32,
        /// What to give back later.
        before: u32,
    },
    /// Give back what there was, and forget.
    Restore {
        /// Replicas to have.
        to: u32,
    },
}

/// What makes `target` meet the wish of `sale`: `Some(replicas)` inside its window, `None` outside.
/// With `may_shrink` false nothing is taken away: what the rate needs is not known then.
#[must_use]
pub fn step(target: &Target, sale: &str, wanted: Option<u32>, may_shrink: bool) -> Step {
    match (wanted, &target.claim) {
        (None, Some(claim)) if claim.sale == sale => {
            let shrinks = claim.before < target.replicas;
            if shrinks && !may_shrink {
                Step::Keep
            } else {
                Step::Restore { to: claim.before }
            }
        }
        (None, _) => Step::Keep,
        (Some(_), Some(claim)) if claim.sale != sale => Step::Conflict,
        (Some(wanted), claim) => {
            let before = claim.as_ref().map_or(target.replicas, |claim| claim.before);
            // Never below what the workload had without us.
            let to = wanted.max(before);
            let shrinks = to < target.replicas;
            if (to == target.replicas && claim.is_some()) || (shrinks && !may_shrink) {
                Step::Keep
            } else {
                Step::Scale { to, before }
            }
        }
    }
}

/// Reads the workloads of `specs`; the missing ones come second.
///
/// # Errors
/// When the API server does not answer.
pub async fn observe(
    api: &Api<Deployment>,
    specs: &[TargetSpec],
) -> Result<(Vec<Target>, Vec<String>), kube::Error> {
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    for TargetSpec { name, .. } in specs {
        match api.get_opt(name).await? {
            Some(deployment) => found.push(target(&deployment)),
            None => missing.push(name.clone()),
        }
    }
    Ok((found, missing))
}

fn target(deployment: &Deployment) -> Target {
    let count = |value: Option<i32>| value.and_then(|value| u32::try_from(value).ok());
    let status = deployment.status.as_ref();
    let annotations = deployment.annotations();
    let before = annotations
        .get(BEFORE_ANNOTATION)
        .and_then(|text| text.parse().ok());
    let sale = annotations.get(SALE_ANNOTATION).cloned();
    Target {
        name: deployment.name_any(),
        // Kubernetes' own default.
        replicas: count(deployment.spec.as_ref().and_then(|spec| spec.replicas)).unwrap_or(1),
        ready: count(status.and_then(|status| status.ready_replicas)).unwrap_or(0),
        claim: sale.zip(before).map(|(sale, before)| Claim { sale, before }),
    }
}

/// Carries `step` of `sale` out by server-side apply, owning only `replicas` and our annotations.
///
/// # Errors
/// When the API server refuses or does not answer.
pub async fn apply(
    api: &Api<Deployment>,
    target: &Target,
    sale: &str,
    step: Step,
) -> Result<(), kube::Error> {
    let Some(patch) = patch(&target.name, sale, step) else {
        return Ok(());
    };
    tracing::info!(workload = target.name, sale, ?step, "scaling");
    // Forced: the count was somebody's before, and it is ours inside the window.
    let params = PatchParams::apply(FIELD_MANAGER).force();
    api.patch(&target.name, &params, &Patch::Apply(patch))
        .await
        .map(drop)
}

fn patch(name: &str, sale: &str, step: Step) -> Option<Value> {
    let (replicas, annotations) = match step {
        Step::Keep | Step::Conflict => return None,
        Step::Scale { to, before } => (
            to,
            json!({BEFORE_ANNOTATION: before.to_string(), SALE_ANNOTATION: sale}),
        ),
        // The count stays applied: to give the field up would reset it to 1.
        Step::Restore { to } => (to, json!({})),
    };
    Some(json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "annotations": annotations},
        "spec": {"replicas": replicas}
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SALE: &str = "club-night";

    fn target(replicas: u32, before: Option<u32>) -> Target {
        let claim = before.map(|before| Claim {
            sale: SALE.into(),
            before,
        });
        Target {
            name: "booking".into(),
            replicas,
            ready: replicas,
            claim,
        }
    }

    fn after(target: &Target, step: Step) -> Target {
        let claimed = |before| {
            Some(Claim {
                sale: SALE.into(),
                before,
            })
        };
        match step {
            Step::Keep | Step::Conflict => target.clone(),
            Step::Scale { to, before } => Target {
                replicas: to,
                claim: claimed(before),
                ..target.clone()
            },
            Step::Restore { to } => Target {
                replicas: to,
                claim: None,
                ..target.clone()
            },
        }
    }

    #[test]
    fn outside_a_window_nothing_is_touched() {
        assert_eq!(step(&target(3, None), SALE, None, true), Step::Keep);
    }

    #[test]
    fn what_was_there_is_remembered_in_the_same_write_and_given_back() {
        let scale = step(&target(2, None), SALE, Some(6), true);
        assert_eq!(scale, Step::Scale { to: 6, before: 2 });
        let patch = patch("booking", SALE, scale).unwrap();
        assert_eq!(patch["metadata"]["annotations"][BEFORE_ANNOTATION], "2");
        assert_eq!(patch["metadata"]["annotations"][SALE_ANNOTATION], SALE);
        assert_eq!(patch["spec"]["replicas"], 6);
        assert_eq!(step(&target(6, Some(2)), SALE, Some(6), true), Step::Keep);
        assert_eq!(
            step(&target(6, Some(2)), SALE, None, true),
            Step::Restore { to: 2 }
        );
    }

    #[test]
    fn another_sales_workload_is_left_alone() {
        let theirs = target(6, Some(2));
        assert_eq!(step(&theirs, "other", Some(9), true), Step::Conflict);
        assert_eq!(
            step(&theirs, "other", None, true),
            Step::Keep,
            "and not given back for them"
        );
    }

    #[test]
    fn nothing_is_taken_away_on_missing_data() {
        assert_eq!(step(&target(6, Some(2)), SALE, None, false), Step::Keep);
        assert_eq!(step(&target(6, Some(2)), SALE, Some(3), false), Step::Keep);
        let up = Step::Scale { to: 8, before: 2 };
        assert_eq!(step(&target(6, Some(2)), SALE, Some(8), false), up);
    }

    #[test]
    fn a_workload_is_read_with_its_claim() {
        let deployment: Deployment = serde_json::from_value(json!({
            "metadata": {
                "name": "booking",
                "annotations": {BEFORE_ANNOTATION: "2", SALE_ANNOTATION: SALE}
            },
            "spec": {"replicas": 6, "selector": {}, "template": {}},
            "status": {"readyReplicas": 5}
        }))
        .unwrap();
        assert_eq!(
            super::target(&deployment),
            Target {
                ready: 5,
                ..target(6, Some(2))
            }
        );
    }

    proptest! {
        #[test]
        fn a_second_look_finds_nothing_to_do(
            replicas in 0u32..50, before in proptest::option::of(0u32..50),
            wanted in proptest::option::of(0u32..50), may_shrink: bool,
        ) {
            let target = target(replicas, before);
            let settled = after(&target, step(&target, SALE, wanted, may_shrink));
            prop_assert_eq!(step(&settled, SALE, wanted, may_shrink), Step::Keep);
        }

        #[test]
        fn any_number_of_windows_ends_with_what_was_there(
            replicas in 0u32..50, wishes in proptest::collection::vec(0u32..50, 1..6),
        ) {
            let mut now = target(replicas, None);
            for wish in wishes {
                now = after(&now, step(&now, SALE, Some(wish), true));
                prop_assert!(now.replicas >= replicas.max(wish));
            }
            prop_assert_eq!(after(&now, step(&now, SALE, None, true)), target(replicas, None));
        }
    }
}
