//! The control API, from the outside: bearer token, JSON, one stream of snapshots.

mod client;
mod feed;
mod sse;

pub(crate) use client::{Action, ControlClient, ControlError, Override};
pub(crate) use feed::{Received, follow};
