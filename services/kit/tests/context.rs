//! What services are started with and served by.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use axum::Router;
use axum::routing::{get, post};
use serde_json::{Value, json};
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{AssertSqlSafe, SqlSafeStr as _};
use std::sync::Arc;
use std::time::Duration;
use urr_kit::clock::Clock as _;
use urr_kit::extract::{Json, JsonOrDefault, Path, Query};
use urr_kit::identity::{Admin, Identity};
use urr_kit::service::ops;
use urr_kit::testing::TestBed;
use urr_kit::{ApiError, ApiResult, StartError};
use uuid::Uuid;

fn migrator(statements: &[&str]) -> Migrator {
    let migration = |(number, sql): (usize, &&str)| {
        let sql = AssertSqlSafe((*sql).to_owned()).into_sql_str();
        let version = i64::try_from(number).unwrap() + 1;
        Migration::new(version, "test".into(), MigrationType::Simple, sql, false)
    };
    Migrator::with_migrations(statements.iter().enumerate().map(migration).collect())
}

async fn get_json(url: &str) -> (u16, Value) {
    let response = reqwest::get(url).await.unwrap();
    let status = response.status().as_u16();
    (status, response.json().await.unwrap())
}

#[tokio::test]
async fn beds_do_not_see_each_other() {
    let (one, two) = (TestBed::new().await, TestBed::new().await);
    let migrator = migrator(&["CREATE TABLE things (n int)", "INSERT INTO things VALUES (1)"]);
    for bed in [&one, &two] {
        let pool = bed.ctx().postgres("catalog", &migrator).await.unwrap();
        let things: i64 = sqlx::query_scalar("SELECT count(*) FROM things")
            .fetch_one(&pool)
            .await
            .unwrap();
        assert_eq!(things, 1);
    }
    let (redis, other) = (one.ctx().redis().await.unwrap(), two.ctx().redis().await.unwrap());
    assert_ne!(redis.key("x"), other.key("x"));
    assert_ne!(
        one.ctx().dynamo().await.table("x"),
        two.ctx().dynamo().await.table("x")
    );
    let now = one.clock().now();
    one.clock().advance_ms(5);
    assert_eq!(one.ctx().clock.now(), now.plus_ms(5));
}

#[tokio::test]
async fn a_bed_uses_the_engines_that_are_named() {
    let Some(engines) = TestBed::engines().await else {
        return;
    };
    let ended = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "beds_do_not_see_each_other"])
        .env("URR_TEST_DATABASE_URL", engines.postgres.admin_url())
        .env("URR_TEST_REDIS_URL", engines.redis.url())
        .output()
        .await
        .unwrap();
    assert!(
        ended.status.success(),
        "{}",
        String::from_utf8_lossy(&ended.stdout)
    );
}

#[tokio::test]
async fn replicas_that_start_together_migrate_once() {
    let bed = TestBed::new().await;
    let migrator = Arc::new(migrator(&["CREATE TABLE once (n int)"]));
    let starts = (0..6).map(|_| {
        let (ctx, migrator) = (bed.ctx(), Arc::clone(&migrator));
        async move { ctx.postgres("booking", &migrator).await }
    });
    for start in futures::future::join_all(starts).await {
        start.unwrap();
    }
}

#[tokio::test]
async fn a_release_that_is_taken_back_starts_on_the_newer_schema_but_not_on_an_edited_one() {
    // R-DEP-01, R-DATA-02.
    let bed = TestBed::new().await;
    let (old, new) = (
        ["CREATE TABLE a (n int)"],
        ["CREATE TABLE a (n int)", "CREATE TABLE b (n int)"],
    );
    bed.ctx().postgres("booking", &migrator(&new)).await.unwrap();
    let pool = bed.ctx().postgres("booking", &migrator(&old)).await.unwrap();
    sqlx::query("INSERT INTO a VALUES (1)")
        .execute(&pool)
        .await
        .unwrap();
    // And the newer one again, which finds its own migration applied.
    bed.ctx().postgres("booking", &migrator(&new)).await.unwrap();
    let error = bed
        .ctx()
        .postgres("booking", &migrator(&["SELECT 1", new[1]]))
        .await
        .unwrap_err();
    assert!(
        matches!(error, StartError::SchemaEdited { version: 1, .. }),
        "{error}"
    );
}

#[tokio::test]
async fn a_text_that_postgres_cannot_hold_is_the_callers_fault() {
    // C§15.22. A 500 here would let one caller open the gateway's breaker for everybody.
    let bed = TestBed::new().await;
    let pool = bed.ctx().postgres("booking", &migrator(&[])).await.unwrap();
    for statement in ["SELECT $1::text", "SELECT $1::text::jsonb"] {
        let text = if statement.ends_with("jsonb") {
            r#""\u0000""#
        } else {
            "a\0b"
        };
        let refused = sqlx::query(statement).bind(text).execute(&pool).await;
        let error = ApiError::from(refused.unwrap_err());
        assert_eq!(error.status().as_u16(), 400, "{statement}");
    }
    let defect = sqlx::query("SELECT nothing").execute(&pool).await;
    assert_eq!(ApiError::from(defect.unwrap_err()).status().as_u16(), 500);
}

#[tokio::test]
async fn a_service_without_database_url_says_which_variable_is_missing() {
    let bed = TestBed::new().await;
    let ctx = bed.ctx().with_settings(|settings| settings.database_url = None);
    let error = ctx.postgres("booking", &migrator(&[])).await.unwrap_err();
    assert!(error.to_string().contains("DATABASE_URL"), "{error}");
}

#[tokio::test]
async fn health_names_each_dependency_and_turns_503_when_one_is_lost() {
    // api-contract section 2.
    let bed = TestBed::new().await;
    let ctx = bed.ctx();
    let pool = ctx.postgres("booking", &migrator(&[])).await.unwrap();
    ctx.redis().await.unwrap();
    let base = bed.serve(ops("booking", &ctx)).await;
    let (status, body) = get_json(&format!("{base}/health")).await;
    assert_eq!(status, 200);
    let well = json!({"service": "booking", "status": "ok",
        "dependencies": {"postgresql": "ok", "redis": "ok"}});
    assert_eq!(body, well);
    pool.close().await;
    let (status, body) = get_json(&format!("{base}/health")).await;
    assert_eq!((status, &body["status"]), (503, &json!("degraded")));
    assert_eq!(body["dependencies"]["redis"], "ok");
    assert!(
        body["dependencies"]["postgresql"]
            .as_str()
            .unwrap()
            .starts_with("error: ")
    );
    let (status, _) = get_json(&format!("{base}/actuator/health")).await;
    assert_eq!(status, 503);
}

fn app() -> Router {
    Router::new()
        .route("/things/{id}", get(async |Path(id): Path<Uuid>| Json(id)))
        .route("/page", get(async |Query(page): Query<Page>| Json(page.page)))
        .route("/body", post(async |Json(page): Json<Page>| Json(page.page)))
        .route(
            "/maybe",
            post(async |JsonOrDefault(page): JsonOrDefault<Page>| Json(page.page)),
        )
        .route("/me", get(async |me: Identity| Json(me.email)))
        .route("/admin", get(async |Admin(me): Admin| Json(me.email)))
        .route(
            "/panic",
            get(async || -> &'static str { panic!("secret detail") }),
        )
        .route(
            "/broken",
            get(async || ApiResult::<()>::Err(ApiError::internal("secret detail"))),
        )
}

#[derive(serde::Deserialize, Default)]
struct Page {
    page: Option<u32>,
}

#[tokio::test]
async fn every_refusal_has_a_clear_status_and_the_error_body() {
    // api-contract section 1, and section 15 quirk 22.
    let bed = TestBed::new().await;
    let base = bed.serve(app()).await;
    let http = bed.ctx().http();
    let url = |path: &str| format!("{base}{path}");
    for (request, status) in [
        (http.get(url("/nowhere")), 404),
        (http.delete(url("/page")), 405),
        (http.get(url("/things/not-a-uuid")), 400),
        (http.get(url("/page?page=x")), 400),
        (http.post(url("/body")), 400),
        (http.post(url("/body")).body("{\"page\":"), 400),
        (http.post(url("/maybe")).body("[1]]"), 400),
        (http.get(url("/me")), 401),
        (http.get(url("/me")).header("x-user-id", "root"), 401),
        (
            http.get(url("/admin"))
                .header("x-user-id", Uuid::nil().to_string()),
            403,
        ),
        (http.get(url("/panic")), 500),
        (http.get(url("/broken")), 500),
    ] {
        let response = request.send().await.unwrap();
        let (path, got) = (response.url().path().to_owned(), response.status().as_u16());
        let body: Value = response.json().await.unwrap();
        assert_eq!(got, status, "{path}");
        assert!(
            body["error"].is_string() && body["error"] == body["message"],
            "{path}: {body}"
        );
        assert!(!body.to_string().contains("secret"), "{path}: {body}");
    }
    for request in [
        http.post(url("/maybe")),
        http.post(url("/body")).body("{\"page\":2}"),
    ] {
        assert_eq!(request.send().await.unwrap().status().as_u16(), 200);
    }
}

#[tokio::test]
async fn a_shutdown_lets_an_open_call_finish_and_takes_no_new_one() {
    // R-GW-10.
    let bed = TestBed::new().await;
    let (entered, wait_entered) = tokio::sync::oneshot::channel::<()>();
    let (release, released) = tokio::sync::oneshot::channel::<()>();
    let once = Arc::new(std::sync::Mutex::new(Some((entered, released))));
    let router = Router::new().route(
        "/slow",
        get(async move || {
            let (entered, released) = once.lock().unwrap().take().unwrap();
            entered.send(()).unwrap();
            released.await.unwrap();
            "done"
        }),
    );
    let base = bed.serve(router).await;
    let call = tokio::spawn(reqwest::get(format!("{base}/slow")));
    wait_entered.await.unwrap();
    bed.ctx().shutdown.cancel();
    urr_kit::testing::eventually(Duration::from_secs(30), "the listener to close", async || {
        reqwest::get(format!("{base}/slow")).await.is_err()
    })
    .await;
    release.send(()).unwrap();
    assert_eq!(call.await.unwrap().unwrap().text().await.unwrap(), "done");
}

#[tokio::test]
async fn requests_are_counted_by_route_not_by_path() {
    // R-OBS-01.
    urr_kit::telemetry::init(&urr_kit::telemetry::LogSettings::default());
    let bed = TestBed::new().await;
    let base = bed.serve(app().merge(ops("test", &bed.ctx()))).await;
    let id = Uuid::new_v4();
    reqwest::get(format!("{base}/things/{id}")).await.unwrap();
    let text = reqwest::get(format!("{base}/actuator/prometheus"))
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(text.contains("route=\"/things/{id}\""), "{text}");
    assert!(!text.contains(&id.to_string()));
    assert!(text.contains("urr_db_connections{state=\"used\"}"), "{text}");
}

#[tokio::test]
async fn a_mounted_router_is_counted_by_its_own_routes() {
    urr_kit::telemetry::init(&urr_kit::telemetry::LogSettings::default());
    let bed = TestBed::new().await;
    let inner = Router::new().route("/inner/{id}", get(async || "here"));
    let outer = ops("test", &bed.ctx()).fallback_service(urr_kit::service::routed(inner));
    let base = bed.serve(outer).await;
    reqwest::get(format!("{base}/inner/7")).await.unwrap();
    let text = reqwest::get(format!("{base}/actuator/prometheus"))
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(text.contains("route=\"/inner/{id}\""), "{text}");
}

#[tokio::test]
async fn dynamo_expires_items_when_swept() {
    use aws_sdk_dynamodb::types::{
        AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
        TimeToLiveSpecification,
    };
    let bed = TestBed::new().await;
    let Some(engines) = TestBed::engines().await else {
        return;
    };
    let dynamo = bed.ctx().dynamo().await;
    let table = dynamo.table("places");
    let key = AttributeDefinition::builder()
        .attribute_name("k")
        .attribute_type(ScalarAttributeType::S)
        .build()
        .unwrap();
    let schema = KeySchemaElement::builder()
        .attribute_name("k")
        .key_type(KeyType::Hash)
        .build()
        .unwrap();
    dynamo
        .client
        .create_table()
        .table_name(&table)
        .billing_mode(BillingMode::PayPerRequest)
        .attribute_definitions(key)
        .key_schema(schema)
        .send()
        .await
        .unwrap();
    let ttl = TimeToLiveSpecification::builder()
        .enabled(true)
        .attribute_name("expiresAt")
        .build()
        .unwrap();
    dynamo
        .client
        .update_time_to_live()
        .table_name(&table)
        .time_to_live_specification(ttl)
        .send()
        .await
        .unwrap();
    let now_s = bed.clock().now().0 / 1000;
    for (name, expires_s) in [("old", now_s - 60), ("new", now_s + 3600)] {
        dynamo
            .client
            .put_item()
            .table_name(&table)
            .item("k", AttributeValue::S(name.to_owned()))
            .item("expiresAt", AttributeValue::N(expires_s.to_string()))
            .send()
            .await
            .unwrap();
    }
    engines.dynamo.sweep_ttl().unwrap();
    let left = dynamo.client.scan().table_name(&table).send().await.unwrap();
    let names: Vec<_> = left
        .items()
        .iter()
        .map(|item| item["k"].as_s().unwrap().as_str())
        .collect();
    assert_eq!(names, ["new"]);
}

#[tokio::test]
async fn a_dropped_bed_leaves_no_role_behind() {
    let bed = TestBed::new().await;
    let admin = bed.ctx().settings.database_admin_url.clone().unwrap();
    let pool = bed.ctx().postgres("booking", &migrator(&[])).await.unwrap();
    let role: String = sqlx::query_scalar("SELECT current_user::text")
        .fetch_one(&pool)
        .await
        .unwrap();
    drop(bed);
    let admin = sqlx::PgPool::connect(&admin).await.unwrap();
    urr_kit::testing::eventually(Duration::from_secs(30), "the role to go", async || {
        let left: i64 = sqlx::query_scalar("SELECT count(*) FROM pg_roles WHERE rolname = $1")
            .bind(&role)
            .fetch_one(&admin)
            .await
            .unwrap();
        left == 0
    })
    .await;
}
