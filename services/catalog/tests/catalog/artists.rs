//! Artists: how many members they have, and what the music service knows of them (R-CAT-06).

use crate::world::World;
use axum::{
    Json, Router,
    extract::Query,
    http::{HeaderMap, Method, StatusCode},
    response::IntoResponse,
    routing::{get, post},
};
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use urr_catalog::{Config, MusicConfig};
use urr_kit::{
    clock::Clock,
    events::{
        Envelope, EventBus, MEMBERSHIP_ACTIVATED, MEMBERSHIP_ENDED, MEMBERSHIP_EVENTS, MembershipActivated,
        MembershipEnded, RedisStreams, bus::Message,
    },
    testing::{TestBed, eventually},
};
use uuid::Uuid;

const DAY_MS: i64 = 86_400_000;
/// Longer than an answer is kept.
const CACHED_MS: i64 = 2_000;

impl World {
    fn joined(&self, artist: Uuid, days: Option<i64>) -> (Uuid, Envelope) {
        let now = self.bed.clock().now();
        let joined = MembershipActivated {
            membership_id: Uuid::new_v4(),
            user_id: Uuid::new_v4(),
            artist_id: Some(artist),
            expires_at: days.map(|days| now.plus_ms(days * DAY_MS)),
        };
        let id = joined.membership_id;
        let event = Envelope::new(MEMBERSHIP_ACTIVATED, "membership", id, now, &joined).unwrap();
        (id, event)
    }

    fn left(&self, artist: Uuid, membership_id: Uuid) -> Envelope {
        let left = MembershipEnded {
            membership_id,
            user_id: Uuid::new_v4(),
            artist_id: artist,
        };
        let now = self.bed.clock().now();
        Envelope::new(MEMBERSHIP_ENDED, "membership", membership_id, now, &left).unwrap()
    }

    async fn tell(&self, events: &[&Envelope]) {
        let bus = RedisStreams::new(self.bed.ctx().redis().await.unwrap());
        for event in events {
            let message = Message::new(MEMBERSHIP_EVENTS, event).unwrap();
            bus.publish(&[message]).await.unwrap();
        }
    }

    /// The number on the artist's page, which is that of the list.
    async fn members(&self, artist: Uuid) -> i64 {
        self.bed.clock().advance_ms(CACHED_MS);
        let (_, page) = self.get(&format!("/api/artists/{artist}")).await;
        let (_, list) = self.get("/api/artists").await;
        let rows = list["artists"].as_array().unwrap();
        let row = rows.iter().find(|row| row["id"] == artist.to_string()).unwrap();
        let count = page["memberCount"].as_i64().unwrap();
        if row["member_count"] == count { count } else { -1 }
    }

    async fn has_members(&self, artist: Uuid, count: i64) {
        eventually(Duration::from_secs(30), &format!("{count} members"), async || {
            self.members(artist).await == count
        })
        .await;
    }
}

#[tokio::test]
async fn members_are_counted_whatever_comes_twice_backwards_or_to_its_end() {
    // R-CAT-06, R-MSG-01.
    let world = World::new().await;
    let (waves, others) = (world.artist("The Waves").await, world.artist("Others").await);
    assert_eq!(world.members(waves).await, 0);
    let (first, joined) = world.joined(waves, Some(400));
    let (_, short) = world.joined(waves, Some(10));
    // An event of an earlier release says nothing of the end: a year then.
    let (_, old) = world.joined(waves, None);
    let (gone, back) = world.joined(waves, Some(400));
    let (_, elsewhere) = world.joined(others, Some(400));
    let overtaking = world.left(waves, gone);
    world
        .tell(&[&overtaking, &joined, &joined, &short, &old, &back, &elsewhere])
        .await;
    world.has_members(others, 1).await;
    world.has_members(waves, 3).await;
    world.bed.clock().advance_ms(11 * DAY_MS);
    assert_eq!(world.members(waves).await, 2, "a term ends by the clock");
    world.bed.clock().advance_ms(366 * DAY_MS);
    assert_eq!(world.members(waves).await, 1);
    world.tell(&[&world.left(waves, first)]).await;
    world.has_members(waves, 0).await;
}

/// Spotify as far as we ask it: knows The Waves, and takes anybody for Somebody.
struct Spotify {
    base: String,
    busy: Arc<AtomicBool>,
}

impl Spotify {
    async fn on(bed: &TestBed) -> Self {
        let busy = Arc::new(AtomicBool::new(false));
        let is_busy = Arc::clone(&busy);
        let token = async |headers: HeaderMap, body: String| {
            // id:secret
            let known = headers["authorization"] == "Basic aWQ6c2VjcmV0";
            if known && body == "grant_type=client_credentials" {
                Json(json!({"access_token": "t0k", "token_type": "Bearer", "expires_in": 3600}))
                    .into_response()
            } else {
                (StatusCode::BAD_REQUEST, Json(json!({"error": "invalid_client"}))).into_response()
            }
        };
        let search = move |headers: HeaderMap, Query(ask): Query<HashMap<String, String>>| {
            let busy = is_busy.load(Ordering::SeqCst);
            async move {
                if busy {
                    return (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "30")]).into_response();
                }
                if headers["authorization"] != "Bearer t0k" || ask["type"] != "artist" {
                    return StatusCode::UNAUTHORIZED.into_response();
                }
                let picture = |name: &str, width: u32| json!({"url": format!("https://i.example/{name}"), "width": width});
                let mut items =
                    vec![json!({"name": "Somebody", "images": [picture("no", 9)], "genres": ["noise"]})];
                if ask["q"] == "The Waves" {
                    items.push(json!({"name": "the waves", "genres": ["k-pop", "dance"],
                        "images": [picture("small", 64), picture("large", 640)]}));
                }
                Json(json!({"artists": {"items": items}})).into_response()
            }
        };
        let router = Router::new()
            .route("/api/token", post(token))
            .route("/v1/search", get(search));
        Self {
            base: bed.serve(router).await,
            busy,
        }
    }

    fn config(&self, secret: &str) -> Config {
        Config {
            music: MusicConfig {
                spotify_client_id: Some("id".to_owned()),
                spotify_client_secret: Some(secret.to_owned()),
                spotify_accounts_url: format!("{}/", self.base),
                spotify_api_url: self.base.clone(),
            },
            ..Config::default()
        }
    }
}

async fn enrich(world: &World) -> (StatusCode, Value) {
    world.admin(Method::POST, "/api/artists/enrich", None).await
}

#[tokio::test]
async fn artists_get_the_picture_of_their_namesake_and_keep_what_was_written() {
    // R-CAT-06.
    let bed = TestBed::new().await;
    let spotify = Spotify::on(&bed).await;
    let world = World::on(bed, spotify.config("secret")).await;
    let (waves, unknown) = (world.artist("The Waves").await, world.artist("Unheard Of").await);
    spotify.busy.store(true, Ordering::SeqCst);
    let (status, stopped) = enrich(&world).await;
    assert_eq!(
        (status, &stopped["enriched"], &stopped["total"]),
        (StatusCode::OK, &json!(0), &json!(2)),
        "{stopped}"
    );
    assert!(
        stopped["message"].as_str().unwrap().contains("later"),
        "{stopped}"
    );
    spotify.busy.store(false, Ordering::SeqCst);
    world.get("/api/artists").await;
    let (_, done) = enrich(&world).await;
    assert_eq!(
        done,
        json!({"message": "Artist enrichment complete", "enriched": 1, "total": 2})
    );
    // Seen at once, although the list had been asked for before.
    let (_, list) = world.get("/api/artists").await;
    let (_, page) = world.get(&format!("/api/artists/{waves}")).await;
    assert_eq!(
        (&page["artist"]["image_url"], &page["artist"]["description"]),
        (&json!("https://i.example/large"), &json!("k-pop, dance"))
    );
    assert_eq!(list["artists"][0]["image_url"], "https://i.example/large");
    let (_, page) = world.get(&format!("/api/artists/{unknown}")).await;
    assert_eq!(
        (&page["artist"]["image_url"], &page["artist"]["description"]),
        (&Value::Null, &Value::Null),
        "the best guess is no namesake"
    );
    assert_eq!(world.audited("ARTIST_ENRICHED").await.len(), 1);
    let (_, again) = enrich(&world).await;
    assert_eq!((&again["enriched"], &again["total"]), (&json!(0), &json!(1)));
    let (status, _) = world
        .call(
            Method::POST,
            "/api/artists/enrich",
            Some(urr_kit::identity::Role::User),
            None,
        )
        .await;
    assert_eq!(status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn without_credentials_it_says_so_and_wrong_ones_are_not_the_artists_fault() {
    let (status, told) = enrich(&World::new().await).await;
    assert_eq!(
        (status, told),
        (
            StatusCode::OK,
            json!({"message": "Spotify credentials not configured", "enriched": 0})
        )
    );
    let bed = TestBed::new().await;
    let spotify = Spotify::on(&bed).await;
    let world = World::on(bed, spotify.config("wrong")).await;
    world.artist("The Waves").await;
    let (status, body) = enrich(&world).await;
    assert_eq!(status, StatusCode::BAD_GATEWAY, "{body}");
}
