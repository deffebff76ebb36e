//! `urr_api::validate` gives the API server's answers: every document here is asked of both, and the
//! fields and words must be the same. Documents are a sound one with some changes, each alone and then
//! many drawn together.

use crate::common::{run, sale, scope, set};
use http::Request;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use urr_api::{Problem, validate_document};
use urr_testkit::Scope;

/// Drawn documents; each costs both sides some 5 ms.
const DRAWN: usize = 150;

/// A change: a JSON pointer and what to put there (null: take the field away).
type Change = (&'static str, Value);

/// Changes whose pointers do not lead through one another, sound and unsound ones.
fn changes() -> Vec<Change> {
    let long = "x".repeat(300);
    vec![
        ("/metadata/name", json!("Club_Night")),
        ("/metadata/name", json!("club.night-2")),
        ("/spec/eventId", json!("6F1C9A52-7A0E-4C2B-9A51-3D6B0F1E2A77")),
        ("/spec/eventId", json!("00000000-0000-4000-8000-000000000000")),
        (
            "/spec/eventId",
            json!("6f1c9a52-7a0e-4c2b-9a51-3d6b0f1e2a77-and-more"),
        ),
        ("/spec/eventId", json!(7)),
        ("/spec/eventId", Value::Null),
        ("/spec/displayName", json!("")),
        ("/spec/displayName", json!(long)),
        ("/spec/displayName", json!("콘서트")),
        ("/spec/seats", json!(0)),
        ("/spec/seats", json!(200_000)),
        ("/spec/seats", json!(200_001)),
        ("/spec/seats", json!("many")),
        ("/spec/seats", json!(12.5)),
        ("/spec/seats", json!(true)),
        ("/spec/schedule/opensAt", json!("2036-12-01T10:54:00Z")),
        ("/spec/schedule/opensAt", json!("tomorrow")),
        ("/spec/schedule/opensAt", json!("2036-12-01 11:00:00Z")),
        ("/spec/schedule/closesAt", json!("2036-12-01T11:00:00Z")),
        ("/spec/schedule/closesAt", json!("2036-12-02T00:00:00.250+09:00")),
        ("/spec/schedule/closesAt", Value::Null),
        ("/spec/schedule/preQueueAt", json!("2036-12-01T11:00:00Z")),
        ("/spec/schedule/timeZone", json!("Asia/Seoul")),
        ("/spec/schedule/timeZone", json!("9 hours ahead")),
        ("/spec/schedule/timeZone", json!("")),
        ("/spec/crowd/expectedVisitors", json!(1_000_000_001_i64)),
        ("/spec/crowd/expectedVisitors", json!(1_000_000_000_i64)),
        ("/spec/crowd/arrival", json!({"peakPerSecond": 0})),
        ("/spec/crowd/arrival", json!({"peakPerSecond": 10_000_001})),
        ("/spec/crowd/arrival", json!({})),
        ("/spec/admission/ordering", json!("Shuffle")),
        ("/spec/admission/ordering", json!("Random")),
        ("/spec/admission/ratePerSecond", json!(41)),
        ("/spec/admission/ratePerSecond", json!(0)),
        ("/spec/admission/ratePerSecond", json!(20)),
        ("/spec/admission/cap", json!(0)),
        ("/spec/admission/cap", json!(3_000_000_000_i64)),
        ("/spec/admission/burst", json!(-1)),
        ("/spec/admission/silenceSeconds", json!(601)),
        ("/spec/admission/activeSeconds", json!(86_401)),
        ("/spec/admission/oneLinePerUser", json!("yes")),
        (
            "/spec/admission/adaptive",
            json!({"minRatePerSecond": 10, "maxRatePerSecond": 40}),
        ),
        (
            "/spec/admission/adaptive",
            json!({"minRatePerSecond": 50, "maxRatePerSecond": 45}),
        ),
        ("/spec/admission/adaptive", json!({"maxRatePerSecond": 45})),
        (
            "/spec/admission/adaptive",
            json!({"minRatePerSecond": 1, "maxRatePerSecond": 40, "poolSaturationPercent": 101}),
        ),
        ("/spec/capacity/replicas", json!(3)),
        ("/spec/capacity/replicas", json!(0)),
        ("/spec/capacity/whenShort", json!("Hold")),
        ("/spec/capacity/whenShort", json!("Panic")),
        ("/spec/capacity/leadSeconds", json!(-5)),
        ("/spec/capacity/placeholders", json!(null)),
        ("/spec/targets", json!([])),
        ("/spec/targets", json!([{"name": "a"}, {"name": "a"}])),
        ("/spec/targets", json!([{"name": "a", "base": 5, "peak": 3}])),
        (
            "/spec/targets",
            json!([{"name": "a", "peak": 3, "ratePerReplica": 7}]),
        ),
        ("/spec/targets", json!([{"name": "a", "stage": 16}, {"peak": 2}])),
        (
            "/spec/targets",
            json!([{"name": "a", "autoscaler": {"name": "a"}}]),
        ),
        ("/spec/targets", json!([{"name": "a", "autoscaler": {}}])),
        (
            "/spec/targets",
            json!(
                (0..17)
                    .map(|i| json!({"name": format!("t{i}")}))
                    .collect::<Vec<_>>()
            ),
        ),
        ("/spec/targets", json!("booking")),
        ("/spec/completion", json!({"whenClosed": "Keep"})),
        (
            "/spec/completion",
            json!({"whenClosed": "Explode", "keepCapacitySeconds": 90_000}),
        ),
        (
            "/spec/rehearsal",
            json!({"policy": "Required", "maxAgeSeconds": 5}),
        ),
        ("/spec/rehearsal", json!({"maxAgeSeconds": 31_536_001})),
        ("/spec/tuning", json!("Auto")),
        ("/spec/tuning", json!("Manual")),
        ("/spec/hold", json!(true)),
        ("/spec/hold", json!("true")),
        ("/spec/abort", json!(true)),
        ("/spec/crowd", Value::Null),
        ("/spec/capacity", json!({"replicas": 4})),
        ("/spec/seets", json!(5)),
        ("/spec/admission/ratePerMinute", json!(5)),
    ]
}

/// What the API server says about `document`, without storing it.
async fn server_says(scope: &Scope, document: &Value, is_update: bool) -> Vec<Problem> {
    let plural = match document["kind"].as_str().unwrap() {
        "LoadRun" => "loadruns",
        _ => "ticketsales",
    };
    let mut path = format!(
        "/apis/urr.guru/v1alpha1/namespaces/{}/{plural}",
        scope.namespace()
    );
    if is_update {
        path = format!("{path}/{}", document["metadata"]["name"].as_str().unwrap());
    }
    let request = Request::builder()
        .method(if is_update { "PUT" } else { "POST" })
        .uri(format!("{path}?dryRun=All&fieldValidation=Strict"))
        .header("content-type", "application/json")
        .body(serde_json::to_vec(document).unwrap())
        .unwrap();
    match scope.client().request::<Value>(request).await {
        Ok(_) => Vec::new(),
        Err(kube::Error::Api(status)) => {
            let causes = status.details.map(|details| details.causes).unwrap_or_default();
            if causes.is_empty() {
                // Unknown fields are found before anything else, and told in one sentence.
                let unknown = status.message.split("unknown field \"").skip(1);
                return unknown
                    .map(|rest| Problem {
                        field: rest.split('"').next().unwrap().to_owned(),
                        message: "unknown field".to_owned(),
                    })
                    .collect();
            }
            causes
                .into_iter()
                .map(|cause| Problem {
                    field: cause.field,
                    message: cause.message,
                })
                .collect()
        }
        Err(error) => panic!("no answer: {error}"),
    }
}

/// Both must name the same fields, and the server's sentence must end in ours.
fn compare(document: &Value, server: &[Problem], ours: &[Problem]) -> Result<(), String> {
    let unknown: Vec<Problem> = ours
        .iter()
        .filter(|problem| problem.message == "unknown field")
        .cloned()
        .collect();
    // The server stops at unknown fields; we go on.
    let ours = if unknown.is_empty() { ours } else { &unknown };
    let unmatched: Vec<&Problem> = server
        .iter()
        .filter(|theirs| {
            !ours
                .iter()
                .any(|our| our.field == theirs.field && theirs.message.ends_with(&our.message))
        })
        .collect();
    let fields = |problems: &[Problem]| {
        problems
            .iter()
            .map(|problem| problem.field.clone())
            .collect::<BTreeSet<_>>()
    };
    if unmatched.is_empty() && fields(server) == fields(ours) && server.len() == ours.len() {
        Ok(())
    } else {
        let list = |problems: &[Problem]| problems.iter().map(|p| format!("\n    {p}")).collect::<String>();
        Err(format!(
            "{}\n  server:{}\n  ours:{}",
            document["spec"],
            list(server),
            list(ours)
        ))
    }
}

#[tokio::test]
async fn a_new_object_gets_the_servers_answers_offline() {
    let scope = scope("answers").await;
    let mut documents = vec![sale("sound"), run("sound")];
    for (pointer, value) in changes() {
        let mut document = sale("changed");
        set(&mut document, pointer, &value);
        documents.push(document);
    }
    for (pointer, value) in [
        ("/spec/runners", json!(0)),
        ("/spec/runners", json!(1001)),
        ("/spec/seed", json!(-1)),
        ("/spec/start", json!({"at": "noon"})),
        (
            "/spec/start",
            json!({"timeoutSeconds": 0, "maxSkewMilliseconds": 60_001}),
        ),
        ("/spec/whenRunnerLost", json!("Continue")),
        ("/spec/whenRunnerLost", json!("Ignore")),
        (
            "/spec/runner",
            json!({"resources": {"requests": {"cpu": "2"}}, "nodeSelector": {"pool": "load"}}),
        ),
        ("/spec/runner", json!({"nodeSelector": {"pool": 5}})),
        ("/spec/scenario/key", json!("")),
        ("/spec/saleRef", Value::Null),
    ] {
        let mut document = run("changed");
        set(&mut document, pointer, &value);
        documents.push(document);
    }
    let mut drawing = TestRunner::deterministic();
    let draws = prop::sample::subsequence(changes(), 1..6);
    for _ in 0..DRAWN {
        let mut document = sale("drawn");
        for (pointer, value) in draws.new_tree(&mut drawing).unwrap().current() {
            // A parent that was taken away or replaced takes no child: skip what leads nowhere now.
            if leads_somewhere(&document, pointer) {
                set(&mut document, pointer, &value);
            }
        }
        documents.push(document);
    }
    let mut differences = Vec::new();
    let mut refused = 0;
    for document in &documents {
        let server = server_says(&scope, document, false).await;
        if !server.is_empty() {
            refused += 1;
            assert!(
                compare(document, &server, &[]).is_err(),
                "the comparison can fail"
            );
        }
        differences.extend(compare(document, &server, &validate_document(document, None)).err());
    }
    assert!(
        differences.is_empty(),
        "{} of {}:\n{}",
        differences.len(),
        documents.len(),
        differences.join("\n")
    );
    // Both kinds were among them.
    assert!(
        refused > 50 && documents.len() - refused > 20,
        "{refused} of {}",
        documents.len()
    );
}

fn leads_somewhere(document: &Value, pointer: &str) -> bool {
    let parent = pointer.rsplit_once('/').unwrap().0;
    document.pointer(parent).is_some_and(Value::is_object)
}

#[tokio::test]
async fn a_change_gets_the_servers_answers_offline() {
    let scope = scope("answers-update").await;
    let mut differences = Vec::new();
    let mut refused = 0;
    let mut asked = 0;
    for phase in ["", "Scheduled", "PreScaling", "PreQueue", "Open"] {
        let name = format!("in-{}", phase.to_lowercase())
            .trim_end_matches('-')
            .to_owned();
        let mut old = sale(&name);
        set(&mut old, "/spec/abort", &json!(phase == "Open"));
        let old = stored(&scope, &old, phase).await;
        for (pointer, value) in [
            ("/spec/eventId", json!("00000000-0000-4000-8000-000000000000")),
            ("/spec/seats", json!(900)),
            ("/spec/seats", json!(0)),
            ("/spec/schedule/opensAt", json!("2036-12-01T11:30:00Z")),
            ("/spec/schedule/opensAt", json!("2036-12-01T10:57:00Z")),
            ("/spec/schedule/preQueueAt", json!("2036-12-01T10:50:00Z")),
            ("/spec/schedule/preQueueAt", json!("2036-12-01T10:58:00Z")),
            ("/spec/schedule/closesAt", json!("2036-12-01T14:00:00Z")),
            ("/spec/targets", json!([{"name": "booking"}])),
            ("/spec/targets", json!([{"name": "payment"}, {"name": "booking"}])),
            (
                "/spec/targets",
                json!([{"name": "booking", "peak": 8}, {"name": "payment"}]),
            ),
            ("/spec/targets", Value::Null),
            ("/spec/admission/ordering", json!("Shuffle")),
            ("/spec/admission/ratePerSecond", json!(30)),
            ("/spec/abort", json!(true)),
            ("/spec/abort", json!(false)),
            ("/spec/hold", json!(true)),
        ] {
            let mut new = old.clone();
            set(&mut new, pointer, &value);
            let server = server_says(&scope, &new, true).await;
            asked += 1;
            refused += usize::from(!server.is_empty());
            let ours = validate_document(&new, Some(&old));
            differences.extend(
                compare(&new, &server, &ours)
                    .err()
                    .map(|text| format!("{phase} {pointer}: {text}")),
            );
        }
    }
    let old = stored(&scope, &run("rehearsal"), "").await;
    let mut new = old.clone();
    set(&mut new, "/spec/runners", &json!(3));
    let server = server_says(&scope, &new, true).await;
    differences.extend(compare(&new, &server, &validate_document(&new, Some(&old))).err());
    assert!(
        differences.is_empty(),
        "{} of {asked}:\n{}",
        differences.len(),
        differences.join("\n")
    );
    assert!(refused > 15, "{refused} of {asked} refused");
}

/// Stores `document` with `phase` in its status, and gives back what the server holds.
async fn stored(scope: &Scope, document: &Value, phase: &str) -> Value {
    let text = document.to_string();
    scope
        .kubectl_with(&["create", "-f", "-"], &text)
        .await
        .unwrap()
        .ok()
        .unwrap();
    let (kind, name) = (
        document["kind"].as_str().unwrap(),
        document["metadata"]["name"].as_str().unwrap(),
    );
    if !phase.is_empty() {
        let patch = json!({"status": {"phase": phase}}).to_string();
        scope
            .kubectl(&[
                "patch",
                kind,
                name,
                "--subresource=status",
                "--type=merge",
                "--patch",
                &patch,
            ])
            .await
            .unwrap()
            .ok()
            .unwrap();
    }
    let text = scope
        .kubectl(&["get", kind, name, "--output=json"])
        .await
        .unwrap()
        .ok()
        .unwrap();
    serde_json::from_str(&text).unwrap()
}
