//! Wires the operator: who leads, what is watched, what wakes a sale, when the process ends.

use crate::control_api::ControlApi;
use crate::events::Teller;
use crate::health::{self, CLUSTER, Gates, LEASE, SALES};
use crate::lease::{self, Claim, Elector};
use crate::reconcile::{self, Context, Guarded, chain};
use crate::wake::{self, Scope};
use crate::{load_run, trace};
use anyhow::{Context as _, bail};
use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _};
use kube::api::ListParams;
use kube::runtime::applier;
use kube::runtime::controller::{self, Action};
use kube::{Api, Client};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument as _;

/// Looks at once. Each waits on the network most of the time; 500 sales due in one second are
/// through within it, where the API server is quick.
const LOOKS_AT_ONCE: u16 = 32;
/// How often the definitions are looked for while they are not there.
const DEFINITIONS_PERIOD: Duration = Duration::from_secs(2);

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
    /// Namespace of the lease that says which replica leads.
    #[arg(long, env = "POD_NAMESPACE", default_value = "default")]
    pub lease_namespace: String,
    /// How long that lease lasts, in seconds: a leader that crashes is followed within it.
    #[arg(long, env = "OPERATOR_LEASE_SECONDS", default_value_t = lease::DURATION.as_secs(), value_parser = clap::value_parser!(u64).range(1..=60))]
    pub lease_seconds: u64,
    /// Address of /live, /ready and /metrics.
    #[arg(long, env = "OPERATOR_LISTEN", default_value = "0.0.0.0:8080")]
    pub listen: SocketAddr,
    /// The Pods of LoadRuns.
    #[command(flatten)]
    pub runners: load_run::Settings,
    /// What is written down of every look.
    #[command(flatten)]
    pub trace: trace::Settings,
}

impl Config {
    fn scope(&self, client: &Client) -> Scope {
        Scope {
            client: client.clone(),
            namespace: self.namespace.clone(),
        }
    }
}

/// Reconciles until SIGTERM or Ctrl-C. Sales in hand are finished first.
///
/// # Errors
/// When the cluster cannot be reached at the start, the lease is lost, or anything that must run has
/// ended: the process should be started anew.
pub async fn run(config: Config) -> anyhow::Result<()> {
    choose_tls();
    health::record_metrics();
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
/// As [`run`].
pub async fn operate(
    client: Client,
    config: &Config,
    told: impl Future<Output = ()> + Send + Sync + 'static,
) -> anyhow::Result<()> {
    let gates = Gates::default();
    let listener = TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("cannot listen on {}", config.listen))?;
    let told = told.shared();
    let leases = Api::namespaced(client.clone(), &config.lease_namespace);
    let identity = lease::identity();
    let mut elector = Elector::new(
        leases,
        identity.clone(),
        Duration::from_secs(config.lease_seconds),
    );
    let claim = elector.claim();
    let looks = async {
        tokio::select! {
            () = told.clone() => return Ok(()),
            () = stand_by(&client, config, &mut elector, &gates) => {}
        }
        tracing::info!(identity, "this replica leads");
        metrics::gauge!("operator_leads").set(1.0);
        let ended = tokio::select! {
            looked = lead(client.clone(), config, &identity, &claim, &gates, told.clone()) => looked,
            lost = elector.keep() => Err(lost.into()),
        };
        metrics::gauge!("operator_leads").set(0.0);
        elector.resign().await;
        ended
    };
    tokio::select! {
        ended = looks => ended,
        served = health::serve(listener, gates.clone()) => {
            served.context("the listener for probes broke")?;
            bail!("the listener for probes ended")
        }
    }
}

/// Waits until the definitions are there and this replica leads.
async fn stand_by(client: &Client, config: &Config, elector: &mut Elector, gates: &Gates) {
    let sales = config.scope(client).of::<Guarded>();
    while let Err(error) = sales.list(&ListParams::default().limit(1)).await {
        tracing::warn!(error = chain(&error), "the sales cannot be listed");
        gates.shut(
            CLUSTER,
            format!("the TicketSales cannot be listed: {}", chain(&error)),
        );
        tokio::time::sleep(DEFINITIONS_PERIOD).await;
    }
    gates.open(CLUSTER);
    let waiting = |what: &str| {
        // Standing by for one that leads is all that a second replica is for.
        if what.ends_with("leads") {
            gates.open(LEASE);
        } else {
            gates.shut(LEASE, what);
        }
    };
    elector.acquire(waiting).await;
    gates.open(LEASE);
}

/// Looks at sales until `told`.
async fn lead(
    client: Client,
    config: &Config,
    identity: &str,
    claim: &Claim,
    gates: &Gates,
    told: impl Future<Output = ()> + Clone + Send + Sync + 'static,
) -> anyhow::Result<()> {
    let http = reqwest::Client::builder()
        .build()
        .context("the HTTP client could not be built")?;
    let control = ControlApi::new(http, &config.control_url, &config.control_api_token);
    let watches = wake::watch(&config.scope(&client));
    let known = watches.sales.clone();
    let teller = Teller::new(client.clone(), identity.to_owned(), claim.clone());
    let runs = load_run::run(
        load_run::Context::new(
            client.clone(),
            claim.clone(),
            config.runners.clone(),
            config.lease_namespace.clone(),
            identity,
        ),
        config.namespace.as_deref(),
        Scope::watched(),
        told.clone(),
    );
    let recorder = trace::Recorder::new(&config.trace).context("the trace cannot be written")?;
    let context = Context::new(
        client,
        control,
        &watches,
        claim.clone(),
        teller,
        gates.clone(),
        recorder,
    );
    gates.shut(SALES, "they have not been listed yet");
    let listed = async {
        if known.wait_until_ready().await.is_ok() {
            gates.open(SALES);
        }
        std::future::pending::<()>().await;
    };
    let looks = applier(
        |sale, context| on_its_own(reconcile::reconcile(sale, context)),
        |sale, error, _| reconcile::on_error(&sale, error),
        Arc::new(context),
        watches.sales,
        watches.wakes.take_until(told.clone()),
        controller::Config::default().concurrency(LOOKS_AT_ONCE),
    )
    .for_each(|look| async move {
        // What a look itself could not do is logged by `on_error`; here it is the watches.
        if let Err(error @ (controller::Error::QueueError(_) | controller::Error::ObjectNotFound(_))) = look {
            tracing::warn!(error = chain(&error), "watching");
        }
    });
    let mut looks = std::pin::pin!(looks);
    let mut runs = std::pin::pin!(runs);
    tokio::select! {
        () = &mut looks => {
            if told.clone().now_or_never().is_some() {
                runs.await;
            }
        }
        () = &mut runs => {
            if told.clone().now_or_never().is_some() {
                looks.await;
            }
        }
        () = listed => {}
    }
    if told.now_or_never().is_none() {
        bail!("a controller ended by itself");
    }
    Ok(())
}

/// As a task, so that looks share the cores; it ends with whoever waits for it. One that panics ends the
/// process, like any task that ends.
fn on_its_own(
    look: impl Future<Output = Result<Action, reconcile::Error>> + Send + 'static,
) -> BoxFuture<'static, Result<Action, reconcile::Error>> {
    let look = AbortOnDropHandle::new(tokio::spawn(look.in_current_span()));
    let outcome = async {
        match look.await {
            Ok(looked) => looked,
            Err(ended) if ended.is_panic() => std::panic::resume_unwind(ended.into_panic()),
            // The runtime goes down.
            Err(_) => std::future::pending().await,
        }
    };
    outcome.boxed()
}

/// kube and reqwest bring a TLS implementation each; with two in a process rustls takes none by
/// itself and panics at the first connection. To be called before the first client.
pub fn choose_tls() {
    // An error says that one was chosen before: then there is one.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
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
