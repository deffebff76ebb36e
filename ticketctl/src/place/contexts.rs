//! The places there are: drills that run on this machine and clusters of the kubeconfig, and which of
//! them a command would speak to. Nobody is asked over the network.

use crate::{cli::Globals, failure::Failure, running};
use serde::Serialize;

/// A place to speak to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Context {
    /// Whether commands with these flags go there.
    pub(crate) in_use: bool,
    /// What it is called.
    pub(crate) name: String,
    /// `control API`, `drill` or `cluster`.
    pub(crate) kind: &'static str,
    /// Its address.
    pub(crate) at: String,
    /// The namespace that is meant, of a cluster.
    pub(crate) namespace: Option<String>,
    /// Why it is the one.
    pub(crate) because: &'static str,
}

/// All of them, in the order in which [`super::find`] looks.
pub(crate) fn contexts(globals: &Globals) -> Result<Vec<Context>, Failure> {
    let mut found = Vec::new();
    if let Some(url) = &globals.control {
        found.push(Context {
            in_use: true,
            name: url.clone(),
            kind: "control API",
            at: url.clone(),
            namespace: None,
            because: "--control or TICKETCTL_CONTROL_URL",
        });
    }
    let named = globals.context.is_some() || globals.namespace.is_some() || globals.kubeconfig.is_some();
    let clusters_first = named || globals.as_plugin;
    for drill in running::all() {
        found.push(Context {
            in_use: !clusters_first && found.is_empty(),
            name: drill.title,
            kind: "drill",
            at: drill.control_url,
            namespace: None,
            because: "it runs on this machine",
        });
    }
    let taken = found.iter().any(|context| context.in_use);
    for mut cluster in clusters(globals)? {
        cluster.in_use &= !taken;
        cluster.because = if named {
            "--context, --namespace or --kubeconfig"
        } else {
            "the kubeconfig's current context"
        };
        found.push(cluster);
    }
    Ok(found)
}

#[cfg(feature = "cluster")]
fn clusters(globals: &Globals) -> Result<Vec<Context>, Failure> {
    use kube::config::Kubeconfig;
    let read = match &globals.kubeconfig {
        Some(file) => Kubeconfig::read_from(file)
            .map_err(|error| Failure::bad_input(format!("cannot read {}", file.display())).because(&error))?,
        // None is no mistake: there may be drills only.
        None => match Kubeconfig::read() {
            Ok(read) => read,
            Err(_) => return Ok(Vec::new()),
        },
    };
    let current = globals.context.clone().or(read.current_context);
    let contexts = read.contexts.into_iter().map(|named| {
        let in_use = Some(&named.name) == current.as_ref();
        let context = named.context.unwrap_or_default();
        let cluster = read.clusters.iter().find(|one| one.name == context.cluster);
        let server = cluster.and_then(|one| one.cluster.as_ref()?.server.clone());
        let namespace = globals.namespace.clone().filter(|_| in_use).or(context.namespace);
        Context {
            in_use,
            name: named.name,
            kind: "cluster",
            at: server.unwrap_or_else(|| context.cluster.clone()),
            namespace: Some(namespace.unwrap_or_else(|| "default".to_owned())),
            because: "",
        }
    });
    Ok(contexts.collect())
}

#[cfg(not(feature = "cluster"))]
fn clusters(_: &Globals) -> Result<Vec<Context>, Failure> {
    Ok(Vec::new())
}
