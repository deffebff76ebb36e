//! The crowd's client: a bounded set of keep-alive connections behind a semaphore.
//!
//! A semaphore and not a channel of connections: with 100,000 waiters a channel's wake-ups cost
//! more than the requests (measured: 6-9k requests/s instead of 50k).

use super::{ANSWER_WITHIN, Answer, Ask, Http, Lost, retry_after};
use crate::measure::{Counters, Lane, Live, Up};
use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use std::fmt::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

/// See the module.
#[derive(Clone)]
pub struct Pooled {
    inner: Arc<Inner>,
}

struct Inner {
    client: Client<HttpConnector, Full<Bytes>>,
    base: String,
    slots: Semaphore,
    slot_wait: Duration,
    live: Arc<Live>,
}

impl Pooled {
    /// At most `connections` to `base_url`; a request that gets none within `slot_wait` is
    /// dropped, which is counted and never hidden.
    #[must_use]
    pub fn new(base_url: &str, connections: u32, slot_wait: Duration, live: Arc<Live>) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(Duration::from_secs(5)));
        let connections = connections as usize;
        let client = Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(connections)
            .pool_idle_timeout(Duration::from_secs(60))
            .pool_timer(hyper_util::rt::TokioTimer::new())
            .build(connector);
        Self {
            inner: Arc::new(Inner {
                client,
                base: base_url.trim_end_matches('/').to_owned(),
                slots: Semaphore::new(connections),
                slot_wait,
                live,
            }),
        }
    }
}

impl Inner {
    async fn send(self: Arc<Self>, ask: Ask) -> Result<Answer, Lost> {
        let slot = tokio::time::timeout(self.slot_wait, self.slots.acquire()).await;
        let Ok(Ok(_slot)) = slot else {
            Counters::add(&self.live.counters.dropped);
            return Err(Lost::NoSlot);
        };
        let _open = Up::raise(&self.live, |counters| &counters.in_flight);
        let sent = Instant::now();
        let Ok(request) = request(&self.base, ask) else {
            return Err(Lost::Broken(sent));
        };
        let exchange = async {
            let response = self.client.request(request).await.map_err(|_| ())?;
            let status = response.status().as_u16();
            let retry_after_s = retry_after(response.headers());
            let body = response.into_body().collect().await.map_err(|_| ())?;
            Ok::<_, ()>(Answer {
                status,
                retry_after_s,
                body: body.to_bytes(),
                sent,
            })
        };
        match tokio::time::timeout(ANSWER_WITHIN, exchange).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(())) => Err(Lost::Broken(sent)),
            Err(_) => Err(Lost::Silence(sent)),
        }
    }
}

/// The HTTP request: bearer, cookies as a browser would send them, JSON.
fn request(base: &str, ask: Ask) -> http::Result<http::Request<Full<Bytes>>> {
    let method = if ask.post { "POST" } else { "GET" };
    let mut builder = http::Request::builder()
        .method(method)
        .uri(format!("{base}{}", ask.path));
    if let Some(access) = &ask.passes.access {
        builder = builder.header(AUTHORIZATION, format!("Bearer {access}"));
    }
    if let Some(entry) = &ask.passes.entry {
        builder = builder.header("x-queue-entry-token", entry.as_ref());
    }
    let mut cookies = String::new();
    for (name, token) in [
        ("urr-vwr-token", &ask.passes.vwr),
        ("urr-entry-token", &ask.passes.entry),
    ] {
        if let Some(token) = token {
            let separator = if cookies.is_empty() { "" } else { "; " };
            // Writing to a String cannot fail.
            let _ = write!(cookies, "{separator}{name}={token}");
        }
    }
    if !cookies.is_empty() {
        builder = builder.header(COOKIE, cookies);
    }
    if ask.body.is_some() {
        builder = builder.header(CONTENT_TYPE, "application/json");
    }
    for (name, value) in ask.headers {
        builder = builder.header(name, value);
    }
    builder.body(Full::new(ask.body.unwrap_or_default()))
}

impl Http for Pooled {
    fn send(&self, ask: Ask) -> BoxFuture<'static, Result<Answer, Lost>> {
        Arc::clone(&self.inner).send(ask).boxed()
    }

    fn lane(&self) -> Lane {
        Lane::Crowd
    }
}
