//! How a request fails: one type, one body, one line in the log.
//!
//! The body is `{"error": m, "message": m, ..fields}`: clients read either key (api-contract.md
//! section 1). What went wrong inside stays inside: it travels as the source, is logged once, with
//! the request, by [`crate::service::serve`], and never reaches the client.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::sync::Arc;

/// Any error, with its chain.
pub type BoxError = Box<dyn std::error::Error + Send + Sync + 'static>;

/// What a handler returns.
pub type ApiResult<T> = Result<T, ApiError>;

const INTERNAL: &str = "Internal server error";
const UNAVAILABLE: &str = "Service temporarily unavailable. Please retry.";
const NOT_TEXT: &str = "The request holds characters that cannot be stored";

/// A failed request: a status, a sentence for the client, and the cause for us.
#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    message: Cow<'static, str>,
    // Boxed: errors are rare and results are returned by value everywhere.
    fields: Option<Box<Map<String, Value>>>,
    source: Option<BoxError>,
    is_logged: bool,
}

impl ApiError {
    fn new(status: StatusCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            status,
            message: message.into(),
            fields: None,
            source: None,
            is_logged: false,
        }
    }

    /// 400: the request is wrong, and this is what is wrong with it.
    pub fn bad_request(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// 401: who are you?
    pub fn unauthorized(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, message)
    }

    /// 403: we know you, and no.
    pub fn forbidden(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::FORBIDDEN, message)
    }

    /// 404.
    pub fn not_found(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::NOT_FOUND, message)
    }

    /// 409: somebody else was first, or the state does not allow it.
    pub fn conflict(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::CONFLICT, message)
    }

    /// 429: too many calls.
    pub fn too_many_requests(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, message)
    }

    /// 502: a service we depend on answered wrongly or not at all.
    pub fn bad_gateway(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_GATEWAY, message)
    }

    /// 503: not now; worth a retry.
    pub fn unavailable(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, message)
    }

    /// 500: our fault; the client learns nothing, the log everything.
    pub fn internal(source: impl Into<BoxError>) -> Self {
        Self {
            source: Some(source.into()),
            ..Self::new(StatusCode::INTERNAL_SERVER_ERROR, INTERNAL)
        }
    }

    /// Any other status. A success or redirect given here becomes 500: an error is an error.
    pub fn with_status(status: StatusCode, message: impl Into<Cow<'static, str>>) -> Self {
        let is_error = status.is_client_error() || status.is_server_error();
        Self::new(
            if is_error {
                status
            } else {
                StatusCode::INTERNAL_SERVER_ERROR
            },
            message,
        )
    }

    /// Adds the cause, for the log.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<BoxError>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What is wrong was logged when it began; a crowd that meets it adds no lines.
    #[must_use]
    pub const fn already_logged(mut self) -> Self {
        self.is_logged = true;
        self
    }

    /// Adds a field beside `error` and `message`. `retryAfter`, seconds, is also sent as the header.
    #[must_use]
    pub fn with_field(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.fields
            .get_or_insert_default()
            .insert(name.to_owned(), value.into());
        self
    }

    /// The HTTP status.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// What the client is told.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.message, self.status.as_u16())
    }
}

impl std::error::Error for ApiError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// Left in the extensions of a 5xx response; [`crate::service::serve`] logs it with the request.
#[derive(Clone)]
pub(crate) struct Failure(pub(crate) Arc<ApiError>);

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut body = self.fields.as_deref().cloned().unwrap_or_default();
        body.insert("error".to_owned(), Value::from(self.message.as_ref()));
        body.insert("message".to_owned(), Value::from(self.message.as_ref()));
        let retry_after_s = body.get("retryAfter").and_then(Value::as_u64);
        let mut response = (self.status, Json(Value::Object(body))).into_response();
        if let Some(seconds) = retry_after_s {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        if self.status.is_server_error() && !self.is_logged {
            response.extensions_mut().insert(Failure(Arc::new(self)));
        }
        response
    }
}

impl From<sqlx::Error> for ApiError {
    /// An engine that cannot be reached is worth a retry (503); a text that Postgres cannot hold is
    /// the caller's (400): 5xx open breakers, so a caller must not be able to make them. Anything
    /// else is a defect of ours.
    fn from(error: sqlx::Error) -> Self {
        if is_unreachable(&error) {
            Self::unavailable(UNAVAILABLE).with_source(error)
        } else if is_not_text(&error) {
            Self::bad_request(NOT_TEXT).with_source(error)
        } else {
            Self::internal(error)
        }
    }
}

impl From<redis::RedisError> for ApiError {
    fn from(error: redis::RedisError) -> Self {
        Self::unavailable(UNAVAILABLE).with_source(error)
    }
}

/// Whether this says "no database" rather than "wrong statement".
pub(crate) fn is_unreachable(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        // 57P0x: shutting down, crashed, starting up. 53300: too many connections.
        // 40001 and 40P01: serialization failure and deadlock, by definition worth a retry.
        sqlx::Error::Database(db) => db.code().is_some_and(|code| {
            code.starts_with("57P")
                || code.starts_with("08")
                || code.starts_with("53")
                || code == "40001"
                || code == "40P01"
        }),
        _ => false,
    }
}

/// Whether a parameter held what no text of Postgres can: a NUL. JSON, paths and queries may carry one.
fn is_not_text(error: &sqlx::Error) -> bool {
    // character_not_in_repertoire, and untranslatable_character for `\u0000` in jsonb.
    let code = error.as_database_error().and_then(|error| error.code());
    code.is_some_and(|code| code == "22021" || code == "22P05")
}

/// An error and all its causes, outermost first, in one line.
#[must_use]
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        // Foreign crates often repeat their source in Display; say it once.
        if !line.ends_with(&text) {
            // Writing to a String does not fail.
            let _ = write!(line, ": {text}");
        }
        cause = error.source();
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt as _;

    async fn body(error: ApiError) -> (StatusCode, Value) {
        let response = error.into_response();
        let status = response.status();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&bytes).unwrap())
    }

    #[tokio::test]
    async fn both_keys_carry_the_same_text() {
        let error = ApiError::conflict("Seat is taken").with_field("seatId", "A-1");
        let (status, body) = body(error).await;
        assert_eq!(status, StatusCode::CONFLICT);
        assert_eq!(body["error"], "Seat is taken");
        assert_eq!(body["message"], "Seat is taken");
        assert_eq!(body["seatId"], "A-1");
    }

    #[tokio::test]
    async fn nobody_sees_an_internal_message() {
        let cause = std::io::Error::other("password of the database is hunter2");
        let (status, body) = body(ApiError::internal(cause)).await;
        assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
        assert!(!body.to_string().contains("hunter2"));
    }

    #[test]
    fn the_log_line_holds_the_whole_chain() {
        let error = ApiError::unavailable("Later").with_source(std::io::Error::other("no route"));
        assert_eq!(chain(&error), "Later (503): no route");
    }

    #[test]
    fn an_unreachable_database_is_503_and_a_wrong_statement_500() {
        assert_eq!(ApiError::from(sqlx::Error::PoolTimedOut).status().as_u16(), 503);
        assert_eq!(ApiError::from(sqlx::Error::RowNotFound).status().as_u16(), 500);
    }

    #[test]
    fn an_error_never_carries_a_success_status() {
        assert_eq!(ApiError::with_status(StatusCode::OK, "x").status().as_u16(), 500);
        assert_eq!(
            ApiError::with_status(StatusCode::GONE, "x").status().as_u16(),
            410
        );
    }
}
