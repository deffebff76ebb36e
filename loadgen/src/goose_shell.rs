//! Goose beside the engine: its metrics, thresholds and report, and the browser share.
//!
//! Goose knows no open-loop arrivals, so the crowd is ours and goose hears of every request: a few
//! "pump" users drain a bounded channel and record what they find as custom requests. The browser
//! share are real goose users that walk the same journey with clients and cookies of their own.
//!
//! Goose stops by a process-wide switch, so one run at a time per process.

mod tap;

pub(crate) use tap::{Drain, FLUSH_EVERY, Tap};

use crate::http::{Browser, Http};
use crate::journey::{Visitor, World, travel};
use crate::measure::{Lane, Sample, Verdict};
use crate::scenario::Rule;
use goose::config::GooseConfiguration;
use goose::goose::{GooseUser, Scenario as GooseScenario, Transaction, TransactionResult};
use goose::metrics::GooseMetrics;
use goose::{GooseAttack, GooseError};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex as StdMutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

/// Pump users. One drains millions a second; a second covers while the first reports.
const PUMPS: usize = 2;
/// A pump returns at least this often, so that goose can be stopped.
const PUMP_FOR: Duration = Duration::from_millis(200);
/// Batches taken from the channel at once.
const TAKEN: usize = 8;

/// What goose found.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GooseSummary {
    /// Requests it counted.
    pub requests: u64,
    /// Its verdicts on the rules it was given.
    pub thresholds: Vec<GooseThreshold>,
    /// Its reports.
    pub reports: Vec<PathBuf>,
    /// Why it could not do its work, if so.
    pub error: Option<String>,
}

/// One of goose's verdicts.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GooseThreshold {
    /// The rule in goose's spelling.
    pub rule: String,
    /// What it saw, in words.
    pub observed: String,
    /// Whether it holds.
    pub passed: bool,
}

/// Goose resets its metrics once when all its users run (and says so on stdout when told not to),
/// so measurements wait in the channel until that is surely over.
const RESET_WITHIN: Duration = Duration::from_secs(1);

/// Everything the goose attack needs.
pub(crate) struct Shell {
    pub(crate) drain: Drain,
    pub(crate) base: reqwest::Url,
    pub(crate) rules: Vec<Rule>,
    /// Browsers to come, the last first.
    pub(crate) browsers: Vec<Arrival>,
    pub(crate) run_dir: PathBuf,
}

/// A browser to come.
pub(crate) struct Arrival {
    /// To which sale.
    pub(crate) world: Arc<World>,
    pub(crate) visitor: Visitor,
    /// When.
    pub(crate) at: Instant,
}

/// A running attack.
pub(crate) struct Running {
    task: tokio::task::JoinHandle<GooseSummary>,
    finished: Arc<Finished>,
}

/// Says when pumps may begin and when they have nothing left to wait for.
struct Finished {
    /// Users that do not run yet.
    to_launch: AtomicUsize,
    /// From when on goose keeps what it is told.
    keeps_from: OnceLock<Instant>,
    no_more: CancellationToken,
    drained: CancellationToken,
    browsers_left: AtomicUsize,
}

impl Finished {
    /// One more user runs.
    fn launched(&self) {
        if self.to_launch.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.keeps_from.get_or_init(|| Instant::now() + RESET_WITHIN);
        }
    }

    /// Whether goose keeps what it is told.
    fn goose_keeps(&self) -> bool {
        self.keeps_from.get().is_some_and(|from| Instant::now() >= *from)
    }
}

impl Shell {
    /// Starts the attack.
    pub(crate) fn start(self) -> Running {
        let finished = Arc::new(Finished {
            to_launch: AtomicUsize::new(PUMPS + self.browsers.len()),
            keeps_from: OnceLock::new(),
            no_more: CancellationToken::new(),
            drained: CancellationToken::new(),
            browsers_left: AtomicUsize::new(self.browsers.len()),
        });
        let task = tokio::spawn(attack(self, Arc::clone(&finished)));
        Running { task, finished }
    }
}

impl Running {
    /// Browsers that have not finished.
    pub(crate) fn browsers_left(&self) -> usize {
        self.finished.browsers_left.load(Ordering::Relaxed)
    }

    /// Lets goose take what is left in the channel, stops it and collects its findings.
    pub(crate) async fn finish(self) -> GooseSummary {
        /// Goose wakes twice a second and then writes its reports.
        const STOPS_WITHIN: Duration = Duration::from_secs(20);
        let mut task = self.task;
        self.finished.no_more.cancel();
        let drained = self.finished.drained.cancelled();
        if tokio::time::timeout(Duration::from_secs(5), drained)
            .await
            .is_err()
        {
            tracing::warn!("goose did not take all measurements within 5 s");
        }

        goose::trigger_killswitch("every visitor's journey has ended");
        match tokio::time::timeout(STOPS_WITHIN, &mut task).await {
            Ok(Ok(summary)) => summary,
            Ok(Err(error)) => failed(format!("goose ended early: {error}")),
            Err(_) => {
                task.abort();
                failed("goose did not stop within 20 s".to_owned())
            }
        }
    }
}

fn failed(error: String) -> GooseSummary {
    GooseSummary {
        error: Some(error),
        ..GooseSummary::default()
    }
}

/// Goose installs a logger that writes to the terminal unless the process has one; a screen full
/// of figures is no place for that. Its messages go where ours go.
struct ToTracing;

impl log::Log for ToTracing {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.level() <= log::Level::Warn
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            tracing::debug!(target: "goose", "{}", record.args());
        }
    }

    fn flush(&self) {}
}

async fn attack(shell: Shell, finished: Arc<Finished>) -> GooseSummary {
    // Refused when the process has a logger already, which is just as well.
    if log::set_logger(&ToTracing).is_ok() {
        log::set_max_level(log::LevelFilter::Warn);
    }
    let reports = [shell.run_dir.join("goose.html"), shell.run_dir.join("goose.json")];
    let configuration = configuration(&shell, &reports);
    let result = match build(shell, configuration, finished) {
        Ok(attack) => Box::pin(attack.execute()).await,
        Err(error) => Err(error),
    };
    let metrics: Box<GooseMetrics> = match result {
        Ok(metrics) => Box::new(metrics),
        Err(GooseError::ThresholdsFailed { metrics, .. }) => metrics.0,
        Err(error) => return failed(error.to_string()),
    };
    GooseSummary {
        requests: metrics
            .requests
            .values()
            .map(|request| (request.success_count + request.fail_count) as u64)
            .sum(),
        thresholds: metrics
            .thresholds
            .iter()
            .map(|result| GooseThreshold {
                rule: result.rule.clone(),
                observed: result.observed.clone(),
                passed: result.passed,
            })
            .collect(),
        reports: reports.into_iter().filter(|path| path.exists()).collect(),
        error: None,
    }
}

/// Quiet, no controllers, reports into the run directory, thresholds judged at the end.
fn configuration(shell: &Shell, reports: &[PathBuf]) -> GooseConfiguration {
    let mut configuration = GooseConfiguration::default();
    configuration.host = Some(shell.base.to_string());
    configuration.users = Some(PUMPS + shell.browsers.len());
    // Users start when the run does; when they arrive is the curve's business.
    configuration.increase_rate = Some("1000".to_owned());
    configuration.quiet = 1;
    configuration.no_print_metrics = true;
    configuration.no_error_summary = true;
    configuration.no_transaction_metrics = true;
    configuration.no_scenario_metrics = true;
    configuration.no_telnet = true;
    configuration.report_file = reports.iter().map(|path| display(path)).collect();
    configuration.threshold = shell.rules.iter().filter_map(Rule::for_goose).collect();
    configuration.no_threshold_abort = !configuration.threshold.is_empty();
    configuration.dashboard_port = dashboard_port();
    configuration.dashboard = configuration.dashboard_port.is_some();
    configuration
}

/// Where goose's own dashboard is asked for: `URR_GOOSE_DASHBOARD=8089`, in a build with the feature
/// `goose-dashboard`. It listens on loopback, which is goose's default.
fn dashboard_port() -> Option<u16> {
    const PORT: &str = "URR_GOOSE_DASHBOARD";
    let port = std::env::var(PORT).ok()?;
    if !cfg!(feature = "goose-dashboard") {
        tracing::warn!("{PORT} is set; build with the feature `goose-dashboard` to have it");
        return None;
    }
    match port.parse() {
        Ok(port) => Some(port),
        Err(_) => {
            tracing::warn!(port, "{PORT} is not a port");
            None
        }
    }
}

fn display(path: &Path) -> String {
    path.display().to_string()
}

fn build(
    shell: Shell,
    configuration: GooseConfiguration,
    finished: Arc<Finished>,
) -> Result<GooseAttack, GooseError> {
    let drain = Arc::new(Mutex::new(shell.drain));
    let mut attack = GooseAttack::initialize_with_config(configuration)?;
    let launched = Arc::clone(&finished);
    let launch = move || {
        let finished = Arc::clone(&launched);
        Transaction::new(Arc::new(move |_| {
            let finished = Arc::clone(&finished);
            Box::pin(async move {
                finished.launched();
                Ok(())
            })
        }))
        .set_name("launch")
        .set_on_start()
    };
    let pump_finished = Arc::clone(&finished);
    let pump = Transaction::new(Arc::new(move |user| {
        let (drain, finished) = (Arc::clone(&drain), Arc::clone(&pump_finished));
        Box::pin(async move { pump(user, &drain, &finished).await })
    }))
    .set_name("pump");
    attack = attack.register_scenario(
        GooseScenario::new("crowd")
            .register_transaction(launch())
            .register_transaction(pump)
            .set_weight(PUMPS)?,
    );
    let browsers = shell.browsers.len();
    if browsers > 0 {
        let waiting = Arc::new(StdMutex::new(shell.browsers));
        let base = shell.base;
        let browse = Transaction::new(Arc::new(move |user| {
            let (waiting, base, finished) = (Arc::clone(&waiting), base.clone(), Arc::clone(&finished));
            Box::pin(async move { browse(user, &waiting, base, &finished).await })
        }))
        .set_name("browser");
        attack = attack.register_scenario(
            GooseScenario::new("browsers")
                .register_transaction(launch())
                .register_transaction(browse)
                .set_weight(browsers)?,
        );
    }
    // Client per user is goose's default and the point of the browser share; ours replace them.
    Ok(attack)
}

/// Takes measurements from the channel for a while and records them.
async fn pump(user: &mut GooseUser, drain: &Mutex<Drain>, finished: &Finished) -> TransactionResult {
    let until = tokio::time::Instant::now() + PUMP_FOR;
    if !finished.goose_keeps() {
        tokio::time::sleep_until(until).await;
        return Ok(());
    }
    let mut batches = Vec::with_capacity(TAKEN);
    loop {
        let taken = {
            let Ok(mut drain) = tokio::time::timeout_at(until, drain.lock()).await else {
                return Ok(());
            };
            tokio::select! {
                taken = drain.recv_many(&mut batches, TAKEN) => taken,
                () = tokio::time::sleep_until(until) => 0,
            }
        };
        for sample in batches.drain(..).flatten() {
            record(user, &sample).await?;
        }
        if taken == 0 {
            // Nothing for a whole turn after the last journey: all is taken.
            if finished.no_more.is_cancelled() {
                finished.drained.cancel();
            }
            tokio::time::sleep_until(until).await;
            return Ok(());
        }
    }
}

async fn record(user: &mut GooseUser, sample: &Sample) -> TransactionResult {
    let (method, name) = sample.step.label();
    let method = match sample.lane {
        Lane::Crowd => method,
        Lane::Browser => "BROWSER",
    };
    let error = (sample.verdict == Verdict::Failed).then_some("no useful answer");
    user.record_custom_request_duration(
        method,
        name,
        sample.response,
        sample.verdict != Verdict::Failed,
        (sample.status != 0).then_some(sample.status),
        error,
    )
    .await
}

/// One browser's journey; after it the user idles until goose stops it.
async fn browse(
    user: &mut GooseUser,
    waiting: &StdMutex<Vec<Arrival>>,
    base: reqwest::Url,
    finished: &Finished,
) -> TransactionResult {
    let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).pop();
    let Some(Arrival { world, visitor, at }) = next else {
        tokio::time::sleep(PUMP_FOR).await;
        return Ok(());
    };
    let (builder, jar) = Browser::builder();
    user.set_client_builder(builder).await?;
    let browser = Browser::new(user.client.clone(), jar, base, Arc::clone(&world.live));
    let http: Arc<dyn Http> = Arc::new(browser);
    tokio::select! {
        () = world.over.cancelled() => {}
        () = tokio::time::sleep_until(at.into()) => {
            Box::pin(travel(Arc::clone(&world), http, visitor, at)).await;
        }
    }
    finished.browsers_left.fetch_sub(1, Ordering::Relaxed);
    Ok(())
}
