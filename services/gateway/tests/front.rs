//! `urr edge` in front of an origin that knows nothing of us (R-GW-12).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod world;

use reqwest::{StatusCode, header};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use urr_core::token::{entry, tier1};
use urr_gateway::edge::WhenDown;
use urr_kit::clock::Clock as _;
use uuid::Uuid;
use world::{Front, HTML, location};

#[tokio::test]
async fn who_has_no_pass_is_sent_to_the_page_and_comes_back_with_one() {
    let front = Front::with_real_room(|_| {}).await;
    let sale = front.sale;
    let shop = format!("/shop/{sale}/seats?row=7&x=a%20b");
    let sent = front.get(&shop, &[HTML]).await;
    assert_eq!(sent.status(), StatusCode::FOUND);
    assert_eq!(sent.headers()[header::CACHE_CONTROL], "no-store");
    let to = location(&sent);
    assert_eq!(
        to,
        format!("/vwr/{sale}?return=/shop/{sale}/seats%3Frow%3D7%26x%3Da%2520b")
    );
    // The page is the edge's own; joining and polling go through it.
    let page = front.get(&to, &[HTML]).await;
    assert_eq!(page.status(), StatusCode::OK);
    assert!(page.text().await.unwrap().contains("/vwr/assets/page-"));
    let joined = front
        .http
        .post(front.url(&format!("/vwr-api/vwr/assign/{sale}")))
        .json(&json!({"userId": "anon-1"}))
        .send()
        .await
        .unwrap();
    assert_eq!(joined.status(), StatusCode::OK);
    let joined: Value = joined.json().await.unwrap();
    front.bed.clock().advance_ms(5000);
    let id = joined["requestId"].as_str().unwrap();
    let check = format!("/vwr-api/vwr/check/{sale}/{id}?userId=anon-1");
    let checked: Value = front.get(&check, &[]).await.json().await.unwrap();
    assert_eq!(checked["admitted"], true, "{checked}");
    let pass = format!("urr-vwr-token={}", checked["token"].as_str().unwrap());
    let bought = front.get(&shop, &[HTML, ("cookie", &pass)]).await;
    assert_eq!(bought.status(), StatusCode::OK);
    let seen: Value = bought.json().await.unwrap();
    assert_eq!(seen["uri"], shop, "the origin sees the address as it was typed");
}

#[tokio::test]
async fn only_this_sales_pass_opens_this_sales_door() {
    let front = Front::new(|_| {}).await;
    let path = format!("/shop/{}", front.sale);
    let try_with = async |token: String| {
        let cookie = format!("a=b; urr-vwr-token={token}");
        front.get(&path, &[HTML, ("cookie", &cookie)]).await.status()
    };
    assert_eq!(try_with(front.pass(front.sale, 600)).await, StatusCode::OK);
    assert_eq!(try_with(front.pass(Uuid::new_v4(), 600)).await, StatusCode::FOUND);
    assert_eq!(try_with(front.pass(front.sale, -1)).await, StatusCode::FOUND);
    assert_eq!(try_with("x.y.z".to_owned()).await, StatusCode::FOUND);
    let mut forged = front.pass(front.sale, 600);
    forged.pop();
    assert_eq!(try_with(forged).await, StatusCode::FOUND);
    // A stale cookie of a parent domain beside the good one does no harm.
    let two = format!(
        "{}; urr-vwr-token={}",
        front.pass(front.sale, -1),
        front.pass(front.sale, 600)
    );
    assert_eq!(try_with(two).await, StatusCode::OK);
    assert_eq!(
        front.get("/about", &[HTML]).await.status(),
        StatusCode::OK,
        "not protected"
    );
    let header = front.pass(front.sale, 600);
    assert_eq!(
        front.get(&path, &[("x-vwr-token", &header)]).await.status(),
        StatusCode::OK,
        "apps send a header"
    );
}

#[tokio::test]
async fn no_spelling_of_a_protected_path_goes_round_the_guard() {
    let front = Front::new(|_| {}).await;
    let sale = front.sale.to_string();
    for path in [
        format!("//shop/{sale}"),
        format!("/%73hop/{sale}"),
        format!("/SHOP/{}", sale.to_uppercase()),
        format!("/shop;jsessionid=1/{sale}"),
        format!("/shop//{sale}/"),
        format!("/shop/{}", sale.replace('-', "%2D")),
    ] {
        let status = front.raw(&path).await;
        assert_eq!(status, 403, "{path}");
    }
    for path in [
        format!("/about/../shop/{sale}"),
        format!("/about/%2e%2e/shop/{sale}"),
        format!("/about%2f..%2fshop/{sale}"),
        format!("/shop%5c{sale}"),
        format!("/%2573hop/{sale}"),
    ] {
        assert_eq!(front.raw(&path).await, 400, "{path}");
    }
    assert_eq!(front.origin_calls(), 0);
}

#[tokio::test]
async fn a_program_is_told_and_not_redirected() {
    // Quirk 31.
    let front = Front::new(|_| {}).await;
    let path = format!("/shop/{}", front.sale);
    for headers in [
        &[("accept", "application/json")][..],
        &[("sec-fetch-mode", "cors"), HTML][..],
    ] {
        let told = front.get(&path, headers).await;
        assert_eq!(told.status(), StatusCode::FORBIDDEN);
        let body: Value = told.json().await.unwrap();
        assert_eq!(body["redirectTo"], format!("/vwr/{}", front.sale));
    }
    let posted = front
        .http
        .post(front.url(&path))
        .header("accept", "text/html")
        .send()
        .await
        .unwrap();
    assert_eq!(
        posted.status(),
        StatusCode::FORBIDDEN,
        "a form's content would be lost in a redirect"
    );
}

#[tokio::test]
async fn entry_tokens_are_asked_for_where_the_operator_says() {
    let front = Front::new(|config| {
        config.edge_protect = vec!["/checkout/{sale}=entry".to_owned(), "/shop/{sale}".to_owned()];
    })
    .await;
    let path = format!("/checkout/{}", front.sale);
    let now_s = front.bed.clock().now().0 / 1000;
    let token = |sale| {
        let claims = entry::Claims {
            sub: sale,
            uid: Uuid::new_v4(),
            iat: now_s,
            exp: now_s + 600,
        };
        entry::issue(&front.bed.ctx().secrets.entry_keys, &claims)
    };
    let pass = format!("urr-vwr-token={}", front.pass(front.sale, 600));
    assert_eq!(
        front.get(&path, &[("cookie", &pass)]).await.status(),
        StatusCode::FORBIDDEN,
        "a pass is no entry token"
    );
    for (sale, status) in [
        (Uuid::new_v4(), StatusCode::FORBIDDEN),
        (front.sale, StatusCode::OK),
    ] {
        let cookie = format!("urr-entry-token={}", token(sale));
        assert_eq!(front.get(&path, &[("cookie", &cookie)]).await.status(), status);
    }
}

#[tokio::test]
async fn a_visitor_at_work_keeps_the_pass_but_not_for_ever() {
    let front = Front::new(|config| config.edge_session_max_s = 1500).await;
    let path = format!("/shop/{}", front.sale);
    let mut pass = front.pass(front.sale, 600);
    let first = front.claims(&pass);
    let mut renewals = 0;
    for minute in 0..60 {
        let cookie = format!("urr-vwr-token={pass}");
        let answer = front.get(&path, &[HTML, ("cookie", &cookie)]).await;
        if answer.status() == StatusCode::FOUND {
            assert_eq!(minute, 25, "1,500 s are 25 minutes");
            assert_eq!(renewals, 3);
            return;
        }
        if let Some(renewed) = answer.headers().get(header::SET_COOKIE) {
            let renewed = renewed.to_str().unwrap();
            assert!(
                renewed.contains("SameSite=Strict") && renewed.contains("; Secure"),
                "{renewed}"
            );
            pass = renewed.split(['=', ';']).nth(1).unwrap().to_owned();
            let claims = front.claims(&pass);
            assert_eq!(
                (claims.pos, claims.uid, claims.iat),
                (first.pos, first.uid.clone(), first.iat)
            );
            renewals += 1;
        }
        front.bed.clock().advance_ms(60_000);
    }
    panic!("the pass never ended");
}

#[tokio::test]
async fn while_the_waiting_room_is_down_people_wait_unless_the_operator_said_pass() {
    for (when_down, status) in [
        (WhenDown::Wait, StatusCode::FOUND),
        (WhenDown::Pass, StatusCode::OK),
    ] {
        let front = Front::new(|config| {
            config.edge_when_room_is_down = when_down;
            config.edge_protect.insert(0, "/checkout/{sale}=entry".to_owned());
        })
        .await;
        let path = format!("/shop/{}", front.sale);
        assert_eq!(
            front.get(&path, &[HTML]).await.status(),
            StatusCode::FOUND,
            "it is up"
        );
        front.room.down(true);
        front.until_health("waitingRoom", "down").await;
        assert_eq!(front.get(&path, &[HTML]).await.status(), status, "{when_down:?}");
        let checkout = format!("/checkout/{}", front.sale);
        assert_eq!(
            front.get(&checkout, &[]).await.status(),
            StatusCode::FORBIDDEN,
            "seats stay shut (no-back-door)"
        );
        // The page is there all the same, and says that the room does not answer.
        assert_eq!(
            front.get(&format!("/vwr/{}", front.sale), &[HTML]).await.status(),
            StatusCode::OK
        );
        let assign = front.url(&format!("/vwr-api/vwr/assign/{}", front.sale));
        let joined = front.http.post(assign).send().await.unwrap();
        assert!(joined.status().is_server_error());
        front.room.down(false);
        front.until_health("waitingRoom", "ok").await;
        assert_eq!(front.get(&path, &[HTML]).await.status(), StatusCode::FOUND);
    }
}

#[tokio::test]
async fn a_room_that_is_switched_off_holds_nobody_up() {
    // R-VWR-07.
    let front = Front::new(|_| {}).await;
    let path = format!("/shop/{}", front.sale);
    front.room.active(false);
    front.until(&path, StatusCode::OK).await;
    front.room.active(true);
    front.until(&path, StatusCode::FOUND).await;
}

#[tokio::test]
async fn the_list_of_sales_is_fetched_else_remembered_else_everything_is_guarded() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("sales.json");
    let sale = Uuid::new_v4();
    let path = format!("/shop/{sale}");
    let listed = Front::new(|config| {
        config.edge_sales = Vec::new();
        config.edge_sales_file = Some(file.clone());
        config.edge_sales_url = Some(
            format!("{}/sales.json?", config.edge_room)
                .trim_end_matches('?')
                .to_owned(),
        );
    })
    .await;
    // Nothing was read yet: every id is guarded, also this unknown one.
    listed.room.list(&[listed.sale]);
    listed.until(&path, StatusCode::OK).await;
    assert_eq!(
        listed
            .get(&format!("/shop/{}", listed.sale), &[HTML])
            .await
            .status(),
        StatusCode::FOUND
    );
    // The next process starts while the list is away.
    let again = Front::new(|config| {
        config.edge_sales = Vec::new();
        config.edge_sales_file = Some(file.clone());
        config.edge_sales_url = Some("http://127.0.0.1:9/sales.json".to_owned());
    })
    .await;
    assert_eq!(again.get(&path, &[HTML]).await.status(), StatusCode::OK);
    assert_eq!(
        again
            .get(&format!("/shop/{}", listed.sale), &[HTML])
            .await
            .status(),
        StatusCode::FOUND
    );
    // And one that never had any.
    let blind = Front::new(|config| {
        config.edge_sales = Vec::new();
        config.edge_sales_url = Some("http://127.0.0.1:9/sales.json".to_owned());
    })
    .await;
    assert_eq!(blind.get(&path, &[HTML]).await.status(), StatusCode::FOUND);
}

#[tokio::test]
async fn the_origin_hears_what_is_true_and_nothing_else() {
    let front = Front::new(|_| {}).await;
    let seen: Value = front
        .get(
            "/about",
            &[
                ("x-user-id", "00000000-0000-0000-0000-000000000001"),
                ("x-user-role", "admin"),
                ("x-forwarded-for", "1.2.3.4"),
                ("x-forwarded-proto", "https"),
                ("forwarded", "for=1.2.3.4"),
                ("connection", "close, x-debug"),
                ("x-debug", "1"),
                ("te", "trailers"),
                ("x-custom", "kept"),
            ],
        )
        .await
        .json()
        .await
        .unwrap();
    let heard = &seen["headers"];
    for gone in ["x-user-id", "x-user-role", "forwarded", "x-debug", "te"] {
        assert_eq!(heard[gone], Value::Null, "{gone}");
    }
    assert_eq!(heard["x-forwarded-for"], "127.0.0.1");
    assert_eq!(heard["x-forwarded-proto"], "http");
    assert_eq!(heard["x-custom"], "kept");
    let base = front.base.trim_start_matches("http://");
    assert_eq!(heard["x-forwarded-host"], base);
    assert_ne!(heard["host"], base, "the origin is called by its own name");
}

#[tokio::test]
async fn bodies_stream_both_ways_and_are_bounded() {
    let front = Front::new(|config| {
        config.edge_body_bytes_max = 1000;
        config.edge_idle_timeout_s = 1;
    })
    .await;
    // The first part arrives while the origin still holds the second back.
    let mut stream = front.get("/stream", &[]).await;
    assert_eq!(stream.chunk().await.unwrap().unwrap(), "first");
    front.release();
    assert_eq!(stream.chunk().await.unwrap().unwrap(), "second");
    // A body that stands still is cut off: both are bounded by patience.
    let mut stuck = front.get("/stuck", &[]).await;
    assert_eq!(stuck.chunk().await.unwrap().unwrap(), "first");
    assert!(stuck.chunk().await.is_err(), "an idle body ends");
    // Announced or not, too much is too much.
    let large = front
        .http
        .post(front.url("/about"))
        .body(vec![0; 1001])
        .send()
        .await
        .unwrap();
    assert_eq!(large.status(), StatusCode::PAYLOAD_TOO_LARGE);
    let chunks = futures::stream::iter((0..11).map(|_| Ok::<_, std::io::Error>(vec![0_u8; 100])));
    let unannounced = front
        .http
        .post(front.url("/about"))
        .body(reqwest::Body::wrap_stream(chunks));
    let answer = unannounced.send().await;
    assert!(answer.is_err() || answer.unwrap().status() == StatusCode::PAYLOAD_TOO_LARGE);
    let seen: Value = front
        .http
        .post(front.url("/about"))
        .body(vec![7; 999])
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(seen["bytes"], 999);
}

#[tokio::test]
async fn an_origin_that_is_slow_away_or_crowded_is_said_so() {
    let front = Front::new(|config| {
        config.edge_answer_timeout_s = 1;
        config.edge_in_flight_max = 1;
    })
    .await;
    let held = front.get("/stream", &[]).await;
    let crowded = front.get("/about", &[]).await;
    assert_eq!(crowded.status(), StatusCode::SERVICE_UNAVAILABLE);
    front.release();
    held.bytes().await.unwrap();
    front.until("/about", StatusCode::OK).await;
    assert_eq!(
        front.get("/slow", &[]).await.status(),
        StatusCode::GATEWAY_TIMEOUT
    );
    let away = Front::new(|config| config.edge_origin = "http://127.0.0.1:9".to_owned()).await;
    let answer = away.get("/about", &[]).await;
    assert_eq!(answer.status(), StatusCode::BAD_GATEWAY);
    assert!(
        !answer.text().await.unwrap().contains("127.0.0.1"),
        "no address leaks"
    );
}

#[tokio::test]
async fn a_websocket_goes_through_when_the_path_may_be_entered() {
    let front = Front::new(|_| {}).await;
    let shake = |path: &str| {
        format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n")
    };
    let mut socket = front.socket().await;
    socket.write_all(shake("/echo").as_bytes()).await.unwrap();
    let mut said = vec![0; 4096];
    let read = socket.read(&mut said).await.unwrap();
    let answer = String::from_utf8_lossy(&said[..read]).to_lowercase();
    assert!(
        answer.starts_with("http/1.1 101") && answer.contains("upgrade: echo"),
        "{answer}"
    );
    socket.write_all(b"hello").await.unwrap();
    let mut back = [0; 5];
    socket.read_exact(&mut back).await.unwrap();
    assert_eq!(&back, b"hello");
    let mut barred = front.socket().await;
    let path = format!("/shop/{}", front.sale);
    barred.write_all(shake(&path).as_bytes()).await.unwrap();
    let read = barred.read(&mut said).await.unwrap();
    assert!(String::from_utf8_lossy(&said[..read]).starts_with("HTTP/1.1 403"));
}

#[tokio::test]
async fn operators_paths_do_not_go_through_the_edges_side_door() {
    let front = Front::new(|_| {}).await;
    for path in [
        "/vwr-api/vwr/activate/x",
        "/vwr-api/vwr/",
        "/vwr-api/vwr/status/../x",
    ] {
        assert!(front.raw(path).await >= 400, "{path}");
    }
    assert_eq!(front.room.calls_to("activate"), 0);
    let claims: Result<tier1::Claims, _> = tier1::verify(
        &front.bed.ctx().secrets.vwr_keys,
        &front.pass(front.sale, 600),
        front.sale,
        front.bed.clock().now(),
    );
    assert!(claims.is_ok(), "the passes of these tests are genuine");
}
