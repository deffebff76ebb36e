//! The workloads of a sale: how many replicas are ready, and how many there should be.
//!
//! Outside a sale's window its workloads are not touched. On the first touch the count that was
//! there is written down as an annotation on the object itself, in the same write, so giving it back
//! needs no memory: it works after a restart of the operator. The same place names the sale it is scaled
//! for: another sale in its own window leaves it alone and reports a conflict instead of two sales
//! pulling at one count. Where a HorizontalPodAutoscaler scales a workload, the sale moves its
//! `minReplicas` and never the Deployment's `replicas`: there would be two hands at one count again.

use crate::lease::{Claim as Leadership, NotLeading};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, ResourceExt as _};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use urr_api::spec::TargetSpec;
use urr_core::time::Millis;

/// Our name as a field manager.
pub const FIELD_MANAGER: &str = "urr-operator";
/// How many replicas there were before the first sale touched the workload.
pub const BEFORE_ANNOTATION: &str = "urr.guru/replicas-before";
/// Which sale touched it.
pub const SALE_ANNOTATION: &str = "urr.guru/scaled-for";
/// When more was asked for last, in milliseconds since 1970: times to ready are learned from it.
pub const ASKED_ANNOTATION: &str = "urr.guru/asked-at-ms";

/// A sale's hold on a workload, written on the object that is moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Name of the TicketSale.
    pub sale: String,
    /// What there was before it.
    pub before: u32,
    /// When more was asked for last.
    pub asked_at: Option<Millis>,
}

/// What the operator moves to have more replicas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Moves {
    /// The Deployment's `replicas`.
    Replicas,
    /// `minReplicas` of the HorizontalPodAutoscaler of this name, which goes up to `max`.
    Floor {
        /// Its name.
        autoscaler: String,
        /// Its `maxReplicas`: the API server refuses a floor above.
        max: u32,
    },
}

impl Moves {
    /// What is moved, in a word for people.
    #[must_use]
    pub const fn what(&self) -> &'static str {
        match self {
            Self::Replicas => "replicas",
            Self::Floor { .. } => "minReplicas",
        }
    }

    /// As much of `wanted` as can be had.
    #[must_use]
    pub fn bounded(&self, wanted: u32) -> u32 {
        match self {
            Self::Replicas => wanted,
            Self::Floor { max, .. } => wanted.min(*max),
        }
    }
}

/// A workload as observed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Its name.
    pub name: String,
    /// What is moved.
    pub moves: Moves,
    /// What that is set to now.
    pub count: u32,
    /// `status.readyReplicas` of the Deployment.
    pub ready: u32,
    /// Who touched it, if anybody did.
    pub claim: Option<Claim>,
}

impl Target {
    /// The claim of `sale` on it.
    #[must_use]
    pub fn claim_of(&self, sale: &str) -> Option<&Claim> {
        self.claim.as_ref().filter(|claim| claim.sale == sale)
    }
}

/// What a sale wants of a workload now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// At least so many replicas.
    Have(u32),
    /// At least so many, but others come first.
    HaveLater(u32),
    /// Nothing more; what there is stays as it is for now.
    Stay,
    /// Nothing more: give back what there was, or what `base` says.
    GiveBack {
        /// What to leave behind instead of what there was.
        base: Option<u32>,
    },
    /// Nothing more: let go of it as it is.
    LetGo,
}

/// What to do with a workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It is as it should be.
    Keep,
    /// It will be asked for when those before it are ready.
    Wait,
    /// Another sale scaled it: not ours to touch now.
    Conflict,
    /// Have `to` replicas, and remember that there were `before`.
    Scale {
        /// Replicas to have.
        to: u32,
        /// What to give back later.
        before: u32,
        /// When more was asked for.
        asked_at: Option<Millis>,
    },
    /// Give back what there was, and forget.
    Restore {
        /// Replicas to have.
        to: u32,
    },
    /// Forget, and leave it as it is.
    Leave,
}

impl Step {
    /// Whether it takes something away from `target`.
    #[must_use]
    pub const fn shrinks(self, target: &Target) -> bool {
        match self {
            Self::Scale { to, .. } | Self::Restore { to } => to < target.count,
            Self::Keep | Self::Wait | Self::Conflict | Self::Leave => false,
        }
    }
}

/// What makes `target` meet the wish of `sale` at `now`. `remembered`: what there was before as the
/// sale's status has it, for when somebody took the annotation away.
#[must_use]
pub fn step(target: &Target, sale: &str, wish: Wish, remembered: Option<u32>, now: Millis) -> Step {
    let ours = target.claim_of(sale);
    let is_others = target.claim.is_some() && ours.is_none();
    match (wish, ours) {
        (Wish::Stay, _) => Step::Keep,
        (Wish::GiveBack { base }, Some(claim)) => Step::Restore {
            to: target.moves.bounded(base.unwrap_or(claim.before)),
        },
        (Wish::LetGo, Some(_)) => Step::Leave,
        (Wish::GiveBack { .. } | Wish::LetGo, None) => Step::Keep,
        (Wish::Have(_) | Wish::HaveLater(_), _) if is_others => Step::Conflict,
        (Wish::HaveLater(_), None) => Step::Wait,
        (Wish::Have(wanted) | Wish::HaveLater(wanted), claim) => {
            let before = claim
                .map(|claim| claim.before)
                .or(remembered)
                .unwrap_or(target.count);
            // Never below what the workload had without us.
            let to = target.moves.bounded(wanted.max(before));
            if to == target.count && claim.is_some() {
                return Step::Keep;
            }
            let asked_at = if to > target.count || claim.is_none() {
                Some(now)
            } else {
                claim.and_then(|claim| claim.asked_at)
            };
            Step::Scale { to, before, asked_at }
        }
    }
}

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

    /// Reads the workloads of `specs`; what is missing comes second, in words.
    ///
    /// # Errors
    /// When the API server does not answer.
    pub async fn observe(&self, specs: &[TargetSpec]) -> Result<(Vec<Target>, Vec<String>), kube::Error> {
        let (mut found, mut missing) = (Vec::new(), Vec::new());
        for TargetSpec { name, autoscaler, .. } in specs {
            let Some(deployment) = self.deployments.get_opt(name).await? else {
                missing.push(format!("Deployment {name}"));
                continue;
            };
            let Some(autoscaler) = autoscaler else {
                found.push(scaled_by_hand(&deployment));
                continue;
            };
            match self.autoscalers.get_opt(&autoscaler.name).await? {
                Some(hpa)
                    if hpa
                        .spec
                        .as_ref()
                        .is_some_and(|spec| spec.scale_target_ref.name == *name) =>
                {
                    found.push(scaled_by(&hpa, &deployment));
                }
                _ => missing.push(format!(
                    "HorizontalPodAutoscaler {} that scales {name}",
                    autoscaler.name
                )),
            }
        }
        Ok((found, missing))
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
    }
}

fn patch(target: &Target, sale: &str, step: Step) -> Option<Value> {
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
    use proptest::prelude::*;

    const SALE: &str = "club-night";
    const NOW: Millis = Millis(9000);
    const BACK: Wish = Wish::GiveBack { base: None };

    fn claimed(before: u32) -> Claim {
        Claim {
            sale: SALE.into(),
            before,
            asked_at: Some(Millis(5000)),
        }
    }

    fn target(count: u32, before: Option<u32>) -> Target {
        Target {
            name: "booking".into(),
            moves: Moves::Replicas,
            count,
            ready: count,
            claim: before.map(claimed),
        }
    }

    fn steps(target: &Target, wish: Wish) -> Step {
        step(target, SALE, wish, None, NOW)
    }

    fn after(target: &Target, step: Step) -> Target {
        let (count, claim) = match step {
            Step::Keep | Step::Wait | Step::Conflict => return target.clone(),
            Step::Scale { to, before, asked_at } => {
                let sale = SALE.into();
                (
                    to,
                    Some(Claim {
                        sale,
                        before,
                        asked_at,
                    }),
                )
            }
            Step::Restore { to } => (to, None),
            Step::Leave => (target.count, None),
        };
        Target {
            count,
            claim,
            ..target.clone()
        }
    }

    #[test]
    fn outside_a_window_nothing_is_touched() {
        for wish in [BACK, Wish::LetGo, Wish::Stay, Wish::GiveBack { base: Some(7) }] {
            assert_eq!(steps(&target(3, None), wish), Step::Keep);
        }
    }

    #[test]
    fn what_was_there_is_remembered_in_the_same_write_and_given_back() {
        let scale = steps(&target(2, None), Wish::Have(6));
        let expected = Step::Scale {
            to: 6,
            before: 2,
            asked_at: Some(NOW),
        };
        assert_eq!(scale, expected);
        let patch = patch(&target(2, None), SALE, scale).unwrap();
        assert_eq!(patch["metadata"]["annotations"][BEFORE_ANNOTATION], "2");
        assert_eq!(patch["metadata"]["annotations"][SALE_ANNOTATION], SALE);
        assert_eq!(patch["spec"]["replicas"], 6);
        let scaled = target(6, Some(2));
        assert_eq!(steps(&scaled, Wish::Have(6)), Step::Keep);
        assert_eq!(steps(&scaled, BACK), Step::Restore { to: 2 });
        assert_eq!(
            steps(&scaled, Wish::GiveBack { base: Some(3) }),
            Step::Restore { to: 3 }
        );
        assert_eq!(steps(&scaled, Wish::LetGo), Step::Leave);
    }

    #[test]
    fn another_sales_workload_is_left_alone() {
        let theirs = target(6, Some(2));
        assert_eq!(step(&theirs, "other", Wish::Have(9), None, NOW), Step::Conflict);
        assert_eq!(
            step(&theirs, "other", BACK, None, NOW),
            Step::Keep,
            "and not given back for them"
        );
    }

    #[test]
    fn one_whose_turn_it_is_not_waits_unless_it_was_asked_for_already() {
        assert_eq!(steps(&target(1, None), Wish::HaveLater(4)), Step::Wait);
        assert_eq!(steps(&target(4, Some(1)), Wish::HaveLater(4)), Step::Keep);
    }

    #[test]
    fn what_somebody_changes_is_set_right_and_what_there_was_is_not_forgotten() {
        let scale = |to, asked_at| Step::Scale {
            to,
            before: 1,
            asked_at: Some(asked_at),
        };
        assert_eq!(steps(&target(2, Some(1)), Wish::Have(4)), scale(4, NOW));
        assert_eq!(
            steps(&target(9, Some(1)), Wish::Have(4)),
            scale(4, Millis(5000)),
            "less was not asked for"
        );
        let stripped = step(&target(4, None), SALE, Wish::Have(4), Some(1), NOW);
        assert_eq!(stripped, scale(4, NOW));
    }

    #[test]
    fn a_floor_is_moved_within_its_autoscalers_bounds_and_replicas_never() {
        let floor = Target {
            moves: Moves::Floor {
                autoscaler: "booking-hpa".into(),
                max: 5,
            },
            ..target(2, None)
        };
        let scale = steps(&floor, Wish::Have(8));
        assert!(matches!(scale, Step::Scale { to: 5, before: 2, .. }), "{scale:?}");
        let patch = patch(&floor, SALE, scale).unwrap();
        assert_eq!(
            (&patch["kind"], &patch["metadata"]["name"], &patch["spec"]),
            (
                &json!("HorizontalPodAutoscaler"),
                &json!("booking-hpa"),
                &json!({"minReplicas": 5})
            )
        );
    }

    #[test]
    fn a_workload_is_read_with_its_claim() {
        let deployment: Deployment = serde_json::from_value(json!({
            "metadata": {
                "name": "booking",
                "annotations": {BEFORE_ANNOTATION: "2", SALE_ANNOTATION: SALE, ASKED_ANNOTATION: "5000"}
            },
            "spec": {"replicas": 6, "selector": {}, "template": {}},
            "status": {"readyReplicas": 5}
        }))
        .unwrap();
        assert_eq!(
            scaled_by_hand(&deployment),
            Target {
                ready: 5,
                ..target(6, Some(2))
            }
        );
    }

    fn wish() -> impl Strategy<Value = Wish> {
        prop_oneof![
            (0..50_u32).prop_map(Wish::Have),
            (0..50_u32).prop_map(Wish::HaveLater),
            Just(Wish::Stay),
            Just(Wish::LetGo),
            prop::option::of(0..50_u32).prop_map(|base| Wish::GiveBack { base }),
        ]
    }

    proptest! {
        #[test]
        fn a_second_look_finds_nothing_to_do(
            count in 0..50_u32, before in prop::option::of(0..50_u32), wish in wish(),
        ) {
            let target = target(count, before);
            let settled = after(&target, steps(&target, wish));
            let again = steps(&settled, wish);
            prop_assert!(matches!(again, Step::Keep | Step::Wait), "{again:?}");
        }

        #[test]
        fn any_number_of_windows_ends_with_what_was_there(
            count in 0..50_u32, wishes in prop::collection::vec(0..50_u32, 1..6),
        ) {
            let mut now = target(count, None);
            for wish in wishes {
                now = after(&now, steps(&now, Wish::Have(wish)));
                prop_assert!(now.count >= count.max(wish));
            }
            prop_assert_eq!(after(&now, steps(&now, BACK)), target(count, None));
        }
    }
}
