//! The operator's hand (R-VWR-08, quirk 32).

use super::{Door, OPENS_AT, Replica};
use ::http::StatusCode;
use serde_json::json;
use urr_core::room::Mode;
use uuid::Uuid;

#[tokio::test]
async fn only_administrators_touch_a_room() {
    let (door, replica) = Door::new().await;
    for (method, action) in [
        ("POST", "activate"),
        ("POST", "deactivate"),
        ("GET", "status"),
        ("POST", "advance"),
    ] {
        let path = format!("/api/admin/vwr/{action}/{}", door.sale);
        let request = |role: Option<&str>| {
            let mut request = ::http::Request::builder().method(method).uri(&path);
            if let Some(role) = role {
                request = request
                    .header("x-user-id", Uuid::new_v4().to_string())
                    .header("x-user-role", role);
            }
            request.body(axum::body::Body::empty()).unwrap()
        };
        assert_eq!(replica.call(request(None)).await.0, StatusCode::UNAUTHORIZED);
        assert_eq!(replica.call(request(Some("user"))).await.0, StatusCode::FORBIDDEN);
    }
}

#[tokio::test]
async fn activation_begins_a_line_for_an_event_without_a_sale() {
    let (door, replica) = Door::new().await;
    let event = Uuid::new_v4();
    let path = |action: &str| format!("/api/admin/vwr/{action}/{event}");
    let (_, body) = replica.admin("GET", path("status"), "").await;
    assert_eq!(body, json!({"eventId": event, "status": "not_found"}));
    let (status, body) = replica.admin("POST", path("activate"), "").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(body["status"], "activated");
    assert!(
        body["epoch"].as_u64().unwrap() > 1,
        "later than any line that was lost"
    );
    let place = replica.join(event, "kim").await;
    door.clock().advance_ms(1000);
    assert_eq!(replica.check(event, &place, "kim").await.1["admitted"], true);
}

#[tokio::test]
async fn activating_a_living_line_keeps_its_numbers() {
    let (door, replica) = Door::new().await;
    let place = replica.join(door.sale, "kim").await;
    let (status, body) = replica
        .admin("POST", format!("/api/admin/vwr/activate/{}", door.sale), "")
        .await;
    assert_eq!((status, &body["epoch"]), (StatusCode::OK, &json!(1)));
    assert_eq!(replica.join(door.sale, "kim").await.position, place.position);
}

/// A room for an event without a sale, and the path of the hand's actions on it.
async fn by_hand(replica: &Replica) -> (Uuid, impl Fn(&str) -> String) {
    let event = Uuid::new_v4();
    let path = move |action: &str| format!("/api/admin/vwr/{action}/{event}");
    replica.admin("POST", path("activate"), "").await;
    (event, path)
}

#[tokio::test]
async fn a_room_that_is_switched_on_again_is_a_new_line_and_old_places_are_not_of_it() {
    let (door, replica) = Door::new().await;
    let other = door.replica().await;
    let (event, path) = by_hand(&replica).await;
    let old = replica.join(event, "kim").await;
    other.join(event, "lee").await;
    assert_eq!(
        replica.admin("POST", path("deactivate"), "").await.1,
        json!({"eventId": event, "status": "deactivated"})
    );
    let (_, body) = replica.admin("POST", path("activate"), "").await;
    assert!(body["epoch"].as_u64().unwrap() > 1);
    assert_eq!(replica.check(event, &old, "kim").await.0, StatusCode::NOT_FOUND);
    // The other replica has not heard of it yet; the store tells it when it numbers.
    let fresh = other.join(event, "park").await;
    assert_eq!(fresh.position, 1);
    assert_eq!(other.join(event, "kim").await.position, 2);
}

/// The control plane would begin a new line at its next look, and every place of this one be void.
#[tokio::test]
async fn the_room_of_a_sale_is_not_switched_off_by_hand() {
    let (door, replica) = Door::new().await;
    let place = replica.join(door.sale, "kim").await;
    let path = format!("/api/admin/vwr/deactivate/{}", door.sale);
    let (status, body) = replica.admin("POST", path.clone(), "").await;
    assert_eq!(status, StatusCode::CONFLICT, "{body}");
    assert!(
        body["error"]
            .as_str()
            .unwrap()
            .contains("Pause or delete the sale")
    );
    let kept = replica.stored(door.sale).await;
    assert_eq!((kept.mode, kept.epoch), (Mode::Active, 1));
    assert_eq!(replica.check(door.sale, &place, "kim").await.0, StatusCode::OK);
    // Off already, because the sale is over: there is nothing to refuse.
    replica
        .control(door.sale, |room| room.deactivated(OPENS_AT))
        .await;
    assert_eq!(replica.admin("POST", path.clone(), "").await.0, StatusCode::OK);
    // And a line that the hand began after it is the hand's to end.
    let activate = format!("/api/admin/vwr/activate/{}", door.sale);
    assert_eq!(replica.admin("POST", activate, "").await.0, StatusCode::OK);
    assert_eq!(replica.admin("POST", path, "").await.0, StatusCode::OK);
    assert_eq!(replica.stored(door.sale).await.mode, Mode::Inactive);
}

#[tokio::test]
async fn advance_serves_as_many_as_wait_and_no_more() {
    let (door, replica) = Door::new().await;
    for i in 0..30 {
        replica.join(door.sale, &format!("v{i}")).await;
    }
    let path = format!("/api/admin/vwr/advance/{}", door.sale);
    let (_, body) = replica.admin("POST", path.clone(), r#"{"batchSize":20}"#).await;
    assert_eq!(body["status"], "caught_up", "nobody goes in ahead of the opening");
    door.clock().set(OPENS_AT.plus_ms(100));
    let (_, body) = replica.admin("POST", path.clone(), r#"{"batchSize":20}"#).await;
    assert_eq!(
        body,
        json!({"eventId": door.sale, "servingCounter": 21, "advanced": 20})
    );
    let (_, body) = replica.admin("POST", path.clone(), "").await;
    assert_eq!(
        (&body["servingCounter"], &body["advanced"]),
        (&json!(30), &json!(9))
    );
    let (_, body) = replica.admin("POST", path.clone(), "").await;
    assert_eq!(body["status"], "caught_up");
    assert_eq!(
        replica.admin("POST", path, r#"{"batchSize":0}"#).await.0,
        StatusCode::BAD_REQUEST
    );
    let (_, body) = replica
        .admin("GET", format!("/api/admin/vwr/status/{}", door.sale), "")
        .await;
    assert_eq!((&body["nextPosition"], &body["waiting"]), (&json!(30), &json!(0)));
}

/// Support asks by name (requirements: a visitor's place can be looked up), on any replica.
#[tokio::test]
async fn support_finds_a_place_by_name() {
    let (door, replica) = Door::new().await;
    let other = door.replica().await;
    replica.join(door.sale, "kim").await;
    let lee = replica.join(door.sale, "lee").await;
    let path = |user: &str| format!("/api/admin/vwr/place/{}?userId={user}", door.sale);
    let (status, body) = other.admin("GET", path("lee"), "").await;
    assert_eq!(status, StatusCode::OK, "{body}");
    assert_eq!(
        (&body["position"], &body["requestId"], &body["admitted"]),
        (&json!(2), &json!(lee.request_id), &json!(false))
    );
    assert_eq!(
        other.admin("GET", path("park"), "").await.0,
        StatusCode::NOT_FOUND
    );
    assert_eq!(
        other.get(path("lee")).await.0,
        StatusCode::UNAUTHORIZED,
        "a place is nobody else's business"
    );
}
