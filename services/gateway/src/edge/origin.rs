//! The way to the origin: bodies stream both ways, everything is bounded, nothing between
//! neighbours leaks through.

use super::{Config, base_url};
use crate::{caller, hop, innermost::Answers, proxy};
use axum::{
    body::Body,
    extract::ConnectInfo,
    http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Uri, Version, header},
    response::IntoResponse,
};
use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper_rustls::HttpsConnector;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioIo,
};
use rustls_platform_verifier::BuilderVerifierExt as _;
use std::{
    error::Error,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower_http::timeout::{TimeoutBody, TimeoutError};
use urr_kit::{ApiError, BoxError, StartError, error::chain, identity::strip_headers, trace};

/// For lists and probes: they are small and near.
const LOOK_WITHIN: Duration = Duration::from_secs(4);

/// A pooled client for http and https. Cheap to clone.
#[derive(Clone)]
pub(super) struct Http(Client<HttpsConnector<HttpConnector>, Body>);

/// Certificates are verified as the machine's own programs do.
pub(super) fn client() -> Result<Http, StartError> {
    let unusable = |error: rustls::Error| StartError::other("TLS to the origin cannot be set up", error);
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .with_platform_verifier()
        .map_err(unusable)?
        .with_no_client_auth();
    let mut tcp = proxy::tcp();
    tcp.enforce_http(false);
    let connector = hyper_rustls::HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_or_http()
        .enable_http1()
        .wrap_connector(tcp);
    Ok(Http(proxy::pooled(connector)))
}

impl Http {
    /// A small document.
    pub(super) async fn get(&self, url: &str, bytes_max: usize) -> Result<(StatusCode, Bytes), String> {
        let mut request = Request::new(Body::empty());
        *request.uri_mut() = url.parse().map_err(|_| "no URL".to_owned())?;
        let read = async {
            let answer = self.0.request(request).await.map_err(|error| chain(&error))?;
            let status = answer.status();
            let body = Limited::new(answer.into_body(), bytes_max);
            let bytes = body.collect().await.map_err(|error| chain(&*error))?.to_bytes();
            Ok((status, bytes))
        };
        tokio::time::timeout(LOOK_WITHIN, read)
            .await
            .unwrap_or_else(|_| Err("no answer in time".to_owned()))
    }

    /// Any request; the answer must begin in time, its body may stream.
    pub(super) async fn send(
        &self,
        request: Request<Body>,
        within: Duration,
    ) -> Result<Response<Body>, String> {
        match tokio::time::timeout(within, self.0.request(request)).await {
            Ok(Ok(answer)) => Ok(answer.map(Body::new)),
            Ok(Err(error)) => Err(chain(&error)),
            Err(_elapsed) => Err("no answer in time".to_owned()),
        }
    }
}

/// The origin, as the innermost service.
pub(super) struct Origin {
    http: Http,
    base: String,
    /// What the origin calls itself; `None` where the visitor's Host is passed on.
    host: Option<HeaderValue>,
    in_flight: Arc<Semaphore>,
    body_bytes_max: usize,
    answer_within: Duration,
    idle_max: Duration,
    tunnel_max: Duration,
    trusted_proxies: Vec<IpAddr>,
}

impl Origin {
    pub(super) fn new(http: Http, config: &Config) -> Result<Self, StartError> {
        let base = base_url("--origin (URR_EDGE_ORIGIN)", &config.edge_origin)?;
        let uri: Uri = base.parse().unwrap_or_default();
        let host = uri
            .authority()
            .filter(|_| !config.edge_preserve_host)
            .and_then(|authority| HeaderValue::from_str(authority.as_str()).ok());
        Ok(Self {
            http,
            base,
            host,
            in_flight: Arc::new(Semaphore::new(config.edge_in_flight_max)),
            body_bytes_max: config.edge_body_bytes_max,
            answer_within: Duration::from_secs(config.edge_answer_timeout_s),
            idle_max: Duration::from_secs(config.edge_idle_timeout_s),
            tunnel_max: Duration::from_secs(config.edge_session_max_s.into()),
            trusted_proxies: config.edge_trusted_proxies.clone(),
        })
    }
}

impl Answers for Origin {
    async fn answer(&self, request: Request<Body>) -> Response<Body> {
        self.pass_on(request).await.unwrap_or_else(|refusal| refusal)
    }
}

type Passed = Result<Response<Body>, Response<Body>>;

impl Origin {
    async fn pass_on(&self, mut request: Request<Body>) -> Passed {
        // Beyond this a queue would only grow: who comes now is told so at once.
        let permit = Arc::clone(&self.in_flight).try_acquire_owned().map_err(|_| {
            ApiError::unavailable("The site is busy. Please retry.")
                .with_field("retryAfter", 1)
                .into_response()
        })?;
        if announced_bytes(request.headers()) > self.body_bytes_max as u64 {
            return Err(too_large());
        }
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        let uri = format!("{}{path}", self.base)
            .parse::<Uri>()
            .map_err(|_| ApiError::bad_request("This address cannot be passed on").into_response())?;
        let upgrade = request.headers().get(header::UPGRADE).cloned();
        let visitor = upgrade.is_some().then(|| hyper::upgrade::on(&mut request));
        self.rewrite_headers(&mut request);
        // Without traces of ours it is the visitor's that reaches the site, as any header does.
        if trace::on() {
            trace::inject(request.headers_mut());
        }
        *request.uri_mut() = uri;
        // Ours, both ways: an answer that said 1.0 would end the visitor's connection each time.
        *request.version_mut() = Version::HTTP_11;
        if let Some(protocol) = &upgrade {
            request.headers_mut().insert(header::UPGRADE, protocol.clone());
            let connection = HeaderValue::from_static("upgrade");
            request.headers_mut().insert(header::CONNECTION, connection);
        }
        let request = request.map(|body| {
            let body = Limited::new(body, self.body_bytes_max);
            Body::new(TimeoutBody::new(self.idle_max, body))
        });
        let asked = tokio::time::timeout(self.answer_within, self.http.0.request(request));
        let mut answer = match asked.await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return Err(failed(error)),
            Err(_elapsed) => {
                let status = StatusCode::GATEWAY_TIMEOUT;
                let late =
                    ApiError::with_status(status, "The site took too long. Please retry.").with_source(
                        format!("no answer from {} within {:?}", self.base, self.answer_within),
                    );
                return Err(late.into_response());
            }
        };
        if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
            let Some(visitor) = visitor else {
                return Err(ApiError::bad_gateway("The site answered unexpectedly").into_response());
            };
            let origin = hyper::upgrade::on(&mut answer);
            tokio::spawn(tunnel(visitor, origin, self.tunnel_max, permit));
            return Ok(answer.map(|_| Body::empty()));
        }
        hop::strip(answer.headers_mut());
        *answer.version_mut() = Version::HTTP_11;
        let idle_max = self.idle_max;
        Ok(answer.map(move |body| {
            // The permit lives as long as the body: a slow download is a call under way.
            let body = TimeoutBody::new(idle_max, body).map_frame(move |frame| {
                let _held = &permit;
                frame
            });
            Body::new(body)
        }))
    }

    /// What the origin is told about the caller: what we know, not what he claims.
    fn rewrite_headers(&self, request: &mut Request<Body>) {
        const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
        const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
        const HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
        let peer = request
            .extensions()
            .get::<ConnectInfo<SocketAddr>>()
            .map(|info| info.0.ip());
        let trusted = peer.is_some_and(|peer| self.trusted_proxies.contains(&peer));
        let address = caller::address(request, &self.trusted_proxies);
        let headers = request.headers_mut();
        strip_headers(headers);
        hop::strip(headers);
        headers.remove(header::FORWARDED);
        if !trusted {
            for name in [&PROTO, &HOST] {
                headers.remove(name);
            }
        }
        if let Ok(address) = HeaderValue::from_str(&address.to_string()) {
            headers.insert(FOR, address);
        }
        headers.entry(PROTO).or_insert(HeaderValue::from_static("http"));
        if let Some(host) = headers.get(header::HOST).cloned() {
            headers.entry(HOST).or_insert(host);
        }
        if let Some(host) = &self.host {
            headers.insert(header::HOST, host.clone());
        }
    }
}

fn announced_bytes(headers: &HeaderMap) -> u64 {
    headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok())
        .and_then(|length| length.parse().ok())
        .unwrap_or(0)
}

fn too_large() -> Response<Body> {
    ApiError::with_status(StatusCode::PAYLOAD_TOO_LARGE, "The request is too large").into_response()
}

/// Whose fault it was: the caller's body, or the origin.
fn failed(error: hyper_util::client::legacy::Error) -> Response<Body> {
    let mut cause: Option<&(dyn Error + 'static)> = Some(&error);
    while let Some(error) = cause {
        if error.is::<LengthLimitError>() {
            return too_large();
        }
        if error.is::<TimeoutError>() {
            return ApiError::with_status(StatusCode::REQUEST_TIMEOUT, "The request stood still")
                .into_response();
        }
        cause = error.source();
    }
    ApiError::bad_gateway("The site cannot be reached. Please retry.")
        .with_source(error)
        .into_response()
}

/// Bytes both ways after an upgrade (WebSocket), as long as a session may last.
async fn tunnel(
    visitor: hyper::upgrade::OnUpgrade,
    origin: hyper::upgrade::OnUpgrade,
    longest: Duration,
    _permit: OwnedSemaphorePermit,
) {
    let joined = async {
        let (visitor, origin) = tokio::try_join!(visitor, origin)?;
        let (mut visitor, mut origin) = (TokioIo::new(visitor), TokioIo::new(origin));
        tokio::io::copy_bidirectional(&mut visitor, &mut origin).await?;
        Ok::<_, BoxError>(())
    };
    match tokio::time::timeout(longest, joined).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(error = chain(&*error), "a tunnel broke"),
        Err(_elapsed) => tracing::debug!("a tunnel lasted longer than a session may"),
    }
}
