//! Answering a load generator that asks whether it may (`core::load_consent`).
//!
//! Mounted by the gateway when the operator has set the shared secret; an installation without it
//! answers 404 like any other path, and no generator of ours will load it.

use crate::error::{ApiError, ApiResult};
use crate::extract::{Json, Query};
use crate::start::StartError;
use axum::Router;
use axum::extract::State;
use axum::routing::get;
use http::HeaderMap;
use http::header::HOST;
use serde::{Deserialize, Serialize};
use urr_core::load_consent::{ConsentKey, PATH, SECRET_ENV};

/// The route, where the operator has set the shared secret.
///
/// # Errors
/// [`StartError::WeakSecret`] when that could be guessed.
pub fn from_env() -> Result<Option<Router>, StartError> {
    let Some(secret) = std::env::var(SECRET_ENV).ok().filter(|secret| !secret.is_empty()) else {
        return Ok(None);
    };
    let key = ConsentKey::new(&secret).map_err(|weak| StartError::WeakSecret {
        variable: SECRET_ENV,
        problem: weak.to_string(),
    })?;
    Ok(Some(router(key)))
}

/// The question.
#[derive(Debug, Deserialize)]
struct Asked {
    nonce: String,
}

/// The answer.
#[derive(Debug, Serialize)]
struct Consent {
    proof: String,
}

/// `GET /.well-known/urr-load-opt-in?nonce=` answered with `{"proof": hex}`.
pub fn router(key: ConsentKey) -> Router {
    Router::new().route(PATH, get(consent)).with_state(key)
}

async fn consent(
    State(key): State<ConsentKey>,
    headers: HeaderMap,
    Query(asked): Query<Asked>,
) -> ApiResult<Json<Consent>> {
    let host = headers
        .get(HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or_default();
    let proof = key
        .prove(host, &asked.nonce)
        .ok_or_else(|| ApiError::bad_request("nonce must be 16 to 128 letters, digits or dashes"))?;
    Ok(Json(Consent { proof }))
}
