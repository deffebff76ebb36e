//! The wire: what visitors send and read.

use super::HOLD_MS;
use super::served::{Api, Caller, SOON};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use urr_kit::testing::eventually;
use uuid::Uuid;

#[tokio::test]
async fn a_visitor_sees_holds_and_owns_a_seat() {
    let api = Api::new(4).await;
    let visitor = api.visitor();
    let map = api.map(&visitor, "").await;
    assert_eq!(map["event"]["title"], "Opening night");
    assert_eq!(map["seats"].as_array().unwrap().len(), 4);
    assert_eq!(
        map["sections"],
        json!([
            {"name": "VIP", "total": 2, "available": 2, "price": 150_000},
            {"name": "A", "total": 2, "available": 2, "price": 90_000},
        ])
    );
    let vip = api.map(&visitor, "?section=VIP").await;
    assert_eq!(vip["seats"].as_array().unwrap().len(), 2);
    assert_eq!(vip["sections"].as_array().unwrap().len(), 2);
    let seat = &vip["seats"][0];
    assert_eq!(
        (&seat["seat_label"], &seat["status"]),
        (&json!("VIP-1-1"), &json!("available"))
    );

    let (status, held) = api.reserve(&visitor, &seat["id"]).await;
    assert_eq!(status, 200, "{held}");
    assert_eq!(held["message"], "Seat reserved temporarily");
    let reservation = &held["reservation"];
    assert!(
        reservation["reservationNumber"]
            .as_str()
            .unwrap()
            .starts_with("TK")
    );
    assert_eq!(
        (&reservation["totalAmount"], &reservation["fencingToken"]),
        (&json!(150_000), &json!(1))
    );
    assert_eq!(reservation["seats"][0]["status"], "locked");
    let (status, lost) = api.reserve(&api.visitor(), &seat["id"]).await;
    assert_eq!(
        (status, &lost["error"]),
        (StatusCode::CONFLICT, &lost["message"]),
        "{lost}"
    );

    api.clock.advance_ms(crate::map::MAX_AGE_MS);
    assert_eq!(
        api.map(&visitor, "?section=VIP").await["seats"][0]["status"],
        "locked"
    );
    let id = reservation["id"].as_str().unwrap();
    let path = format!("/internal/reservations/{id}/validate?userId={}", visitor.user);
    let (status, valid) = api.internal(Method::GET, &path, &Value::Null).await;
    assert_eq!(
        (status, &valid["total_amount"]),
        (StatusCode::OK, &json!(150_000)),
        "{valid}"
    );
    let path = format!("/internal/reservations/{id}/confirm");
    let (status, ok) = api
        .internal(Method::POST, &path, &json!({"paymentMethod": "toss"}))
        .await;
    assert_eq!((status, ok), (StatusCode::OK, json!({"ok": true})));

    api.clock.advance_ms(crate::map::MAX_AGE_MS);
    assert_eq!(api.map(&visitor, "").await["seats"][0]["status"], "reserved");
    let path = format!("/internal/seats/summary/{}", api.event);
    let (_, summary) = api.internal(Method::GET, &path, &Value::Null).await;
    assert_eq!(
        (&summary["capacity"], &summary["free"], &summary["sold"]),
        (&json!(4), &json!(3), &json!(1))
    );
    let (_, mine) = api
        .call(Some(&visitor), Method::GET, "/api/reservations/my", &Value::Null)
        .await;
    assert_eq!(mine["reservations"][0]["items"][0]["seatLabel"], "VIP-1-1");
    // Owners read and cancel without an entry token (quirk 18).
    let owner = Caller {
        token: None,
        ..visitor.clone()
    };
    assert_eq!(api.status_of(&owner, &reservation["id"]).await, "confirmed");
    let path = format!("/api/reservations/{id}/cancel");
    let (status, body) = api.call(Some(&owner), Method::POST, &path, &Value::Null).await;
    assert_eq!(
        (status, &body["reservation"]["status"]),
        (StatusCode::OK, &json!("cancelled"))
    );
    let (status, _) = api.call(Some(&owner), Method::POST, &path, &Value::Null).await;
    assert_eq!(status, 409);
}

#[tokio::test]
async fn nobody_gets_in_by_the_back_door() {
    // Law no-back-door, R-GW-04, quirk 4.
    let api = Api::new(2).await;
    let visitor = api.visitor();
    let seat = api.map(&visitor, "").await["seats"][0]["id"].clone();
    let with = |token: Option<String>| Caller {
        token,
        ..visitor.clone()
    };
    let expired = api.visitor();
    for (who, caller) in [
        ("no token", with(None)),
        ("another user's", with(Some(api.token(api.event, Uuid::new_v4())))),
        (
            "another sale's",
            with(Some(api.token(Uuid::new_v4(), visitor.user))),
        ),
        ("made up", with(Some("a.b.c".into()))),
    ] {
        let (status, body) = api.reserve(&caller, &seat).await;
        assert_eq!(
            (status, &body["redirectTo"]),
            (StatusCode::FORBIDDEN, &json!("/queue")),
            "{who}"
        );
        let path = format!("/api/seats/events/{}", api.event);
        let (status, _) = api.call(Some(&caller), Method::GET, &path, &Value::Null).await;
        assert_eq!(status, 403, "{who}");
    }
    api.clock.advance_ms(600_000);
    assert_eq!(api.reserve(&expired, &seat).await.0, 403);
    let anonymous = json!({"eventId": api.event, "seatIds": [seat]});
    assert_eq!(
        api.call(None, Method::POST, "/api/seats/reserve", &anonymous)
            .await
            .0,
        401
    );
    let path = format!("/internal/seats/count/{}", api.event);
    assert_eq!(
        api.call(Some(&visitor), Method::GET, &path, &Value::Null).await.0,
        401
    );
}

#[tokio::test]
async fn bad_input_is_400_or_404_with_a_sentence() {
    // Quirk 22.
    let api = Api::new(2).await;
    let visitor = api.visitor();
    let map = api.map(&visitor, "").await;
    let (a, b) = (&map["seats"][0]["id"], &map["seats"][1]["id"]);
    let reserve = |body: Value| {
        let (api, visitor) = (&api, &visitor);
        async move {
            api.call(Some(visitor), Method::POST, "/api/seats/reserve", &body)
                .await
        }
    };
    let event = api.event;
    for (body, code, text) in [
        (
            json!({"eventId": event, "seatIds": []}),
            400,
            "Please select at least one seat",
        ),
        (
            json!({"eventId": event, "seatIds": [a, b]}),
            400,
            "Only one seat can be selected",
        ),
        (
            json!({"eventId": event, "seatIds": [Uuid::new_v4()]}),
            404,
            "Selected seat not found",
        ),
        (
            json!({"eventId": event, "seatIds": ["x"]}),
            400,
            "Invalid request body",
        ),
        (json!("x"), 400, "Invalid request body"),
        (
            json!({"eventId": event, "seatIds": [a], "idempotencyKey": "k".repeat(256)}),
            400,
            "idempotencyKey",
        ),
    ] {
        let (status, answer) = reserve(body.clone()).await;
        assert_eq!(status, code, "{body} {answer}");
        assert!(answer["error"].as_str().unwrap().starts_with(text), "{answer}");
    }
    let (status, _) = api
        .call(
            Some(&visitor),
            Method::GET,
            "/api/reservations/none",
            &Value::Null,
        )
        .await;
    assert_eq!(status, 400);
    let missing = format!("/api/reservations/{}", Uuid::new_v4());
    assert_eq!(
        api.call(Some(&visitor), Method::GET, &missing, &Value::Null)
            .await
            .0,
        404
    );
    let flawed = json!({"name": "x", "layout_config": {"sections": []}});
    assert_eq!(
        api.internal(Method::POST, "/internal/seat-layouts", &flawed)
            .await
            .0,
        400
    );
}

#[tokio::test]
async fn standing_tickets_count_down_to_zero_and_come_back() {
    // R-BOOK-05.
    let api = Api::new(1).await;
    let new = json!({"eventId": api.event, "name": "Standing", "price": 50_000, "totalQuantity": 5});
    let (_, made) = api.internal(Method::POST, "/internal/ticket-types", &new).await;
    let ticket_type = made["ticketType"]["id"].as_str().unwrap().to_owned();
    let order = |quantity: i32, key: &str| {
        json!({"eventId": api.event, "items": [{"ticketTypeId": ticket_type, "quantity": quantity}],
               "idempotencyKey": key})
    };
    let left = async || {
        let path = format!("/api/tickets/availability/{ticket_type}");
        api.call(None, Method::GET, &path, &Value::Null).await.1["available_quantity"].clone()
    };
    let (a, b) = (api.visitor(), api.visitor());
    let (status, first) = api
        .call(Some(&a), Method::POST, "/api/reservations", &order(3, "k"))
        .await;
    assert_eq!(status, 200, "{first}");
    let reservation = &first["reservation"];
    assert!(
        reservation["reservationNumber"]
            .as_str()
            .unwrap()
            .starts_with('R')
    );
    assert_eq!(
        (&reservation["totalAmount"], &reservation["status"]),
        (&json!(150_000), &json!("pending"))
    );
    assert_eq!(reservation["items"][0]["ticketTypeName"], "Standing");
    let (_, again) = api
        .call(Some(&a), Method::POST, "/api/reservations", &order(3, "k"))
        .await;
    assert_eq!(again, first);
    let (status, refused) = api
        .call(Some(&b), Method::POST, "/api/reservations", &order(3, "k"))
        .await;
    assert_eq!(
        (status, &refused["error"]),
        (StatusCode::CONFLICT, &json!("Standing quantity is not enough"))
    );
    let (status, _) = api
        .call(Some(&a), Method::POST, "/api/reservations", &order(2, "l"))
        .await;
    assert_eq!((status, left().await), (StatusCode::CONFLICT, json!(2)));
    api.clock.advance_ms(HOLD_MS);
    eventually(SOON, "the sweep", async || left().await == json!(5)).await;
}

#[tokio::test]
async fn r_book_06_a_repeat_gets_the_first_result_also_after_the_sale_has_closed() {
    let api = Api::new(2).await;
    let visitor = api.visitor();
    api.clock.advance_ms(24 * 3_600_000 - 1);
    let visitor = Caller {
        token: Some(api.token(api.event, visitor.user)),
        ..visitor
    };
    let seats = api.map(&visitor, "").await["seats"].clone();
    let wish = json!({"eventId": api.event, "seatIds": [seats[0]["id"]], "idempotencyKey": "once"});
    let reserve = async |wish: &Value| {
        api.call(Some(&visitor), Method::POST, "/api/seats/reserve", wish)
            .await
    };
    let new = json!({"eventId": api.event, "name": "Standing", "price": 50_000, "totalQuantity": 5});
    let (_, made) = api.internal(Method::POST, "/internal/ticket-types", &new).await;
    let item = json!({"ticketTypeId": made["ticketType"]["id"], "quantity": 1});
    let order = json!({"eventId": api.event, "items": [item], "idempotencyKey": "once"});
    let buy = async |order: &Value| {
        api.call(Some(&visitor), Method::POST, "/api/reservations", order)
            .await
    };
    let (status, first) = reserve(&wish).await;
    assert_eq!(status, StatusCode::OK, "{first}");
    let (status, standing) = buy(&order).await;
    assert_eq!(status, StatusCode::OK, "{standing}");
    // The answers were lost; the sale closes before the client asks again.
    api.clock.advance_ms(1001);
    assert_eq!(reserve(&wish).await, (StatusCode::OK, first));
    assert_eq!(buy(&order).await, (StatusCode::OK, standing));
    let mut another = wish.clone();
    another["idempotencyKey"] = json!("another");
    assert_eq!(reserve(&another).await.1["code"], "SALE_CLOSED");
}
