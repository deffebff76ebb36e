//! Keeps a process running: listeners, background tasks, signals.
//!
//! Any of them ending ends the process, with the reason (`urr_kit::service::supervise`): a service
//! whose relay died but whose port still answers is worse than one that is down. A signal drains
//! first (R-GW-10).

use crate::rooms::All;
use axum::Router;
use std::net::SocketAddr;
use tokio::{net::TcpListener, signal::unix::SignalKind};
use tokio_util::sync::CancellationToken;
use urr_gateway::edge::Edge;
use urr_kit::{
    StartError,
    ctx::Ctx,
    error::BoxError,
    service::{self, Service, Task},
    trace::Callers,
};

/// One service: public, internal and ops paths on one address.
pub(crate) async fn one(
    ctx: &Ctx,
    listen: SocketAddr,
    service: Service,
    callers: Callers,
) -> anyhow::Result<()> {
    let app = service.app(ctx);
    let mut tasks = service.tasks;
    tasks.push(listener(service.name, listen, app, &ctx.shutdown, callers).await?);
    run(tasks, ctx.shutdown.clone()).await
}

/// The gateway alone. It answers every path that is not ops': a fallback beside its own would take them all.
pub(crate) async fn gateway(
    ctx: &Ctx,
    listen: SocketAddr,
    gateway: Service,
    callers: Callers,
) -> anyhow::Result<()> {
    let outside = service::ops(gateway.name, ctx).fallback_service(gateway.router);
    let mut tasks = gateway.tasks;
    tasks.push(listener(gateway.name, listen, outside, &ctx.shutdown, callers).await?);
    run(tasks, ctx.shutdown.clone()).await
}

/// The gateway on its public address, every mounted service's internal paths on the other.
pub(crate) async fn all(
    ctx: &Ctx,
    public: SocketAddr,
    internal: SocketAddr,
    all: All,
    callers: Callers,
) -> anyhow::Result<()> {
    let mut inside = service::ops("urr", ctx);
    let mut tasks = all.gateway.tasks;
    for service in all.mounted {
        inside = inside.merge(service.internal);
        tasks.extend(service.tasks);
    }
    let inside = inside.fallback(service::not_found);
    tasks.push(listener("internal", internal, inside, &ctx.shutdown, Callers::Services).await?);
    let outside = service::ops("gateway", ctx).fallback_service(all.gateway.router);
    tasks.push(listener("gateway", public, outside, &ctx.shutdown, callers).await?);
    run(tasks, ctx.shutdown.clone()).await
}

/// The edge on its public address, its health and numbers on the other.
pub(crate) async fn edge(
    public: SocketAddr,
    ops: SocketAddr,
    edge: Edge,
    shutdown: CancellationToken,
    callers: Callers,
) -> anyhow::Result<()> {
    let mut tasks = edge.tasks;
    let inside = edge.ops.fallback(service::not_found);
    tasks.push(listener("ops", ops, inside, &shutdown, Callers::Services).await?);
    tasks.push(listener("edge", public, edge.router, &shutdown, callers).await?);
    run(tasks, shutdown).await
}

/// A task that serves `router`; the address is taken before anything else runs.
async fn listener(
    name: &'static str,
    address: SocketAddr,
    router: Router,
    shutdown: &CancellationToken,
    callers: Callers,
) -> Result<Task, StartError> {
    let listener = TcpListener::bind(address)
        .await
        .map_err(|source| StartError::Bind { address, source })?;
    // Port 0 is any free one.
    let address = listener.local_addr().unwrap_or(address);
    tracing::info!(service = name, %address, "listening");
    let shutdown = shutdown.clone();
    Ok(Task::new(name, async move {
        service::serve_to(callers, listener, router, shutdown)
            .await
            .map_err(BoxError::from)
    }))
}

/// Runs until a signal or until a task ends unasked.
async fn run(mut tasks: Vec<Task>, shutdown: CancellationToken) -> anyhow::Result<()> {
    tasks.push(signals(shutdown.clone())?);
    Ok(service::supervise(tasks, shutdown).await?)
}

/// Turns SIGTERM and Ctrl-C into a shutdown.
fn signals(shutdown: CancellationToken) -> std::io::Result<Task> {
    let mut terminate = tokio::signal::unix::signal(SignalKind::terminate())?;
    let mut interrupt = tokio::signal::unix::signal(SignalKind::interrupt())?;
    Ok(Task::new("signals", async move {
        tokio::select! {
            _ = terminate.recv() => tracing::info!("SIGTERM: draining"),
            _ = interrupt.recv() => tracing::info!("interrupted: draining"),
            () = shutdown.cancelled() => {}
        }
        shutdown.cancel();
        Ok(())
    }))
}
