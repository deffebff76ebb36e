//! Wires the operator: who leads, what is watched, what wakes a sale, when the process ends.

use crate::control_api::ControlApi;
use crate::events::Teller;
use crate::health::{self, CLUSTER, Gates, LEASE, SALES};
use crate::lease::{self, Claim, Elector};
use crate::reconcile::{self, Context, Guarded, chain};
use crate::{decide, load_run, trace};
use anyhow::{Context as _, bail};
use futures::{FutureExt as _, StreamExt as _};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use kube::api::ListParams;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::{Controller, controller, watcher};
use kube::{Api, Client, Resource as _, ResourceExt as _};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use urr_api::TicketSale;
use urr_api::spec::TargetSpec;

/// Looks at once. Each waits on the network most of the time; 500 sales due in one second are
/// through within it.
const LOOKS_AT_ONCE: u16 = 32;
/// A watch that says nothing for this long is asked again: a silently dead one is noticed within
/// a minute, not within five.
const WATCH_TIMEOUT_S: u32 = 55;
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
    let sales: Api<Guarded> = match &config.namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    };
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
    let watched = || watcher::Config::default().timeout(WATCH_TIMEOUT_S);
    let sales = Controller::new(of::<Guarded>(&client, config), watched());
    let controller = with_neighbours(sales, &client, config, &watched());
    let known = controller.store();
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
        watched(),
        told.clone(),
    );
    let recorder = trace::Recorder::new(&config.trace).context("the trace cannot be written")?;
    let context = Context::new(
        client,
        control,
        known.clone(),
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
    let looks = controller
        .with_config(controller::Config::default().concurrency(LOOKS_AT_ONCE))
        .graceful_shutdown_on(told.clone())
        .run(
            reconcile::reconcile,
            |sale, error, _| reconcile::on_error(&sale, error),
            Arc::new(context),
        )
        .for_each(|look| async move {
            // What a look itself could not do is logged by `on_error`; here it is the watches.
            if let Err(error @ (controller::Error::QueueError(_) | controller::Error::ObjectNotFound(_))) =
                look
            {
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

/// The objects that are watched.
fn of<K>(client: &Client, config: &Config) -> Api<K>
where
    K: kube::Resource<Scope = NamespaceResourceScope>,
    K::DynamicType: Default,
{
    match &config.namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    }
}

/// Wakes a sale by what its workloads, their autoscalers and its rehearsals do.
fn with_neighbours(
    sales: Controller<Guarded>,
    client: &Client,
    config: &Config,
    watched: &watcher::Config,
) -> Controller<Guarded> {
    let [of_workloads, of_autoscalers, of_runs] = [sales.store(), sales.store(), sales.store()];
    sales
        .watches(
            of::<Deployment>(client, config),
            watched.clone(),
            move |deployment| {
                let is_it = |target: &TargetSpec| target.name == deployment.name_any();
                let concerns = |sale: &TicketSale| sale.spec.targets.iter().any(is_it);
                sales_of(&of_workloads, deployment.metadata.namespace.as_deref(), concerns)
            },
        )
        .watches(
            of::<HorizontalPodAutoscaler>(client, config),
            watched.clone(),
            move |hpa| {
                let is_it = |target: &TargetSpec| {
                    let autoscaler = target.autoscaler.as_ref();
                    autoscaler.is_some_and(|autoscaler| autoscaler.name == hpa.name_any())
                };
                let concerns = |sale: &TicketSale| sale.spec.targets.iter().any(is_it);
                sales_of(&of_autoscalers, hpa.metadata.namespace.as_deref(), concerns)
            },
        )
        .watches(
            of::<load_run::Guarded>(client, config),
            watched.clone(),
            move |run| {
                let rehearses = run.0.as_ref().ok().map(|run| run.spec.sale_ref.name.clone());
                let concerns = |sale: &TicketSale| {
                    let name = sale.name_any();
                    rehearses
                        .as_deref()
                        .is_some_and(|of| decide::rehearsed_by(&name, &sale.spec) == Some(of))
                };
                sales_of(&of_runs, run.meta().namespace.as_deref(), concerns)
            },
        )
}

/// kube and reqwest bring a TLS implementation each; with two in a process rustls takes none by
/// itself and panics at the first connection. To be called before the first client.
pub fn choose_tls() {
    // An error says that one was chosen before: then there is one.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

/// The sales of `namespace` that something `concerns`.
fn sales_of(
    known: &Store<Guarded>,
    namespace: Option<&str>,
    concerns: impl Fn(&TicketSale) -> bool,
) -> Vec<ObjectRef<Guarded>> {
    known
        .state()
        .iter()
        .filter(|sale| sale.meta().namespace.as_deref() == namespace)
        .filter(|sale| sale.0.as_ref().is_ok_and(&concerns))
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
