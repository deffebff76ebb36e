//! All services in one binary: `urr all`, or each by name.
//!
//! `cli` names what can run, `rooms` builds it, `host` keeps it running: listeners, background
//! tasks and signals, of which any end ends the process. Kubernetes, a drill and a laptop start the
//! very same commands.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod cli;
mod host;
mod rooms;
