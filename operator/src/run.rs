//! Wires the controller: what is watched, what wakes a sale, when the process ends.

use crate::control_api::ControlApi;
use crate::reconcile::{self, Context, chain};
use anyhow::Context as _;
use futures::StreamExt as _;
use k8s_openapi::api::apps::v1::Deployment;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::{Controller, controller, watcher};
use kube::{Api, Client, ResourceExt as _};
use std::sync::Arc;
use tokio::signal::unix::{SignalKind, signal};
use urr_api::TicketSale;

/// Looks at once. Each waits on the network most of the time; 500 sales due in one second are
/// through within it.
const LOOKS_AT_ONCE: u16 = 32;
/// A watch that says nothing for this long is asked again: a silently dead one is noticed within
/// a minute, not within five.
const WATCH_TIMEOUT_S: u32 = 55;

/// Settings of `operator run`.
#[derive(clap::Args, Clone)]
pub struct Config {
    /// Base URL of the control API.
    #[arg(
        long = "control-url",
        env = "CONTROL_API_URL",
        default_value = "http://127.0.0.1:3010"
    )]
    pub control_url: String,
    /// Bearer token of the control API.
    #[arg(long, env = "CONTROL_API_TOKEN", hide_env_values = true)]
    pub control_api_token: String,
    /// Namespace to watch; all of them when left out.
    #[arg(long, env = "WATCH_NAMESPACE")]
    pub namespace: Option<String>,
}

/// Reconciles until SIGTERM or Ctrl-C. Sales in hand are finished first.
///
/// # Errors
/// When the cluster cannot be reached at the start.
pub async fn run(config: Config) -> anyhow::Result<()> {
    choose_tls();
    let client = Client::try_default()
        .await
        .context("no cluster: set KUBECONFIG or run in one")?;
    // Before anything else: a signal that comes during the start counts.
    let mut terminated = signal(SignalKind::terminate()).context("SIGTERM cannot be caught")?;
    let told = async move {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminated.recv() => {}
        }
    };
    operate(client, &config, told).await
}

/// Reconciles the cluster of `client` until `told`. Sales in hand are finished first.
///
/// # Errors
/// When a client cannot be built.
pub async fn operate(
    client: Client,
    config: &Config,
    told: impl Future<Output = ()> + Send + Sync + 'static,
) -> anyhow::Result<()> {
    let http = reqwest::Client::builder()
        .build()
        .context("the HTTP client could not be built")?;
    let control = ControlApi::new(http, &config.control_url, &config.control_api_token);
    let (sales, deployments) = match &config.namespace {
        Some(namespace) => (
            Api::namespaced(client.clone(), namespace),
            Api::namespaced(client.clone(), namespace),
        ),
        None => (
            Api::<TicketSale>::all(client.clone()),
            Api::<Deployment>::all(client.clone()),
        ),
    };
    let watched = || watcher::Config::default().timeout(WATCH_TIMEOUT_S);
    let controller = Controller::new(sales, watched());
    let known = controller.store();
    controller
        .watches(deployments, watched(), move |deployment| {
            sales_of(&known, &deployment)
        })
        .with_config(controller::Config::default().concurrency(LOOKS_AT_ONCE))
        .graceful_shutdown_on(told)
        .run(
            reconcile::reconcile,
            |sale, error, _| reconcile::on_error(&sale, error),
            Arc::new(Context::new(client, control)),
        )
        .for_each(|look| async move {
            // What a look itself could not do is logged by `on_error`; here it is the watches.
            if let Err(error @ (controller::Error::QueueError(_) | controller::Error::ObjectNotFound(_))) =
                look
            {
                tracing::warn!(error = chain(&error), "watching");
            }
        })
        .await;
    Ok(())
}

/// kube and reqwest bring a TLS implementation each; with two in a process rustls takes none by
/// itself and panics at the first connection.
fn choose_tls() {
    // An error says that one was chosen before: then there is one.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

/// The sales that a change of `deployment` concerns.
fn sales_of(known: &Store<TicketSale>, deployment: &Deployment) -> Vec<ObjectRef<TicketSale>> {
    let (name, namespace) = (deployment.name_any(), deployment.namespace());
    known
        .state()
        .iter()
        .filter(|sale| sale.namespace() == namespace)
        .filter(|sale| sale.spec.targets.iter().any(|target| target.name == name))
        .map(|sale| ObjectRef::from_obj(sale.as_ref()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_client_for_a_cluster_with_tls_can_be_built_beside_our_own_http_client() {
        choose_tls();
        let config = kube::Config::new("https://127.0.0.1:6443".parse().unwrap());
        assert!(Client::try_from(config).is_ok());
        assert!(reqwest::Client::builder().build().is_ok());
    }
}
