//! Events, artists and images, with the real booking beside them (R-CAT, R-ADM).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod artists;
mod dead_letters;
mod events;
mod images;
mod world;
