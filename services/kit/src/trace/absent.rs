//! No traces in this build: what a drill is built with.

use super::{Note, Work};
use crate::events::Envelope;
use http::{HeaderMap, Method};

/// A span. There is none in this build.
#[derive(Debug)]
pub enum Span {}

/// Keeps traces going. There are none in this build.
#[derive(Debug)]
pub enum Guard {}

impl Guard {
    /// Sends what is still waiting.
    pub fn finish(self) {
        match self {}
    }
}

pub(super) const fn on() -> bool {
    false
}

pub(super) const fn server(_: &Method, _: &HeaderMap, _: bool) -> Option<Span> {
    None
}

pub(super) const fn consumer(_: &'static str, _: &Envelope) -> Option<Span> {
    None
}

pub(super) const fn producer(_: &str, _: &str) -> Option<Span> {
    None
}

pub(super) const fn root(_: &'static str) -> Option<Span> {
    None
}

pub(super) fn step(_: Work, _: impl FnOnce() -> String) -> Option<Span> {
    None
}

pub(super) fn within<F: Future>(_: Option<Span>, future: F) -> F {
    future
}

pub(super) fn carried<F: Future>(future: F) -> F {
    future
}

pub(super) fn note(_: &'static str, _: Note) {}

pub(super) fn name(_: impl FnOnce() -> String) {}

pub(super) const fn failed() {}

pub(super) const fn inject(_: &mut HeaderMap) {}

pub(super) const fn traceparent() -> Option<String> {
    None
}
