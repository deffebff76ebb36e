//! The only public entry (R-GW-01): routing, identity, the entry gate, cross-origin rules.
//!
//! The order of the steps is the contract (api-contract.md section 3): cross-origin headers first,
//! so that a refusal still reaches a browser as what it is (quirk 17); then the version rewrite,
//! identity, limits, the entry gate and the route. Whoever moves identity behind routing opens a
//! back door.
//!
//! A hop costs more than a whole poll (reference/measured-limits.md section 10), so a backend is
//! either a router in this process or an address, and `urr all` mounts routers.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod bursts;
mod caller;
mod config;
mod cookie;
mod denylist;
mod dispatch;
pub mod edge;
mod gate;
mod guard;
mod hop;
mod identity;
mod innermost;
mod layers;
mod limiter;
mod pipeline;
mod proxy;
mod routes;
mod waiting_room;

pub use config::Config;
pub use pipeline::start;
pub use routes::{Backend, Backends, Room};
