//! A runner's own side: read the orders, be ready, begin when all do, send the visitors of one segment,
//! hand the result in. `operator runner` is a shell around [`carry_out`].
//!
//! A runner that cannot do one of these ends with an error and is lost to the run, which then says so:
//! nothing here is tried again but what may be (handing in). It needs two rights in its namespace: to
//! watch ConfigMaps, for the start, and to create them, for its result.

mod hand_in;

pub use hand_in::{hand_in, pieces};

use super::names;
use super::orders::Orders;
use super::seen::start_of;
use futures::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use urr_core::load_consent::SECRET_ENV;
use urr_core::time::Millis;
use urr_kit::Secrets;
use urr_kit::clock::{Clock as _, SystemClock};
use urr_kit::start::StartError;
use urr_loadgen::segments::Segment;
use urr_loadgen::segments::handover::fingerprint;
use urr_loadgen::target::{OptIn, Unsafe};
use urr_loadgen::{Live, LoadError, Scenario, Target, run_segment};

/// How often the target is asked for its clock; the quickest answer counts.
const CLOCK_QUESTIONS: u32 = 7;
const CLOCK_WITHIN: Duration = Duration::from_secs(2);

/// What the Job says to `operator runner`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Where the orders are mounted.
    #[arg(long, value_name = "DIR")]
    pub orders: PathBuf,
    /// Where to leave everything there is.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Where to listen once it is ready to begin.
    #[arg(long, value_name = "ADDRESS")]
    pub ready_on: Option<SocketAddr>,
    /// This Pod's index in its Job.
    #[arg(long, env = "JOB_COMPLETION_INDEX", value_name = "N")]
    pub index: u32,
    /// This Pod's name.
    #[arg(long, env = "POD_NAME", value_name = "NAME")]
    pub pod: String,
    /// Its namespace.
    #[arg(long, env = "POD_NAMESPACE", value_name = "NAME")]
    pub namespace: String,
    /// Its Job's UID.
    #[arg(long, env = "JOB_UID", value_name = "UID")]
    pub job_uid: String,
}

/// `operator runner`: does what the Job says, with the secrets of the environment, until `stop`.
///
/// # Errors
/// [`RunnerError`].
pub async fn run(client: Client, args: Args, stop: CancellationToken) -> Result<(), RunnerError> {
    let assignment = Assignment::read(&args.orders, args.index)?;
    let place = Place {
        client,
        namespace: args.namespace,
        pod: args.pod,
        job_uid: args.job_uid,
    };
    let consent_secret = std::env::var(SECRET_ENV).ok();
    let means = Means {
        secrets: Arc::new(Secrets::from_env().map_err(RunnerError::Secrets)?),
        consent_secret: consent_secret.filter(|secret| !secret.is_empty()),
        ready_on: args.ready_on,
        out: args.out,
    };
    carry_out(&place, &assignment, &means, stop).await
}

/// Why a runner gave up.
#[derive(Debug, thiserror::Error)]
pub enum RunnerError {
    /// The orders are not there, or not of this version.
    #[error("the orders in {} cannot be read: {problem}", .dir.display())]
    Orders {
        /// Where.
        dir: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// The scenario is not the one that was ordered.
    #[error("the scenario is not the one that was ordered: its fingerprint differs")]
    Fingerprint,
    /// The services' secrets are not known.
    #[error("the services' secrets are not known: see the operator's --runner-secret")]
    Secrets(#[source] StartError),
    /// Nobody said when to begin.
    #[error("nobody told the runners to begin in time")]
    NoStart,
    /// The listener that says that it is ready.
    #[error("cannot listen on {address}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The target must not be loaded.
    #[error(transparent)]
    Unsafe(#[from] Unsafe),
    /// The visitors were not sent.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// Somebody ended this runner.
    #[error("it was told to stop: its visitors are gone with it")]
    Stopped,
    /// The result cannot be written down.
    #[error("the result cannot be written")]
    Write(#[source] std::io::Error),
    /// The cluster did not take the result.
    #[error("the result could not be handed in")]
    HandIn(#[source] kube::Error),
    /// Another Pod has handed in this segment.
    #[error("segment {segment} was handed in by {by} already")]
    Twice {
        /// Which.
        segment: Segment,
        /// By whom.
        by: String,
    },
}

/// Where a runner is: its Pod, and the Job that owns what it hands in.
#[derive(Clone)]
pub struct Place {
    /// The cluster.
    pub client: Client,
    /// The namespace.
    pub namespace: String,
    /// The Pod's name.
    pub pod: String,
    /// The Job's UID.
    pub job_uid: String,
}

/// What one runner is to do.
#[derive(Debug, Clone)]
pub struct Assignment {
    /// What all were told.
    pub orders: Orders,
    /// The scenario, with the run's seed.
    pub scenario: Scenario,
    /// Which part of the crowd.
    pub segment: Segment,
}

impl Assignment {
    /// Reads the orders in `dir`; `index` is the Pod's in its Job, from 0.
    ///
    /// # Errors
    /// [`RunnerError::Orders`], [`RunnerError::Fingerprint`].
    pub fn read(dir: &Path, index: u32) -> Result<Self, RunnerError> {
        let unreadable = |problem: String| RunnerError::Orders {
            dir: dir.to_owned(),
            problem,
        };
        let read = |key: &str| {
            std::fs::read_to_string(dir.join(key)).map_err(|error| unreadable(format!("{key}: {error}")))
        };
        let (orders, text) = (read(names::ORDERS_KEY)?, read(names::SCENARIO_KEY)?);
        let orders: Orders = serde_json::from_str(&orders).map_err(|error| unreadable(error.to_string()))?;
        Self::of(orders, &text, index)
    }

    /// The same from what was read.
    ///
    /// # Errors
    /// As [`Assignment::read`].
    pub fn of(orders: Orders, scenario_text: &str, index: u32) -> Result<Self, RunnerError> {
        let unreadable = |problem: String| RunnerError::Orders {
            dir: PathBuf::new(),
            problem,
        };
        let mut scenario = Scenario::parse(names::SCENARIO_KEY, scenario_text)
            .map_err(|error| unreadable(error.to_string()))?;
        scenario.seed = orders.seed;
        if fingerprint(scenario_text, orders.seed) != orders.fingerprint {
            return Err(RunnerError::Fingerprint);
        }
        let segment = Segment::new(index.saturating_add(1), orders.runners)
            .ok_or_else(|| unreadable(format!("there is no index {index} among {}", orders.runners)))?;
        Ok(Self {
            orders,
            scenario,
            segment,
        })
    }
}

/// How a runner is started.
pub struct Means {
    /// Secrets shared with the services.
    pub secrets: Arc<Secrets>,
    /// The secret with which the target is asked whether it may be loaded; loopback need not be.
    pub consent_secret: Option<String>,
    /// Where to listen once it is ready to begin.
    pub ready_on: Option<SocketAddr>,
    /// Where it leaves everything it has.
    pub out: PathBuf,
}

/// Does what `assignment` says, until `stop`.
///
/// # Errors
/// [`RunnerError`]: this runner is lost to its run.
pub async fn carry_out(
    place: &Place,
    assignment: &Assignment,
    means: &Means,
    stop: CancellationToken,
) -> Result<(), RunnerError> {
    let Assignment {
        orders,
        scenario,
        segment,
    } = assignment;
    let opt_in = match &means.consent_secret {
        Some(secret) => Some(OptIn::ask(&orders.target_url, secret).await?),
        None => None,
    };
    let target = Target {
        base_url: orders.target_url.clone(),
        sale: orders.sale.clone(),
        hall: scenario.hall(),
        secrets: Arc::clone(&means.secrets),
        opt_in,
    };
    // All that can go wrong before the start goes wrong now, while nobody waits for anybody.
    target.check()?;
    let out = means.out.join(segment.nth().to_string());
    std::fs::create_dir_all(&out).map_err(RunnerError::Write)?;
    let clock_behind_ms = clock_behind_ms(orders).await;
    let _ready = match means.ready_on {
        Some(address) => Some(listen(address).await?),
        None => None,
    };
    tracing::info!(%segment, ?clock_behind_ms, "ready to begin");
    let start = tokio::select! {
        start = await_start(place, orders) => start?,
        () = stop.cancelled() => return Err(RunnerError::Stopped),
    };
    let until = u64::try_from(start.since(SystemClock.now())).unwrap_or(0);
    tokio::select! {
        () = tokio::time::sleep(Duration::from_millis(until)) => {}
        () = stop.cancelled() => return Err(RunnerError::Stopped),
    }
    let live = Arc::new(Live::new());
    let result = Box::pin(run_segment(scenario, &target, *segment, live, stop.clone(), &out)).await?;
    if stop.is_cancelled() {
        return Err(RunnerError::Stopped);
    }
    let text = serde_json::to_vec(&result).map_err(|error| RunnerError::Write(error.into()))?;
    std::fs::write(out.join("segment.json"), text).map_err(RunnerError::Write)?;
    hand_in(place, orders, result, clock_behind_ms).await
}

/// Answers the readiness probe's connections until it is dropped.
async fn listen(address: SocketAddr) -> Result<tokio_util::task::AbortOnDropHandle<()>, RunnerError> {
    let listener = TcpListener::bind(address)
        .await
        .map_err(|source| RunnerError::Listen { address, source })?;
    let accepting = async move {
        loop {
            // That it is accepted is the answer.
            if listener.accept().await.is_err() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    };
    Ok(tokio_util::task::AbortOnDropHandle::new(tokio::spawn(accepting)))
}

/// Waits to be told when to begin.
async fn await_start(place: &Place, orders: &Orders) -> Result<Millis, RunnerError> {
    let maps: Api<ConfigMap> = Api::namespaced(place.client.clone(), &place.namespace);
    let only = format!("metadata.name={}", names::start(&orders.job));
    let told = async {
        let config = watcher::Config::default().fields(&only);
        let mut seen = watcher(maps, config).default_backoff().applied_objects().boxed();
        loop {
            match seen.try_next().await {
                Ok(Some(map)) => {
                    if let Some(at) = start_of(&map) {
                        return at;
                    }
                }
                Ok(None) => std::future::pending().await,
                Err(error) => {
                    tracing::warn!(error = crate::reconcile::chain(&error), "watching for the start");
                }
            }
        }
    };
    let left = u64::try_from(orders.start_by.since(SystemClock.now())).unwrap_or(0);
    tokio::time::timeout(Duration::from_millis(left), told)
        .await
        .map_err(|_| RunnerError::NoStart)
}

/// What to add to this machine's clock to have the target's, in milliseconds: the quickest of a few
/// answers, so that half of what it took is all that can be wrong. `None` where it does not tell.
async fn clock_behind_ms(orders: &Orders) -> Option<i64> {
    let url = format!(
        "{}/vwr-api/vwr/status/{}",
        orders.target_url.trim_end_matches('/'),
        orders.sale.id
    );
    let http = reqwest::Client::builder().timeout(CLOCK_WITHIN).build().ok()?;
    let mut best: Option<(i64, i64)> = None;
    for _ in 0..CLOCK_QUESTIONS {
        let asked = SystemClock.now();
        let Ok(answer) = http.get(&url).send().await else {
            continue;
        };
        let Ok(told) = answer.json::<serde_json::Value>().await else {
            continue;
        };
        let answered = SystemClock.now();
        let took = answered.since(asked);
        let Some(theirs) = told["serverNow"].as_i64() else {
            continue;
        };
        let behind = theirs - asked.plus_ms(took / 2).0;
        if best.is_none_or(|(least, _)| took < least) {
            best = Some((took, behind));
        }
    }
    best.map(|(_, behind)| behind)
}
