//! Logging in with Google: whose account that is (R-AUTH-07).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod world;

use axum::Json;
use axum::extract::Query;
use serde_json::{Value, json};
use std::collections::HashMap;
use urr_auth::Config;
use urr_kit::testing::TestBed;
use world::{Answer, Auth};

/// Google, an outside party: it vouches for whatever address is in front of the comma, as the user behind it.
async fn tokeninfo(Query(query): Query<HashMap<String, String>>) -> Json<Value> {
    let (email, sub) = query["id_token"].split_once(',').unwrap();
    Json(json!({
        "sub": sub, "email": email, "email_verified": "true", "name": "Kim of Google",
        "aud": "our-client", "iss": "https://accounts.google.com",
    }))
}

async fn auth() -> Auth {
    let bed = TestBed::new().await;
    let google = bed
        .serve(axum::Router::new().route("/tokeninfo", axum::routing::get(tokeninfo)))
        .await;
    let config = Config {
        google_client_id: Some("our-client".to_owned()),
        google_tokeninfo_url: format!("{google}/tokeninfo"),
        auth_admin_password: Some("admin-password".to_owned()),
        ..Config::default()
    };
    Auth::on(bed, config).await
}

async fn by_google(auth: &Auth, email: &str, sub: &str) -> Answer {
    let credential = format!("{email},{sub}");
    auth.post("/api/auth/google", json!({ "credential": credential }))
        .await
}

#[tokio::test]
async fn who_registered_anothers_address_is_out_when_its_owner_comes_with_google() {
    // Registering proves no address: a stranger makes the account, and waits.
    let auth = auth().await;
    let strangers = auth.register("kim@x.kr").await;
    assert_eq!(strangers.status, 201);
    let owners = by_google(&auth, "kim@x.kr", "g-1").await;
    assert_eq!(owners.status, 200, "{}", owners.body);
    assert_eq!(owners.body["user"]["id"], strangers.body["user"]["id"]);

    assert_eq!(auth.login("kim@x.kr", "password1").await.status, 400);
    assert_eq!(auth.refresh(&strangers.body["refreshToken"]).await.status, 400);
    assert_eq!(auth.refresh(&owners.body["refreshToken"]).await.status, 200);

    // Only the first time: after that his sessions live side by side.
    let (one, two) = (
        by_google(&auth, "kim@x.kr", "g-1").await,
        by_google(&auth, "kim@x.kr", "g-1").await,
    );
    for session in [one, two] {
        assert_eq!(auth.refresh(&session.body["refreshToken"]).await.status, 200);
    }
}

#[tokio::test]
async fn an_administrators_account_is_not_had_by_its_address() {
    let auth = auth().await;
    let refused = by_google(&auth, "admin@urr.com", "g-1").await;
    assert_eq!(refused.status, 400, "{}", refused.body);
    let admin = auth.login("admin@urr.com", "admin-password").await;
    assert_eq!(admin.body["user"]["role"], "admin");
}

#[tokio::test]
async fn first_log_ins_at_once_are_one_account() {
    let auth = auth().await;
    auth.register("lee@x.kr").await;
    for (email, sub) in [("kim@x.kr", "g-1"), ("lee@x.kr", "g-2")] {
        let calls = (0..8).map(|_| by_google(&auth, email, sub));
        let answers = futures::future::join_all(calls).await;
        for answer in &answers {
            assert_eq!(answer.status, 200, "{email}: {}", answer.body);
            assert_eq!(answer.body["user"]["id"], answers[0].body["user"]["id"]);
        }
    }
}

#[tokio::test]
async fn another_google_user_of_the_same_address_gets_nothing() {
    let auth = auth().await;
    by_google(&auth, "kim@x.kr", "g-1").await;
    assert_eq!(by_google(&auth, "kim@x.kr", "g-2").await.status, 400);
}
