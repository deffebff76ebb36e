//! `operator crd` prints the definitions, `operator run` reconciles.

use clap::{Parser, Subcommand};
use std::io::Write as _;
use tracing_subscriber::EnvFilter;
use urr_operator::{crd, run};

#[derive(Parser)]
#[command(
    name = "operator",
    version,
    about = "Keeps a cluster as its TicketSale objects want it"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Prints the custom resource definitions as YAML.
    Crd,
    /// Reconciles until it is told to stop.
    Run(run::Config),
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    match Cli::parse().command {
        Command::Crd => Ok(std::io::stdout().write_all(crd::yaml()?.as_bytes())?),
        Command::Run(config) => {
            let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
            tracing_subscriber::fmt()
                .json()
                .with_env_filter(filter)
                .with_writer(std::io::stderr)
                .init();
            run::run(config).await
        }
    }
}
