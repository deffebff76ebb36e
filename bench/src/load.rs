//! A closed-loop HTTP client for measuring: one keep-alive connection a lane, one request in
//! flight on each. The same client drives baseline and subject, so its cost cancels in the ratio.

use anyhow::{Context, ensure};
use axum::body::Body;
use axum::http::{Request, StatusCode};
use http_body_util::BodyExt;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{net::TcpStream, task::JoinSet};

/// Turns that subject and baseline take; odd, so that there is a median.
const ROUNDS: usize = 5;
/// Long enough for the rate to settle, short enough that both turns see the same machine.
const ROUND_SPAN: Duration = Duration::from_millis(1500);

/// Makes the `n`-th request of a run. `n` is unique over all lanes.
pub(crate) type MakeRequest = Arc<dyn Fn(u64) -> Request<Body> + Send + Sync>;

/// Who is asked what.
#[derive(Clone)]
pub(crate) struct Asked {
    pub(crate) addr: SocketAddr,
    pub(crate) make: MakeRequest,
}

impl Asked {
    pub(crate) fn new(addr: SocketAddr, make: MakeRequest) -> Self {
        Self { addr, make }
    }

    async fn requests_per_s(&self, lanes: usize, span: Duration) -> anyhow::Result<f64> {
        requests_per_s(self.addr, lanes, span, StatusCode::OK, Arc::clone(&self.make)).await
    }
}

/// Requests per second of the subject and of its baseline, by turns.
pub(crate) async fn side_by_side(
    subject: Asked,
    baseline: Asked,
    lanes: usize,
) -> anyhow::Result<(f64, f64)> {
    by_turns(
        async |span| subject.requests_per_s(lanes, span).await,
        async |span| baseline.requests_per_s(lanes, span).await,
    )
    .await
}

/// What the subject and its baseline did a second, from the round whose ratio is the median; each is told
/// how long to measure.
///
/// They take turns: whatever else the machine does, it does to both, and the median forgets the
/// round in which it did it to one.
pub(crate) async fn by_turns(
    subject: impl AsyncFn(Duration) -> anyhow::Result<f64>,
    baseline: impl AsyncFn(Duration) -> anyhow::Result<f64>,
) -> anyhow::Result<(f64, f64)> {
    let mut rounds = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let bare_per_s = baseline(ROUND_SPAN).await?;
        rounds.push((subject(ROUND_SPAN).await?, bare_per_s));
    }
    rounds.sort_by(|one, other| (one.0 / one.1).total_cmp(&(other.0 / other.1)));
    tracing::info!(?rounds, "subject and baseline");
    rounds.get(ROUNDS / 2).copied().context("no rounds")
}

/// Requests per second over `duration` on `lanes` connections, after a warm-up a quarter as long.
/// Every answer must be `expected`, or the figure would mean nothing.
pub(crate) async fn requests_per_s(
    addr: SocketAddr,
    lanes: usize,
    duration: Duration,
    expected: StatusCode,
    make: MakeRequest,
) -> anyhow::Result<f64> {
    let pause = Duration::ZERO;
    paced(Paced { addr, lanes, pause }, duration, expected, make).await
}

/// Who is asked, by how many, and how long each of them rests after an answer.
pub(crate) struct Paced {
    pub(crate) addr: SocketAddr,
    pub(crate) lanes: usize,
    pub(crate) pause: Duration,
}

/// As [`requests_per_s`], with rests: the machine is not full, and what is measured beside it is not
/// how long it waited for a core.
pub(crate) async fn paced(
    Paced { addr, lanes, pause }: Paced,
    duration: Duration,
    expected: StatusCode,
    make: MakeRequest,
) -> anyhow::Result<f64> {
    let counting = Arc::new(AtomicBool::new(false));
    let done = Arc::new(AtomicBool::new(false));
    let served = Arc::new(AtomicU64::new(0));
    let next = Arc::new(AtomicU64::new(0));
    let mut running = JoinSet::new();
    for _ in 0..lanes {
        let lane = Lane {
            addr,
            pause,
            expected,
            make: Arc::clone(&make),
            counting: Arc::clone(&counting),
            done: Arc::clone(&done),
            served: Arc::clone(&served),
            next: Arc::clone(&next),
        };
        running.spawn(lane.run());
    }
    tokio::time::sleep(duration / 4).await;
    counting.store(true, Ordering::Relaxed);
    let started = Instant::now();
    tokio::time::sleep(duration).await;
    let counted = served.load(Ordering::Relaxed);
    let elapsed_s = started.elapsed().as_secs_f64();
    done.store(true, Ordering::Relaxed);
    while let Some(lane) = running.join_next().await {
        lane.context("a lane panicked")??;
    }
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
    Ok(counted as f64 / elapsed_s)
}

struct Lane {
    addr: SocketAddr,
    pause: Duration,
    expected: StatusCode,
    make: MakeRequest,
    counting: Arc<AtomicBool>,
    done: Arc<AtomicBool>,
    served: Arc<AtomicU64>,
    next: Arc<AtomicU64>,
}

impl Lane {
    async fn run(self) -> anyhow::Result<()> {
        let stream = TcpStream::connect(self.addr).await.context("connecting")?;
        stream.set_nodelay(true)?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let connection = tokio::spawn(connection);
        while !self.done.load(Ordering::Relaxed) {
            let request = (self.make)(self.next.fetch_add(1, Ordering::Relaxed));
            sender.ready().await?;
            let response = sender.send_request(request).await?;
            let status = response.status();
            let body = response.into_body().collect().await?.to_bytes();
            ensure!(
                status == self.expected,
                "expected {}, got {status}: {}",
                self.expected,
                String::from_utf8_lossy(&body)
            );
            if self.counting.load(Ordering::Relaxed) {
                self.served.fetch_add(1, Ordering::Relaxed);
            }
            if !self.pause.is_zero() {
                tokio::time::sleep(self.pause).await;
            }
        }
        drop(sender);
        connection.await.context("connection task")?.context("connection")
    }
}
