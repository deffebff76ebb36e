//! `ticketctl drill`: hosts a whole opening on this machine.
//!
//! A drill is a row of steps, one file each; [`mod@steps`] says in which order, [`Host`] holds what is
//! running, and whatever happens (an error, a child that dies, Ctrl-C at any instant) the host
//! takes it all down again. Screens watch the board; no step knows whether there is one.

mod audit;
mod detour;
mod faults;
mod feed;
mod fleet;
mod load;
mod load_view;
mod plan;
mod ports;
mod preflight;
mod processes;
mod report;
mod run_dir;
mod services;
mod settle;
mod stand;
mod steps;
mod together;
mod venue;
mod witness;

pub(crate) use plan::{Plan, default_target};
pub(crate) use report::verdict as verdict_of;

use crate::{
    control::ControlClient,
    exit::Exit,
    picture::{Board, Stage, Verdict},
    running::Announced,
    signals::Interrupts,
};
use anyhow::Context as _;
use fleet::{Death, Fleet};
use run_dir::RunDir;
use services::Services;
use std::{
    path::{Path, PathBuf},
    time::Instant,
};
use steps::steps;
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;
use urr_kit::{clock::SharedClock, engines::Engines};

/// What a drill is given by whoever started it.
pub(crate) struct Stagehands {
    /// Where the drill says what it does.
    pub(crate) board: Board,
    /// Where the control API is told to whoever steers.
    pub(crate) control: watch::Sender<Option<ControlClient>>,
    /// Whether somebody wants it to end.
    pub(crate) interrupts: Interrupts,
    /// Now.
    pub(crate) clock: SharedClock,
}

/// A drill that did not come to a verdict.
#[derive(Debug)]
pub(crate) struct Failed {
    /// During which step.
    pub(crate) stage: Stage,
    /// What the process exits with.
    pub(crate) exit: Exit,
    /// Why; `None` when it was interrupted.
    pub(crate) source: Option<anyhow::Error>,
    /// Where the logs are, if they were kept.
    pub(crate) logs: Option<PathBuf>,
}

/// What is running on behalf of a drill, in the order in which it was started.
struct Host {
    engines: Option<Engines>,
    fleet: Fleet,
    services: Option<Services>,
    feed: Option<JoinHandle<()>>,
    /// How the other commands of this user find the drill.
    announced: Option<Announced>,
    /// Ends everything that runs beside the steps.
    stop: CancellationToken,
}

/// Runs the drill to its verdict, or to the reason why there is none; nothing is left running
/// either way. Must be awaited on the thread that lives as long as the drill.
pub(crate) async fn run(plan: &Plan, hands: &Stagehands) -> Result<Verdict, Failed> {
    let began = Instant::now();
    let failed = |stage, source| Failed {
        stage,
        exit: exit_of(stage),
        source: Some(source),
        logs: None,
    };
    hands.board.stage(Stage::Preflight, "");
    let run_dir = RunDir::create(&plan.target).map_err(|e| failed(Stage::Preflight, e.into()))?;
    let logs = run_dir.path().join("logs");
    std::fs::create_dir(&logs)
        .context("making the directory of logs")
        .map_err(|e| failed(Stage::Preflight, e))?;
    start_log(&logs);
    let (fleet, mut deaths) = Fleet::new(&logs);
    let mut host = Host {
        engines: None,
        fleet,
        services: None,
        feed: None,
        announced: None,
        stop: CancellationToken::new(),
    };
    // Boxed: the future of a whole opening is large.
    let outcome = {
        let steps = Box::pin(steps(plan, hands, &mut host, run_dir.path()));
        tokio::select! {
            biased;
            () = hands.interrupts.asked() => Err(None),
            outcome = steps => outcome.map_err(Some),
            death = unasked(&mut deaths) => Err(Some(death)),
        }
    };
    let stage = hands.board.now_showing().stage;
    hands.board.stage(Stage::Stopping, "");
    tokio::select! {
        () = host.stop() => {}
        // No patience left: dropping the host kills what still runs.
        () = hands.interrupts.forced() => {}
    }
    match outcome {
        Ok(mut verdict) => {
            verdict.took = began.elapsed();
            let target = run_dir.finish().map_err(|e| failed(Stage::Report, e.into()))?;
            verdict.files = files(&target);
            Ok(verdict)
        }
        Err(source) => {
            let logs = plan.keep.then(|| run_dir.keep_failed()).transpose();
            Err(Failed {
                stage,
                exit: source.as_ref().map_or(Exit::Interrupted, |_| exit_of(stage)),
                source,
                logs: logs.unwrap_or_else(|error| {
                    tracing::error!(%error, "the logs could not be kept");
                    None
                }),
            })
        }
    }
}

impl Host {
    /// Takes everything down, the youngest first.
    async fn stop(self) {
        self.stop.cancel();
        if let Some(feed) = self.feed {
            // It ends with its stream; a panic in it costs the recording's end, nothing more.
            let _ = feed.await;
        }
        match &self.services {
            Some(services) => self.fleet.stop(&services.names).await,
            // Failed while starting: who is there is not listed yet.
            None => self.fleet.stop_all().await,
        }
        if let Some(engines) = self.engines
            && let Err(error) = engines.stop().await
        {
            tracing::error!(%error, "the engines' directory was not removed");
        }
    }
}

/// Waits for a child to die unasked.
async fn unasked(deaths: &mut mpsc::Receiver<Death>) -> anyhow::Error {
    match deaths.recv().await {
        Some(Death { name, status, tail }) => {
            anyhow::anyhow!("{name} died ({status}); its log ends with\n{tail}")
        }
        // The fleet lives as long as the host, so the channel cannot close first.
        None => std::future::pending().await,
    }
}

/// What is missing on this machine is the caller's to mend; what fails later is not.
const fn exit_of(stage: Stage) -> Exit {
    match stage {
        Stage::Preflight | Stage::Engines => Exit::BadInput,
        _ => Exit::Failure,
    }
}

fn files(dir: &Path) -> Vec<(&'static str, PathBuf)> {
    [
        ("report", "report.html"),
        ("data", "report.json"),
        ("junit", "junit.xml"),
        ("recording", "snapshots.ndjson"),
        ("evidence", crate::evidence::FILE),
        ("sales", "sales"),
        ("logs", "logs"),
    ]
    .into_iter()
    .map(|(what, name)| (what, dir.join(name)))
    .filter(|(_, path)| path.exists())
    .collect()
}

/// Our own log, beside the services': the terminal belongs to the screen.
fn start_log(dir: &Path) {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    match std::fs::File::create(dir.join("ticketctl.log")) {
        Ok(file) => {
            // An error means a log is installed already (tests): keep it.
            let _ = tracing_subscriber::fmt()
                .with_env_filter(filter)
                .with_ansi(false)
                .with_writer(std::sync::Mutex::new(file))
                .try_init();
        }
        Err(error) => crate::commands::complain(&format!("no log will be written: {error}")),
    }
}
