//! News, posts and comments on a real database (R-COM-01).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use axum::{
    Router,
    body::Body,
    http::{Method, Request, StatusCode},
};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;
use urr_kit::{
    events::{Envelope, PointsEarned},
    identity::{Identity, Role, write_headers},
    testing::TestBed,
};
use uuid::Uuid;

struct World {
    bed: TestBed,
    router: Router,
}

impl World {
    async fn new() -> Self {
        let bed = TestBed::new().await;
        // Auth is away: names fall back, texts are kept.
        let ctx = bed
            .ctx()
            .with_settings(|settings| settings.urls.auth = "http://127.0.0.1:1".to_owned());
        let service = urr_community::start(&ctx, urr_community::Config::default())
            .await
            .unwrap();
        Self {
            bed,
            router: service.router,
        }
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        who: Option<&Identity>,
        body: Option<Value>,
    ) -> (StatusCode, Value) {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(identity) = who {
            write_headers(request.headers_mut().unwrap(), identity);
        }
        let body = match body {
            Some(body) => {
                request = request.header("content-type", "application/json");
                Body::from(body.to_string())
            }
            None => Body::empty(),
        };
        let response = self
            .router
            .clone()
            .oneshot(request.body(body).unwrap())
            .await
            .unwrap();
        let status = response.status();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }
}

fn someone(role: Role) -> Identity {
    Identity {
        user_id: Uuid::new_v4(),
        email: "minji.kim@example.com".to_owned(),
        role,
    }
}

#[tokio::test]
async fn a_post_and_its_comments_live_and_die_with_their_author() {
    let world = World::new().await;
    let (author, other, admin) = (someone(Role::User), someone(Role::User), someone(Role::Admin));
    let artist = Uuid::new_v4();
    let new = json!({"title": " Hi ", "content": "there", "artist_id": artist});
    assert_eq!(
        world
            .call(Method::POST, "/api/community/posts", None, Some(new.clone()))
            .await
            .0,
        StatusCode::UNAUTHORIZED
    );
    let (status, body) = world
        .call(Method::POST, "/api/community/posts", Some(&author), Some(new))
        .await;
    assert_eq!(status, StatusCode::CREATED);
    let post = &body["post"];
    assert_eq!(post["title"], "Hi");
    // Quirk 16: the name says nothing about the e-mail address.
    assert!(!post["author_name"].as_str().unwrap().contains("minji"), "{post}");
    let path = format!("/api/community/posts/{}", post["id"].as_str().unwrap());

    let (_, seen) = world.call(Method::GET, &path, None, None).await;
    assert_eq!(
        (&seen["post"]["views"], &seen["post"]["content"]),
        (&json!(1), &json!("there"))
    );
    let (_, list) = world
        .call(
            Method::GET,
            &format!("/api/community/posts?artistId={artist}&limit=0"),
            None,
            None,
        )
        .await;
    assert_eq!(
        list["pagination"],
        json!({"page": 1, "limit": 1, "total": 1, "totalPages": 1})
    );
    assert!(list["posts"][0].get("content").is_none());

    let comments = format!("{path}/comments");
    let (status, comment) = world
        .call(
            Method::POST,
            &comments,
            Some(&other),
            Some(json!({"content": "Nice"})),
        )
        .await;
    assert_eq!(status, StatusCode::CREATED);
    assert_eq!(
        world.call(Method::GET, &path, None, None).await.1["post"]["comment_count"],
        1
    );
    let one = format!("{comments}/{}", comment["comment"]["id"].as_str().unwrap());
    assert_eq!(
        world.call(Method::DELETE, &one, Some(&author), None).await.0,
        StatusCode::FORBIDDEN
    );
    assert_eq!(
        world.call(Method::DELETE, &one, Some(&other), None).await.0,
        StatusCode::OK
    );
    assert_eq!(
        world.call(Method::GET, &path, None, None).await.1["post"]["comment_count"],
        0
    );

    assert_eq!(
        world.call(Method::DELETE, &path, Some(&other), None).await.0,
        StatusCode::FORBIDDEN
    );
    assert_eq!(
        world.call(Method::DELETE, &path, Some(&admin), None).await.0,
        StatusCode::OK
    );
    assert_eq!(
        world.call(Method::GET, &path, None, None).await.0,
        StatusCode::NOT_FOUND
    );
    assert_eq!(
        world
            .call(
                Method::POST,
                &comments,
                Some(&other),
                Some(json!({"content": "Late"}))
            )
            .await
            .0,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn news_are_written_by_admins_and_changed_by_their_author_only() {
    let world = World::new().await;
    let (author, other, user) = (someone(Role::Admin), someone(Role::Admin), someone(Role::User));
    let new = json!({"title": "Tour", "content": "Dates", "author": "URR", "author_id": Uuid::new_v4(), "is_pinned": true});
    assert_eq!(
        world
            .call(Method::POST, "/api/news", Some(&user), Some(new.clone()))
            .await
            .0,
        StatusCode::FORBIDDEN
    );
    let (_, body) = world
        .call(Method::POST, "/api/news", Some(&author), Some(new))
        .await;
    assert_eq!(body["news"]["author_id"], author.user_id.to_string());
    let path = format!("/api/news/{}", body["news"]["id"].as_str().unwrap());
    let change = json!({"title": "Tour", "content": "New dates"});
    assert_eq!(
        world
            .call(Method::PUT, &path, Some(&other), Some(change.clone()))
            .await
            .0,
        StatusCode::FORBIDDEN
    );
    let (_, changed) = world.call(Method::PUT, &path, Some(&author), Some(change)).await;
    assert_eq!(
        (&changed["news"]["content"], &changed["news"]["is_pinned"]),
        (&json!("New dates"), &json!(true))
    );
    assert_eq!(
        world.call(Method::DELETE, &path, Some(&other), None).await.0,
        StatusCode::OK
    );
}

#[tokio::test]
async fn a_wrong_body_names_its_field() {
    let world = World::new().await;
    let author = someone(Role::User);
    for (body, word) in [
        (json!({"content": "c", "artist_id": Uuid::new_v4()}), "title"),
        (
            json!({"title": "t", "content": "  ", "artist_id": Uuid::new_v4()}),
            "content",
        ),
        (json!({"title": "t", "content": "c"}), "artist_id"),
        (
            json!({"title": "t".repeat(256), "content": "c", "artist_id": Uuid::new_v4()}),
            "255",
        ),
    ] {
        let (status, answer) = world
            .call(Method::POST, "/api/community/posts", Some(&author), Some(body))
            .await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert!(answer["error"].as_str().unwrap().contains(word), "{answer}");
    }
}

#[tokio::test]
async fn r_mem_03_what_is_written_is_told_with_its_points_and_what_is_refused_is_not() {
    let world = World::new().await;
    let (fan, admin, artist) = (someone(Role::User), someone(Role::Admin), Uuid::new_v4());
    let post = json!({"title": "Hi", "content": "there", "artist_id": artist});
    let path = "/api/community/posts";
    let (_, made) = world.call(Method::POST, path, Some(&fan), Some(post)).await;
    let post_id: Uuid = made["post"]["id"].as_str().unwrap().parse().unwrap();
    let comments = format!("{path}/{post_id}/comments");
    let text = json!({"content": "me too"});
    let (_, made) = world
        .call(Method::POST, &comments, Some(&fan), Some(text.clone()))
        .await;
    let comment_id: Uuid = made["comment"]["id"].as_str().unwrap().parse().unwrap();
    let news = json!({"title": "Tour", "content": "soon", "author": "URR"});
    let (_, made) = world
        .call(Method::POST, "/api/news", Some(&admin), Some(news.clone()))
        .await;
    let news_id: Uuid = made["news"]["id"].as_str().unwrap().parse().unwrap();
    // Nothing of these is written, so nothing is earned.
    let nowhere = format!("{path}/{}/comments", Uuid::new_v4());
    for (path, who, body) in [
        (nowhere.as_str(), &fan, text),
        ("/api/news", &fan, news),
        (
            path,
            &fan,
            json!({"title": " ", "content": "x", "artist_id": artist}),
        ),
    ] {
        let (status, _) = world.call(Method::POST, path, Some(who), Some(body)).await;
        assert!(status.is_client_error(), "{path}: {status}");
    }
    let pool = world
        .bed
        .ctx()
        .postgres("community", &urr_community::MIGRATOR)
        .await
        .unwrap();
    let told: Vec<sqlx::types::Json<Envelope>> =
        sqlx::query_scalar("SELECT payload FROM outbox_events WHERE topic = 'community-events' ORDER BY seq")
            .fetch_all(&pool)
            .await
            .unwrap();
    let told: Vec<PointsEarned> = told.iter().map(|event| event.decode().unwrap()).collect();
    let told: Vec<_> = told
        .iter()
        .map(|deed| {
            (
                deed.action_type.as_str(),
                deed.points,
                deed.user_id,
                deed.reference_id,
                deed.artist_id,
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("COMMUNITY_POST", 30, fan.user_id, Some(post_id), Some(artist)),
            (
                "COMMUNITY_COMMENT",
                10,
                fan.user_id,
                Some(comment_id),
                Some(artist)
            ),
            ("NEWS_CREATION", 30, admin.user_id, Some(news_id), None),
        ]
    );
}
