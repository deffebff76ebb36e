//! The wire of memberships, transfers, seat changes, and the house's hand.

use super::served::{Api, Caller, SOON};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use urr_kit::clock::Clock as _;
use urr_kit::events::{COMMUNITY_EVENTS, Envelope, POINTS_EARNED};
use urr_kit::testing::eventually;
use uuid::Uuid;

impl Api {
    fn earned(&self, deed: &Value) -> Envelope {
        let now = self.clock.now();
        Envelope::new(POINTS_EARNED, "post", Uuid::new_v4(), now, deed).unwrap()
    }

    async fn get(&self, who: &Caller, path: &str) -> (StatusCode, Value) {
        self.call(Some(who), Method::GET, path, &Value::Null).await
    }

    async fn post(&self, who: &Caller, path: &str, body: Value) -> (StatusCode, Value) {
        self.call(Some(who), Method::POST, path, &body).await
    }

    /// A ticket of this visitor's for a seat of that number.
    async fn ticket(&self, who: &Caller, seat: usize) -> Value {
        let map = self.map(who, "").await;
        let (status, held) = self.reserve(who, &map["seats"][seat]["id"]).await;
        assert_eq!(status, 200, "{held}");
        let id = held["reservation"]["id"].clone();
        let path = format!("/internal/reservations/{}/confirm", id.as_str().unwrap());
        self.internal(Method::POST, &path, &Value::Null).await;
        id
    }

    async fn paid(&self, what: &str, id: &Value, user: Uuid) -> (StatusCode, Value) {
        let path = format!("/internal/{what}s/{}", id.as_str().unwrap());
        let (status, valid) = self
            .internal(
                Method::GET,
                &format!("{path}/validate?userId={user}"),
                &Value::Null,
            )
            .await;
        if status != StatusCode::OK {
            return (status, valid);
        }
        assert_eq!(valid["total_amount"], valid["totalAmount"]);
        let step = if what == "transfer" {
            "complete"
        } else {
            "activate"
        };
        let body = json!({"buyerId": user, "paymentId": Uuid::new_v4(), "paymentMethod": "toss"});
        self.internal(Method::POST, &format!("{path}/{step}"), &body)
            .await
    }
}

#[tokio::test]
async fn r_mem_01_a_fan_subscribes_pays_and_sees_what_it_is_worth() {
    let api = Api::new(1).await;
    let (fan, artist) = (api.visitor(), api.artist);
    let benefits = format!("/api/memberships/benefits/{artist}");
    let (status, none) = api.get(&fan, &benefits).await;
    assert_eq!(
        (status, none),
        (
            StatusCode::OK,
            json!({"preSalePhase": null, "preSaleLabel": "일반예매", "bookingFeeSurcharge": 0,
            "transferAccess": false, "transferFeePercent": null, "nextTierThreshold": null, "tier": "BRONZE",
            "membership_price": 45_000})
        )
    );
    let mine = format!("/api/memberships/my/{artist}");
    let (_, none) = api.get(&fan, &mine).await;
    assert_eq!(
        (&none["membership"], &none["pointHistory"], &none["tier"]),
        (&json!({}), &json!([]), &json!("BRONZE"))
    );
    let subscribe = json!({"artistId": artist});
    let (status, offer) = api
        .post(&fan, "/api/memberships/subscribe", subscribe.clone())
        .await;
    assert_eq!(status, 201, "{offer}");
    assert_eq!(
        (
            &offer["artistName"],
            &offer["price"],
            &offer["status"],
            &offer["artistId"]
        ),
        (
            &json!("The Waves"),
            &json!(45_000),
            &json!("pending"),
            &json!(artist)
        )
    );
    let (status, again) = api
        .post(&fan, "/api/memberships/subscribe", subscribe.clone())
        .await;
    assert_eq!((status, &again), (StatusCode::CREATED, &offer));
    let id = &offer["membershipId"];
    assert_eq!(api.paid("membership", id, Uuid::new_v4()).await.0, 403);
    assert_eq!(
        api.paid("membership", &json!(Uuid::new_v4()), fan.user).await.0,
        404
    );
    let paid = api.paid("membership", id, fan.user).await;
    assert_eq!(paid, (StatusCode::OK, json!({"ok": true})));
    assert_eq!(api.paid("membership", id, fan.user).await.0, 400);
    let (status, refused) = api.post(&fan, "/api/memberships/subscribe", subscribe).await;
    assert_eq!(status, 409, "{refused}");

    let (_, member) = api.get(&fan, &mine).await;
    let row = &member["membership"];
    assert_eq!(
        (
            &row["status"],
            &row["effective_tier"],
            &row["points"],
            &row["artist_name"],
            &row["membership_price"]
        ),
        (
            &json!("active"),
            &json!("SILVER"),
            &json!(200),
            &json!("The Waves"),
            &json!(45_000)
        )
    );
    assert!(row["expires_at"].as_str().unwrap().ends_with("+00:00"));
    assert_eq!(member["pointHistory"][0]["action_type"], "MEMBERSHIP_JOIN");
    assert_eq!(member["benefits"]["transferFeePercent"], 10);
    let (_, all) = api.get(&fan, "/api/memberships/my").await;
    assert_eq!(all["memberships"][0], *row);
    assert_eq!(
        api.call(None, Method::GET, "/api/memberships/my", &Value::Null)
            .await
            .0,
        401
    );
}

#[tokio::test]
async fn r_mem_03_other_services_award_points_and_hear_when_there_is_nobody_to_have_them() {
    let api = Api::new(1).await;
    let (fan, artist) = (api.visitor(), api.artist);
    let award = async |body: Value| {
        api.internal(Method::POST, "/internal/memberships/award-points", &body)
            .await
    };
    let deed = json!({"userId": fan.user, "artistId": artist, "actionType": "COMMUNITY_POST", "points": 30,
        "description": "post", "referenceId": Uuid::new_v4()});
    let (status, nobody) = award(deed.clone()).await;
    assert_eq!(
        (status, &nobody["ok"]),
        (StatusCode::OK, &json!(false)),
        "{nobody}"
    );
    let subscribe = json!({"artistId": artist});
    let (_, offer) = api.post(&fan, "/api/memberships/subscribe", subscribe).await;
    api.paid("membership", &offer["membershipId"], fan.user).await;
    for _ in 0..2 {
        assert_eq!(award(deed.clone()).await, (StatusCode::OK, json!({"ok": true})));
    }
    let (_, mine) = api.get(&fan, &format!("/api/memberships/my/{artist}")).await;
    assert_eq!(mine["membership"]["points"], 230);
    for (field, value) in [
        ("points", json!(0)),
        ("points", json!(10_001)),
        ("actionType", json!(" ")),
    ] {
        let mut flawed = deed.clone();
        flawed[field] = value;
        assert_eq!(award(flawed).await.0, 400, "{field}");
    }
    // The community tells by event: the same post again, in an event of its own, and another twice.
    let mut comment = deed.clone();
    comment["actionType"] = json!("COMMUNITY_COMMENT");
    comment["points"] = json!(10);
    comment["referenceId"] = json!(Uuid::new_v4());
    let comment = api.earned(&comment);
    for event in [&api.earned(&deed), &comment, &comment] {
        api.publish(COMMUNITY_EVENTS, event).await;
    }
    let points = async || {
        let (_, mine) = api.get(&fan, &format!("/api/memberships/my/{artist}")).await;
        mine["membership"]["points"].clone()
    };
    eventually(SOON, "the comment's points", async || points().await != 230).await;
    // One more deed behind them: whatever those were worth is counted by then.
    let mut last = deed.clone();
    last["referenceId"] = json!(Uuid::new_v4());
    api.publish(COMMUNITY_EVENTS, &api.earned(&last)).await;
    eventually(SOON, "the last deed's points", async || points().await != 240).await;
    assert_eq!(points().await, 270);
}

#[tokio::test]
async fn r_res_03_an_artist_is_catalogs_word_and_a_copy_serves_while_it_is_away() {
    let api = Api::new(1).await;
    let fan = api.visitor();
    let subscribe = async |artist: Uuid| {
        api.post(&fan, "/api/memberships/subscribe", json!({"artistId": artist}))
            .await
    };
    assert_eq!(subscribe(Uuid::nil()).await.0, 404, "catalog knows none");
    assert_eq!(subscribe(api.artist).await.0, 201);
    api.catalog_is_away();
    api.clock.advance_ms(61_000);
    assert_eq!(subscribe(api.artist).await.0, 201);
    assert_eq!(
        subscribe(Uuid::new_v4()).await.0,
        502,
        "neither catalog nor a copy"
    );
}

#[tokio::test]
async fn r_trf_01_a_ticket_is_listed_found_bought_or_withdrawn() {
    let api = Api::new(4).await;
    let (seller, buyer) = (api.visitor(), api.visitor());
    let ticket = api.ticket(&seller, 0).await;
    let list = json!({"reservationId": ticket});
    assert_eq!(api.post(&buyer, "/api/transfers", list.clone()).await.0, 403);
    let unknown = json!({"reservationId": Uuid::new_v4()});
    assert_eq!(api.post(&seller, "/api/transfers", unknown).await.0, 404);
    let map = api.map(&buyer, "").await;
    let (_, held) = api.reserve(&buyer, &map["seats"][1]["id"]).await;
    let unpaid = json!({"reservationId": held["reservation"]["id"]});
    assert_eq!(api.post(&buyer, "/api/transfers", unpaid).await.0, 400);

    let (status, listed) = api.post(&seller, "/api/transfers", list.clone()).await;
    assert_eq!(
        (status, &listed["message"]),
        (StatusCode::OK, &json!("Transfer listed successfully"))
    );
    let transfer = &listed["transfer"];
    assert_eq!(
        (
            &transfer["original_price"],
            &transfer["transfer_fee"],
            &transfer["total_price"],
            &transfer["seats"]
        ),
        (
            &json!(150_000),
            &json!(15_000),
            &json!(165_000),
            &json!("VIP-1-1")
        )
    );
    assert_eq!(transfer["event_title"], "Opening night");
    assert_eq!(api.post(&seller, "/api/transfers", list.clone()).await.0, 409);
    // Quirk 33: a page is clamped.
    let (status, page) = api.get(&buyer, "/api/transfers?page=0&limit=0").await;
    assert_eq!(
        (status, &page["pagination"]),
        (
            StatusCode::OK,
            &json!({"page": 1, "limit": 1, "total": 1, "totalPages": 1})
        )
    );
    assert_eq!(page["transfers"][0], *transfer);
    let elsewhere = format!("/api/transfers?artistId={}", Uuid::new_v4());
    assert_eq!(api.get(&buyer, &elsewhere).await.1["transfers"], json!([]));
    let path = format!("/api/transfers/{}", transfer["id"].as_str().unwrap());
    assert_eq!(api.get(&buyer, &path).await.1["transfer"], *transfer);
    assert_eq!(
        api.get(&seller, "/api/transfers/my").await.1["transfers"][0],
        *transfer
    );

    assert_eq!(
        api.paid("transfer", &transfer["id"], seller.user).await.0,
        400,
        "his own"
    );
    let cancel = format!("{path}/cancel");
    assert_eq!(api.post(&buyer, &cancel, Value::Null).await.0, 403);
    assert_eq!(api.post(&seller, &cancel, Value::Null).await.0, 200);
    assert_eq!(api.post(&seller, &cancel, Value::Null).await.0, 400);
    assert_eq!(
        api.paid("transfer", &transfer["id"], buyer.user).await.0,
        400,
        "withdrawn"
    );

    api.clock.advance_ms(1000);
    let (_, again) = api.post(&seller, "/api/transfers", list).await;
    let transfer = &again["transfer"]["id"];
    let bought = api.paid("transfer", transfer, buyer.user).await;
    assert_eq!(bought, (StatusCode::OK, json!({"ok": true})));
    assert_eq!(api.status_of(&buyer, &ticket).await, "confirmed");
    let path = format!("/api/reservations/{}", ticket.as_str().unwrap());
    assert_eq!(api.get(&seller, &path).await.0, 404);
    assert_eq!(api.get(&buyer, "/api/transfers").await.1["transfers"], json!([]));
    assert_eq!(
        api.get(&seller, "/api/transfers/my").await.1["transfers"][0]["status"],
        "completed"
    );
    let missing = format!("/api/transfers/{}", Uuid::new_v4());
    assert_eq!(api.get(&buyer, &missing).await.0, 404);
}

#[tokio::test]
async fn r_book_09_seats_are_changed_with_an_entry_token() {
    let api = Api::new(4).await;
    let visitor = api.visitor();
    let map = api.map(&visitor, "").await;
    let (_, held) = api.reserve(&visitor, &map["seats"][0]["id"]).await;
    let path = format!(
        "/api/seats/reservation/{}",
        held["reservation"]["id"].as_str().unwrap()
    );
    let other = json!({"seatIds": [map["seats"][2]["id"]]});
    let (status, changed) = api.call(Some(&visitor), Method::PUT, &path, &other).await;
    assert_eq!(status, 200, "{changed}");
    assert_eq!(
        (
            &changed["reservation"]["totalAmount"],
            &changed["reservation"]["seats"][0]["seat_label"]
        ),
        (&json!(90_000), &json!("A-1-1"))
    );
    assert_eq!(
        changed["reservation"]["expiresAt"],
        held["reservation"]["expiresAt"]
    );
    let two = json!({"seatIds": [map["seats"][1]["id"], map["seats"][2]["id"]]});
    assert_eq!(api.call(Some(&visitor), Method::PUT, &path, &two).await.0, 400);
    let outside = Caller {
        token: None,
        ..visitor.clone()
    };
    assert_eq!(api.call(Some(&outside), Method::PUT, &path, &other).await.0, 403);
    assert_eq!(
        api.call(Some(&api.visitor()), Method::PUT, &path, &other).await.0,
        404
    );
}

#[tokio::test]
async fn quirk_14_the_house_ends_a_reservation_and_does_nothing_else_to_it() {
    // R-ADM-02.
    let api = Api::new(2).await;
    let visitor = api.visitor();
    let ticket = api.ticket(&visitor, 0).await;
    let path = format!("/internal/admin/reservations/{}/status", ticket.as_str().unwrap());
    let set = async |body: Value| api.internal(Method::PATCH, &path, &body).await;
    for (wish, code) in [
        (json!({}), 400),
        (json!({"status": "sold"}), 400),
        (json!({"status": "pending"}), 409),
        (json!({"paymentStatus": "pending"}), 409),
        (json!({"status": "confirmed", "paymentStatus": "completed"}), 200),
    ] {
        let (status, body) = set(wish.clone()).await;
        assert_eq!(status, code, "{wish} {body}");
    }
    assert_eq!(api.status_of(&visitor, &ticket).await, "confirmed");
    let (status, ended) = set(json!({"status": "cancelled", "paymentStatus": "refunded"})).await;
    assert_eq!(
        (
            status,
            &ended["reservation"]["status"],
            &ended["reservation"]["payment_status"]
        ),
        (StatusCode::OK, &json!("cancelled"), &json!("refund_requested"))
    );
    api.clock.advance_ms(crate::map::MAX_AGE_MS);
    assert_eq!(api.map(&visitor, "").await["seats"][0]["status"], "available");
    assert_eq!(
        set(json!({"status": "cancelled"})).await.0,
        200,
        "again is no harm"
    );
    assert_eq!(set(json!({"status": "confirmed"})).await.0, 409);
}
