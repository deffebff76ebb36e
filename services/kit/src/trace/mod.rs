//! Traces: one story from the entry to the stores and, by the event bus, to those who hear of it (R-OBS-02).
//!
//! Without the feature `otel`, or without an endpoint ([`TraceSettings`]), nothing here does anything: no span is
//! made, nothing is allocated, and what would be wrapped is handed back as it came. An opening has no CPU to
//! spare for being looked at (decision 0025).
//!
//! A trace begins where a request comes in ([`server`]) and nowhere else: sweeps, relays and polls of the
//! background have none, they would drown the others. Inside a trace the current span goes along with the
//! future ([`within`]); a task that is spawned takes it along by [`carried`].
//!
//! What breaks if it changes: the stories of requests that cross two versions.

#[cfg(not(feature = "otel"))]
#[path = "absent.rs"]
mod made;
#[cfg(feature = "otel")]
#[path = "otel/mod.rs"]
mod made;
mod settings;

#[cfg(feature = "otel")]
pub(crate) use made::{Calls, begin};
pub use made::{Guard, Span};
pub use settings::{SamplerName, TraceSettings};

use crate::events::Envelope;
use http::{HeaderMap, Method};
use std::net::IpAddr;
use std::sync::Arc;

/// Who calls at a listener, and so whose word on traces counts.
#[derive(Debug, Clone, Default)]
pub enum Callers {
    /// Our own services, which the network keeps others away from (R-SEC-02): a trace goes on.
    #[default]
    Services,
    /// Anybody. A stranger's trace is noted as a link and ours is begun anew, so that nobody from outside
    /// decides what is recorded; that of one of these proxies goes on.
    Anybody {
        /// Addresses of our own proxies.
        trusted_proxies: Arc<[IpAddr]>,
    },
}

impl Callers {
    /// Anybody, with `trusted_proxies` in front of us.
    #[must_use]
    pub fn anybody(trusted_proxies: &[IpAddr]) -> Self {
        Self::Anybody {
            trusted_proxies: trusted_proxies.into(),
        }
    }

    /// Whether the trace of a caller at `peer` goes on here.
    #[must_use]
    pub fn are_believed(&self, peer: Option<IpAddr>) -> bool {
        match self {
            Self::Services => true,
            Self::Anybody { trusted_proxies } => peer.is_some_and(|peer| trusted_proxies.contains(&peer)),
        }
    }
}

/// Where a span's work is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// In this process.
    Here,
    /// By another service, or a store, that is waited for.
    Elsewhere,
}

/// Whether spans are made in this process.
#[must_use]
pub fn on() -> bool {
    made::on()
}

/// The span of a request that came in, by its headers. `None` when traces are off.
#[must_use]
pub fn server(method: &Method, headers: &HeaderMap, is_believed: bool) -> Option<Span> {
    made::server(method, headers, is_believed)
}

/// The span of an event that `group` processes, in the trace that it was made in. `None` when traces are off
/// or it was made in none.
#[must_use]
pub fn consumer(group: &'static str, event: &Envelope) -> Option<Span> {
    made::consumer(group, event)
}

/// The span of publishing an event, in the trace that it was made in. `None` when traces are off or it was
/// made in none.
#[must_use]
pub fn producer(topic: &str, event: &str) -> Option<Span> {
    made::producer(topic, event)
}

/// The span of something that begins by itself and calls others, for example a look of the operator. `None`
/// when traces are off.
#[must_use]
pub fn root(name: &'static str) -> Option<Span> {
    made::root(name)
}

/// A span inside the current one. `None` when the current trace is not recorded, or there is none: then
/// `name` is not even made.
#[must_use]
pub fn step(work: Work, name: impl FnOnce() -> String) -> Option<Span> {
    made::step(work, name)
}

/// `future` with `span` as its current one; the span ends with it.
pub fn within<F: Future>(span: Option<Span>, future: F) -> impl Future<Output = F::Output> {
    made::within(span, future)
}

/// `future` with the span that is current now: for a task that is spawned.
pub fn carried<F: Future>(future: F) -> impl Future<Output = F::Output> {
    made::carried(future)
}

/// Notes something of the current span.
pub fn note(key: &'static str, value: impl Into<Note>) {
    made::note(key, value.into());
}

/// Says what the current span is called, now that it is known.
pub fn name(name: impl FnOnce() -> String) {
    made::name(name);
}

/// Says that the work of the current span failed.
pub fn failed() {
    made::failed();
}

/// Puts the current trace into the headers of a call, in the place of what is there. Without one the call
/// says nothing of traces: what a stranger said goes no further in our name.
pub fn inject(headers: &mut HeaderMap) {
    headers.remove("traceparent");
    headers.remove("tracestate");
    made::inject(headers);
}

/// The current trace, as W3C Trace Context writes it.
#[must_use]
pub fn traceparent() -> Option<String> {
    made::traceparent()
}

/// Something noted of a span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// A name that is written in the program.
    Name(&'static str),
    /// Any text. Never a path, a query or a secret: what is in a trace is read by many.
    Text(String),
    /// A number.
    Number(i64),
}

impl From<&'static str> for Note {
    fn from(name: &'static str) -> Self {
        Self::Name(name)
    }
}

impl From<String> for Note {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<u16> for Note {
    fn from(number: u16) -> Self {
        Self::Number(number.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anybody_is_believed_only_as_a_known_proxy() {
        let proxy: IpAddr = "10.0.0.1".parse().unwrap();
        let other: IpAddr = "10.0.0.2".parse().unwrap();
        let callers = Callers::anybody(&[proxy]);
        assert!(callers.are_believed(Some(proxy)));
        assert!(!callers.are_believed(Some(other)));
        assert!(!callers.are_believed(None));
        assert!(!Callers::anybody(&[]).are_believed(Some(proxy)));
        assert!(Callers::Services.are_believed(Some(other)));
    }

    #[test]
    fn without_traces_a_call_says_nothing_of_them() {
        let mut headers = HeaderMap::new();
        headers.insert(
            "traceparent",
            http::HeaderValue::from_static("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        );
        headers.insert("tracestate", http::HeaderValue::from_static("a=b"));
        inject(&mut headers);
        assert!(headers.is_empty());
        assert_eq!(traceparent(), None);
        assert!(step(Work::Here, || panic!("no name is made")).is_none());
        assert!(server(&Method::GET, &headers, true).is_none());
    }
}
