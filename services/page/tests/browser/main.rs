//! The waiting page in a real browser, against the real waiting room behind the real gateway.
//!
//! Headless Chromium is driven over DevTools. The server's time is injected; the page's own timers
//! are the browser's, so tests stand near the front of the line, where polls are a second apart.
//! Without Chromium these tests fail and say what to install; they are never skipped.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod access;
mod chromium;
mod devtools;
mod journey;
mod states;
mod tab;
mod tabs;
mod wire;
mod world;
