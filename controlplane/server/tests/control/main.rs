//! The control plane on real engines: DynamoDB (emulator) and Redis, its own HTTP, and stand-ins
//! for the internal routes of booking and queue, which belong to other crates.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod autopilot;
mod door;
mod fencing;
mod operator;
mod overrides;
mod restart;
mod schedule;
mod stream;
mod world;
