//! The definitions on a real API server: they install, explain themselves, print what people look
//! for, and refuse with the field named.

use crate::common::{run, sale, scope, set};
use serde_json::{Value, json};
use urr_testkit::Scope;

async fn apply(scope: &Scope, document: &Value) -> urr_testkit::Output {
    scope
        .kubectl_with(&["apply", "--server-side", "-f", "-"], &document.to_string())
        .await
        .unwrap()
}

async fn say(scope: &Scope, args: &[&str]) -> String {
    scope.kubectl(args).await.unwrap().ok().unwrap()
}

#[tokio::test]
async fn every_field_explains_itself() {
    let scope = scope("explain").await;
    for kind in ["ticketsale", "loadrun"] {
        let text = say(
            &scope,
            &["explain", kind, "--recursive", "--output=plaintext-openapiv2"],
        )
        .await;
        assert!(text.contains("spec"), "{text}");
    }
    let text = say(&scope, &["explain", "ticketsale.spec.admission.ordering"]).await;
    assert!(text.contains("ENUM:") && text.contains("Shuffle"), "{text}");
    assert!(text.contains("draws a place by lot"), "{text}");
    let text = say(&scope, &["explain", "ts.spec.schedule"]).await;
    for words in [
        "preQueueAt",
        "-required-",
        "which carry their own offset",
        "From here on the line moves",
    ] {
        assert!(text.contains(words), "{words} is missing:\n{text}");
    }
    let text = say(&scope, &["explain", "loadrun.spec.whenRunnerLost"]).await;
    assert!(text.contains("are gone with it"), "{text}");
}

#[tokio::test]
async fn no_field_is_without_a_description() {
    fn look(path: &str, schema: &Value, bare: &mut Vec<String>) {
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            let path = format!("{path}.{name}");
            if field["description"].as_str().unwrap_or_default().is_empty() {
                bare.push(path.clone());
            }
            look(&path, field, bare);
            look(&path, &field["items"], bare);
        }
    }
    let scope = scope("described").await;
    for name in ["ticketsales.urr.guru", "loadruns.urr.guru"] {
        let text = say(&scope, &["get", "crd", name, "--output=json"]).await;
        let crd: Value = serde_json::from_str(&text).unwrap();
        let mut bare = Vec::new();
        let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"];
        look("spec", &schema["spec"], &mut bare);
        look("status", &schema["status"], &mut bare);
        assert!(bare.is_empty(), "{name}: {bare:?}");
    }
}

#[tokio::test]
async fn kubectl_shows_a_sale_as_people_look_for_it() {
    let scope = scope("columns").await;
    apply(&scope, &sale("club-night")).await.ok().unwrap();
    apply(&scope, &run("rehearsal")).await.ok().unwrap();
    let status = json!({"status": {
        "phase": "Open", "summary": "30 people a second are let in", "readyReplicas": 3, "desiredReplicas": 4, "ratePerSecond": 30,
        "line": {"issued": 5000, "serving": 800, "waiting": 4200, "active": 120, "sold": 610},
        "conditions": [{
            "type": "Ready", "status": "False", "reason": "ConditionsUnmet", "message": "not yet: CapacityReady",
            "lastTransitionTime": "2036-12-01T11:00:00Z"
        }]
    }})
    .to_string();
    let patch = [
        "patch",
        "ts",
        "club-night",
        "--subresource=status",
        "--type=merge",
        "--patch",
        &status,
    ];
    say(&scope, &patch).await;

    let table = say(&scope, &["get", "ticketsales"]).await;
    let words: Vec<&str> = table.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(
        words,
        [
            "NAME", "PHASE", "OPENS", "READY", "REPLICAS", "WANTED", "RATE", "SUMMARY", "AGE"
        ]
    );
    for word in ["Open", "False", "30 people a second are let in"] {
        assert!(table.contains(word), "{word} is missing:\n{table}");
    }
    let wide = say(&scope, &["get", "ts", "--output=wide"]).await;
    for word in [
        "WAITING",
        "4200",
        "ACTIVE",
        "120",
        "SOLD",
        "610",
        "not yet: CapacityReady",
    ] {
        assert!(wide.contains(word), "{word} is missing:\n{wide}");
    }
    // Short names, the category, selectable fields.
    let all = say(&scope, &["get", "urr"]).await;
    assert!(
        all.contains("ticketsale.urr.guru/club-night") && all.contains("loadrun.urr.guru/rehearsal"),
        "{all}"
    );
    let runs = say(
        &scope,
        &[
            "get",
            "lr",
            "--output=name",
            "--field-selector=spec.saleRef.name=club-night",
        ],
    )
    .await;
    assert_eq!(runs.trim(), "loadrun.urr.guru/rehearsal");
    let open = say(
        &scope,
        &["get", "ts", "--output=name", "--field-selector=status.phase=Open"],
    )
    .await;
    assert_eq!(open.trim(), "ticketsale.urr.guru/club-night");
    let held = say(
        &scope,
        &["get", "ts", "--output=name", "--field-selector=spec.hold=true"],
    )
    .await;
    assert_eq!(held.trim(), "");
    // `wait` needs nothing but the condition.
    say(
        &scope,
        &[
            "wait",
            "ts/club-night",
            "--for=condition=Ready=false",
            "--timeout=5s",
        ],
    )
    .await;
}

#[tokio::test]
async fn what_is_refused_is_named() {
    let scope = scope("refused").await;
    for (pointer, value, words) in [
        ("/spec/seats", json!(0), "spec.seats"),
        (
            "/spec/schedule/closesAt",
            json!("2036-12-01T11:00:00Z"),
            "spec.schedule.closesAt",
        ),
        (
            "/spec/admission/ratePerSecond",
            json!(41),
            "raise the capacity or lower the rate",
        ),
        (
            "/spec/eventId",
            json!("Club-Night"),
            "must be a UUID in lower case",
        ),
        (
            "/spec/tuning",
            json!("Manual"),
            "supported values: \"Off\", \"Advise\", \"Auto\"",
        ),
        (
            "/spec/seets",
            json!(5),
            ".spec.seets: field not declared in schema",
        ),
    ] {
        let mut document = sale("club-night");
        set(&mut document, pointer, &value);
        let complaint = apply(&scope, &document).await.refused().unwrap();
        assert!(complaint.contains(words), "{pointer}: {complaint}");
    }
}

#[tokio::test]
async fn two_managers_share_a_status_and_a_list_of_targets() {
    let scope = scope("managers").await;
    apply(&scope, &sale("club-night")).await.ok().unwrap();
    // Another manager adds a target of its own and takes nothing away.
    let addition = json!({
        "apiVersion": "urr.guru/v1alpha1", "kind": "TicketSale", "metadata": {"name": "club-night"},
        "spec": {"targets": [{"name": "queue"}]}
    });
    let add = [
        "apply",
        "--server-side",
        "--field-manager=capacity-team",
        "-f",
        "-",
    ];
    scope
        .kubectl_with(&add, &addition.to_string())
        .await
        .unwrap()
        .ok()
        .unwrap();
    let targets = [
        "get",
        "ts",
        "club-night",
        "--output=jsonpath={.spec.targets[*].name}",
    ];
    assert_eq!(say(&scope, &targets).await, "booking payment queue");
    // Who wants a field that is another's is told so.
    let theft = json!({
        "apiVersion": "urr.guru/v1alpha1", "kind": "TicketSale", "metadata": {"name": "club-night"},
        "spec": {"seats": 5}
    });
    let complaint = scope
        .kubectl_with(&add, &theft.to_string())
        .await
        .unwrap()
        .refused()
        .unwrap();
    assert!(
        complaint.contains("conflict") && complaint.contains(".spec.seats"),
        "{complaint}"
    );
}
