//! `urr edge` in front of an origin that knows nothing of us (R-GW-12).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod door;
mod origin;
mod room;
mod world;
