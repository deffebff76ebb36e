//! A cluster for people and for `make`: `cluster up` holds one until Ctrl-C, `cluster with COMMAND`
//! runs a command against one and ends with its exit code, `cluster demo` plays a sale on one.

mod demo;

use clap::{Parser, Subcommand};
use std::process::ExitCode;
use urr_testkit::{Cluster, Error};

#[derive(Parser)]
#[command(
    name = "cluster",
    about = "A real Kubernetes control plane with fake nodes, on loopback, gone when this ends"
)]
struct Cli {
    #[command(subcommand)]
    command: What,
}

#[derive(Subcommand)]
enum What {
    /// Holds a cluster until Ctrl-C; prints how to reach it.
    Up,
    /// Runs a command with KUBECONFIG and USE_EXISTING_CLUSTER set, so that tests share one cluster.
    With {
        /// The command and its arguments.
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<String>,
    },
    /// Plays a whole sale in two minutes, with real services and a small crowd (`make cluster-demo`).
    Demo,
}

#[tokio::main]
async fn main() -> ExitCode {
    let ended = match Cli::parse().command {
        What::Demo => demo::run(until_told()).await,
        What::Up => up().await.map_err(Into::into),
        What::With { command } => with(&command).await.map_err(Into::into),
    };
    ended.unwrap_or_else(|error| {
        eprintln!("cluster: {error:#}");
        ExitCode::FAILURE
    })
}

async fn up() -> Result<ExitCode, Error> {
    let cluster = Cluster::start().await?;
    eprintln!("export KUBECONFIG={}", cluster.kubeconfig_path().display());
    if let Some(dir) = cluster
        .program("kubectl")
        .as_deref()
        .and_then(std::path::Path::parent)
    {
        eprintln!("export PATH={}:$PATH", dir.display());
    }
    eprintln!("Ctrl-C ends it.");
    until_told().await;
    cluster.stop()?;
    Ok(ExitCode::SUCCESS)
}

async fn with(command: &[String]) -> Result<ExitCode, Error> {
    let cluster = Cluster::start().await?;
    let failed = |source| Error::Io {
        doing: "run the command",
        source,
    };
    let (program, args) = command.split_first().unwrap_or((&command[0], &[]));
    let mut child = tokio::process::Command::new(program)
        .args(args)
        .env("KUBECONFIG", cluster.kubeconfig_path())
        .env("USE_EXISTING_CLUSTER", "true")
        .spawn()
        .map_err(failed)?;
    let ended = tokio::select! {
        ended = child.wait() => ended,
        // The terminal tells the command too; the cluster outlives it.
        () = until_told() => child.wait().await,
    };
    let code = ended
        .map_err(failed)?
        .code()
        .and_then(|code| u8::try_from(code).ok());
    cluster.stop()?;
    Ok(ExitCode::from(code.unwrap_or(1)))
}

async fn until_told() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut term) = signal(SignalKind::terminate()) else {
        return;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = term.recv() => {}
    }
}
