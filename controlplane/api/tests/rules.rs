//! The rules the API server will check, checked here: the same CEL, the same schema.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use kube::CustomResourceExt as _;
use serde_json::{Value, json};
use urr_api::testing::sale_spec;
use urr_api::{LoadRun, TicketSale};

fn sale() -> Value {
    json!({
        "apiVersion": "urr.guru/v1alpha1",
        "kind": "TicketSale",
        "metadata": {"name": "club-night", "namespace": "urr"},
        "spec": sale_spec(2026)
    })
}

fn parsed(value: &Value) -> TicketSale {
    serde_json::from_value(value.clone()).unwrap()
}

fn refused(change: impl Fn(&mut Value)) -> String {
    let mut changed = sale();
    change(&mut changed);
    let errors = parsed(&changed).validate_cel().unwrap_err();
    errors.to_string()
}

#[test]
fn a_sound_sale_passes_and_missing_fields_take_the_houses_defaults() {
    let sale = parsed(&sale());
    assert!(sale.validate_cel().is_ok(), "{:?}", sale.validate_cel());
    assert_eq!(
        (sale.spec.admission.cap, sale.spec.admission.hold_seconds),
        (1000, 300)
    );
}

#[test]
fn a_rule_that_is_broken_names_the_field() {
    let text = refused(|sale| sale["spec"]["schedule"]["closesAt"] = json!("2026-12-01T11:00:00Z"));
    assert!(
        text.contains("closesAt") && text.contains("after opensAt"),
        "{text}"
    );
    let text = refused(|sale| sale["spec"]["schedule"]["preQueueAt"] = json!("2026-12-01T11:00:01Z"));
    assert!(text.contains("preQueueAt"), "{text}");
    let text = refused(|sale| sale["spec"]["admission"]["ratePerSecond"] = json!(41));
    assert!(text.contains("raise the capacity"), "{text}");
    let text = refused(|sale| sale["spec"]["eventId"] = json!("Club-Night"));
    assert!(text.contains("UUID"), "{text}");
}

#[test]
fn a_sale_keeps_its_event_and_a_run_changes_nothing() {
    let old = parsed(&sale());
    let mut new = old.clone();
    new.spec.event_id = "00000000-0000-4000-8000-000000000000".into();
    let text = new.validate_cel_update(&old).unwrap_err().to_string();
    assert!(text.contains("keeps its event"), "{text}");
    let mut later = old.clone();
    later.spec.seats = 900;
    assert!(later.validate_cel_update(&old).is_ok());

    let run: LoadRun = serde_json::from_value(json!({
        "apiVersion": "urr.guru/v1alpha1",
        "kind": "LoadRun",
        "metadata": {"name": "rehearsal"},
        "spec": {"saleRef": {"name": "club-night"}, "scenario": {"configMap": "s", "key": "k"}, "runners": 2}
    }))
    .unwrap();
    let mut more = run.clone();
    more.spec.runners = 3;
    assert!(run.validate_cel_update(&run).is_ok());
    assert!(
        more.validate_cel_update(&run)
            .unwrap_err()
            .to_string()
            .contains("another LoadRun")
    );
}

#[test]
fn an_instant_that_people_acted_on_is_frozen() {
    let mut old = sale();
    old["status"] = json!({"phase": "Open"});
    let old = parsed(&old);
    let moved = |change: fn(&mut Value)| {
        let mut new = serde_json::to_value(&old).unwrap();
        change(&mut new);
        parsed(&new)
            .validate_cel_update(&old)
            .map_err(|errors| errors.to_string())
    };
    let text = moved(|s| s["spec"]["schedule"]["opensAt"] = json!("2026-12-01T11:30:00Z")).unwrap_err();
    assert!(text.contains("opening cannot be moved"), "{text}");
    let text = moved(|s| s["spec"]["schedule"]["preQueueAt"] = json!("2026-12-01T10:50:00Z")).unwrap_err();
    assert!(text.contains("pre-queue cannot be moved"), "{text}");
    assert!(moved(|s| s["spec"]["schedule"]["closesAt"] = json!("2026-12-01T14:00:00Z")).is_ok());
    // Before anybody joined, all of it may move.
    let fresh = parsed(&sale());
    let mut later = fresh.clone();
    later
        .spec
        .schedule
        .closes_at
        .clone_from(&fresh.spec.schedule.closes_at);
    later
        .spec
        .schedule
        .pre_queue_at
        .clone_from(&fresh.spec.schedule.opens_at);
    assert!(later.validate_cel_update(&fresh).is_ok());
}

#[test]
fn the_definitions_have_what_kubectl_and_other_managers_need() {
    let crd = serde_json::to_value(TicketSale::crd()).unwrap();
    let names = &crd["spec"]["names"];
    assert_eq!(
        (&names["shortNames"], &names["categories"]),
        (&json!(["ts"]), &json!(["urr"]))
    );
    let version = &crd["spec"]["versions"][0];
    assert_eq!(version["subresources"]["status"], json!({}));
    assert_eq!(version["selectableFields"][0]["jsonPath"], ".spec.eventId");
    assert_eq!(version["additionalPrinterColumns"][0]["name"], "Phase");
    let schema = &version["schema"]["openAPIV3Schema"]["properties"];
    let conditions = &schema["status"]["properties"]["conditions"];
    assert_eq!(
        conditions["x-kubernetes-list-type"], "map",
        "two managers can share conditions"
    );
    assert_eq!(conditions["x-kubernetes-list-map-keys"], json!(["type"]));
    let targets = &schema["spec"]["properties"]["targets"];
    assert_eq!(targets["x-kubernetes-list-map-keys"], json!(["name"]));
    // Every field tells `kubectl explain` what it is.
    for (name, field) in schema["spec"]["properties"].as_object().unwrap() {
        assert!(field["description"].is_string(), "{name} has no description");
    }
    let run = serde_json::to_value(LoadRun::crd()).unwrap();
    let run_schema = &run["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"];
    assert_eq!(
        run_schema["status"]["properties"]["conditions"]["x-kubernetes-list-type"],
        "map"
    );
}
