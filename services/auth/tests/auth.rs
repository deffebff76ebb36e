//! Accounts and sessions over HTTP, on a real Postgres and Redis.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod world;

use axum::http::{HeaderMap, header};
use serde_json::{Value, json};
use urr_auth::Config;
use urr_kit::events::{AccountOpened, Envelope};
use urr_kit::identity::Role;
use urr_kit::testing::TestBed;
use world::Auth;

#[tokio::test]
async fn who_registers_is_logged_in_by_body_and_by_cookie() {
    // R-AUTH-01, -03, -05; C§4, C§7.
    let auth = Auth::new().await;
    let answer = auth.register("Kim@Example.com").await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    assert_eq!(answer.body["message"], "Registration completed");
    let user = &answer.body["user"];
    assert_eq!(
        (&user["email"], &user["role"]),
        (&json!("kim@example.com"), &json!("user"))
    );
    assert_eq!(user["id"], user["userId"]);

    let token = answer.body["token"].as_str().unwrap();
    let me = auth
        .call("GET", "/api/auth/me", auth.as_caller(token), Value::Null)
        .await;
    assert_eq!(me.body["user"]["id"], user["id"]);
    assert!(me.body["user"]["createdAt"].is_string());

    let cookies: Vec<_> = answer.headers.get_all(header::SET_COOKIE).iter().collect();
    assert_eq!(cookies.len(), 2);
    let refresh = cookies[1].to_str().unwrap();
    // Quirk 6: the browser calls /api/v1/auth/refresh.
    assert!(
        refresh.starts_with("refresh_token=") && refresh.contains("Path=/api;"),
        "{refresh}"
    );
    for cookie in cookies {
        let cookie = cookie.to_str().unwrap();
        for attribute in ["HttpOnly", "Secure", "SameSite=Lax"] {
            assert!(cookie.contains(attribute), "{cookie}");
        }
    }
}

#[tokio::test]
async fn one_address_has_one_account_whatever_its_case_and_however_many_ask_at_once() {
    // Quirk 38.
    let auth = Auth::new().await;
    let answers = futures::future::join_all(
        ["kim@x.kr", "KIM@x.kr", "Kim@X.kr", "kim@X.KR"].map(|email| auth.register(email)),
    )
    .await;
    let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 400, 400, 400]);
    let refused = answers.iter().find(|answer| answer.status == 400).unwrap();
    let text = "Registration failed. Please try again or login.";
    assert_eq!(
        (&refused.body["error"], &refused.body["message"]),
        (&json!(text), &json!(text))
    );
    assert_eq!(auth.login("kIM@x.kr", "password1").await.status, 200);
}

#[tokio::test]
async fn bad_input_is_400_with_the_sentence_of_the_contract() {
    let auth = Auth::new().await;
    for (body, message) in [
        (
            json!({"email": "a@b.kr", "password": "short", "name": "K"}),
            "Password must be at least 8 characters",
        ),
        (
            json!({"email": "nobody", "password": "password1", "name": "K"}),
            "must be a well-formed email address",
        ),
        (
            json!({"email": "a@b.kr", "password": "password1", "name": " "}),
            "name must not be blank",
        ),
    ] {
        let answer = auth.post("/api/auth/register", body).await;
        assert_eq!(
            (answer.status, answer.body["message"].as_str()),
            (400, Some(message))
        );
    }
    let google = auth.post("/api/auth/google", json!({ "credential": "x" })).await;
    assert_eq!(google.body["error"], "GOOGLE_CLIENT_ID is not configured");
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_address_get_the_same_answer() {
    let auth = Auth::new().await;
    auth.register("kim@x.kr").await;
    let wrong = auth.login("kim@x.kr", "password2").await;
    let unknown = auth.login("lee@x.kr", "password1").await;
    assert_eq!((wrong.status, &wrong.body), (400, &unknown.body));
    assert_eq!(wrong.body["error"], "Invalid email or password");
}

#[tokio::test]
async fn a_refresh_token_is_good_once_and_its_reuse_ends_the_family() {
    // R-AUTH-04; quirk 7: the revocation must survive the refusal.
    let auth = Auth::new().await;
    let first = auth.register("kim@x.kr").await.body["refreshToken"].clone();
    let second = auth.refresh(&first).await;
    assert_eq!(
        (second.status, &second.body["message"]),
        (200, &json!("Token refreshed"))
    );
    let second = second.body["refreshToken"].clone();

    assert_eq!(auth.refresh(&first).await.status, 400, "a token was good twice");
    assert_eq!(
        auth.refresh(&second).await.status,
        400,
        "the family outlived a reuse"
    );
    assert_eq!(auth.login("kim@x.kr", "password1").await.status, 200);
}

#[tokio::test]
async fn of_many_uses_of_one_token_at_once_one_wins() {
    let auth = Auth::new().await;
    let token = auth.register("kim@x.kr").await.body["refreshToken"].clone();
    let answers = futures::future::join_all((0..8).map(|_| auth.refresh(&token))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
}

#[tokio::test]
async fn tokens_that_were_never_issued_or_have_expired_are_refused() {
    let auth = Auth::new().await;
    let registered = auth.register("kim@x.kr").await.body;
    let user = registered["user"]["id"].as_str().unwrap().parse().unwrap();
    let now = urr_kit::Clock::now(&*auth.bed.clock());
    let forged = auth.tokens.issue_refresh(user, uuid::Uuid::new_v4(), now);
    assert_eq!(
        auth.refresh(&json!(forged.token)).await.status,
        400,
        "quirk 7: unknown tokens"
    );
    assert_eq!(
        auth.refresh(&registered["token"]).await.status,
        400,
        "quirk 5: an access token"
    );
    auth.bed.clock().advance_ms(604_800_001);
    assert_eq!(
        auth.refresh(&registered["refreshToken"]).await.status,
        400,
        "expired"
    );
    assert_eq!(
        auth.post("/api/auth/refresh", Value::Null).await.status,
        400,
        "missing"
    );
}

#[tokio::test]
async fn logging_out_ends_all_sessions_and_denies_the_access_token() {
    // R-AUTH-06.
    let auth = Auth::new().await;
    let here = auth.register("kim@x.kr").await.body;
    // Access tokens have no id: two of the same second are the same token.
    auth.bed.clock().advance_ms(1000);
    let elsewhere = auth.login("kim@x.kr", "password1").await.body;
    let token = here["token"].as_str().unwrap();
    let caller = auth.as_caller(token);
    let out = auth
        .call("POST", "/api/auth/logout", caller.clone(), Value::Null)
        .await;
    assert_eq!(
        (out.status, &out.body["message"]),
        (200, &json!("Logged out successfully"))
    );
    assert_eq!(out.headers.get_all(header::SET_COOKIE).iter().count(), 2);

    assert_eq!(auth.refresh(&elsewhere["refreshToken"]).await.status, 400);
    assert_eq!(
        auth.call("GET", "/api/auth/me", caller, Value::Null).await.status,
        401
    );
    let verify = auth
        .post("/api/auth/verify-token", json!({ "token": token }))
        .await;
    assert_eq!(
        (verify.status, &verify.body["error"]),
        (400, &json!("Invalid or expired token"))
    );
    // The other device's access token was not given up; it ends by itself.
    let other = json!({ "token": elsewhere["token"] });
    assert_eq!(
        auth.post("/api/auth/verify-token", other).await.body["valid"],
        true
    );
}

#[tokio::test]
async fn the_administrator_is_seeded_only_with_a_password() {
    let none = Auth::new().await;
    assert_eq!(none.login("admin@urr.com", "admin-password").await.status, 400);
    let password = Some("admin-password".to_owned());
    let seeded = Auth::with(Config {
        auth_admin_password: password,
        ..Config::default()
    })
    .await;
    let admin = seeded.login("admin@urr.com", "admin-password").await;
    assert_eq!(admin.body["user"]["role"], Role::Admin.as_str());
}

#[tokio::test]
async fn other_services_look_users_up_with_the_internal_token_only() {
    // R-AUTH-10.
    let auth = Auth::new().await;
    let id = auth.register("kim@x.kr").await.body["user"]["id"].clone();
    let path = format!("/internal/users/{}", id.as_str().unwrap());
    assert_eq!(
        auth.call("GET", &path, HeaderMap::new(), Value::Null)
            .await
            .status,
        401
    );
    let mut headers = HeaderMap::new();
    let bearer = format!("Bearer {}", auth.bed.ctx().secrets.internal_api_token);
    headers.insert(header::AUTHORIZATION, bearer.parse().unwrap());
    let found = auth.call("GET", &path, headers.clone(), Value::Null).await;
    assert_eq!(found.body["user"]["email"], "kim@x.kr");
    let batch = json!({ "userIds": [id] });
    let found = auth
        .call("POST", "/internal/users/batch", headers.clone(), batch)
        .await;
    assert_eq!(found.body["users"].as_array().unwrap().len(), 1);
    let none = auth
        .call("POST", "/internal/users/batch", headers, json!({ "userIds": [] }))
        .await;
    assert_eq!(
        (none.status, &none.body["error"]),
        (400, &json!("Invalid userIds"))
    );
}

#[tokio::test]
async fn a_cheap_hash_stops_the_start() {
    let bed = TestBed::new().await;
    let config = Config {
        auth_bcrypt_cost: 9,
        ..Config::default()
    };
    let refused = urr_auth::start(&bed.ctx(), config)
        .await
        .err()
        .unwrap()
        .to_string();
    assert!(refused.contains("AUTH_BCRYPT_COST"), "{refused}");
}

/// Accounts as others hear of them.
async fn told(pool: &sqlx::PgPool) -> Vec<AccountOpened> {
    let found: Vec<Value> = sqlx::query_scalar(
        "SELECT payload FROM outbox_events WHERE topic = 'account-events' ORDER BY created_at, seq",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    let envelopes = found
        .into_iter()
        .map(|event| serde_json::from_value::<Envelope>(event).unwrap());
    envelopes.map(|event| event.decode().unwrap()).collect()
}

#[tokio::test]
async fn an_account_is_told_once_whoever_makes_it() {
    // R-STAT-01: what stats counts.
    let auth = Auth::with(Config {
        auth_admin_password: Some("admin-password".to_owned()),
        ..Config::default()
    })
    .await;
    let made = auth.register("kim@x.kr").await;
    let again = auth.register("kim@x.kr").await;
    assert_eq!((made.status, again.status), (201, 400));
    let pool = auth
        .bed
        .ctx()
        .postgres("auth", &urr_auth::MIGRATOR)
        .await
        .unwrap();
    let told = told(&pool).await;
    let roles: Vec<&str> = told.iter().map(|account| account.role.as_str()).collect();
    assert_eq!(roles, ["admin", "user"]);
    assert_eq!(json!(told[1].user_id), made.body["user"]["id"]);
}

#[tokio::test]
async fn accounts_of_earlier_releases_are_told_by_the_migration() {
    let bed = TestBed::new().await;
    let first = urr_auth::MIGRATOR.iter().filter(|step| step.version == 1);
    let first = sqlx::migrate::Migrator::with_migrations(first.cloned().collect());
    let pool = bed.ctx().postgres("auth", &first).await.unwrap();
    let user = uuid::Uuid::new_v4();
    sqlx::query(
        "INSERT INTO users (id, email, name, role, created_at, updated_at) \
         VALUES ($1, 'kim@x.kr', 'Kim', 'user', '2026-02-01', '2026-02-01')",
    )
    .bind(user)
    .execute(&pool)
    .await
    .unwrap();
    assert_eq!(told(&pool).await, []);
    let pool = bed.ctx().postgres("auth", &urr_auth::MIGRATOR).await.unwrap();
    let expected = AccountOpened {
        user_id: user,
        role: "user".to_owned(),
    };
    assert_eq!(told(&pool).await, [expected]);
}

#[tokio::test]
async fn log_ins_of_long_ago_are_forgotten_however_many_there_are() {
    // R-AUTH-09: kept for 90 days. The sweep looks when the service starts.
    let bed = TestBed::new().await;
    let pool = bed.ctx().postgres("auth", &urr_auth::MIGRATOR).await.unwrap();
    sqlx::query(
        "INSERT INTO login_history (login_method, success, failure_reason, created_at)
         SELECT 'password', false, 'unknown_email', $1 - (CASE WHEN n <= 12000 THEN 91 ELSE 89 END) * interval '1 day'
         FROM generate_series(1, 12003) n",
    )
    .bind(urr_kit::wire::at(urr_kit::Clock::now(&*bed.clock())))
    .execute(&pool)
    .await
    .unwrap();
    let _auth = Auth::on(bed, Config::default()).await;
    let deadline = std::time::Duration::from_secs(30);
    urr_kit::testing::eventually(deadline, "only the last 90 days", async || {
        let left: i64 = sqlx::query_scalar("SELECT count(*) FROM login_history")
            .fetch_one(&pool)
            .await
            .unwrap();
        left == 3
    })
    .await;
}

#[tokio::test]
async fn a_nul_is_the_callers_fault() {
    // C§15.22.
    let auth = Auth::new().await;
    for (name, phone) in [("Kim\0", ""), ("Kim", "010\0")] {
        let body = json!({ "email": "kim@x.kr", "password": "password1", "name": name, "phone": phone });
        let refused = auth.post("/api/auth/register", body).await;
        assert_eq!(refused.status, 400, "{}", refused.body);
    }
    assert_eq!(auth.register("kim@x.kr").await.status, 201);
}
