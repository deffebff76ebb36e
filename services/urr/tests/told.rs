//! What one service tells, the others understand, through the gateway and the bus (decision 0027): accounts, halls,
//! members, points; and an image as long as it may be gets through every door.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod house;

use house::{House, SOON};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use urr_gateway::Room;
use urr_kit::{
    clock::Clock as _,
    identity::{AccessTokens, Identity, Role},
    testing::eventually,
    wire,
};
use uuid::Uuid;

/// Longer than any answer is kept.
const CACHED_MS: i64 = 2_000;

/// Auth, catalog, booking, community and stats.
async fn open(images: &std::path::Path) -> House {
    House::open(async |ctx| {
        let auth = urr_auth::Config {
            auth_bcrypt_cost: 4,
            auth_allow_weak_hashes: true,
            ..urr_auth::Config::default()
        };
        let mut catalog = urr_catalog::Config::default();
        catalog.image.image_dir = Some(images.to_owned());
        let (booking, stats) = (urr_booking::Config::default(), urr_stats::Config::default());
        let community = urr_community::Config::default();
        vec![
            (Room::Auth, urr_auth::start(ctx, auth).await.unwrap()),
            (Room::Catalog, urr_catalog::start(ctx, catalog).await.unwrap()),
            (Room::Booking, urr_booking::start(ctx, booking).await.unwrap()),
            (
                Room::Community,
                urr_community::start(ctx, community).await.unwrap(),
            ),
            (Room::Stats, urr_stats::start(ctx, stats).await.unwrap()),
        ]
    })
    .await
}

impl House {
    fn at_the_door(&self, method: Method, path: &str, token: &str) -> RequestBuilder {
        let url = format!("{}/api/v1/{path}", self.gateway);
        self.http.request(method, url).bearer_auth(token)
    }

    async fn get(&self, path: &str, token: &str) -> Value {
        sent(self.at_the_door(Method::GET, path, token)).await.1
    }

    async fn post(&self, path: &str, token: &str, body: &Value) -> Value {
        let (status, answer) = sent(self.at_the_door(Method::POST, path, token).json(body)).await;
        assert!(status.is_success(), "{path}: {status} {answer}");
        answer
    }

    /// As another service.
    async fn inside(&self, path: &str, body: &Value) -> Value {
        let url = format!("{}/internal/{path}", self.internal);
        self.bed.ctx().internal().post_json(&url, body).await.unwrap()
    }

    /// Waits until the answer has this where `pointer` points.
    async fn settles(&self, path: &str, token: &str, pointer: &str, expected: Value) {
        eventually(SOON, &format!("{path} {pointer}"), async || {
            self.bed.clock().advance_ms(CACHED_MS);
            self.get(path, token).await.pointer(pointer) == Some(&expected)
        })
        .await;
    }

    fn admin(&self) -> String {
        let admin = Identity {
            user_id: Uuid::new_v4(),
            email: "admin@urr.com".to_owned(),
            role: Role::Admin,
        };
        // Good for as long as the clock is moved on while something is waited for.
        let tokens = AccessTokens::new(&self.bed.ctx().secrets).with_ttl_s(10_000_000, 10_000_000);
        tokens.issue_access(&admin, self.bed.clock().now())
    }
}

async fn sent(request: RequestBuilder) -> (StatusCode, Value) {
    let answer = request.send().await.unwrap();
    (answer.status(), answer.json().await.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fan_joins_writes_and_is_counted_by_everybody_who_counts() {
    let images = tempfile::tempdir().unwrap();
    let house = open(images.path()).await;
    let admin = house.admin();
    let layout = json!({"name": "Hall", "layout_config": {"sections": [
        {"name": "A", "rows": 2, "seatsPerRow": 4, "price": 60_000, "startRow": 1}]}});
    let layout = house.inside("seat-layouts", &layout).await;
    let at = |days: i64| wire::text(wire::at(house.bed.clock().now().plus_s(86_400 * days)));
    let draft = json!({"title": "Tour", "venue": "Hall", "artistName": "The Waves", "eventDate": at(300),
        "saleStartDate": at(1), "saleEndDate": at(200), "seatLayoutId": layout["id"]});
    let event = house.post("admin/events", &admin, &draft).await["event"].clone();
    let artist = event["artist_id"].as_str().unwrap();

    let form = json!({"email": "kim@x.kr", "password": "password1", "name": "Kim", "phone": ""});
    let fan = house.post("auth/register", "", &form).await;
    let (token, user) = (fan["token"].as_str().unwrap(), &fan["user"]["id"]);
    let offer = house
        .post("memberships/subscribe", token, &json!({"artistId": artist}))
        .await;
    let activate = format!("memberships/{}/activate", offer["membershipId"].as_str().unwrap());
    let paid = json!({"buyerId": user, "paymentId": Uuid::new_v4(), "paymentMethod": "toss"});
    house.inside(&activate, &paid).await;
    let post = json!({"title": "Hi", "content": "there", "artist_id": artist});
    let post = house.post("community/posts", token, &post).await["post"].clone();
    assert_eq!(post["author_name"], "Kim");
    let comments = format!("community/posts/{}/comments", post["id"].as_str().unwrap());
    house.post(&comments, token, &json!({"content": "me too"})).await;

    // R-MEM-03: 200 for joining, 30 and 10 for what was written. Asked without moving the fan's clock on too far.
    let mine = format!("memberships/my/{artist}");
    eventually(SOON, "the points of post and comment", async || {
        house.get(&mine, token).await["membership"]["points"] == 240
    })
    .await;
    // R-CAT-06, R-STAT-01.
    let page = format!("artists/{artist}");
    house.settles(&page, &admin, "/memberCount", json!(1)).await;
    let accounts = json!([{"role": "user", "count": 1}]);
    house
        .settles("stats/users", &admin, "/data/byRole", accounts)
        .await;
    let overview = "stats/overview";
    house
        .settles(overview, &admin, "/data/active_memberships", json!(1))
        .await;
    let seats = format!("stats/seat-preferences?eventId={}", event["id"].as_str().unwrap());
    let sections = json!([{"section": "A", "total_seats": 8, "reserved_seats": 0, "reservation_rate": 0.0}]);
    house.settles(&seats, &admin, "/data/bySection", sections).await;
}

#[tokio::test]
async fn an_image_of_five_megabytes_goes_through_the_gateway_and_comes_back() {
    let images = tempfile::tempdir().unwrap();
    let house = open(images.path()).await;
    let mut image = b"\x89PNG\r\n\x1a\n".to_vec();
    image.resize(5 * 1024 * 1024, 7);
    let mut body =
        b"--b0und\r\ncontent-disposition: form-data; name=\"image\"; filename=\"a.png\"\r\n\r\n".to_vec();
    body.extend(&image);
    body.extend(b"\r\n--b0und--\r\n");
    let upload = house
        .at_the_door(Method::POST, "image/upload", &house.admin())
        .header("content-type", "multipart/form-data; boundary=b0und")
        .body(body);
    let (status, kept) = sent(upload).await;
    assert_eq!(status, StatusCode::OK, "{kept}");
    // Anybody may look at it, where the answer says.
    let url = format!("{}{}", house.gateway, kept["url"].as_str().unwrap());
    let read = house.http.get(url).send().await.unwrap();
    assert_eq!(read.headers()["content-type"], "image/png");
    assert_eq!(read.bytes().await.unwrap(), image);
    let stranger = house.at_the_door(Method::POST, "artists/enrich", "no token");
    assert_eq!(sent(stranger).await.0, StatusCode::UNAUTHORIZED);
}
