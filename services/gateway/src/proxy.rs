//! The hop to a service in another process.
//!
//! Bodies stream both ways. A call is sent once: while a service restarts its callers get a plain
//! 503 and try again by their own rules, instead of a gateway repeating a write whose outcome
//! nobody knows (R-GW-08 allows retries only of what is idempotent; clients know that better).

use axum::{
    body::Body,
    http::{Request, Response, Uri, header},
    response::IntoResponse,
};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use std::time::Duration;
use urr_kit::error::ApiError;

/// Connections kept per service. 512 in flight at 10 ms each is 50,000 calls a second, more than
/// two cores bear.
const IDLE_CONNECTIONS_MAX: usize = 512;

/// A pooled client for all remote services.
#[derive(Clone, Debug)]
pub(crate) struct Proxy {
    client: Client<HttpConnector, Body>,
}

impl Proxy {
    pub(crate) fn new() -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(Duration::from_secs(2)));
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(20))
            .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
            .build(connector);
        Self { client }
    }

    /// Sends the request to `base` and hands back what the service says.
    pub(crate) async fn send(
        &self,
        service: &'static str,
        base: &str,
        mut request: Request<Body>,
    ) -> Response<Body> {
        let path = request
            .uri()
            .path_and_query()
            .map_or("/", |path_and_query| path_and_query.as_str());
        let uri = match format!("{}{path}", base.trim_end_matches('/')).parse::<Uri>() {
            Ok(uri) => uri,
            Err(error) => {
                return ApiError::internal(error).into_response();
            }
        };
        *request.uri_mut() = uri;
        // Hop-by-hop: the client library sets its own.
        request.headers_mut().remove(header::HOST);
        request.headers_mut().remove(header::CONNECTION);
        match self.client.request(request).await {
            Ok(response) => response.map(Body::new),
            Err(error) => {
                tracing::warn!(service, %error, "backend unreachable");
                ApiError::unavailable("Service temporarily unavailable. Please retry.").into_response()
            }
        }
    }
}
