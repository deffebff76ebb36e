//! What every service of URR shares: configuration, identity, errors, engines, events.
//!
//! Why it exists: a service crate should hold its domain and nothing else. Here is the one way to
//! read the time ([`clock`]), to fail ([`error`]), to know the caller ([`identity`]), to reach an
//! engine ([`ctx`]), to tell others what happened ([`events`]) and to be served ([`service`]).
//! [`engines`] runs private PostgreSQL, Redis and DynamoDB instances for drills and tests.
//!
//! What breaks if it changes: everything; the wire shape of errors and events lives here.
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)
)]

pub mod clock;
pub mod ctx;
pub mod engines;
pub mod error;
pub mod events;
pub mod extract;
pub mod identity;
pub mod internal;
pub mod load_consent;
mod refusal;
pub mod sabotage;
pub mod secrets;
pub mod service;
pub mod settings;
pub mod start;
pub mod state;
pub mod store;
pub mod telemetry;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod trace;
pub mod wire;

pub use clock::{Clock, SharedClock};
pub use ctx::Ctx;
pub use error::{ApiError, ApiResult, BoxError};
pub use secrets::Secrets;
pub use service::{Service, Task, serve};
pub use settings::Settings;
pub use start::StartError;
pub use store::{Dynamo, Redis};
