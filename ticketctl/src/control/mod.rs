//! The control API, from the outside: bearer token, JSON, one stream of snapshots.

mod api;
mod backoff;
mod client;
mod feed;
mod merge;
mod sse;

pub(crate) use api::{Api, Hand};
pub(crate) use client::{Action, ControlClient, ControlError, Override};
pub(crate) use feed::{Received, follow, follow_all};
