//! `urr edge` as it is run: the binary, in a process of its own, in front of a plain origin (R-GW-12).
//! What the edge decides in each case is tested in the gateway's crate (`tests/front.rs`).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod world;

use reqwest::{StatusCode, header};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::{process::Command, time::Duration};
use urr_core::time::Millis;
use urr_kit::{
    clock::{Clock as _, SystemClock},
    testing::eventually,
};
use uuid::Uuid;
use world::{Edge, Origin, client, pass};

const SOON: Duration = Duration::from_secs(60);

#[tokio::test]
async fn who_has_no_pass_waits_and_who_has_one_reaches_the_origin() {
    let origin = Origin::start().await;
    let edge = Edge::start(&origin.url).await;
    let (shop, client) = (format!("{}/shop/order?seat=A%2F1&n=2", edge.url), client());

    // A browser is sent to the waiting page, which the edge has itself.
    let sent = client
        .get(&shop)
        .header(header::ACCEPT, "text/html")
        .send()
        .await
        .unwrap();
    assert!(sent.status().is_redirection(), "{sent:?}");
    let to = sent.headers()[header::LOCATION].to_str().unwrap().to_owned();
    assert!(to.starts_with(&format!("/vwr/{}?", edge.sale)), "{to}");
    let page = client.get(format!("{}{to}", edge.url)).send().await.unwrap();
    assert_eq!(page.status(), StatusCode::OK);
    assert!(page.text().await.unwrap().contains("/vwr/assets/"));
    // Whatever cannot show a page is told where it is.
    let told = client.get(&shop).send().await.unwrap();
    assert_eq!(told.status(), StatusCode::FORBIDDEN);
    let told: Value = told.json().await.unwrap();
    assert_eq!(told["redirectTo"], format!("/vwr/{}", edge.sale));
    assert!(origin.seen().is_empty());

    // What is not protected is the origin's alone.
    let open = client.get(format!("{}/about", edge.url)).send().await.unwrap();
    assert_eq!(open.status(), StatusCode::CREATED);

    let body: Vec<u8> = (0..300_000u32).map(|n| n.to_le_bytes()[1]).collect();
    let bought = client
        .post(&shop)
        .header(header::COOKIE, format!("basket=7; urr-vwr-token={}", edge.pass()))
        .header("x-own", "kept")
        .body(body.clone())
        .send()
        .await
        .unwrap();
    assert_eq!(bought.status(), StatusCode::CREATED);
    assert_eq!(bought.headers()["x-origin"], "plain");
    assert_eq!(
        bought.bytes().await.unwrap(),
        body.as_slice(),
        "the origin echoes"
    );
    let seen = origin.seen();
    let seen = seen.last().unwrap();
    assert_eq!(
        (seen.method.as_str(), seen.uri.as_str()),
        ("POST", "/shop/order?seat=A%2F1&n=2")
    );
    assert_eq!(seen.headers["x-own"], "kept");
    assert!(
        seen.headers[header::COOKIE]
            .to_str()
            .unwrap()
            .contains("basket=7")
    );
    assert_eq!(seen.headers["x-forwarded-for"], "127.0.0.1");
    assert_eq!(seen.body, body);
}

#[tokio::test]
async fn a_pass_that_is_old_of_another_sale_or_of_another_house_opens_nothing() {
    let origin = Origin::start().await;
    let edge = Edge::start(&origin.url).await;
    let now = SystemClock.now();
    let of_another_house = "another house's secret, which is long enough";
    for (what, pass) in [
        (
            "expired",
            pass(&edge.secret, edge.sale, Millis(now.0 - 3_600_000)),
        ),
        ("of another sale", pass(&edge.secret, Uuid::new_v4(), now)),
        ("of another house", pass(of_another_house, edge.sale, now)),
        ("cut", edge.pass()[..60].to_owned()),
    ] {
        let refused = client()
            .get(format!("{}/shop", edge.url))
            .header(header::COOKIE, format!("urr-vwr-token={pass}"))
            .send()
            .await
            .unwrap();
        assert_eq!(refused.status(), StatusCode::FORBIDDEN, "{what}");
    }
    assert!(origin.seen().is_empty());
}

#[tokio::test]
async fn an_origin_that_is_down_is_502_in_a_sentence_and_its_cause_is_in_the_log_once() {
    let edge = Edge::start("http://127.0.0.1:1").await;
    let failed = client().get(format!("{}/about", edge.url)).send().await.unwrap();
    assert_eq!(failed.status(), StatusCode::BAD_GATEWAY);
    let said: Value = failed.json().await.unwrap();
    assert_eq!(said["message"], "The site cannot be reached. Please retry.");
    let lines = eventually(SOON, "the failure is logged", async || {
        let lines: Vec<String> = edge
            .log()
            .into_iter()
            .filter(|line| line.contains("/about"))
            .collect();
        (!lines.is_empty()).then_some(lines)
    })
    .await;
    let [line] = &lines[..] else { panic!("{lines:?}") };
    assert!(
        line.contains("502") && line.contains("Connection refused"),
        "{line}"
    );
    assert!(!edge.log().iter().any(|line| line.contains(&edge.secret)));
    let health: Value = client()
        .get(format!("{}/health", edge.ops))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(health["service"], "edge");
}

#[tokio::test]
async fn sigterm_lets_open_calls_finish_and_ends_with_0() {
    let origin = Origin::start().await;
    let mut edge = Edge::start(&origin.url).await;
    let slow = tokio::spawn(client().get(format!("{}/slow", edge.url)).send());
    eventually(SOON, "the call is at the origin", async || {
        !origin.seen().is_empty()
    })
    .await;
    let pid = Pid::from_raw(edge.process.id().unwrap().try_into().unwrap()).unwrap();
    kill_process(pid, Signal::TERM).unwrap();
    eventually(SOON, "nobody new is taken", async || {
        client().get(format!("{}/about", edge.url)).send().await.is_err()
    })
    .await;
    assert!(!slow.is_finished());
    origin.go_on();
    assert_eq!(slow.await.unwrap().unwrap().status(), StatusCode::CREATED);
    let ended = tokio::time::timeout(SOON, edge.process.wait()).await;
    assert_eq!(ended.expect("it ends").unwrap().code(), Some(0));
}

/// Runs the binary until it ends by itself; returns its exit code and what it said.
fn run(args: &[&str], secret: Option<&str>) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_urr"));
    command.arg("edge").args(args).env_remove("VWR_TOKEN_SECRET");
    command.env_remove("QUEUE_ENTRY_TOKEN_SECRET");
    if let Some(secret) = secret {
        command.env("VWR_TOKEN_SECRET", secret);
    }
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).unwrap())
}

#[test]
fn what_is_set_wrongly_ends_the_start_with_the_settings_name() {
    let secret = Some("a secret that is long enough for everybody");
    let sale = Uuid::new_v4().to_string();
    let origin = ["--origin", "http://127.0.0.1:1"];
    for (args, secret, says) in [
        (
            &["--protect", "/shop", "--sales", &sale][..],
            None,
            "VWR_TOKEN_SECRET",
        ),
        (
            &["--protect", "/shop", "--sales", &sale],
            Some("short"),
            "openssl rand",
        ),
        (&["--protect", "/shop"], secret, "--protect (URR_EDGE_PROTECT)"),
        (&["--protect", "/shop", "--sales", "x"], secret, "UUID"),
        (
            &["--protect", "/shop=entry", "--sales", &sale],
            secret,
            "QUEUE_ENTRY_TOKEN_SECRET",
        ),
        (
            &["--protect", "/shop", "--sales", &sale, "--room", "vwr:3006"],
            secret,
            "--room (URR_EDGE_ROOM)",
        ),
    ] {
        let (code, said) = run(&[&origin, args].concat(), secret);
        assert!(matches!(code, Some(1 | 2)), "{args:?}: {said}");
        assert!(said.contains(says), "{args:?}: {said}");
        assert!(!said.contains('\u{1b}'), "colours in a file: {said}");
    }
}

#[test]
fn the_help_names_the_secrets_and_shows_an_example() {
    let (code, said) = run(&["--help"], None);
    assert_eq!(code, Some(0));
    for wanted in [
        "VWR_TOKEN_SECRET",
        "Example:",
        "--protect <RULE>",
        "--origin <URL>",
    ] {
        assert!(said.contains(wanted), "{wanted} is not in: {said}");
    }
}
