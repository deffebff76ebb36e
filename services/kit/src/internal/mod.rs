//! Calls from service to service: JSON over HTTP with the internal token.
//!
//! A call is tried at most three times, and only when no connection could be made (R-RES-02): then
//! nothing can have happened on the other side. Everything else is the caller's decision. Who keeps
//! failing is left alone for a while (R-RES-01).

pub mod breaker;

use crate::error::ApiError;
use crate::trace::{self, Work};
use breaker::{Breaker, Outcome};
use http::{Method, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Time to get a connection (R-RES-02).
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Time for the whole answer once connected (R-RES-02).
pub(crate) const READ_TIMEOUT: Duration = Duration::from_secs(3);
/// Three tries, 500 ms doubling: 1.5 s of waiting, inside the 15 s after which clients give up.
const RETRY_PAUSES: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(1)];

/// Why a call between services failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InternalError {
    /// No answer: not there, too slow, or cut off. Whether it acted is unknown unless
    /// `connected` is false.
    #[error("{url} did not answer")]
    Unreachable {
        /// Who was called.
        url: String,
        /// Whether the request may have reached the other side.
        connected: bool,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// It was not called: it kept failing and is left alone for some seconds.
    #[error("{url} was not called, because it keeps failing")]
    Resting {
        /// Who would have been called.
        url: String,
    },
    /// It answered with something else than 2xx.
    #[error("{url} answered {status}: {message}")]
    Status {
        /// Who was called.
        url: String,
        /// What it answered.
        status: StatusCode,
        /// Its `message ?? error`, or empty.
        message: String,
    },
    /// It answered 2xx with a body we cannot read.
    #[error("{url} answered with an unexpected body")]
    Malformed {
        /// Who was called.
        url: String,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
}

impl InternalError {
    /// The status it answered, if it answered.
    #[must_use]
    pub const fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Status { status, .. } => Some(*status),
            Self::Unreachable { .. } | Self::Resting { .. } | Self::Malformed { .. } => None,
        }
    }
}

impl From<InternalError> for ApiError {
    /// A failed call is 502 to our caller; what the other service said stays in the log (quirk 23:
    /// upstream leaked it).
    fn from(error: InternalError) -> Self {
        Self::bad_gateway("A service we depend on did not answer. Please retry.").with_source(error)
    }
}

/// Speaks to the internal routes of other services. Cheap to clone.
#[derive(Clone)]
pub struct InternalClient {
    http: reqwest::Client,
    token: String,
    retry_pauses: [Duration; 2],
    breakers: Breakers,
}

/// A breaker for each callee. Shared by all clients of a process: they call the same services.
#[derive(Clone, Default)]
pub(crate) struct Breakers(Arc<Mutex<HashMap<String, Breaker>>>);

impl Breakers {
    fn with<T>(&self, callee: &str, act: impl FnOnce(&mut Breaker) -> T) -> T {
        let mut breakers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(breaker) = breakers.get_mut(callee) {
            return act(breaker);
        }
        // As many as there are services and their kinds of internal routes: some dozens.
        act(breakers.entry(callee.to_owned()).or_default())
    }
}

/// The part of a URL that fails together: the host and the first two segments of the path, as
/// `urr all` has all services behind one host (`http://host/internal/reservations`).
fn callee(url: &str) -> &str {
    let path_only = url.split_once('?').map_or(url, |(path_only, _)| path_only);
    // http:, empty, host, first, second: the fifth slash ends it.
    let end = path_only
        .match_indices('/')
        .nth(4)
        .map_or(path_only.len(), |(index, _)| index);
    path_only.get(..end).unwrap_or(path_only)
}

/// The path of a callee, without its host: `/internal/reservations`.
fn path_of(callee: &str) -> &str {
    let host = callee.split_once("//").map_or(callee, |(_, rest)| rest);
    host.find('/').and_then(|at| host.get(at..)).unwrap_or("/")
}

impl InternalClient {
    pub(crate) fn new(http: reqwest::Client, token: String, breakers: Breakers) -> Self {
        Self {
            http,
            token,
            retry_pauses: RETRY_PAUSES,
            breakers,
        }
    }

    /// The same client with another bearer token, for example the control API's.
    #[must_use]
    pub fn with_token(mut self, token: impl Into<String>) -> Self {
        self.token = token.into();
        self
    }

    /// `GET url`, parsed.
    ///
    /// # Errors
    /// See [`InternalError`].
    pub async fn get_json<T: DeserializeOwned>(&self, url: &str) -> Result<T, InternalError> {
        self.send(Method::GET, url, None::<&()>).await
    }

    /// `POST url` with `body` as JSON, parsed.
    ///
    /// # Errors
    /// See [`InternalError`].
    pub async fn post_json<T: DeserializeOwned>(
        &self,
        url: &str,
        body: &(impl Serialize + Sync + ?Sized),
    ) -> Result<T, InternalError> {
        self.send(Method::POST, url, Some(body)).await
    }

    /// `PUT url` with `body` as JSON, parsed.
    ///
    /// # Errors
    /// See [`InternalError`].
    pub async fn put_json<T: DeserializeOwned>(
        &self,
        url: &str,
        body: &(impl Serialize + Sync + ?Sized),
    ) -> Result<T, InternalError> {
        self.send(Method::PUT, url, Some(body)).await
    }

    /// Any method with an optional body. An empty answer parses as JSON `null`.
    ///
    /// # Errors
    /// See [`InternalError`].
    pub async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        url: &str,
        body: Option<&(impl Serialize + Sync + ?Sized)>,
    ) -> Result<T, InternalError> {
        let callee = callee(url);
        if !self
            .breakers
            .with(callee, |breaker| breaker.admits(Instant::now()))
        {
            return Err(InternalError::Resting { url: url.to_owned() });
        }
        let started = Instant::now();
        let span = trace::step(Work::Elsewhere, || format!("{method} {}", path_of(callee)));
        let answer = trace::within(span, async {
            let answer = self.try_thrice(&method, url, body).await;
            match &answer {
                Ok((status, _)) => trace::note("http.response.status_code", status.as_u16()),
                Err(_) => trace::failed(),
            }
            answer
        })
        .await;
        let outcome = match &answer {
            Ok((status, _)) if !status.is_server_error() => Outcome::Answered,
            Ok(_) | Err(_) => Outcome::Failed,
        };
        let now = Instant::now();
        self.breakers
            .with(callee, |breaker| breaker.record(outcome, now - started, now));
        let (status, bytes) = answer?;
        if !status.is_success() {
            let message = refusal(&bytes);
            return Err(InternalError::Status {
                url: url.to_owned(),
                status,
                message,
            });
        }
        let body: &[u8] = if bytes.is_empty() { b"null" } else { &bytes };
        serde_json::from_slice(body).map_err(|source| InternalError::Malformed {
            url: url.to_owned(),
            source,
        })
    }

    async fn try_thrice(
        &self,
        method: &Method,
        url: &str,
        body: Option<&(impl Serialize + Sync + ?Sized)>,
    ) -> Result<(StatusCode, bytes::Bytes), InternalError> {
        let mut pauses = self.retry_pauses.iter();
        loop {
            let source = match self.try_once(method.clone(), url, body).await {
                Ok(answer) => return Ok(answer),
                Err(source) => source,
            };
            let connected = !source.is_connect();
            match pauses.next() {
                Some(pause) if !connected => tokio::time::sleep(*pause).await,
                _ => {
                    let url = url.to_owned();
                    return Err(InternalError::Unreachable {
                        url,
                        connected,
                        source,
                    });
                }
            }
        }
    }

    async fn try_once(
        &self,
        method: Method,
        url: &str,
        body: Option<&(impl Serialize + Sync + ?Sized)>,
    ) -> Result<(StatusCode, bytes::Bytes), reqwest::Error> {
        let mut request = self
            .http
            .request(method, url)
            .bearer_auth(&self.token)
            .timeout(READ_TIMEOUT);
        if let Some(body) = body {
            request = request.json(body);
        }
        if let Some(traceparent) = trace::traceparent() {
            request = request.header("traceparent", traceparent);
        }
        let response = request.send().await?;
        Ok((response.status(), response.bytes().await?))
    }
}

/// The text of an error body of ours: `message ?? error`.
fn refusal(body: &[u8]) -> String {
    let parsed: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    ["message", "error"]
        .iter()
        .find_map(|key| parsed.get(key)?.as_str())
        .unwrap_or_default()
        .to_owned()
}

/// How HTTP is spoken, to our services and to the outside.
pub(crate) fn http_builder() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_nodelay(true)
        // Enough for the calls in flight at an opening; more are opened and closed again.
        .pool_max_idle_per_host(64)
        .user_agent(concat!("urr/", env!("CARGO_PKG_VERSION")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ApiResult;
    use crate::extract::Json;
    use crate::identity::InternalGuard;
    use axum::{Router, routing::get};
    use serde_json::{Value, json};

    fn client(token: &str) -> InternalClient {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let mut client = InternalClient::new(http, token.to_owned(), Breakers::default());
        client.retry_pauses = [Duration::ZERO; 2];
        client
    }

    async fn serve(router: Router) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(crate::serve(
            listener,
            router,
            tokio_util::sync::CancellationToken::new(),
        ));
        format!("http://{address}")
    }

    #[tokio::test]
    async fn an_answer_is_parsed_and_a_refusal_keeps_its_status_and_text() {
        let router = Router::new()
            .route("/ok", get(|| async { Json(json!({"n": 1})) }))
            .route(
                "/no",
                get(|| async { ApiResult::<()>::Err(ApiError::conflict("Taken")) }),
            )
            .layer(InternalGuard::with_token("token"));
        let base = serve(router).await;
        let ok: Value = client("token").get_json(&format!("{base}/ok")).await.unwrap();
        assert_eq!(ok["n"], 1);
        let no = client("token")
            .get_json::<Value>(&format!("{base}/no"))
            .await
            .unwrap_err();
        assert!(
            matches!(&no, InternalError::Status { status, message, .. }
                if status.as_u16() == 409 && message == "Taken"),
            "{no:?}"
        );
        let wrong = client("other")
            .get_json::<Value>(&format!("{base}/ok"))
            .await
            .unwrap_err();
        assert_eq!(wrong.status(), Some(StatusCode::FORBIDDEN));
    }

    #[tokio::test]
    async fn nobody_there_is_unreachable_and_surely_did_nothing() {
        // A port that was free a moment ago.
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let error = client("t")
            .get_json::<Value>(&format!("http://{address}/"))
            .await
            .unwrap_err();
        assert!(
            matches!(error, InternalError::Unreachable { connected: false, .. }),
            "{error:?}"
        );
    }

    #[tokio::test]
    async fn who_keeps_failing_is_left_alone_and_who_refuses_is_not() {
        // R-RES-01; api-contract section 15 quirk 23.
        let router = Router::new()
            .route(
                "/internal/bad/x",
                get(|| async { ApiResult::<()>::Err(ApiError::unavailable("x")) }),
            )
            .route(
                "/internal/no/x",
                get(|| async { ApiResult::<()>::Err(ApiError::conflict("x")) }),
            );
        let base = serve(router).await;
        let client = client("token");
        let call = async |path: &str| {
            client
                .get_json::<Value>(&format!("{base}/internal/{path}"))
                .await
                .unwrap_err()
        };
        for _ in 0..10 {
            assert!(call("bad/x").await.status().is_some());
            assert!(call("no/x").await.status().is_some());
        }
        assert!(matches!(call("bad/x").await, InternalError::Resting { .. }));
        assert_eq!(call("no/x").await.status(), Some(StatusCode::CONFLICT));
    }

    #[test]
    fn services_behind_one_host_fail_apart() {
        assert_eq!(
            callee("http://h:1/internal/seats/count/7"),
            "http://h:1/internal/seats"
        );
        assert_eq!(
            callee("http://h:1/internal/seats?x=a/b"),
            "http://h:1/internal/seats"
        );
        assert_eq!(callee("http://h:1/internal/seats"), "http://h:1/internal/seats");
        assert_eq!(callee("http://h:1"), "http://h:1");
        assert_eq!(path_of("http://h:1/internal/seats"), "/internal/seats");
        assert_eq!(path_of("http://h:1"), "/");
    }
}
