//! Where the sales are that a command is about: a control API, or a cluster.

#[cfg(feature = "cluster")]
pub(crate) mod cluster;
mod contexts;
#[cfg(feature = "cluster")]
pub(crate) mod declare;
#[cfg(feature = "cluster")]
mod page;
mod sale;
#[cfg(feature = "cluster")]
mod tunnel;
#[cfg(test)]
pub(crate) use sale::tests;

pub(crate) use contexts::{Context, contexts};
pub(crate) use sale::{refused, resolve};

use crate::{
    cli::Globals,
    control::Api,
    exit::Exit,
    failure::Failure,
    running::{self, Running},
};
use std::{io::Read as _, path::Path};

/// Where sales are.
pub(crate) enum Place {
    /// A control API; with the drill it belongs to, if it is one of this machine.
    Control(Api, Option<Box<Running>>),
    /// A Kubernetes cluster.
    #[cfg(feature = "cluster")]
    Cluster(Box<cluster::Cluster>),
}

/// Finds it: `--control`, the cluster that flags name, the drill that runs, the kubeconfig's.
pub(crate) async fn find(globals: &Globals) -> Result<Place, Failure> {
    if let Some(url) = &globals.control {
        let token = token(globals)?;
        return Ok(Place::Control(api(url, &token, globals)?, None));
    }
    let named = globals.context.is_some() || globals.namespace.is_some() || globals.kubeconfig.is_some();
    if named || globals.as_plugin {
        return cluster(globals).await;
    }
    let mut drills = running::all();
    if let Some(drill) = drills.pop() {
        if !drills.is_empty() {
            let others: Vec<String> = drills
                .iter()
                .map(|d| format!("{} ({})", d.title, d.control_url))
                .collect();
            return Err(
                Failure::bad_input(format!("{} drills run on this machine", others.len() + 1)).remedy(
                    format!(
                        "say which with --control URL: {} ({}), {}",
                        drill.title,
                        drill.control_url,
                        others.join(", ")
                    ),
                ),
            );
        }
        let api = api(&drill.control_url, &drill.token, globals)?;
        return Ok(Place::Control(api, Some(Box::new(drill))));
    }
    cluster(globals).await.map_err(|failure| {
        failure.remedy(
            "start a drill (ticketctl drill ...), give --control URL with --token-file FILE, or a kubeconfig",
        )
    })
}

/// The same, for what only a control API can do: of a cluster it is reached through the API server.
pub(crate) async fn control(globals: &Globals) -> Result<(Api, Option<Box<Running>>), Failure> {
    match find(globals).await? {
        Place::Control(api, drill) => Ok((api, drill)),
        #[cfg(feature = "cluster")]
        Place::Cluster(cluster) => Ok((cluster.control(globals).await?, None)),
    }
}

fn api(url: &str, token: &str, globals: &Globals) -> Result<Api, Failure> {
    Api::new(url, token, globals.timeout)
        .map_err(|error| Failure::new(Exit::Failure, "cannot build an HTTP client").because(&error))
}

/// The token in the file that was named.
pub(crate) fn token(globals: &Globals) -> Result<String, Failure> {
    let Some(file) = &globals.token_file else {
        return Err(Failure::bad_input("the control API asks for a token")
            .remedy("put it into a file only you can read and give --token-file FILE"));
    };
    let text = if file == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        std::fs::read_to_string(file)
    };
    match text {
        Ok(text) if !text.trim().is_empty() => Ok(text.trim().to_owned()),
        Ok(_) => Err(Failure::bad_input(format!("{} is empty", file.display()))
            .remedy("put the control API's token into it")),
        Err(error) => {
            Err(Failure::bad_input(format!("cannot read the token in {}", file.display())).because(&error))
        }
    }
}

#[cfg(feature = "cluster")]
async fn cluster(globals: &Globals) -> Result<Place, Failure> {
    Ok(Place::Cluster(Box::new(
        cluster::Cluster::connect(globals).await?,
    )))
}

#[cfg(not(feature = "cluster"))]
async fn cluster(_: &Globals) -> Result<Place, Failure> {
    Err(Failure::bad_input(
        "no drill runs on this machine, and this build knows no clusters",
    ))
}
