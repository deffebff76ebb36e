//! How a visitor talks to the services: one small trait, two clients.
//!
//! The journey is written once over [`Http`]. The crowd shares [`Pooled`], a bounded set of
//! keep-alive connections, because a million TCP connections fit no machine; the browser share
//! uses [`Browser`], one client with cookies and connections of its own per visitor, to exercise
//! what the pool cannot.

mod browser;
mod dial;
mod pooled;

pub use browser::Browser;
pub use dial::{Dialled, PORTS_PER_SOURCE};
pub use pooled::Pooled;

use crate::measure::Lane;
use bytes::Bytes;
use futures::future::BoxFuture;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Longest wait for an answer; the web client's (api-contract.md section 4).
pub const ANSWER_WITHIN: Duration = Duration::from_secs(15);

/// A request of the journey.
#[derive(Debug, Clone)]
pub struct Ask {
    /// `true` for POST, `false` for GET.
    pub post: bool,
    /// Path and query, from the root.
    pub path: String,
    /// JSON body.
    pub body: Option<Bytes>,
    /// Who asks, by which tokens.
    pub passes: Passes,
    /// Further headers; only intruders send any.
    pub headers: Vec<(&'static str, String)>,
}

/// The tokens a visitor carries. A cheap clone: a retry sends them again.
#[derive(Debug, Clone, Default)]
pub struct Passes {
    /// Access token.
    pub access: Option<Arc<str>>,
    /// Waiting room's token (`urr-vwr-token`).
    pub vwr: Option<Arc<str>>,
    /// Entry token (`urr-entry-token`, `x-queue-entry-token`).
    pub entry: Option<Arc<str>>,
}

impl Ask {
    /// A GET of `path`.
    #[must_use]
    pub fn get(path: String, passes: &Passes) -> Self {
        Self {
            post: false,
            path,
            body: None,
            passes: passes.clone(),
            headers: Vec::new(),
        }
    }

    /// A POST of `body` to `path`.
    #[must_use]
    pub fn post(path: String, body: Option<String>, passes: &Passes) -> Self {
        Self {
            post: true,
            body: body.map(Bytes::from),
            ..Self::get(path, passes)
        }
    }
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// `Retry-After` in seconds, where given.
    pub retry_after_s: Option<u32>,
    /// The body.
    pub body: Bytes,
    /// When the request went out.
    pub sent: Instant,
}

/// No answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    /// Not sent: no connection came free within the stated wait.
    NoSlot,
    /// Sent at the instant given, and the connection broke or could not be made.
    Broken(Instant),
    /// Sent at the instant given, and nothing came within [`ANSWER_WITHIN`].
    Silence(Instant),
}

impl Lost {
    /// When it was sent, if it was.
    #[must_use]
    pub const fn sent(self) -> Option<Instant> {
        match self {
            Self::NoSlot => None,
            Self::Broken(sent) | Self::Silence(sent) => Some(sent),
        }
    }
}

/// A client.
pub trait Http: Send + Sync + 'static {
    /// Sends `ask`. The future is boxed because a waiting visitor must stay small.
    fn send(&self, ask: Ask) -> BoxFuture<'static, Result<Answer, Lost>>;

    /// Under which name its requests are measured.
    fn lane(&self) -> Lane;
}

/// Seconds of a `Retry-After` header.
fn retry_after(headers: &http::HeaderMap) -> Option<u32> {
    headers
        .get(http::header::RETRY_AFTER)?
        .to_str()
        .ok()?
        .trim()
        .parse()
        .ok()
}
