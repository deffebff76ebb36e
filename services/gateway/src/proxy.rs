//! The hop to a service in another process.
//!
//! Bodies stream both ways. A read, or a PUT or DELETE without a body, is tried twice more if no
//! answer came (R-GW-08); any other call is sent once: while a service restarts its callers get a
//! plain 503 and try again by their own rules, instead of a gateway repeating a write whose outcome
//! nobody knows.

use crate::hop;
use axum::{
    body::Body,
    http::{HeaderMap, Method, Request, Response, Uri, header},
    response::IntoResponse,
};
use hyper_util::client::legacy::{
    Client,
    connect::{Connect, HttpConnector},
};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use std::time::Duration;
use urr_kit::{error::ApiError, internal::breaker::Outcome, trace};

/// Connections kept per service. 512 in flight at 10 ms each is 50,000 calls a second, more than
/// two cores bear.
const IDLE_CONNECTIONS_MAX: usize = 512;

/// Before the second and the third try: a connection that was closed under us is replaced at
/// once, a service that restarts needs a moment.
const RETRY_PAUSES: [Duration; 2] = [Duration::from_millis(20), Duration::from_millis(200)];

/// A connector with our timeouts.
pub(crate) fn tcp() -> HttpConnector {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(Duration::from_secs(2)));
    connector
}

/// A pooled client over `connector`.
pub(crate) fn pooled<C: Connect + Clone>(connector: C) -> Client<C, Body> {
    Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(Duration::from_secs(20))
        .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
        .build(connector)
}

/// A pooled client for all remote services.
#[derive(Clone, Debug)]
pub(crate) struct Proxy {
    client: Client<HttpConnector, Body>,
}

impl Proxy {
    pub(crate) fn new() -> Self {
        Self {
            client: pooled(tcp()),
        }
    }

    /// Sends the request to `base` and hands back what the service says, and whether it is well.
    pub(crate) async fn send(
        &self,
        service: &'static str,
        base: &str,
        mut request: Request<Body>,
    ) -> (Response<Body>, Outcome) {
        let path = request
            .uri()
            .path_and_query()
            .map_or("/", |path_and_query| path_and_query.as_str());
        let uri = match format!("{}{path}", base.trim_end_matches('/')).parse::<Uri>() {
            Ok(uri) => uri,
            // Our own setting is wrong: no call was made.
            Err(error) => return (ApiError::internal(error).into_response(), Outcome::Answered),
        };
        *request.uri_mut() = uri;
        // The client library sets its own.
        request.headers_mut().remove(header::HOST);
        hop::strip(request.headers_mut());
        // Services believe what comes from here: it is our trace, or none.
        trace::inject(request.headers_mut());
        match self.try_thrice(request).await {
            Ok(mut response) => {
                let outcome = if response.status().is_server_error() {
                    Outcome::Failed
                } else {
                    Outcome::Answered
                };
                hop::strip(response.headers_mut());
                (response.map(Body::new), outcome)
            }
            Err(error) => {
                tracing::warn!(service, %error, "backend unreachable");
                let answer = ApiError::unavailable("Service temporarily unavailable. Please retry.");
                (answer.into_response(), Outcome::Failed)
            }
        }
    }

    async fn try_thrice(
        &self,
        request: Request<Body>,
    ) -> Result<Response<hyper::body::Incoming>, hyper_util::client::legacy::Error> {
        if !is_repeatable(request.method(), request.headers()) {
            return self.client.request(request).await;
        }
        let (parts, _no_body) = request.into_parts();
        for pause in RETRY_PAUSES {
            let again = Request::from_parts(parts.clone(), Body::empty());
            match self.client.request(again).await {
                Ok(response) => return Ok(response),
                Err(error) => {
                    tracing::debug!(%error, "trying again");
                    tokio::time::sleep(pause).await;
                }
            }
        }
        self.client
            .request(Request::from_parts(parts, Body::empty()))
            .await
    }
}

/// Whether asking twice is asking once, and there is no body that was already sent.
fn is_repeatable(method: &Method, headers: &HeaderMap) -> bool {
    let idempotent = matches!(*method, Method::GET | Method::HEAD | Method::PUT | Method::DELETE);
    let empty = headers
        .get(header::CONTENT_LENGTH)
        .is_none_or(|length| length == "0")
        && !headers.contains_key(header::TRANSFER_ENCODING);
    idempotent && empty
}
