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
use table::Row;
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
    let measured = measure(&engines).await;
    engines.stop().await.context("stopping the engines")?;
    table::publish(&measured?, Path::new("target/bench.json"))
}

async fn measure(engines: &Engines) -> anyhow::Result<Vec<Row>> {
    let ctx = Ctx::new(engines.settings(), Secrets::generate()?, Arc::new(SystemClock))?;
    let hello = serve(&ctx, baselines::hello()).await?;
    let get_hello: load::MakeRequest = Arc::new(|_| get("/hello"));
    let hello_per_s =
        load::requests_per_s(hello, LANES, SPAN, StatusCode::OK, Arc::clone(&get_hello)).await?;

    let naive = serve(&ctx, baselines::naive_join(ctx.dynamo().await.client).await?).await?;
    let post_naive: load::MakeRequest = Arc::new(|_| post("/assign", String::new()));
    let naive_per_s = load::requests_per_s(naive, LANES, SPAN, StatusCode::OK, post_naive).await?;

    let room = waiting_room::open(&ctx).await?;
    let poll_per_s =
        load::requests_per_s(room.addr, LANES, SPAN, StatusCode::OK, room.polls().await?).await?;
    let join_per_s = load::requests_per_s(room.addr, JOIN_LANES, SPAN, StatusCode::OK, room.joins()).await?;
    let hello_of_crowd_per_s =
        load::requests_per_s(hello, JOIN_LANES, SPAN, StatusCode::OK, Arc::clone(&get_hello)).await?;

    let line = queue::open(&ctx).await?;
    let queue_poll_per_s =
        load::requests_per_s(line.addr, LANES, SPAN, StatusCode::OK, line.polls(&ctx).await?).await?;
    let longest_block = line.longest_block(&ctx, SPAN).await?;

    let hall = reserve::open(&ctx).await?;
    let bare_per_s = hall.pgbench(SPAN).await?;
    let reserve_per_s = load::requests_per_s(
        hall.addr,
        reserve::LANES,
        SPAN,
        StatusCode::OK,
        hall.reservations(),
    )
    .await?;
    ctx.shutdown.cancel();

    let against_hello = "a bare axum JSON endpoint";
    Ok(vec![
        Row {
            name: "poll_vs_hello",
            value: poll_per_s,
            unit: "req/s",
            baseline_name: against_hello,
            baseline: hello_per_s,
        },
        Row {
            name: "join_vs_hello",
            value: join_per_s,
            unit: "req/s",
            baseline_name: "the same endpoint with a crowd's connections",
            baseline: hello_of_crowd_per_s,
        },
        Row {
            name: "join_vs_naive",
            value: join_per_s,
            unit: "req/s",
            baseline_name: "one ADD 1 and one put per visitor",
            baseline: naive_per_s,
        },
        Row {
            name: "queue_poll_vs_hello",
            value: queue_poll_per_s,
            unit: "req/s",
            baseline_name: against_hello,
            baseline: hello_per_s,
        },
        longest_block,
        Row {
            name: "reserve_vs_bare",
            value: reserve_per_s,
            unit: "req/s",
            baseline_name: "pgbench, the same rows in one statement",
            baseline: bare_per_s,
        },
        simulate::million(),
        generator::against_wrk().await?,
    ])
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
