//! The proxy itself: takes a request, asks [`Faults`], passes it on, streams the answer back.

use super::call::Call;
use super::faults::{Fault, Faults, Recorded, Verdict};
use super::watch::Filter;
use crate::Error;
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName};
use http::{Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, Limited, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use kube::client::Body as KubeBody;
use kube::{Client, Config};
use serde_json::json;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// The API server itself takes no request over 3 MiB.
const REQUEST_BYTES_MAX: usize = 3 << 20;

/// What breaks a connection, whether meant or not.
type Broken = std::io::Error;
type Body = UnsyncBoxBody<Bytes, Broken>;
type Answer = Response<Body>;

enum Upstream {
    Cluster(Client),
    Url { http: reqwest::Client, base: String },
}

struct Relay {
    upstream: Upstream,
    faults: Faults,
}

/// A running proxy. Dropping it ends it and every connection through it.
pub struct Proxy {
    url: String,
    stop: CancellationToken,
    _accepting: JoinHandle<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Proxy {
    /// Stands before the API server that `config` names, with the identity in it
    /// ([`crate::Cluster::config_as`]).
    ///
    /// # Errors
    /// When no port can be bound or the configuration cannot be used.
    pub async fn to_cluster(mut config: Config, faults: Faults) -> Result<Self, Error> {
        // A retry in here would be a write nobody asked for.
        config.default_retry = false;
        // Watches are silent for long; their end is the caller's business.
        config.read_timeout = None;
        let client = Client::try_from(config)?;
        Self::start(Upstream::Cluster(client), faults).await
    }

    /// Stands before the HTTP service at `base`, for example the control API.
    ///
    /// # Errors
    /// When no port can be bound.
    pub async fn to_url(base: &str, faults: Faults) -> Result<Self, Error> {
        let http = reqwest::Client::new();
        let base = base.trim_end_matches('/').to_owned();
        Self::start(Upstream::Url { http, base }, faults).await
    }

    async fn start(upstream: Upstream, faults: Faults) -> Result<Self, Error> {
        let binding = |source| Error::Io {
            doing: "listen for the proxy",
            source,
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(binding)?;
        let url = format!("http://{}", listener.local_addr().map_err(binding)?);
        let stop = CancellationToken::new();
        let relay = Arc::new(Relay { upstream, faults });
        let accepting = tokio::spawn(accept(listener, relay, stop.clone()));
        Ok(Self {
            url,
            stop,
            _accepting: accepting,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A client of the API server through it.
    ///
    /// # Errors
    /// When the URL cannot be used.
    pub fn client(&self) -> Result<Client, Error> {
        Ok(Client::try_from(self.config())?)
    }

    /// How to reach the API server through it.
    #[must_use]
    pub fn config(&self) -> Config {
        // The URL is one we made: it always parses.
        Config::new(self.url.parse().unwrap_or_default())
    }

    /// A kubeconfig, for a process of its own.
    #[must_use]
    pub fn kubeconfig(&self) -> String {
        format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: proxy\n\
             clusters: [{{name: proxy, cluster: {{server: '{}'}}}}]\n\
             users: [{{name: proxy, user: {{}}}}]\n\
             contexts: [{{name: proxy, context: {{cluster: proxy, user: proxy}}}}]\n",
            self.url
        )
    }
}

async fn accept(listener: TcpListener, relay: Arc<Relay>, stop: CancellationToken) {
    loop {
        let stream = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "accepting");
                    continue;
                }
            },
        };
        tokio::spawn(serve(stream, Arc::clone(&relay), stop.clone()));
    }
}

/// One connection, until it ends, everything goes dark, or the proxy stops.
async fn serve(stream: TcpStream, relay: Arc<Relay>, stop: CancellationToken) {
    // Without it a small answer may wait 40 ms for the caller's delayed acknowledgement.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY was refused");
    }
    let serving = Arc::clone(&relay);
    let service = service_fn(move |request| {
        let relay = Arc::clone(&serving);
        async move { relay.answer(request).await }
    });
    let connection =
        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        () = stop.cancelled() => {}
        () = relay.faults.darkness() => {}
        // An error here is a connection that one side broke, sometimes we ourselves.
        _ = connection => {}
    }
}

impl Relay {
    /// An error breaks the connection, which is what faults are made of.
    async fn answer(self: &Arc<Self>, request: Request<Incoming>) -> Result<Answer, Broken> {
        let (parts, body) = request.into_parts();
        let body = Limited::new(body, REQUEST_BYTES_MAX)
            .collect()
            .await
            .map_err(broken)?
            .to_bytes();
        let call = Call {
            method: parts.method,
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            body: body.to_vec(),
        };
        if let Some(past) = self.faults.stale_answer(&call) {
            return Ok(from_the_past(past));
        }
        let Verdict { fault, number } = self.faults.judge(&call);
        match fault {
            Some(Fault::CrashBefore | Fault::Cut) => return Err(broken("cut by the test")),
            Some(Fault::Refuse(status)) => {
                self.faults.answered(number, status);
                return Ok(refusal(status));
            }
            Some(Fault::Delay(by)) => tokio::time::sleep(by).await,
            Some(Fault::CrashAfter | Fault::DropAnswer) | None => {}
        }
        let answer = Arc::clone(self).carried_out(&call, parts.headers, number).await?;
        match fault {
            Some(Fault::CrashAfter) => {
                self.faults.go_dark(number);
                Err(broken("the caller dies here"))
            }
            Some(Fault::DropAnswer) => Err(broken("the answer is lost")),
            _ if call.is_watch() => Ok(self.filtered(answer)),
            _ if call.method == http::Method::GET && self.faults.records() => {
                self.recorded(&call, answer).await
            }
            _ => Ok(answer),
        }
    }

    /// Passes `call` on, also when its caller goes away meanwhile: then it is carried out all the same,
    /// and is on record.
    async fn carried_out(
        self: Arc<Self>,
        call: &Call,
        headers: HeaderMap,
        number: Option<u64>,
    ) -> Result<Answer, Broken> {
        let call = call.clone();
        let passing = tokio::spawn(async move {
            let answer = self.pass_on(&call, &headers).await?;
            self.faults.answered(number, answer.status());
            Ok(answer)
        });
        passing.await.map_err(broken)?
    }

    async fn pass_on(&self, call: &Call, headers: &HeaderMap) -> Result<Answer, Broken> {
        let target = match call.query.as_str() {
            "" => call.path.clone(),
            query => format!("{}?{query}", call.path),
        };
        match &self.upstream {
            Upstream::Cluster(client) => {
                let mut request = Request::builder().method(call.method.clone()).uri(target);
                for (name, value) in headers
                    .iter()
                    .filter(|(name, _)| travels(name) && *name != AUTHORIZATION)
                {
                    request = request.header(name, value);
                }
                let request = request.body(KubeBody::from(call.body.clone())).map_err(broken)?;
                let (parts, body) = client.send(request).await.map_err(broken)?.into_parts();
                Ok(answer(
                    parts.status,
                    &parts.headers,
                    body.map_err(broken).boxed_unsync(),
                ))
            }
            Upstream::Url { http, base } => {
                let mut request = http.request(call.method.clone(), format!("{base}{target}"));
                for (name, value) in headers.iter().filter(|(name, _)| travels(name)) {
                    request = request.header(name, value);
                }
                let response = request.body(call.body.clone()).send().await.map_err(broken)?;
                let (status, headers) = (response.status(), response.headers().clone());
                let frames = response
                    .bytes_stream()
                    .map(|piece| Ok(Frame::data(piece.map_err(broken)?)));
                Ok(answer(
                    status,
                    &headers,
                    BodyExt::boxed_unsync(StreamBody::new(frames)),
                ))
            }
        }
    }

    fn filtered(&self, answer: Answer) -> Answer {
        let (parts, body) = answer.into_parts();
        let filter = Filter::new(self.faults.clone());
        let pieces = stream::unfold(Some((body, filter)), |state| async move {
            let (mut body, mut filter) = state?;
            loop {
                let frame = match body.frame().await? {
                    Ok(frame) => frame,
                    Err(error) => return Some((Err(error), None)),
                };
                let Ok(data) = frame.into_data() else { continue };
                let passed = filter.pass(&data);
                tokio::time::sleep(passed.delay).await;
                let next = (!passed.cut).then_some((body, filter));
                return Some((Ok(Frame::data(passed.bytes)), next));
            }
        });
        Response::from_parts(parts, BodyExt::boxed_unsync(StreamBody::new(pieces)))
    }

    async fn recorded(&self, call: &Call, answer: Answer) -> Result<Answer, Broken> {
        let (parts, body) = answer.into_parts();
        let body = body.collect().await?.to_bytes();
        let content_type = parts
            .headers
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok());
        let past = Recorded {
            status: parts.status,
            content_type: content_type.unwrap_or("application/json").to_owned(),
            body: body.to_vec(),
        };
        self.faults.record(call, past);
        Ok(Response::from_parts(parts, whole(body)))
    }
}

/// Whether a header means anything beyond this connection.
fn travels(name: &HeaderName) -> bool {
    !matches!(
        name.as_str(),
        "host" | "connection" | "content-length" | "transfer-encoding" | "keep-alive" | "te" | "upgrade"
    )
}

fn answer(status: StatusCode, headers: &HeaderMap, body: Body) -> Answer {
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    for (name, value) in headers.iter().filter(|(name, _)| travels(name)) {
        answer.headers_mut().append(name, value.clone());
    }
    answer
}

fn from_the_past(past: Recorded) -> Answer {
    let mut answer = Response::new(whole(past.body.into()));
    *answer.status_mut() = past.status;
    if let Ok(value) = past.content_type.parse() {
        answer.headers_mut().insert(CONTENT_TYPE, value);
    }
    answer
}

/// A refusal in the API server's own words, so that clients understand it.
fn refusal(status: StatusCode) -> Answer {
    let reason = match status {
        StatusCode::CONFLICT => "Conflict",
        StatusCode::FORBIDDEN => "Forbidden",
        StatusCode::TOO_MANY_REQUESTS => "TooManyRequests",
        StatusCode::SERVICE_UNAVAILABLE => "ServiceUnavailable",
        _ => "InternalError",
    };
    let body = json!({
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "message": "refused by the test",
        "reason": reason,
        "code": status.as_u16(),
    });
    let mut answer = Response::new(whole(body.to_string().into()));
    *answer.status_mut() = status;
    let json = http::HeaderValue::from_static("application/json");
    answer.headers_mut().insert(CONTENT_TYPE, json);
    answer
}

fn whole(body: Bytes) -> Body {
    Full::new(body).map_err(broken).boxed_unsync()
}

fn broken(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Broken {
    Broken::other(cause)
}
