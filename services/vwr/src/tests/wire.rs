//! The answers' new fields, and what caches may keep.

use super::{Door, OPENS_AT, Replica};
use ::http::{Request, header::CACHE_CONTROL};
use axum::body::Body;
use serde_json::{Value, json};
use tower::ServiceExt as _;

async fn cached(replica: &Replica, path: String) -> (String, Value) {
    let request = Request::get(path).body(Body::empty()).unwrap();
    let response = replica.router.clone().oneshot(request).await.unwrap();
    let kept = response.headers()[CACHE_CONTROL].to_str().unwrap().to_owned();
    let bytes = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
    (kept, serde_json::from_slice(&bytes).unwrap())
}

#[tokio::test]
async fn answers_say_where_one_stands_in_the_opening() {
    let (door, replica) = Door::new().await;
    let (_, body) = replica.try_join(door.sale, "kim").await;
    assert_eq!(
        (&body["phase"], &body["placed"], &body["opensAt"]),
        (&json!("pre-queue"), &json!(true), &json!(OPENS_AT.0))
    );
    assert!(body["etaP50S"].as_u64().unwrap() <= body["etaP90S"].as_u64().unwrap());
    for i in 0..30 {
        replica.join(door.sale, &format!("v{i}")).await;
    }
    let last = replica.join(door.sale, "last").await;
    for (after_ms, phase) in [(-1, "pre-queue"), (100, "waiting"), (4000, "admitted")] {
        door.clock().set(OPENS_AT.plus_ms(after_ms));
        let (_, body) = replica.check(door.sale, &last, "last").await;
        assert_eq!(body["phase"], phase, "{body}");
        assert!(body["epoch"].is_u64() && body["revision"].is_u64());
    }
}

#[tokio::test]
async fn places_are_private_and_the_line_is_public_for_a_second() {
    let (door, replica) = Door::new().await;
    let kim = replica.join(door.sale, "kim").await;
    let check = format!("/vwr-api/vwr/check/{}/{}?userId=kim", door.sale, kim.request_id);
    assert_eq!(cached(&replica, check).await.0, "no-store");
    door.clock().set(OPENS_AT.plus_s(1));
    let (kept, body) = cached(&replica, format!("/vwr-api/vwr/serving/{}", door.sale)).await;
    assert_eq!(kept, "public, max-age=1, s-maxage=1, must-revalidate");
    assert_eq!(
        body,
        json!({"serving": 1, "issued": 1, "ratePerS": 10, "phase": "open", "opensAt": OPENS_AT.0, "epoch": 1,
               "serverNow": OPENS_AT.plus_s(1).0})
    );
    let before = replica.faults().calls();
    for _ in 0..100 {
        cached(&replica, format!("/vwr-api/vwr/serving/{}", door.sale)).await;
    }
    assert_eq!(replica.faults().calls(), before);
    // A junk id is a 404 that the cache keeps as long.
    let (kept, body) = cached(&replica, "/vwr-api/vwr/serving/junk".to_owned()).await;
    assert_eq!(
        (kept.as_str(), &body["error"]),
        (
            "public, max-age=1, s-maxage=1, must-revalidate",
            &json!("VWR not found for this event")
        )
    );
}

#[tokio::test]
async fn names_may_be_written_with_escapes() {
    let (door, replica) = Door::new().await;
    let place = replica.join(door.sale, "kim@b.kr").await;
    for written in ["kim@b.kr", "kim%40b.kr", "k%69m@b.kr"] {
        let (status, body) = replica.check(door.sale, &place, written).await;
        assert_eq!(status, 200, "{written}: {body}");
    }
}
