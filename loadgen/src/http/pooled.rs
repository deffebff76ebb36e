//! The crowd's client: a bounded set of keep-alive connections, each hyper's own connection and
//! nothing around it.
//!
//! No pool library: a visitor's request takes the connection used last from a stack and puts it
//! back, so few connections stay warm and the rest are opened only when they are needed. Who finds
//! none waits at a semaphore, never at a channel: with 100,000 waiters a channel's wake-ups cost more
//! than the requests (docs/decisions/0009).

use super::dial::{Dialled, Dialler};
use super::{ANSWER_WITHIN, Answer, Ask, Http, Lost, retry_after};
use crate::measure::{Counters, Lane, Live, Up};
use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, HOST, HeaderName, HeaderValue};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use std::fmt::Write;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

/// See the module.
#[derive(Clone)]
pub struct Pooled {
    inner: Arc<Inner>,
}

struct Inner {
    dialler: Dialler,
    host: HeaderValue,
    idle: Mutex<Vec<SendRequest<Full<Bytes>>>>,
    slots: Semaphore,
    slot_wait: Duration,
    live: Arc<Live>,
}

impl Pooled {
    /// At most `connections` to the host of `base`; a request that gets none within `slot_wait` is
    /// dropped, which is counted and never hidden.
    ///
    /// # Errors
    /// When the host has no address.
    pub fn new(
        base: &reqwest::Url,
        connections: u32,
        slot_wait: Duration,
        live: Arc<Live>,
    ) -> io::Result<Self> {
        let host = base.host_str().unwrap_or_default();
        let host = match base.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        Ok(Self {
            inner: Arc::new(Inner {
                dialler: Dialler::new(base, connections)?,
                host: HeaderValue::try_from(host).map_err(io::Error::other)?,
                idle: Mutex::default(),
                slots: Semaphore::new(connections as usize),
                slot_wait,
                live,
            }),
        })
    }

    /// What became of attempts to connect.
    #[must_use]
    pub fn dialled(&self) -> Dialled {
        self.inner.dialler.dialled()
    }

    /// Whether every connection is at work.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.inner.slots.available_permits() == 0
    }
}

/// An exchange that came to nothing: with the request when it was never sent.
struct Undone(Option<http::Request<Full<Bytes>>>);

impl Inner {
    async fn send(self: Arc<Self>, ask: Ask) -> Result<Answer, Lost> {
        let _slot = match self.slots.try_acquire() {
            Ok(slot) => slot,
            Err(_) => match tokio::time::timeout(self.slot_wait, self.slots.acquire()).await {
                Ok(Ok(slot)) => slot,
                _ => {
                    Counters::add(&self.live.counters.dropped);
                    return Err(Lost::NoSlot);
                }
            },
        };
        let _open = Up::raise(&self.live, |counters| &counters.in_flight);
        let sent = Instant::now();
        let Ok(request) = self.request(ask) else {
            return Err(Lost::Broken(sent));
        };
        match tokio::time::timeout(ANSWER_WITHIN, self.deliver(request, sent)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(Undone(_))) => Err(Lost::Broken(sent)),
            Err(_) => Err(Lost::Silence(sent)),
        }
    }

    /// Over an idle connection, else over a new one. A server may close an idle connection at any
    /// moment; a request that such a one did not take goes over another.
    async fn deliver(
        &self,
        mut request: http::Request<Full<Bytes>>,
        sent: Instant,
    ) -> Result<Answer, Undone> {
        while let Some(idle) = self.take_idle() {
            match self.exchange(idle, request, sent).await {
                Err(Undone(Some(unsent))) => request = unsent,
                done => return done,
            }
        }
        let stream = self.dialler.dial().await.map_err(|_| Undone(None))?;
        let (fresh, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|_| Undone(None))?;
        // Errors show at the request; a connection that ends otherwise was idle.
        tokio::spawn(connection.map(drop));
        self.exchange(fresh, request, sent).await
    }

    async fn exchange(
        &self,
        mut connection: SendRequest<Full<Bytes>>,
        request: http::Request<Full<Bytes>>,
        sent: Instant,
    ) -> Result<Answer, Undone> {
        if connection.ready().await.is_err() {
            return Err(Undone(Some(request)));
        }
        let response = match connection.try_send_request(request).await {
            Ok(response) => response,
            Err(mut error) => return Err(Undone(error.take_message())),
        };
        let status = response.status().as_u16();
        let retry_after_s = retry_after(response.headers());
        let body = response.into_body().collect().await.map_err(|_| Undone(None))?;
        if !connection.is_closed() {
            self.idle().push(connection);
        }
        Ok(Answer {
            status,
            retry_after_s,
            body: body.to_bytes(),
            sent,
        })
    }

    fn take_idle(&self) -> Option<SendRequest<Full<Bytes>>> {
        self.idle().pop()
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<SendRequest<Full<Bytes>>>> {
        // A holder that panicked between push and pop leaves a sound stack.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The HTTP request: bearer, cookies as a browser would send them, JSON.
    fn request(&self, ask: Ask) -> http::Result<http::Request<Full<Bytes>>> {
        let mut request = http::Request::new(Full::new(ask.body.clone().unwrap_or_default()));
        *request.uri_mut() = http::Uri::from_maybe_shared(Bytes::from(ask.path))?;
        if ask.post {
            *request.method_mut() = http::Method::POST;
        }
        let headers = request.headers_mut();
        headers.insert(HOST, self.host.clone());
        if ask.body.is_some() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        if let Some(access) = &ask.passes.access {
            headers.insert(AUTHORIZATION, HeaderValue::try_from(format!("Bearer {access}"))?);
        }
        if let Some(entry) = &ask.passes.entry {
            headers.insert(ENTRY_TOKEN, HeaderValue::from_str(entry)?);
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
            headers.insert(COOKIE, HeaderValue::try_from(cookies)?);
        }
        for (name, value) in ask.headers {
            headers.append(HeaderName::try_from(name)?, HeaderValue::try_from(value)?);
        }
        Ok(request)
    }
}

const ENTRY_TOKEN: HeaderName = HeaderName::from_static("x-queue-entry-token");

impl Http for Pooled {
    fn send(&self, ask: Ask) -> BoxFuture<'static, Result<Answer, Lost>> {
        Arc::clone(&self.inner).send(ask).boxed()
    }

    fn lane(&self) -> Lane {
        Lane::Crowd
    }
}
