//! Explanations as people read them.

use super::*;
use crate::load_run::tests::{OPENS_AT, run, sale};
use crate::mapping::time;
use crate::targets::{Claim, Moves};
use serde_json::json;

fn managed(manager: &str, fields: &serde_json::Value) -> serde_json::Value {
    json!({"manager": manager, "operation": "Apply", "fieldsType": "FieldsV1", "fieldsV1": fields})
}

/// A sale in its pre-scaling, five minutes before its pre-queue; booking has 2 of 4 ready.
fn observed() -> Observed {
    let mut sale = sale();
    sale.metadata.namespace = Some("urr".into());
    sale.metadata.generation = Some(3);
    sale.metadata.managed_fields = Some(
        serde_json::from_value(json!([
            managed(
                "kubectl",
                &json!({"f:spec": {"f:seats": {}, "f:schedule": {"f:opensAt": {}},
                "f:capacity": {"f:replicas": {}, "f:ratePerReplica": {}}}})
            ),
            managed("ticketctl", &json!({"f:spec": {"f:hold": {}}})),
            managed("urr-operator", &json!({"f:status": {"f:phase": {}}})),
        ]))
        .unwrap(),
    );
    let since = time(OPENS_AT.plus_s(-900));
    let condition = |type_: &str, status: &str, reason: &str, message: &str| {
        json!({"type": type_, "status": status, "reason": reason, "message": message,
            "lastTransitionTime": since})
    };
    sale.status = Some(
        serde_json::from_value(json!({
            "observedGeneration": 3, "phase": "PreScaling", "leadSeconds": 1800,
            "targets": [
                {"name": "booking", "desired": 4, "ready": 2, "before": 1},
                {"name": "payment", "desired": 4, "ready": 4, "before": 2}
            ],
            "conditions": [
                condition("CapacityReady", "False", "NotEnoughReady", "ready are 2 of 4 replicas of booking"),
                condition("RoomActive", "True", "AsPlanned", "the control plane keeps the sale"),
                condition("Ready", "False", "ConditionsUnmet", "not yet: CapacityReady"),
            ]
        }))
        .unwrap(),
    );
    let target = |name: &str, moves, count, ready| Target {
        name: name.into(),
        moves,
        count,
        ready,
        rival: None,
        claim: Some(Claim {
            sale: "club-night".into(),
            before: 1,
            asked_at: None,
        }),
    };
    let owned = |path: &str, by: &[&str]| -> (String, Vec<String>) {
        (path.into(), by.iter().map(|by| (*by).to_owned()).collect())
    };
    let floor = Moves::Floor {
        autoscaler: "payment-hpa".into(),
        max: 3,
    };
    Observed {
        sale,
        moved: vec![
            Moved {
                target: target("booking", Moves::Replicas, 4, 2),
                object: "Deployment booking".into(),
                owners: Owners::from([
                    owned("spec.replicas", &["argocd (apply)", "urr-operator (apply)"]),
                    owned(
                        "metadata.annotations.urr.guru/scaled-for",
                        &["urr-operator (apply)"],
                    ),
                ]),
            },
            Moved {
                target: target("payment", floor, 3, 4),
                object: "HorizontalPodAutoscaler payment-hpa".into(),
                owners: Owners::from([owned("spec.minReplicas", &["urr-operator (apply)"])]),
            },
        ],
        missing: vec!["Deployment queue".into()],
        runs: vec![],
        leader: Some(("operator-1".into(), Some(OPENS_AT.plus_s(-602)))),
    }
}

#[test]
fn a_sale_that_comes_up_says_what_it_waits_for_who_pulls_at_it_and_what_to_do() {
    insta::assert_snapshot!(text(&observed(), OPENS_AT.plus_s(-600)));
}

#[test]
fn a_sale_that_lacks_its_rehearsal_and_is_held_names_both() {
    let mut observed = observed();
    observed.moved.clear();
    observed.missing.clear();
    observed.leader = None;
    observed.runs = vec![run()];
    observed.sale.spec.hold = true;
    observed.sale.metadata.generation = Some(4);
    let status = observed.sale.status.as_mut().unwrap();
    status.phase = Some("PreQueue".into());
    status.targets.clear();
    let ready = status.conditions.last_mut().unwrap();
    ready.reason = "NotRehearsed".into();
    ready.message = "the opening is held: LoadRun rehearsal: has not ended yet".into();
    insta::assert_snapshot!(text(&observed, OPENS_AT.plus_s(-60)));
}

#[test]
fn a_sale_that_no_operator_has_looked_at_says_so() {
    let mut observed = observed();
    observed.moved.clear();
    observed.missing.clear();
    observed.leader = None;
    observed.sale.status = None;
    observed.sale.metadata.managed_fields = None;
    insta::assert_snapshot!(text(&observed, OPENS_AT.plus_s(-86_400)));
}

#[test]
fn a_spec_that_cannot_be_carried_out_is_explained_by_its_problems() {
    let mut observed = observed();
    observed.sale.spec.admission.cap = 0;
    let told = text(&observed, OPENS_AT);
    assert!(told.contains("- admission.cap"), "{told}");
}
