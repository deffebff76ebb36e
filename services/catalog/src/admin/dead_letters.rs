//! Events that a consumer or a relay gave up on: counted, listed, mended and played again (R-MSG-05, R-ADM-02).
//!
//! Here, because admin paths are catalog's and audited here; the letters lie on the bus that all services share.

use super::act::Act;
use crate::App;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};
use urr_kit::{
    ApiError, ApiResult,
    events::{Envelope, TOPICS, dlq},
    extract::{Json, JsonOrDefault, Path, Query},
    identity::Admin,
};

/// Letters shown at once, as other lists.
const SHOWN_DEFAULT: u32 = 20;
const SHOWN_MAX: u32 = 100;

#[derive(Deserialize)]
pub(super) struct Page {
    limit: Option<u32>,
}

/// What is played instead of the letter as it came.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Mended {
    event: Option<Envelope>,
}

/// How many each topic has.
pub(super) async fn counts(State(app): State<App>, _: Admin) -> ApiResult<Json<Value>> {
    let counts = dlq::counts(&app.redis, &TOPICS).await?;
    let rows = TOPICS.map(|topic| json!({ "topic": topic, "count": counts.get(topic) }));
    Ok(Json(json!({ "deadLetters": rows })))
}

/// The newest of a topic, newest first.
pub(super) async fn list(
    State(app): State<App>,
    _: Admin,
    Path(topic): Path<String>,
    Query(page): Query<Page>,
) -> ApiResult<Json<Value>> {
    let topic = known(&topic)?;
    let limit = page.limit.unwrap_or(SHOWN_DEFAULT).clamp(1, SHOWN_MAX);
    let letters = dlq::list(&app.redis, topic, limit).await?;
    let letters: Vec<Value> = letters.iter().map(shown).collect();
    Ok(Json(json!({ "topic": topic, "letters": letters })))
}

/// Publishes a letter again and takes it off the list. Whoever has processed the event skips it by its id.
pub(super) async fn replay(
    State(app): State<App>,
    Admin(admin): Admin,
    Path((topic, id)): Path<(String, String)>,
    JsonOrDefault(Mended { event: mended }): JsonOrDefault<Mended>,
) -> ApiResult<Json<Value>> {
    let topic = known(&topic)?;
    if !is_stream_id(&id) {
        return Err(ApiError::bad_request("Invalid dead letter id"));
    }
    let letter = dlq::find(&app.redis, topic, &id).await?.ok_or_else(gone)?;
    let came = serde_json::from_str::<Envelope>(&letter.event).ok();
    if let (Some(mended), Some(came)) = (&mended, &came)
        && mended.event_id != came.event_id
    {
        // By another id it would have its effect once more where it had one.
        return Err(ApiError::bad_request("A mended event keeps its eventId"));
    }
    let replaced = mended.as_ref().map(serde_json::to_string).transpose();
    let replaced = replaced.map_err(ApiError::internal)?;
    let event_id = mended.or(came).map(|event| event.event_id);
    // Audited first: the audit may speak of a letter that was not played, never miss one that was.
    let act = Act::begin(&app, &admin).await?;
    let mut detail = shown(&letter);
    detail["topic"] = json!(topic);
    detail["mended"] = json!(replaced);
    act.commit("DEAD_LETTER_REPLAYED", event_id.unwrap_or_default(), &detail)
        .await?;
    if !dlq::replay(&app.redis, topic, &id, replaced.as_deref()).await? {
        return Err(gone());
    }
    Ok(Json(
        json!({ "message": "Dead letter replayed", "topic": topic, "id": id }),
    ))
}

fn known(topic: &str) -> ApiResult<&'static str> {
    let found = TOPICS.into_iter().find(|known| *known == topic);
    found.ok_or_else(|| ApiError::not_found("Unknown topic"))
}

fn gone() -> ApiError {
    ApiError::not_found("Dead letter not found")
}

/// `{milliseconds}-{number}`.
fn is_stream_id(id: &str) -> bool {
    let number = |part: &str| part.parse::<u64>().is_ok() && part.bytes().all(|b| b.is_ascii_digit());
    id.split_once('-')
        .is_some_and(|(ms, nth)| number(ms) && number(nth))
}

/// A letter with its event as JSON, or as the text it came as.
fn shown(letter: &dlq::Letter) -> Value {
    let event = serde_json::from_str(&letter.event).unwrap_or_else(|_| json!(letter.event));
    json!({ "id": letter.id, "group": letter.group, "reason": letter.reason, "event": event })
}
