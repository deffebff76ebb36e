//! The control plane's server: one writer of a sale's run-time state.
//!
//! It keeps what was asked for ([`store`]), turns the plan of `urr_core::plan` into the records
//! that the services read ([`reconcile`], [`targets`], [`supervisor`]), shows what is going on
//! ([`snapshot`], [`stream`]) and takes overrides with a reason and an audit log ([`http`]).
//!
//! What it is not: a part of any visitor's request. The schedule is in the records from the moment
//! a sale is put, and services follow it by their own clocks; a control plane that is dead at the
//! opening changes nothing for visitors (law `on-time`). Nor does it decide: that is core's.
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)
)]

mod changes;
pub mod http;
pub mod observe;
mod pace;
pub mod pulses;
pub mod reconcile;
mod retire;
pub mod snapshot;
pub mod store;
pub mod stream;
pub mod supervisor;
pub mod targets;

use crate::http::Api;
use crate::observe::Observer;
use crate::pulses::Pulses;
use crate::reconcile::Reconciler;
use crate::snapshot::Snapshotter;
use crate::store::SalesStore;
use crate::stream::Hub;
use crate::supervisor::{Problems, Supervisor};
use axum::Router;
use urr_kit::state::limits::LimitsStore;
use urr_kit::state::rooms::Rooms;
use urr_kit::{Ctx, Service, StartError, Task};

/// Settings of the control plane beside the shared ones.
#[derive(clap::Args, Clone, Debug, Default)]
// Several services share one command line; groups named after the type would collide.
#[group(skip)]
pub struct Config {
    /// Addresses that must answer 2xx for the capacity behind the door to count as ready, separated
    /// by commas. Default: `/health` of the booking service.
    #[arg(
        long = "control-ready-urls",
        env = "CONTROL_READY_URLS",
        value_delimiter = ','
    )]
    pub ready_urls: Vec<String>,
    /// Addresses at which the services behind the door say how they feel, for sales whose rate follows
    /// it, separated by commas. Default: `/actuator/pulse` beside each readiness address that ends in
    /// `/health`.
    #[arg(
        long = "control-pulse-urls",
        env = "CONTROL_PULSE_URLS",
        value_delimiter = ','
    )]
    pub pulse_urls: Vec<String>,
    /// What this environment is called on every screen: prod, staging, drill. Without it screens
    /// expect the worst.
    #[arg(long = "control-environment", env = "URR_ENVIRONMENT", value_name = "NAME")]
    pub environment: Option<String>,
}

/// Starts the control plane: tables, loops, routes under `/control/v1`.
///
/// # Errors
/// When DynamoDB or Redis cannot be used.
pub async fn start(ctx: &Ctx, config: Config) -> Result<Service, StartError> {
    let dynamo = ctx.dynamo().await;
    let sales = SalesStore::new(&dynamo);
    sales
        .ensure_tables()
        .await
        .map_err(|error| StartError::other("the control plane's tables", error))?;
    let rooms = Rooms::new(&dynamo);
    rooms
        .ensure_tables()
        .await
        .map_err(|error| StartError::other("the waiting room's tables", error))?;
    let limits = LimitsStore::new(ctx.redis().await?);

    let urls = &ctx.settings.urls;
    let ready_urls = if config.ready_urls.is_empty() {
        vec![format!("{}/health", urls.booking.trim_end_matches('/'))]
    } else {
        config.ready_urls
    };
    let pulse_urls = if config.pulse_urls.is_empty() {
        ready_urls.iter().filter_map(|url| pulses::beside(url)).collect()
    } else {
        config.pulse_urls
    };
    let pulses = Pulses::new(ctx.http(), &pulse_urls);
    let observer = Observer::new(
        ctx.internal(),
        ctx.http(),
        &urls.booking,
        &urls.queue,
        &ready_urls,
    );
    let clock = ctx.clock.clone();
    let reconciler = Reconciler::new(
        sales.clone(),
        rooms.clone(),
        limits,
        observer.clone(),
        pulses.clone(),
        clock.clone(),
    );
    let problems = Problems::default();
    let snapshotter = Snapshotter::new(
        sales.clone(),
        rooms,
        observer.clone(),
        pulses.clone(),
        problems.clone(),
        clock,
    )
    .in_environment(config.environment);
    let hub = Hub::new(snapshotter.clone(), ctx.shutdown.clone());
    let (supervisor, waker) = Supervisor::new(reconciler.clone(), problems.clone(), ctx.shutdown.clone());

    let api = Api {
        sales,
        reconciler,
        snapshotter,
        hub,
        waker,
        problems,
    };
    let watch = observer.watch(ctx.shutdown.clone());
    let ask = pulses.watch(ctx.shutdown.clone());
    Ok(Service {
        name: "control",
        router: Router::new(),
        internal: http::router(api, &ctx.secrets.control_api_token),
        tasks: vec![
            Task::new("control-loops", supervisor.run()),
            Task::new("control-readiness", async move {
                watch.await;
                Ok(())
            }),
            Task::new("control-pulses", async move {
                ask.await;
                Ok(())
            }),
        ],
    })
}
