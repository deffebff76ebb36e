//! `ticketctl version`: this program's, and the API versions of what it speaks with.

use super::{Done, complain, show};
use crate::{
    cli::Globals,
    control::{Api, ControlError},
    exit::Exit,
    output::Format,
    place::Place,
};
use serde_json::{Value, json};

/// Minor versions that a client and a control plane may be apart: a release understands the one before it
/// and the one after it.
const MINORS_APART_MAX: u64 = 1;

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
    let mut server = Value::Null;
    let mut told = String::new();
    let mut skew = None;
    if args.server {
        let asked = match crate::place::find(&globals).await? {
            Place::Control(api, _) => Some(asked(&api).await.map_err(|error| crate::place::refused(&error))?),
            #[cfg(feature = "cluster")]
            Place::Cluster(cluster) => {
                let version = cluster.version().await?;
                told = format!("Kubernetes {version}\n");
                server = json!({"kubernetes": version});
                // Whoever may read objects may not be one who steers: then the cluster's answer is all there is.
                match cluster.control(&globals).await {
                    Ok(api) => asked(&api).await.ok(),
                    Err(_) => None,
                }
            }
        };
        match asked {
            Some(asked) => {
                told += &asked.line;
                skew = asked
                    .version
                    .as_deref()
                    .and_then(|version| skew_of(CLIENT, version));
                merge(&mut server, asked.json);
            }
            None => told += "control API not reached: `ticketctl doctor` tells why\n",
        }
    }
    let json = json!({
        "client": {
            "version": CLIENT,
            "speaks": ["control/v1", "urr.guru/v1alpha1"],
            "cluster": cfg!(feature = "cluster"),
        },
        "server": server,
        "skew": skew,
    });
    show(&args.output, &json, || format!("ticketctl {CLIENT}\n{told}"))?;
    if let Some(skew) = skew {
        complain(&format!("warning: {skew}"));
    }
    Ok(Exit::Ok)
}

/// This program's version.
const CLIENT: &str = env!("CARGO_PKG_VERSION");

/// What a control plane says of itself.
struct Asked {
    version: Option<String>,
    line: String,
    json: Value,
}

async fn asked(api: &Api) -> Result<Asked, ControlError> {
    let list = api.listed().await?;
    let sales = list.sales.len();
    let version = list.version.as_deref().unwrap_or("of a version it does not tell");
    Ok(Asked {
        line: format!(
            "control plane {version} at {} (control/v1), {sales} sales\n",
            api.shown
        ),
        json: json!({"control": api.shown, "version": list.version, "api": "control/v1", "sales": sales}),
        version: list.version,
    })
}

fn merge(into: &mut Value, more: Value) {
    match (into, more) {
        (Value::Object(into), Value::Object(more)) => into.extend(more),
        (into, more) => *into = more,
    }
}

/// What to say when `client` and `server` are too far apart; nothing when they are not, or when either is
/// no version.
fn skew_of(client: &str, server: &str) -> Option<String> {
    let parts = |version: &str| -> Option<(u64, u64)> {
        let mut parts = version.split(['.', '-', '+']).map(str::parse);
        Some((parts.next()?.ok()?, parts.next()?.ok()?))
    };
    let ((client_major, client_minor), (server_major, server_minor)) = (parts(client)?, parts(server)?);
    let too_far = client_major != server_major || client_minor.abs_diff(server_minor) > MINORS_APART_MAX;
    too_far.then(|| {
        let older = if (client_major, client_minor) < (server_major, server_minor) {
            "ticketctl"
        } else {
            "the control plane"
        };
        format!(
            "ticketctl {client} and the control plane's {server} are more than one minor version apart: update {older}"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_minor_version_apart_is_fine_and_more_is_told() {
        for near in ["0.4.0", "0.3.9", "0.5.0-rc.1", "unknown", ""] {
            assert_eq!(skew_of("0.4.2", near), None, "{near}");
        }
        let told = |server| skew_of("0.4.2", server).unwrap();
        assert!(told("0.6.0").ends_with("update ticketctl"));
        assert!(told("0.2.0").ends_with("update the control plane"));
        assert!(told("1.4.0").ends_with("update ticketctl"));
    }
}
