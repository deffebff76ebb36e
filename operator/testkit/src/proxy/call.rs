//! A call that comes through the proxy, and the record of one that writes.

use http::{Method, StatusCode};
use std::time::SystemTime;

/// A request as it comes in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Its method.
    pub method: Method,
    /// Its path, without the query.
    pub path: String,
    /// Its query, without the `?`.
    pub query: String,
    /// What it carries.
    pub body: Vec<u8>,
}

impl Call {
    /// Whether it changes something: no read, no dry run, no question about permissions.
    #[must_use]
    pub fn writes(&self) -> bool {
        let changing = matches!(
            self.method,
            Method::POST | Method::PUT | Method::PATCH | Method::DELETE
        );
        let asks = self.path.contains("/apis/authorization.k8s.io/")
            || self.path.contains("/apis/authentication.k8s.io/");
        changing && !asks && !self.query.contains("dryRun=")
    }

    /// Whether it renews a lease.
    #[must_use]
    pub fn is_lease(&self) -> bool {
        self.path.contains("/apis/coordination.k8s.io/")
    }

    /// Whether it tells an event.
    #[must_use]
    pub fn is_event(&self) -> bool {
        self.path.ends_with("/events") || self.path.contains("/events/")
    }

    pub(super) fn is_watch(&self) -> bool {
        self.method == Method::GET
            && self
                .query
                .split('&')
                .any(|pair| matches!(pair, "watch=true" | "watch=1"))
    }
}

/// A numbered write that was let through or made to fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// Its number, from 1.
    pub number: u64,
    /// What was asked.
    pub call: Call,
    /// What came of it; `None` when it never arrived.
    pub status: Option<StatusCode>,
    /// When its answer was there.
    pub answered_at: Option<SystemTime>,
}

/// Which writes get a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Counting {
    /// Those that change what is wanted or reported. Lease renewals and events come at their own
    /// times, so their number differs from run to run.
    #[default]
    Deliberate,
    /// All of them.
    Everything,
}
