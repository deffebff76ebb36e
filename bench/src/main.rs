//! The hot paths against their baselines, all in one run (`make bench`).
//!
//! A figure of one machine on one day means little; a ratio to a baseline measured a minute
//! before on the same cores means something. Subjects run as the services do: same routers, real
//! engines, tokens verified. Later work adds its keys here.
//!
//! `urr-bench KEY...` measures only those keys (and what is measured with them) and leaves
//! `target/bench.json` alone: half a table is none.

mod baselines;
mod generator;
mod load;
mod operator;
mod queue;
mod reserve;
mod screen;
mod seat_map;
mod simulate;
mod table;
mod waiting_room;

use anyhow::Context;
use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode},
};
use load::Asked;
use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};
use table::{Row, Table};
use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;
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
/// Connections of joining visitors. A replica appends to a sale's ledger at most 100 times a second, so a
/// closed loop joins at most 100 times its connections a second: with few of them this would
/// measure the window and not the cost.
const JOIN_LANES: usize = 1024;
/// Long enough to even out a noisy neighbour, short enough to run often.
const SPAN: Duration = Duration::from_secs(5);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [generator::CHILD, addr] = args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        return generator::generate(addr).await;
    }
    // `RUST_LOG=urr_bench=info` tells what a figure is made of; the table alone goes to stdout.
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("off")))
        .with_writer(std::io::stderr)
        .init();
    let engines = Engines::start(EngineOptions {
        durable: true,
        ..EngineOptions::default()
    })
    .await
    .context("starting the engines")?;
    let mut table = Table::new(args);
    let measured = measure(&engines, &mut table).await;
    engines.stop().await.context("stopping the engines")?;
    measured?;
    table.write(Path::new("target/bench.json"))
}

async fn measure(engines: &Engines, table: &mut Table) -> anyhow::Result<()> {
    let ctx = Ctx::new(engines.settings(), Secrets::generate()?, Arc::new(SystemClock))?;
    let hello = Asked::new(
        serve(&ctx, baselines::hello()).await?,
        Arc::new(|_| get("/hello")),
    );

    if table.wants(&["poll_vs_hello", "join_vs_hello", "join_vs_naive"]) {
        let room = waiting_room::open(&ctx).await?;
        let polls = Asked::new(room.addr, room.polls().await?);
        let (value, baseline) = load::side_by_side(polls, hello.clone(), LANES).await?;
        table.add(&Row {
            name: "poll_vs_hello",
            value,
            unit: "req/s",
            baseline_name: "a bare axum JSON endpoint",
            baseline,
        });
        let joins = Asked::new(room.addr, room.joins());
        let (join_per_s, baseline) = load::side_by_side(joins, hello.clone(), JOIN_LANES).await?;
        table.add(&Row {
            name: "join_vs_hello",
            value: join_per_s,
            unit: "req/s",
            baseline_name: "the same endpoint with a crowd's connections",
            baseline,
        });
        let naive = serve(&ctx, baselines::naive_join(ctx.dynamo().await.client).await?).await?;
        let post_naive: load::MakeRequest = Arc::new(|_| post("/assign", String::new()));
        table.add(&Row {
            name: "join_vs_naive",
            value: join_per_s,
            unit: "req/s",
            baseline_name: "one ADD 1 and one put per visitor",
            baseline: load::requests_per_s(naive, JOIN_LANES, SPAN, StatusCode::OK, post_naive).await?,
        });
    }

    if table.wants(&["queue_poll_vs_hello", "admit_max_block_ms"]) {
        let line = queue::open(&ctx).await?;
        let polls = Asked::new(line.addr, line.polls(&ctx).await?);
        let (value, baseline) = load::side_by_side(polls, hello, LANES).await?;
        table.add(&Row {
            name: "queue_poll_vs_hello",
            value,
            unit: "req/s",
            baseline_name: "a bare axum JSON endpoint",
            baseline,
        });
        table.add(&line.longest_block(&ctx, SPAN).await?);
    }

    if table.wants(&[reserve::KEY]) {
        table.add(&reserve::open(&ctx).await?.against_bare().await?);
    }
    ctx.shutdown.cancel();

    for day in [operator::Day::busy(), operator::Day::rush()] {
        if table.wants(day.keys) {
            let ctx = Ctx::new(engines.settings(), Secrets::generate()?, Arc::new(SystemClock))?;
            let measured = operator::measure(&ctx, &day, table).await;
            ctx.shutdown.cancel();
            measured?;
        }
    }
    if table.wants(&["simulate_million_s"]) {
        table.add(&simulate::million());
    }
    if table.wants(&[screen::KEY]) {
        table.add(&screen::cost()?);
    }
    if table.wants(&[seat_map::KEY]) {
        table.add(&seat_map::read()?);
    }
    if table.wants(&["generator_vs_wrk"]) {
        table.add(&generator::against_wrk().await?);
    }
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
