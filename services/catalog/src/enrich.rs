//! POST /api/artists/enrich: artists without a picture get what the music service knows of them (R-CAT-06).
//!
//! One call does what a person waits for; whoever was not asked about comes first in the next one. What an admin wrote
//! stays.

use crate::{
    App,
    music::{MusicError, Profile, Session},
    store::Store,
};
use axum::{Router, extract::State, routing::post};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use urr_kit::{ApiError, ApiResult, extract::Json, identity::Admin, wire};
use uuid::Uuid;

/// Artists looked up in one call.
const BATCH: i64 = 50;
/// No further artist is begun after this: browsers give up after 15 s (api-contract.md section 4).
const PATIENCE: Duration = Duration::from_secs(8);

pub(crate) fn router() -> Router<App> {
    Router::new().route("/api/artists/enrich", post(enrich))
}

async fn enrich(State(app): State<App>, Admin(admin): Admin) -> ApiResult<Json<Value>> {
    let Some(music) = &app.music else {
        return Ok(Json(
            json!({ "message": "Spotify credentials not configured", "enriched": 0 }),
        ));
    };
    let (wanted, total) = app.store.artists_without_picture(BATCH).await?;
    if wanted.is_empty() {
        return Ok(Json(
            json!({ "message": "Every artist has a picture", "enriched": 0, "total": 0 }),
        ));
    }
    let session = music.session().await.map_err(refused)?;
    let began = Instant::now();
    let (mut asked, mut enriched, mut stopped) = (0, 0, false);
    for (id, name) in &wanted {
        if began.elapsed() > PATIENCE {
            break;
        }
        match look_up(&app, &session, admin.user_id, *id, name).await {
            Ok(found) => enriched += i64::from(found),
            Err(Stopped::Here(error)) => return Err(error),
            Err(Stopped::There(error)) => {
                // What is written stays; the rest waits for the next call.
                tracing::warn!(artist = %id, error = &error as &dyn std::error::Error, "artists are not enriched further");
                stopped = true;
                break;
            }
        }
        asked += 1;
    }
    if enriched > 0 {
        app.forget();
    }
    let message = match stopped {
        true => "The music service stopped answering; call again later",
        false if asked < total => "Some artists were not looked up yet; call again for them",
        false => "Artist enrichment complete",
    };
    Ok(Json(
        json!({ "message": message, "enriched": enriched, "total": total }),
    ))
}

/// Who ended the run.
enum Stopped {
    Here(ApiError),
    There(MusicError),
}

/// Whether there was something to learn of the artist.
async fn look_up(
    app: &App,
    session: &Session<'_>,
    admin: Uuid,
    id: Uuid,
    name: &str,
) -> Result<bool, Stopped> {
    let found = session.find(name).await.map_err(Stopped::There)?;
    write(app, admin, id, found)
        .await
        .map_err(|error| Stopped::Here(error.into()))
}

async fn write(app: &App, admin: Uuid, id: Uuid, found: Option<Profile>) -> sqlx::Result<bool> {
    let now = wire::at(app.clock.now());
    let mut tx = app.store.begin().await?;
    Store::looked_up(&mut tx, id, now).await?;
    let learned = match &found {
        Some(found) => Store::enrich_artist(&mut tx, id, found, now).await?,
        None => false,
    };
    if let (true, Some(found)) = (learned, found) {
        let detail = json!({ "imageUrl": found.image_url, "description": found.description });
        Store::audit(&mut tx, admin, "ARTIST_ENRICHED", id, &detail, now).await?;
    }
    tx.commit().await?;
    Ok(learned)
}

fn refused(error: MusicError) -> ApiError {
    ApiError::bad_gateway("The music service is not available or does not accept our credentials")
        .with_source(error)
}
