//! `operator crd` prints the definitions, `operator run` reconciles, `operator explain` tells of a sale.

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use kube::Client;
use std::io::Write as _;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use urr_core::time::Millis;
use urr_kit::StartError;
use urr_kit::telemetry::{self, LogFormat, LogSettings};
use urr_kit::trace::{Guard as Traces, TraceSettings};
use urr_operator::load_run::runner;
use urr_operator::{crd, explain, run, trace};

#[derive(Parser)]
#[command(
    name = "operator",
    version,
    about = "Keeps a cluster as its TicketSale objects want it"
)]
struct Cli {
    #[command(flatten)]
    traces: TraceSettings,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Prints the custom resource definitions as YAML.
    Crd {
        /// Writes one file per definition into this directory instead.
        #[arg(long)]
        out: Option<std::path::PathBuf>,
    },
    /// Reconciles until it is told to stop.
    Run(Box<run::Config>),
    /// Sends one segment's visitors and hands the result in: what a LoadRun's Pods run.
    #[command(hide = true)]
    Runner(Box<runner::Args>),
    /// Decides again what a recorded operator decided, and tells where this version differs.
    Replay(trace::Args),
    /// Explains a sale: why it is where it is, what wakes it next, who owns which field, what to do.
    Explain(explain::Args),
}

/// Starts the log, and traces where an endpoint is set.
fn log(traces: &TraceSettings) -> Result<Option<Traces>, StartError> {
    // The exporter of spans is a client too.
    run::choose_tls();
    let settings = LogSettings {
        log_format: LogFormat::Json,
        log_filter: std::env::var("RUST_LOG")
            .ok()
            .filter(|filter| !filter.is_empty())
            .unwrap_or_else(|| "info".to_owned()),
    };
    telemetry::start_log(&settings, traces, "urr-operator")
}

fn main() -> anyhow::Result<()> {
    let Cli { traces, command } = Cli::parse();
    let traces = match command {
        Command::Run(_) | Command::Runner(_) => log(&traces)?,
        _ => None,
    };
    let runtime = tokio::runtime::Runtime::new().context("starting the async runtime")?;
    let ended = runtime.block_on(run_command(command));
    drop(runtime);
    if let Some(traces) = traces {
        traces.finish();
    }
    ended
}

async fn run_command(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Crd { out: None } => Ok(std::io::stdout().write_all(crd::yaml()?.as_bytes())?),
        Command::Crd { out: Some(dir) } => {
            for file in crd::files()? {
                let path = dir.join(&file.name);
                std::fs::write(&path, file.content)
                    .with_context(|| format!("cannot write {}", path.display()))?;
            }
            Ok(())
        }
        Command::Run(config) => Box::pin(run::run(*config)).await,
        Command::Runner(args) => {
            let client = Client::try_default()
                .await
                .context("a runner runs in a cluster")?;
            let stop = CancellationToken::new();
            let mut terminated = signal(SignalKind::terminate()).context("SIGTERM cannot be caught")?;
            let stopping = stop.clone();
            tokio::spawn(async move {
                terminated.recv().await;
                stopping.cancel();
            });
            Ok(Box::pin(runner::run(client, *args, stop)).await?)
        }
        Command::Replay(args) => {
            let replayed = trace::replay(&args.trace)?;
            writeln!(std::io::stdout(), "{replayed}")?;
            anyhow::ensure!(
                replayed.is_same(),
                "this version does not decide as the recorded one did"
            );
            Ok(())
        }
        Command::Explain(args) => {
            run::choose_tls();
            let client = Client::try_default()
                .await
                .context("no cluster: set KUBECONFIG or run in one")?;
            let now = Millis(chrono::Utc::now().timestamp_millis());
            let text = explain::explain(&client, &args, now).await?;
            Ok(std::io::stdout().write_all(text.as_bytes())?)
        }
    }
}
