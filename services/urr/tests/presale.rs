//! An artist's presale from the gateway to the stores (R-BOOK-14, R-MEM-04, decision 0028): his page, the waiting
//! room, the queue's door and booking say the same hour.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod house;

use house::{House, SOON};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use urr_core::{
    room,
    sale::{Sale, Schedule},
    testing::sale_that_opens,
    time::Millis,
    token::{entry, tier1},
};
use urr_gateway::Room;
use urr_kit::{
    clock::Clock as _,
    identity::{AccessTokens, Identity, Role},
    state::{
        limits::{Limits, LimitsStore},
        rooms::Rooms,
    },
    testing::eventually,
    wire,
};
use uuid::Uuid;

const DAY_S: i64 = 86_400;

/// An artist's show, and the house that sells it.
struct Night {
    house: House,
    starts_at: Millis,
    show: String,
}

/// Somebody with a browser.
#[derive(Clone)]
struct Person {
    user: Uuid,
    name: String,
}

impl Night {
    async fn new() -> Self {
        let house = House::open(async |ctx| {
            let queue = urr_queue::Config {
                // However busy the machine is.
                queue_booking_wait_ms: 60_000,
                ..urr_queue::Config::default()
            };
            let (catalog, vwr) = (urr_catalog::Config::default(), urr_vwr::Config::default());
            let booking = urr_booking::Config::default();
            vec![
                (Room::Catalog, urr_catalog::start(ctx, catalog).await.unwrap()),
                (Room::Vwr, urr_vwr::start(ctx, vwr).await.unwrap()),
                (Room::Queue, urr_queue::start(ctx, queue).await.unwrap()),
                (Room::Booking, urr_booking::start(ctx, booking).await.unwrap()),
            ]
        })
        .await;
        let mut night = Self {
            starts_at: house.bed.clock().now(),
            house,
            show: String::new(),
        };
        night.put_on_a_show().await;
        night
    }

    /// An artist's show with four seats, on sale for a month from now, and the line that the control plane makes.
    async fn put_on_a_show(&mut self) {
        let hall =
            json!({"sections": [{"name": "A", "rows": 1, "seatsPerRow": 4, "price": 1000, "startRow": 1}]});
        let layout = json!({"name": "Hall", "layoutConfig": hall});
        let made = self.inside(Method::POST, "seat-layouts", &layout).await;
        let at = |s| wire::text(wire::at(self.starts_at.plus_s(s)));
        let draft = json!({"title": "Opening night", "venue": "Hall", "artistName": "The Waves",
            "eventDate": at(60 * DAY_S), "saleStartDate": at(0), "saleEndDate": at(30 * DAY_S),
            "seatLayoutId": made["id"]});
        let (status, made) = self
            .call(&self.person(), Method::POST, "/api/v1/admin/events", &draft, &[])
            .await;
        assert_eq!(status, StatusCode::CREATED, "{made}");
        let id = made["id"].as_str().or_else(|| made["event"]["id"].as_str());
        self.show = id.unwrap_or_else(|| panic!("{made}")).to_owned();
        let sale = Sale {
            id: self.show.parse().unwrap(),
            schedule: Schedule {
                pre_queue_at: self.starts_at,
                opens_at: self.starts_at,
                closes_at: self.starts_at.plus_s(30 * DAY_S),
            },
            ..sale_that_opens(self.starts_at)
        };
        let put = serde_json::to_value(&sale).unwrap();
        self.inside(Method::PUT, &format!("sales/{}", sale.id), &put)
            .await;
        let room = room::Room::new(&sale, 1);
        Rooms::new(&self.house.bed.ctx().dynamo().await)
            .create(&room)
            .await
            .unwrap();
        let limits = Limits {
            sale: sale.id,
            revision: 1,
            epoch: 1,
            rate_per_s: 10,
            cap: 1,
            burst: 1,
            opens_at: sale.schedule.opens_at,
            closes_at: sale.schedule.closes_at,
            silence_s: 600,
            active_ttl_s: 600,
            token_ttl_s: 600,
            paused: false,
            sold_out: false,
            require_place: true,
            one_line_per_user: false,
        };
        let redis = self.house.bed.ctx().redis().await.unwrap();
        LimitsStore::new(redis).write(&limits).await.unwrap();
        // Catalog tells booking whose show it is by its events; booking reads its terms once a second.
        eventually(SOON, "booking knows of the presale", async || {
            self.house.bed.clock().advance_ms(1000);
            let path = format!("sales/{}/terms", self.show);
            let terms = self.inside(Method::GET, &path, &Value::Null).await;
            (!terms["presale"].is_null()).then_some(())
        })
        .await;
    }

    fn person(&self) -> Person {
        let user = Uuid::new_v4();
        Person {
            user,
            name: format!("anon-{user}"),
        }
    }

    /// A call by the gateway, as this person, with these headers.
    async fn call(
        &self,
        who: &Person,
        method: Method,
        path: &str,
        body: &Value,
        headers: &[(&str, &str)],
    ) -> (StatusCode, Value) {
        let identity = Identity {
            user_id: who.user,
            email: "kim@urr.example".to_owned(),
            role: Role::Admin,
        };
        let access = AccessTokens::new(&self.house.bed.ctx().secrets)
            .issue_access(&identity, self.house.bed.clock().now());
        let mut request = self
            .house
            .http
            .request(method, format!("{}{path}", self.house.gateway))
            .bearer_auth(access);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if !body.is_null() {
            request = request.json(body);
        }
        let answer = request.send().await.unwrap();
        (answer.status(), answer.json().await.unwrap_or_default())
    }

    /// A call from service to service, which must succeed.
    async fn inside(&self, method: Method, path: &str, body: &Value) -> Value {
        let url = format!("{}/internal/{path}", self.house.internal);
        let body = (!body.is_null()).then_some(body);
        self.house
            .bed
            .ctx()
            .internal()
            .send(method, &url, body)
            .await
            .unwrap()
    }

    /// Makes him a member with so many points beside those for joining.
    async fn subscribe(&self, who: &Person, artist: &Value, points: u32) {
        let wish = json!({"artistId": artist});
        let (status, offer) = self
            .call(who, Method::POST, "/api/v1/memberships/subscribe", &wish, &[])
            .await;
        assert_eq!(status, StatusCode::CREATED, "{offer}");
        let paid = json!({"buyerId": who.user, "paymentId": Uuid::new_v4(), "paymentMethod": "toss"});
        let path = format!("memberships/{}/activate", offer["membershipId"].as_str().unwrap());
        self.inside(Method::POST, &path, &paid).await;
        let deed = json!({"userId": who.user, "artistId": artist, "actionType": "EVENT", "points": points});
        let awarded = self.inside(Method::POST, "memberships/award-points", &deed).await;
        assert_eq!(awarded["ok"], true, "{awarded}");
    }

    async fn take_a_place(&self, who: &Person) -> Value {
        let path = format!("/vwr-api/vwr/assign/{}", self.show);
        let (status, place) = self
            .call(who, Method::POST, &path, &json!({"userId": who.name}), &[])
            .await;
        assert_eq!(status, StatusCode::OK, "{place}");
        place
    }

    /// The pass that his place gives, once its turn has come.
    async fn pass(&self, who: &Person, place: &Value) -> String {
        let id = place["requestId"].as_str().unwrap();
        let path = format!("/vwr-api/vwr/check/{}/{id}?userId={}", self.show, who.name);
        eventually(SOON, "his turn in the waiting room", async || {
            let (status, answer) = self.call(who, Method::GET, &path, &Value::Null, &[]).await;
            assert_eq!(status, StatusCode::OK, "{answer}");
            answer["token"].as_str().map(str::to_owned)
        })
        .await
    }

    async fn knock(&self, who: &Person, pass: &str) -> (StatusCode, Value) {
        let path = format!("/api/v1/queue/check/{}", self.show);
        self.call(who, Method::POST, &path, &Value::Null, &[("x-vwr-token", pass)])
            .await
    }

    async fn reserve(&self, who: &Person, entry: &str, seat: usize) -> (StatusCode, Value) {
        let entry = [("x-queue-entry-token", entry)];
        let path = format!("/api/v1/seats/events/{}", self.show);
        let (status, map) = self.call(who, Method::GET, &path, &Value::Null, &entry).await;
        assert_eq!(status, StatusCode::OK, "{map}");
        let wish = json!({"eventId": self.show, "seatIds": [map["seats"][seat]["id"]]});
        self.call(who, Method::POST, "/api/v1/seats/reserve", &wish, &entry)
            .await
    }

    async fn line(&self) -> (Value, Value) {
        let path = format!("/api/v1/queue/admin/{}", self.show);
        let (_, line) = self
            .call(&self.person(), Method::GET, &path, &Value::Null, &[])
            .await;
        (line["queueSize"].clone(), line["currentUsers"].clone())
    }
}

#[tokio::test]
async fn r_book_14_gold_goes_in_while_bronze_hears_his_hour_and_finds_his_place_again() {
    let night = Night::new().await;
    let (gold, bronze) = (night.person(), night.person());
    let path = format!("/api/v1/events/{}", night.show);
    let (_, page) = night.call(&bronze, Method::GET, &path, &Value::Null, &[]).await;
    let hour = page["preSaleSchedule"]["bronze"].clone();
    assert!(hour.is_string(), "{page}");
    night.subscribe(&gold, &page["event"]["artist_id"], 300).await;
    // Bronze was here first.
    let places = [night.take_a_place(&bronze).await, night.take_a_place(&gold).await];
    night.house.bed.clock().set(night.starts_at.plus_s(3600));

    let (status, answer) = night.knock(&bronze, &night.pass(&bronze, &places[0]).await).await;
    assert_eq!(status, StatusCode::CONFLICT, "{answer}");
    assert_eq!(
        (
            &answer["code"],
            &answer["tier"],
            &answer["opensAt"],
            &answer["message"]
        ),
        (&json!("PRESALE"), &json!("BRONZE"), &hour, &answer["error"]),
        "what the page of the show says"
    );
    let opens_at = night.starts_at.plus_s(2 * DAY_S);
    let back = format!("/vwr/{}?opensAt={}", night.show, opens_at.0);
    assert_eq!(answer["redirectTo"], back);
    assert_eq!(night.line().await, (json!(0), json!(0)), "neither place nor slot");

    // The only slot is free for whose hour it is.
    let (status, answer) = night.knock(&gold, &night.pass(&gold, &places[1]).await).await;
    assert_eq!(
        (status, &answer["status"]),
        (StatusCode::OK, &json!("active")),
        "{answer}"
    );
    let (status, held) = night
        .reserve(&gold, answer["entryToken"].as_str().unwrap(), 0)
        .await;
    assert_eq!(status, StatusCode::OK, "{held}");
    // Were he inside, booking would say the same.
    let (keys, now) = (night.house.bed.ctx().secrets, night.house.bed.clock().now());
    let claims = entry::Claims::new(night.show.parse().unwrap(), bronze.user, now, 600);
    let (status, refused) = night
        .reserve(&bronze, &entry::issue(&keys.entry_keys, &claims), 1)
        .await;
    assert_eq!(
        (status, &refused["code"], &refused["opensAt"]),
        (StatusCode::CONFLICT, &json!("PRESALE"), &hour)
    );

    // At his hour the place he was given two days ago gives a pass again, for the same position.
    night.house.bed.clock().set(opens_at);
    let pass = night.pass(&bronze, &places[0]).await;
    let keys = night.house.bed.ctx().secrets;
    let claims = tier1::verify(&keys.vwr_keys, &pass, night.show.parse().unwrap(), opens_at).unwrap();
    assert_eq!(json!(claims.pos), places[0]["position"]);
    let (status, answer) = night.knock(&bronze, &pass).await;
    assert_eq!(
        (status, &answer["status"]),
        (StatusCode::OK, &json!("active")),
        "{answer}"
    );
    let (status, held) = night
        .reserve(&bronze, answer["entryToken"].as_str().unwrap(), 1)
        .await;
    assert_eq!(status, StatusCode::OK, "{held}");
}
