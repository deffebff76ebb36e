//! `ticketctl version`: this program's, and the API versions of what it speaks with.

use super::{Done, show};
use crate::{cli::Globals, exit::Exit, output::Format, place::Place};
use serde_json::json;

/// How to print it.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Ask the server too.
    #[arg(long)]
    pub(crate) server: bool,
    /// table, json, yaml or jsonpath='{.path}'.
    #[arg(long, short, default_value_t = Format::Table, value_name = "FORMAT")]
    pub(crate) output: Format,
}

/// Prints it.
pub(crate) async fn run(args: Args, globals: Globals) -> Done {
    let client = env!("CARGO_PKG_VERSION");
    let mut server = serde_json::Value::Null;
    let mut told = String::new();
    if args.server {
        match crate::place::find(&globals).await? {
            Place::Control(api, _) => {
                let sales = api.list().await.map_err(|error| crate::place::refused(&error))?;
                server = json!({"control": api.shown, "api": "control/v1", "sales": sales.len()});
                told = format!("control API {} (control/v1), {} sales\n", api.shown, sales.len());
            }
            #[cfg(feature = "cluster")]
            Place::Cluster(cluster) => {
                let version = cluster.version().await?;
                told = format!("Kubernetes {version}\n");
                server = json!({"kubernetes": version});
            }
        }
    }
    let json = json!({
        "client": {
            "version": client,
            "speaks": ["control/v1", "urr.guru/v1alpha1"],
            "cluster": cfg!(feature = "cluster"),
        },
        "server": server,
    });
    show(&args.output, &json, || format!("ticketctl {client}\n{told}"))?;
    Ok(Exit::Ok)
}
