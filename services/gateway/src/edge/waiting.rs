//! The waiting room's own paths at the edge: the page asks its own origin, and the edge asks vwr.
//!
//! Only what the page needs goes through: joining, polling, and the public looks. Operators' paths
//! are not here, and neither cookies nor credentials travel.

use super::{base_url, origin::Http, paths};
use axum::{
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, HeaderName, Method, Request, Response, StatusCode, Uri, header},
    response::IntoResponse,
};
use std::time::Duration;
use urr_kit::{ApiError, StartError};
use uuid::Uuid;

const LOOKS: [&str; 4] = ["status", "check", "serving", "draw"];
/// A join's body is a name.
const BODY_BYTES_MAX: usize = 4096;
const ANSWER_WITHIN: Duration = Duration::from_secs(12);

#[derive(Clone)]
pub(super) struct Waiting {
    http: Http,
    base: String,
}

impl Waiting {
    pub(super) fn new(http: Http, base: &str) -> Result<Self, StartError> {
        Ok(Self {
            http,
            base: base_url("--room (URR_EDGE_ROOM)", base)?,
        })
    }

    async fn ask(&self, method: Method, uri: &Uri, headers: &HeaderMap, body: Body) -> Response<Body> {
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let mut request = Request::new(Body::new(http_body_util::Limited::new(body, BODY_BYTES_MAX)));
        let Ok(to) = format!("{}{path}", self.base).parse() else {
            return ApiError::not_found("Not found").into_response();
        };
        *request.uri_mut() = to;
        *request.method_mut() = method;
        for name in [header::ACCEPT, header::CONTENT_TYPE, header::IF_NONE_MATCH] {
            if let Some(value) = headers.get(&name) {
                request.headers_mut().insert(name, value.clone());
            }
        }
        match self.http.send(request, ANSWER_WITHIN).await {
            Ok(answer) => keep_only(answer),
            Err(error) => ApiError::unavailable("Waiting room temporarily unavailable. Please retry.")
                .with_source(format!("{}: {error}", self.base))
                .into_response(),
        }
    }
}

/// Of the answer's headers, those that belong to its content.
fn keep_only(answer: Response<Body>) -> Response<Body> {
    const KEPT: [HeaderName; 6] = [
        header::CONTENT_TYPE,
        header::CACHE_CONTROL,
        header::ETAG,
        header::DATE,
        header::RETRY_AFTER,
        header::VARY,
    ];
    let (parts, body) = answer.into_parts();
    let mut kept = Response::new(body);
    *kept.status_mut() = parts.status;
    for name in KEPT {
        if let Some(value) = parts.headers.get(&name) {
            kept.headers_mut().insert(name, value.clone());
        }
    }
    kept
}

/// `/vwr-api/vwr/**`.
pub(super) async fn api(State(waiting): State<Waiting>, request: Request<Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let Ok(segments) = paths::segments(parts.uri.path()) else {
        return ApiError::bad_request("This address is ambiguous").into_response();
    };
    let verb = segments.get(2).map_or("", String::as_str);
    let allowed = match parts.method {
        Method::GET | Method::HEAD => LOOKS.contains(&verb),
        Method::POST => verb == "assign",
        _ => return StatusCode::METHOD_NOT_ALLOWED.into_response(),
    };
    if !allowed {
        return ApiError::not_found("Not found").into_response();
    }
    waiting.ask(parts.method, &parts.uri, &parts.headers, body).await
}

/// `/vwr/seats/{event}`: asked of the room's address, which has it where a gateway stands there.
pub(super) async fn seats(
    State(waiting): State<Waiting>,
    Path(event): Path<Uuid>,
    headers: HeaderMap,
) -> Response<Body> {
    let uri = format!("/vwr/seats/{event}").parse::<Uri>().unwrap_or_default();
    waiting.ask(Method::GET, &uri, &headers, Body::empty()).await
}
