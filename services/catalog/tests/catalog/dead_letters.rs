//! Dead letters in an admin's hands (R-MSG-05, R-ADM-02).

use crate::world::World;
use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use urr_kit::Redis;
use urr_kit::events::{Envelope, PAYMENT_CONFIRMED, PAYMENT_EVENTS};
use urr_kit::identity::Role;
use uuid::Uuid;

const ALL: &str = "/api/admin/dead-letters";

fn event(amount: &Value) -> Envelope {
    let payload = json!({ "amount": amount });
    Envelope::new(
        PAYMENT_CONFIRMED,
        "payment",
        Uuid::new_v4(),
        urr_core::time::Millis(1),
        &payload,
    )
    .unwrap()
}

/// As a consumer leaves it.
async fn bury(redis: &Redis, event: &str) {
    redis::cmd("XADD")
        .arg(redis.key(&format!("{{events}}:{PAYMENT_EVENTS}-dlq")))
        .arg(("*", "event", event, "group", "booking", "reason", "no amount"))
        .query_async::<()>(&mut redis.conn())
        .await
        .unwrap();
}

/// What consumers read next.
async fn published(redis: &Redis) -> Vec<Envelope> {
    let reply: redis::streams::StreamRangeReply = redis::cmd("XRANGE")
        .arg((redis.key(&format!("{{events}}:{PAYMENT_EVENTS}")), "-", "+"))
        .query_async(&mut redis.conn())
        .await
        .unwrap();
    let texts = reply
        .ids
        .iter()
        .map(|entry| entry.get::<String>("event").unwrap());
    texts.map(|text| serde_json::from_str(&text).unwrap()).collect()
}

#[tokio::test]
async fn dead_letters_are_counted_listed_mended_and_replayed_under_the_audit() {
    let world = World::new().await;
    let redis = world.bed.ctx().redis().await.unwrap();
    let (sound, broken) = (event(&json!(1)), event(&json!("one")));
    bury(&redis, &serde_json::to_string(&sound).unwrap()).await;
    bury(&redis, &serde_json::to_string(&broken).unwrap()).await;
    bury(&redis, "{not json").await;

    let (_, body) = world.admin(Method::GET, ALL, None).await;
    let counts = body["deadLetters"].as_array().unwrap();
    let of = |topic: &str| counts.iter().find(|row| row["topic"] == topic).unwrap()["count"].clone();
    assert_eq!((of(PAYMENT_EVENTS), of("catalog-events")), (json!(3), json!(0)));
    let topic = format!("{ALL}/{PAYMENT_EVENTS}");
    let (_, body) = world.admin(Method::GET, &topic, None).await;
    let letters = body["letters"].as_array().unwrap().clone();
    assert_eq!(letters.len(), 3);
    assert_eq!(letters[0]["event"], "{not json");
    assert_eq!(
        (&letters[1]["group"], &letters[1]["reason"]),
        (&json!("booking"), &json!("no amount"))
    );
    assert_eq!(letters[2]["event"]["eventId"], json!(sound.event_id));
    let (_, one) = world.admin(Method::GET, &format!("{topic}?limit=1"), None).await;
    assert_eq!(one["letters"].as_array().unwrap().len(), 1);

    let path = |letter: &Value| format!("{topic}/{}/replay", letter["id"].as_str().unwrap());
    let (status, body) = world.admin(Method::POST, &path(&letters[2]), None).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    world.bed.clock().advance_ms(1);
    // Mended, it is the same event.
    let other = json!({ "event": event(&json!(2)) });
    let (status, body) = world.admin(Method::POST, &path(&letters[1]), Some(other)).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{body}");
    let mended = Envelope {
        payload: json!({ "amount": 2 }),
        ..broken
    };
    let body = json!({ "event": mended });
    let (status, body) = world.admin(Method::POST, &path(&letters[1]), Some(body)).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    assert_eq!(published(&redis).await, [sound.clone(), mended.clone()]);

    let (_, body) = world.admin(Method::GET, &topic, None).await;
    assert_eq!(body["letters"].as_array().unwrap().len(), 1);
    let (status, _) = world.admin(Method::POST, &path(&letters[2]), None).await;
    assert_eq!(status, StatusCode::NOT_FOUND, "it was replayed before");
    let audited = world.audited("DEAD_LETTER_REPLAYED").await;
    assert_eq!(audited.len(), 2);
    assert_eq!(audited[0]["event"]["eventId"], json!(sound.event_id));
    assert_eq!(
        (&audited[0]["mended"], audited[1]["mended"].is_string()),
        (&Value::Null, true)
    );
}

#[tokio::test]
async fn dead_letters_are_for_admins_and_nonsense_is_refused() {
    let world = World::new().await;
    for (role, status) in [(None, 401), (Some(Role::User), 403)] {
        for (method, path) in [
            (Method::GET, ALL.to_owned()),
            (Method::GET, format!("{ALL}/{PAYMENT_EVENTS}")),
            (Method::POST, format!("{ALL}/{PAYMENT_EVENTS}/1-1/replay")),
        ] {
            let (answered, _) = world.call(method, &path, role, None).await;
            assert_eq!(answered.as_u16(), status, "{path}");
        }
    }
    for (path, status) in [
        ("nothing/1-1/replay", 404),
        ("payment-events/1-1/replay", 404),
        ("payment-events/%2B/replay", 400),
        ("payment-events/1-x/replay", 400),
    ] {
        let (answered, body) = world.admin(Method::POST, &format!("{ALL}/{path}"), None).await;
        assert_eq!(answered.as_u16(), status, "{path}: {body}");
    }
    let (status, _) = world.admin(Method::GET, &format!("{ALL}/nothing"), None).await;
    assert_eq!(status.as_u16(), 404);
    assert!(world.audited("DEAD_LETTER_REPLAYED").await.is_empty());
}
