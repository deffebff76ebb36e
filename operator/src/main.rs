//! `operator crd` prints the definitions, `operator run` reconciles.

use anyhow::Context as _;
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
    Crd {
        /// Writes one file per definition into this directory instead.
        #[arg(long)]
        out: Option<std::path::PathBuf>,
    },
    /// Reconciles until it is told to stop.
    Run(run::Config),
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    match Cli::parse().command {
        Command::Crd { out: None } => Ok(std::io::stdout().write_all(crd::yaml()?.as_bytes())?),
        Command::Crd { out: Some(dir) } => {
            for file in crd::files()? {
                let path = dir.join(&file.name);
                std::fs::write(&path, file.content)
                    .with_context(|| format!("cannot write {}", path.display()))?;
            }
            Ok(())
        }
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
