//! `operator explain SALE`: why a sale is where it is, what wakes it next, who owns which field, what is
//! short and what to do. What is there is read here; what is said about it is [`mod@text`], pure.

mod owners;
mod text;

pub use owners::{Owners, owners};
pub use text::text;

use crate::lease;
use crate::load_run;
use crate::targets::{Target, Workloads};
use anyhow::Context as _;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt as _};
use urr_api::{LoadRun, TicketSale};
use urr_core::time::Millis;

/// What to explain.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The TicketSale.
    pub sale: String,
    /// Its namespace; the one of the kubeconfig when left out.
    #[arg(long, short)]
    pub namespace: Option<String>,
    /// Namespace of the lease that says which replica leads; the sale's when left out.
    #[arg(long)]
    pub lease_namespace: Option<String>,
}

/// A workload that is moved for the sale, with who owns what of it.
#[derive(Debug, Clone)]
pub struct Moved {
    /// As the operator sees it.
    pub target: Target,
    /// `Deployment` or `HorizontalPodAutoscaler`, and its name.
    pub object: String,
    /// Who owns the count and our annotations.
    pub owners: Owners,
}

/// Everything an explanation takes.
#[derive(Debug, Clone)]
pub struct Observed {
    /// The sale.
    pub sale: TicketSale,
    /// Its workloads.
    pub moved: Vec<Moved>,
    /// What it names and is not there.
    pub missing: Vec<String>,
    /// LoadRuns of the sale that must have been rehearsed.
    pub runs: Vec<LoadRun>,
    /// Which replica of the operator leads, and when it last said so.
    pub leader: Option<(String, Option<Millis>)>,
}

/// Reads what there is and explains it.
///
/// # Errors
/// When the cluster does not answer, or has no such sale.
pub async fn explain(client: &Client, args: &Args, now: Millis) -> anyhow::Result<String> {
    let namespace = args
        .namespace
        .clone()
        .unwrap_or_else(|| client.default_namespace().to_owned());
    let sales: Api<TicketSale> = Api::namespaced(client.clone(), &namespace);
    let sale = sales
        .get_opt(&args.sale)
        .await
        .context("the cluster did not answer")?
        .with_context(|| format!("there is no TicketSale {} in namespace {namespace}", args.sale))?;
    let workloads = Workloads::of(client, &namespace);
    let autoscalers = workloads
        .autoscalers()
        .await
        .context("the autoscalers cannot be listed")?;
    let (targets, missing) = workloads
        .observe(&sale.spec.targets, &autoscalers)
        .await
        .context("the sale's workloads cannot be read")?;
    let mut moved = Vec::new();
    for target in targets {
        moved.push(with_owners(client, &namespace, target).await?);
    }
    let of = crate::decide::rehearsed_by(&args.sale, &sale.spec);
    let runs = match of {
        Some(of) => runs(client, &namespace, of).await?,
        None => Vec::new(),
    };
    let leases: Api<Lease> = Api::namespaced(
        client.clone(),
        args.lease_namespace.as_deref().unwrap_or(&namespace),
    );
    // Who may not read it is told so, and the rest all the same.
    let lease = leases.get_opt(lease::NAME).await.ok().flatten();
    let leader = lease.and_then(|lease| {
        let spec = lease.spec?;
        let renewed = spec.renew_time.map(|at| Millis(at.0.as_millisecond()));
        let holder = spec.holder_identity.filter(|holder| !holder.is_empty())?;
        Some((holder, renewed))
    });
    let observed = Observed {
        sale,
        moved,
        missing,
        runs,
        leader,
    };
    Ok(text(&observed, now))
}

async fn runs(client: &Client, namespace: &str, of: &str) -> anyhow::Result<Vec<LoadRun>> {
    let runs: Api<load_run::Guarded> = Api::namespaced(client.clone(), namespace);
    let only = ListParams::default().fields(&format!("spec.saleRef.name={of}"));
    let runs = runs.list(&only).await.context("LoadRuns cannot be listed")?;
    Ok(runs.items.into_iter().filter_map(|run| run.0.ok()).collect())
}

async fn with_owners(client: &Client, namespace: &str, target: Target) -> anyhow::Result<Moved> {
    use crate::targets::Moves;
    let (object, entries) = match &target.moves {
        Moves::Replicas => {
            let found: Api<Deployment> = Api::namespaced(client.clone(), namespace);
            let found = found.get(&target.name).await.context("a Deployment went away")?;
            (
                format!("Deployment {}", target.name),
                found.managed_fields().to_vec(),
            )
        }
        Moves::Floor { autoscaler, .. } => {
            let found: Api<HorizontalPodAutoscaler> = Api::namespaced(client.clone(), namespace);
            let found = found.get(autoscaler).await.context("an autoscaler went away")?;
            let name = format!("HorizontalPodAutoscaler {autoscaler}");
            (name, found.managed_fields().to_vec())
        }
    };
    let ours = |path: &str| {
        matches!(path, "spec.replicas" | "spec.minReplicas")
            || path.starts_with("metadata.annotations.urr.guru/")
    };
    Ok(Moved {
        target,
        object,
        owners: owners(&entries, ours),
    })
}

#[cfg(test)]
mod tests;
