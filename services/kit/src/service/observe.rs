//! The outermost layer: counts and times every request, logs every failure once, with the request,
//! and gives the framework's bare 404 and 405 the body of an error.
//!
//! It logs nothing for a request that went well: an access log line costs as much as a poll
//! (reference/measured-limits.md section 9).

use crate::error::{ApiError, Failure, chain};
use crate::identity::read_headers;
use crate::trace::{self, Callers};
use axum::Router;
use axum::body::HttpBody as _;
use axum::extract::{ConnectInfo, MatchedPath, Request};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use futures::future::BoxFuture;
use http::{HeaderMap, Method, StatusCode, Uri, header};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::task::{Context, Poll};
use std::time::Instant;
use tower::{Layer, Service};

/// What a request is counted as whose route is unknown here.
const UNMATCHED: &str = "unmatched";

/// `router` with the pattern that matched left in the response, for a router that is mounted where
/// [`crate::serve`] cannot see its routes (the gateway hands requests on to it itself). Without it
/// its requests are counted as `unmatched`.
pub fn routed(router: Router) -> Router {
    router.layer(axum::middleware::from_fn(leave_route))
}

async fn leave_route(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    let mut response = next.run(request).await;
    if let Some(route) = route {
        response.extensions_mut().insert(route);
    }
    response
}

#[derive(Clone)]
pub(super) struct Observe {
    /// Whose requests are traced; `None` when traces are off.
    traced: Option<Callers>,
}

impl Observe {
    pub(super) fn new(callers: Callers) -> Self {
        Self {
            traced: trace::on().then_some(callers),
        }
    }
}

impl<S> Layer<S> for Observe {
    type Service = Observed<S>;

    fn layer(&self, inner: S) -> Observed<S> {
        Observed {
            inner,
            traced: self.traced.clone(),
        }
    }
}

#[derive(Clone)]
pub(super) struct Observed<S> {
    inner: S,
    traced: Option<Callers>,
}

impl<S> Service<Request> for Observed<S>
where
    S: Service<Request, Response = Response, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let started = Instant::now();
        let span = self.traced.as_ref().and_then(|callers| begun(&request, callers));
        let seen = Seen::of(&request);
        let answer = self.inner.call(request);
        let observed = async move {
            let mut response = answer.await?;
            if let Some(plain) = plain_refusal(&response) {
                let allow = response.headers_mut().remove(header::ALLOW);
                response = plain.into_response();
                if let Some(allow) = allow {
                    response.headers_mut().insert(header::ALLOW, allow);
                }
            }
            let mounted = response.extensions_mut().remove::<MatchedPath>();
            seen.count(mounted.as_ref(), response.status(), started);
            if let Some(Failure(error)) = response.extensions_mut().remove::<Failure>() {
                seen.log(&error);
            }
            Ok(response)
        };
        match span {
            None => Box::pin(observed),
            span => Box::pin(trace::within(span, observed)),
        }
    }
}

/// The span of `request`. Who only asks how we are has none: every few seconds, for ever, from each of our
/// watchers.
fn begun(request: &Request, callers: &Callers) -> Option<trace::Span> {
    let path = request.uri().path();
    if path == "/health" || path.starts_with("/actuator/") {
        return None;
    }
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let is_believed = callers.are_believed(peer.map(|peer| peer.0.ip()));
    trace::server(request.method(), request.headers(), is_believed)
}

/// What of a request is needed once it is answered. Clones here are reference counts.
struct Seen {
    method: Method,
    uri: Uri,
    route: Option<MatchedPath>,
    headers: HeaderMap,
}

impl Seen {
    fn of(request: &Request) -> Self {
        // Only what a failure's log line needs; the headers of a request are many.
        let mut headers = HeaderMap::new();
        for name in [crate::identity::USER_ID, crate::identity::USER_ROLE] {
            if let Some(value) = request.headers().get(&name) {
                headers.insert(name, value.clone());
            }
        }
        Self {
            method: request.method().clone(),
            uri: request.uri().clone(),
            route: request.extensions().get::<MatchedPath>().cloned(),
            headers,
        }
    }

    fn count(&self, mounted: Option<&MatchedPath>, status: StatusCode, started: Instant) {
        // The route's pattern, never the path: ids would make a time series each.
        let route = mounted.or(self.route.as_ref());
        let route = route.map_or(UNMATCHED, MatchedPath::as_str).to_owned();
        if trace::on() {
            self.trace(&route, status);
        }
        super::pulse::count(&route, status.is_server_error(), started.elapsed());
        let class = match status.as_u16() {
            ..300 => "2xx",
            300..400 => "3xx",
            400..500 => "4xx",
            _ => "5xx",
        };
        metrics::counter!("urr_http_requests_total",
            "method" => method_name(&self.method), "route" => route.clone(), "status" => class)
        .increment(1);
        metrics::histogram!("urr_http_request_seconds", "route" => route)
            .record(started.elapsed().as_secs_f64());
    }

    fn trace(&self, route: &str, status: StatusCode) {
        if route != UNMATCHED {
            trace::name(|| format!("{} {route}", method_name(&self.method)));
            trace::note("http.route", route.to_owned());
        }
        trace::note("http.response.status_code", status.as_u16());
        if status.is_server_error() {
            trace::failed();
        }
    }

    fn log(&self, error: &ApiError) {
        let user = read_headers(&self.headers).map(|identity| identity.user_id.to_string());
        tracing::error!(
            method = %self.method,
            path = self.uri.path(),
            status = error.status().as_u16(),
            user,
            error = chain(error),
            "request failed"
        );
    }
}

pub(crate) const fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::PATCH => "PATCH",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// The error body for a 404 or 405 that has none.
fn plain_refusal(response: &Response) -> Option<ApiError> {
    let bare = response.body().is_end_stream() && response.headers().get(header::CONTENT_TYPE).is_none();
    match response.status() {
        StatusCode::NOT_FOUND if bare => Some(ApiError::not_found("Not found")),
        StatusCode::METHOD_NOT_ALLOWED if bare => Some(ApiError::with_status(
            StatusCode::METHOD_NOT_ALLOWED,
            "Method not allowed",
        )),
        _ => None,
    }
}
