//! The origin behind the edge: what it hears, what streams, and when it is slow or away.

use crate::world::Front;
use reqwest::StatusCode;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

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
