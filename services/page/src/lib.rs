//! The waiting room's page: what a visitor sees while the line moves.
//!
//! Why it is a room of its own: it is static, the same for everybody, and has to be there when all
//! else is not, so it is served by the gateway's side door, by `urr edge` in front of somebody
//! else's origin, and by a CDN from any of them (docs/decisions/0011-waiting-page.md). It knows no
//! visitor: who waits is known to the browser and to vwr.
//!
//! What breaks if this changes: the names in the browser's storage and the cookie `urr-vwr-token`
//! are wire (api-contract.md section 4); a page from an old release stays in caches for minutes and
//! must still find its script.
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)
)]

mod asset;
mod config;
mod http;
mod seats;
mod site;

pub use config::Config;
pub use http::{Seats, router};
pub use seats::SeatCounts;

use std::sync::Arc;
use urr_kit::{Ctx, Service, StartError};

/// Starts the page with the seat counts beside it.
///
/// # Errors
/// When an address the page may lead to is none.
pub async fn start(ctx: &Ctx, config: Config) -> Result<Service, StartError> {
    let seats = SeatCounts::new(ctx.internal(), &ctx.settings.urls.booking, Arc::clone(&ctx.clock));
    Ok(Service {
        name: "page",
        router: router(&config, Seats::Counted(seats))?,
        internal: axum::Router::new(),
        tasks: Vec::new(),
    })
}
