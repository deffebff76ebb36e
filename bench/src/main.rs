//! The hot paths against their baselines, all in one run (`make bench`).
//!
//! A figure of one machine on one day means little; a ratio to a baseline measured a minute
//! before on the same cores means something. Subjects run as the services do: same routers, real
//! engines, tokens verified. Later work adds its keys here.

mod baselines;
mod generator;
mod load;
mod queue;
mod reserve;
mod simulate;
mod table;
mod waiting_room;

use anyhow::Context;
use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode},
};
use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};
use table::{Row, Table};
use tokio::net::TcpListener;
use urr_kit::{
    clock::SystemClock,
    ctx::Ctx,
    engines::{EngineOptions, Engines},
    secrets::Secrets,
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Connections of the closed loop; the prototypes were measured at this number too.
const LANES: usize = 64;
/// Connections of joining visitors. A sale appends to its ledger at most 390 times a second, so a
/// closed loop joins at most 390 times its connections a second: with few of them this would
/// measure the budget and not the cost.
const JOIN_LANES: usize = 256;
/// Long enough to even out a noisy neighbour, short enough to run often.
const SPAN: Duration = Duration::from_secs(5);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut args = std::env::args().skip(1);
    if let (Some(generator::CHILD), Some(addr)) = (args.next().as_deref(), args.next()) {
        return generator::generate(&addr).await;
    }
    let engines = Engines::start(EngineOptions {
        durable: true,
        ..EngineOptions::default()
    })
    .await
    .context("starting the engines")?;
    let mut table = Table::new();
    let measured = measure(&engines, &mut table).await;
    engines.stop().await.context("stopping the engines")?;
    measured?;
    table.write(Path::new("target/bench.json"))
}

async fn measure(engines: &Engines, table: &mut Table) -> anyhow::Result<()> {
    let ctx = Ctx::new(engines.settings(), Secrets::generate()?, Arc::new(SystemClock))?;
    let per_s = async |addr, lanes, make| load::requests_per_s(addr, lanes, SPAN, StatusCode::OK, make).await;

    let hello = serve(&ctx, baselines::hello()).await?;
    let get_hello: load::MakeRequest = Arc::new(|_| get("/hello"));
    let hello_per_s = per_s(hello, LANES, Arc::clone(&get_hello)).await?;
    let room = waiting_room::open(&ctx).await?;
    table.add(&Row {
        name: "poll_vs_hello",
        value: per_s(room.addr, LANES, room.polls().await?).await?,
        unit: "req/s",
        baseline_name: "a bare axum JSON endpoint",
        baseline: hello_per_s,
    });

    let join_per_s = per_s(room.addr, JOIN_LANES, room.joins()).await?;
    table.add(&Row {
        name: "join_vs_hello",
        value: join_per_s,
        unit: "req/s",
        baseline_name: "the same endpoint with a crowd's connections",
        baseline: per_s(hello, JOIN_LANES, get_hello).await?,
    });
    let naive = serve(&ctx, baselines::naive_join(ctx.dynamo().await.client).await?).await?;
    let post_naive: load::MakeRequest = Arc::new(|_| post("/assign", String::new()));
    table.add(&Row {
        name: "join_vs_naive",
        value: join_per_s,
        unit: "req/s",
        baseline_name: "one ADD 1 and one put per visitor",
        baseline: per_s(naive, JOIN_LANES, post_naive).await?,
    });

    let line = queue::open(&ctx).await?;
    table.add(&Row {
        name: "queue_poll_vs_hello",
        value: per_s(line.addr, LANES, line.polls(&ctx).await?).await?,
        unit: "req/s",
        baseline_name: "a bare axum JSON endpoint",
        baseline: hello_per_s,
    });
    table.add(&line.longest_block(&ctx, SPAN).await?);

    let hall = reserve::open(&ctx).await?;
    let bare_per_s = hall.pgbench(SPAN).await?;
    table.add(&Row {
        name: "reserve_vs_bare",
        value: per_s(hall.addr, reserve::LANES, hall.reservations()).await?,
        unit: "req/s",
        baseline_name: "pgbench, the same rows in one statement",
        baseline: bare_per_s,
    });
    ctx.shutdown.cancel();

    table.add(&simulate::million());
    table.add(&generator::against_wrk().await?);
    Ok(())
}

/// Serves `router` on a free loopback port until the process ends.
async fn serve(ctx: &Ctx, router: Router) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")
        .await
        .context("binding a loopback port")?;
    let addr = listener.local_addr()?;
    tokio::spawn(urr_kit::serve(listener, router, ctx.shutdown.clone()));
    Ok(addr)
}

fn get(path: &str) -> Request<Body> {
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = path.parse().unwrap_or_default();
    request
}

fn post(path: &str, json: String) -> Request<Body> {
    let mut request = get(path);
    *request.method_mut() = axum::http::Method::POST;
    request.headers_mut().insert(
        axum::http::header::CONTENT_TYPE,
        axum::http::HeaderValue::from_static("application/json"),
    );
    *request.body_mut() = Body::from(json);
    request
}
