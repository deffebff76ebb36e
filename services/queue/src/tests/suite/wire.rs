//! The wire of api-contract.md section 6.

use super::{OPENS_AT, Sale};
use axum::{Router, http::StatusCode, routing::get};
use serde_json::{Value, json};
use std::sync::Arc;
use tower::ServiceExt as _;
use urr_core::token::entry;
use urr_kit::state::limits::Limits;
use uuid::Uuid;

fn fields(body: &Value) -> Vec<&str> {
    body.as_object().unwrap().keys().map(String::as_str).collect()
}

fn assert_has(body: &Value, wanted: &[&str]) {
    let has = fields(body);
    for field in wanted {
        assert!(has.contains(field), "{field} missing: {body}");
    }
}

#[tokio::test]
async fn a_visitor_checks_waits_goes_in_and_leaves() {
    let sale = Sale::capped(1).await;
    let [kim, lee] = [Uuid::new_v4(), Uuid::new_v4()];
    let path = |call: &str| format!("/api/queue/{call}/{}", sale.id);
    let as_lee = Some((lee, "user"));
    sale.call(
        "POST",
        &path("check"),
        Some((kim, "user")),
        Some(sale.place_token(1)),
    )
    .await;

    let (status, body) = sale
        .call("POST", &path("check"), as_lee, Some(sale.place_token(2)))
        .await;
    assert_eq!(status, StatusCode::OK, "{body}");
    assert_has(
        &body,
        &[
            "peopleAhead",
            "peopleBehind",
            "estimatedWait",
            "nextPoll",
            "threshold",
            "currentUsers",
        ],
    );
    assert_eq!(
        (&body["queued"], &body["status"], &body["position"]),
        (&json!(true), &json!("queued"), &json!(1))
    );
    assert_eq!(
        body["eventInfo"],
        json!({"title": "Unknown", "artist": "Unknown"})
    );

    let (_, body) = sale.call("GET", &path("status"), as_lee, None).await;
    assert_has(
        &body,
        &[
            "position",
            "peopleAhead",
            "peopleBehind",
            "estimatedWait",
            "nextPoll",
            "queueSize",
            "currentUsers",
        ],
    );
    assert_eq!(body["queueSize"], 1);
    let (_, body) = sale.call("POST", &path("heartbeat"), as_lee, None).await;
    assert_eq!(body, json!({"status": "queued", "queued": true}));

    let (_, body) = sale.call("POST", &path("leave"), Some((kim, "user")), None).await;
    assert_eq!(body, json!({"message": "Left queue"}));
    let (_, body) = sale.call("GET", &path("status"), Some((kim, "user")), None).await;
    assert_eq!(
        (&body["status"], &body["message"]),
        (&json!("not_in_queue"), &json!("Not in queue"))
    );

    let (_, body) = sale.call("POST", &path("check"), as_lee, None).await;
    assert_eq!(
        (&body["queued"], &body["status"], &body["nextPoll"]),
        (&json!(false), &json!("active"), &json!(3))
    );
    let (_, body) = sale.call("GET", &path("status"), as_lee, None).await;
    assert_eq!(body["message"], "Entry allowed");
    let token = body["entryToken"].as_str().unwrap();
    assert!(entry::verify(&sale.app.entry_keys, token, sale.id, lee, sale.now()).is_ok());
    assert!(entry::verify(&sale.app.entry_keys, token, sale.id, kim, sale.now()).is_err());
}

#[tokio::test]
async fn an_entry_token_never_outlives_the_slot() {
    let sale = Sale::new().await;
    sale.limit(Limits {
        silence_s: 600,
        ..sale.limits()
    })
    .await;
    let kim = Uuid::new_v4();
    sale.join(kim, 1).await;
    sale.bed.clock().set(OPENS_AT.plus_s(599));
    let path = format!("/api/queue/status/{}", sale.id);
    let (_, body) = sale.call("GET", &path, Some((kim, "user")), None).await;
    let token = body["entryToken"].as_str().unwrap();
    let claims = entry::verify(&sale.app.entry_keys, token, sale.id, kim, sale.now()).unwrap();
    assert_eq!(claims.exp, OPENS_AT.0 / 1000 + 600);
}

#[tokio::test]
async fn a_sale_wants_a_genuine_place_and_a_clients_number_is_none() {
    let sale = Sale::new().await;
    sale.limit(sale.limits()).await;
    let kim = Some((Uuid::new_v4(), "user"));
    let path = format!("/api/queue/check/{}?vwrPosition=1", sale.id);
    let other = Sale::new().await.place_token(1);
    for token in [None, Some("junk".to_owned()), Some(other)] {
        let (status, body) = sale.call("POST", &path, kim, token).await;
        assert_eq!(status, StatusCode::FORBIDDEN);
        assert_eq!(body["error"], "Waiting room token required");
        assert_eq!(body["redirectTo"], format!("/vwr/{}", sale.id));
    }
    let (status, _) = sale.call("POST", &path, kim, Some(sale.place_token(9))).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(sale.log().await.iter().find_map(|l| l.position), Some(9));
    // The same place in other hands.
    let thief = Some((Uuid::new_v4(), "user"));
    let (status, _) = sale.call("POST", &path, thief, Some(sale.place_token(9))).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn strangers_are_401_and_visitors_no_administrators() {
    let sale = Sale::new().await;
    let id = sale.id;
    for (method, path) in [
        ("POST", format!("/api/queue/check/{id}")),
        ("GET", format!("/api/queue/status/{id}")),
        ("POST", format!("/api/queue/heartbeat/{id}")),
        ("POST", format!("/api/queue/leave/{id}")),
        ("GET", format!("/api/queue/admin/{id}")),
    ] {
        assert_eq!(
            sale.call(method, &path, None, None).await.0,
            StatusCode::UNAUTHORIZED,
            "{path}"
        );
    }
    for (method, path) in [
        ("GET", format!("/api/queue/admin/{id}")),
        ("POST", format!("/api/queue/admin/clear/{id}")),
        ("POST", format!("/api/queue/admin/threshold/{id}?threshold=1")),
    ] {
        let kim = Some((Uuid::new_v4(), "user"));
        assert_eq!(
            sale.call(method, &path, kim, None).await.0,
            StatusCode::FORBIDDEN,
            "{path}"
        );
    }
    let kim = Some((Uuid::new_v4(), "user"));
    assert_eq!(
        sale.call("GET", "/api/queue/status/junk", kim, None).await.0,
        StatusCode::BAD_REQUEST
    );
}

#[tokio::test]
async fn an_administrator_sees_clears_and_limits_a_line() {
    let sale = Sale::new().await;
    sale.limit(sale.limits()).await;
    for position in 1..=8 {
        sale.join(Uuid::new_v4(), position).await;
    }
    let admin = Some((Uuid::new_v4(), "admin"));
    let path = format!("/api/queue/admin/{}", sale.id);
    let (_, body) = sale.call("GET", &path, admin, None).await;
    assert_eq!(
        (
            &body["queueSize"],
            &body["currentUsers"],
            &body["threshold"],
            &body["available"]
        ),
        (&json!(3), &json!(5), &json!(5), &json!(0))
    );
    let threshold = |n| format!("/api/queue/admin/threshold/{}?threshold={n}", sale.id);
    let (_, body) = sale.call("POST", &threshold(1000), admin, None).await;
    // Over the sale's own cap an administrator cannot go.
    assert_eq!(
        body,
        json!({"eventId": sale.id, "threshold": 1000, "effective": 5})
    );
    let (_, body) = sale.call("POST", &threshold(2), admin, None).await;
    assert_eq!(body["effective"], 2);
    let (_, body) = sale
        .call(
            "POST",
            &format!("/api/queue/admin/clear/{}", sale.id),
            admin,
            None,
        )
        .await;
    assert_eq!(body, json!({"message": "Queue cleared"}));
    let (_, body) = sale.call("GET", &path, admin, None).await;
    assert_eq!(
        (&body["queueSize"], &body["currentUsers"]),
        (&json!(0), &json!(0))
    );
}

#[tokio::test]
async fn the_control_plane_reads_the_line_over_the_guarded_route() {
    let sale = Sale::new().await;
    sale.limit(Limits {
        paused: true,
        ..sale.limits()
    })
    .await;
    sale.join(Uuid::new_v4(), 1).await;
    let secrets = sale.bed.ctx().secrets;
    let router = crate::http::internal(Arc::clone(&sale.app), &secrets);
    let ask = |token: &str| {
        let request = axum::http::Request::get(format!("/internal/queue/summary/{}", sale.id))
            .header("authorization", format!("Bearer {token}"))
            .body(axum::body::Body::empty())
            .unwrap();
        router.clone().oneshot(request)
    };
    assert_eq!(ask("wrong").await.unwrap().status(), StatusCode::FORBIDDEN);
    let answer = ask(&secrets.internal_api_token).await.unwrap();
    let bytes = axum::body::to_bytes(answer.into_body(), 1 << 16).await.unwrap();
    let body: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(
        body,
        json!({"waiting": 1, "active": 0, "cap": 5, "ratePerS": 10, "admittedTotal": 0, "paused": true})
    );
}

#[tokio::test]
async fn the_title_comes_from_catalog_and_is_asked_for_once() {
    let sale = Sale::new().await;
    let catalog = Router::new().route(
        "/internal/events/{id}/queue-info",
        get(|| async { axum::Json(json!({"title": "Spring", "artist": null})) }),
    );
    let url = sale.bed.serve(catalog).await;
    let ctx = sale
        .bed
        .ctx()
        .with_settings(|settings| settings.urls.catalog = url);
    let titles = Arc::new(crate::titles::Titles::new(
        ctx.internal(),
        &ctx.settings.urls.catalog,
        ctx.clock.clone(),
    ));
    let info = urr_kit::testing::eventually(std::time::Duration::from_secs(5), "a title", async || {
        let info = titles.of(sale.id).await;
        // A first answer slower than the wait comes with the next call.
        (info.title == "Spring").then_some(info)
    })
    .await;
    assert_eq!(info.artist, None);
}
