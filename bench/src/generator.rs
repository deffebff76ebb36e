//! The load generator as a subject: requests for a second of its CPU, against `wrk` on the same
//! server.
//!
//! Both clients are processes of their own, so that what the kernel charges them with is all they
//! cost: ours with its visitors, turns, histograms, goose and everything. The server is one thread
//! that answers every poll "wait"; our visitors come back at once, so all connections stay busy.

use crate::table::Row;
use anyhow::{Context, ensure};
use axum::{
    Json, Router,
    routing::{get, post},
};
use serde_json::{Value, json};
use std::{net::SocketAddr, process::Stdio, sync::Arc, time::Duration};
use tokio::process::Command;
use tokio_util::sync::CancellationToken;
use urr_kit::clock::{Clock, SystemClock};
use urr_loadgen::{Live, Scenario, Target, measure::Step};
use uuid::Uuid;

/// First argument of the process that is our generator.
pub(crate) const CHILD: &str = "generate";
/// As in the prototypes (reference/measured-limits.md section 1).
const CONNECTIONS: u32 = 64;
/// How long each client asks.
const SPAN_S: u32 = 6;

/// Our requests for a CPU second beside wrk's.
pub(crate) async fn against_wrk() -> anyhow::Result<Row> {
    let addr = serve().await?;
    let path = format!(
        "/vwr-api/vwr/check/{}/{}?userId=anon-wrk",
        Uuid::nil(),
        Uuid::nil()
    );
    let wrk = Asked::by(
        Command::new("wrk")
            .args(["-t1", &format!("-c{CONNECTIONS}"), &format!("-d{SPAN_S}s")])
            .arg(format!("http://{addr}{path}")),
        wrk_total,
    )
    .await
    .context("running wrk (Debian package `wrk`; `tools/setup.sh bench` installs it)")?;
    let ours = Asked::by(
        Command::new(std::env::current_exe()?).args([CHILD, &addr.to_string()]),
        |text| text.trim().parse().ok(),
    )
    .await
    .context("running our generator")?;
    Ok(Row {
        name: "generator_vs_wrk",
        value: ours.per_cpu_s(),
        unit: "req/CPU-s",
        baseline_name: "wrk -t1, the same server and connections",
        baseline: wrk.per_cpu_s(),
    })
}

/// What a client got done, for how much CPU.
struct Asked {
    requests: f64,
    cpu_s: f64,
}

impl Asked {
    async fn by(command: &mut Command, total: impl Fn(&str) -> Option<f64>) -> anyhow::Result<Self> {
        let before_s = children_cpu_s()?;
        let output = command.stderr(Stdio::inherit()).output().await?;
        let text = String::from_utf8_lossy(&output.stdout);
        ensure!(output.status.success(), "it ended with {}: {text}", output.status);
        let requests = total(&text).with_context(|| format!("no total in its output: {text}"))?;
        let cpu_s = children_cpu_s()? - before_s;
        ensure!(requests > 0.0 && cpu_s > 0.0, "it did nothing: {text}");
        Ok(Self { requests, cpu_s })
    }

    fn per_cpu_s(&self) -> f64 {
        self.requests / self.cpu_s
    }
}

/// `  123456 requests in 6.00s, 12.3MB read`, if none of them failed.
fn wrk_total(text: &str) -> Option<f64> {
    let failed = text.contains("Non-2xx") || text.contains("Socket errors");
    let line = text.lines().find(|line| line.contains(" requests in "))?;
    let total = line.split_whitespace().next()?.parse().ok()?;
    (!failed).then_some(total)
}

/// CPU of all children that have ended, user and system, s.
fn children_cpu_s() -> anyhow::Result<f64> {
    /// Ticks a second, on every Linux of today.
    const TICKS_PER_S: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat").context("reading /proc/self/stat")?;
    // The command's name is in brackets and may hold blanks; cutime and cstime are fields 16 and 17.
    let (_, fields) = stat.rsplit_once(')').context("an odd /proc/self/stat")?;
    let mut fields = fields.split_whitespace().skip(13).map(str::parse::<f64>);
    let mut ticks = || -> anyhow::Result<f64> { Ok(fields.next().context("too few fields")??) };
    Ok((ticks()? + ticks()?) / TICKS_PER_S)
}

/// The server, on a thread of its own until the process ends.
async fn serve() -> anyhow::Result<SocketAddr> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").context("binding a loopback port")?;
    listener.set_nonblocking(true)?;
    let addr = listener.local_addr()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    std::thread::Builder::new()
        .name("subject".to_owned())
        .spawn(move || {
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener)?;
                axum::serve(listener, room()).await
            })
        })?;
    Ok(addr)
}

/// A waiting room in which nobody is ever served.
fn room() -> Router {
    let waiting = json!({
        "admitted": false, "position": 500_000, "servingCounter": 0, "totalInQueue": 1_000_000,
        "ahead": 500_000, "estimatedWait": 10_000, "nextPoll": 1, "nextPollMs": 100,
    });
    let polled = waiting.clone();
    let mut assigned = waiting;
    assigned["requestId"] = json!(Uuid::from_u128(7));
    Router::new()
        .route(
            "/vwr-api/vwr/assign/{sale}",
            post(move |_: Json<Value>| async move { Json(assigned) }),
        )
        .route(
            "/vwr-api/vwr/check/{sale}/{request}",
            get(move || async move { Json(polled) }),
        )
}

/// The child: runs the generator against `addr` and prints how many requests were answered.
#[expect(clippy::print_stdout, reason = "the total is this process's output")]
pub(crate) async fn generate(addr: &str) -> anyhow::Result<()> {
    let scenario = Scenario::parse("bench.yaml", &scenario()).context("the bench's scenario")?;
    let target = Target {
        base_url: format!("http://{addr}"),
        sale: scenario.sale(Uuid::new_v4(), SystemClock.now()),
        hall: scenario.hall(),
        secrets: Arc::new(urr_kit::Secrets::generate()?),
        opt_in: None,
    };
    let dir = tempfile::tempdir()?;
    let live = Arc::new(Live::new());
    let stop = CancellationToken::new();
    let result = urr_loadgen::run(&scenario, &target, live, stop, dir.path()).await?;
    ensure!(result.funnel.errors == 0, "{} errors", result.funnel.errors);
    let answered: u64 = result
        .steps
        .iter()
        .filter(|step| matches!(step.step, Step::Join | Step::Poll))
        .map(|step| step.fine)
        .sum();
    println!("{answered}");
    tracing::info!(generator = ?result.generator, "generated");
    Ok(())
}

/// Visitors who come within a second and ask ten times a second: more than can be answered.
fn scenario() -> String {
    let run = Duration::from_secs(u64::from(SPAN_S) + 1).as_secs();
    format!(
        "version: 1\nname: bench\ntitle: bench\nseed: 1\n\
         sale:\n  venue: bench\n  opens_in: 2s\n  pre_queue: 2s\n  duration: 60s\n  hall:\n    sections:\n      \
         - {{ names: [A], rows: 10, seats_per_row: 10, price: 1000 KRW }}\n  admission: {{ rate: 1/s, cap: 10 }}\n  \
         capacity: {{ replicas: 1, rate_per_replica: 1/s }}\n\
         crowd:\n  visitors: 20000\n  arrivals:\n    - steady: {{ share: 100%, from: -2s, to: -1s }}\n  personas:\n    \
         - buys: {{ share: 100%, think: 1s }}\n\
         limits: {{ run_at_most: {run}s, connections: {CONNECTIONS}, slot_wait: 60s }}\n"
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn wrks_total_is_read_and_a_run_with_errors_is_none() {
        let text = "Running 6s test\n  704000 requests in 6.00s, 97.02MB read\nRequests/sec: 117000.00\n";
        assert_eq!(wrk_total(text), Some(704_000.0));
        assert_eq!(wrk_total(&format!("{text}  Non-2xx or 3xx responses: 3\n")), None);
    }

    #[test]
    fn the_scenario_is_one() {
        Scenario::parse("bench.yaml", &scenario()).unwrap();
    }
}
