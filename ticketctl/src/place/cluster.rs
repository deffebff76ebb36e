//! Sales in a cluster: TicketSales by kubeconfig. Changes are server-side applies or patches under
//! our own field manager, with who and why in annotations; the operator carries them on to the
//! control plane. What only the control plane does goes to it through a [`super::tunnel`].

use super::tunnel::ControlPlane;
use crate::{
    ask::SaidBy,
    cli::{DryRun, Globals},
    commands::get::Row,
    control,
    exit::Exit,
    failure::Failure,
    output::Cell,
    text::grouped,
};
use kube::{
    Api, Client, ResourceExt as _,
    api::{ListParams, Patch, PatchParams},
    config::{KubeConfigOptions, Kubeconfig},
};
use serde_json::{Value, json};
use urr_api::TicketSale;
use urr_core::sale::{Sale, Schedule};
use urr_kit::clock::SystemClock;
use urr_operator::mapping;

/// Who changes fields, for server-side apply.
pub(super) const MANAGER: &str = "ticketctl";
/// Who made the last change, and why.
pub(super) const ACTOR: &str = "urr.guru/changed-by";
pub(super) const REASON: &str = "urr.guru/change-reason";

/// A cluster and the namespace in it.
pub(crate) struct Cluster {
    client: Client,
    pub(super) sales: Api<TicketSale>,
    namespace: String,
}

impl Cluster {
    /// By kubeconfig, or from inside a pod.
    pub(crate) async fn connect(globals: &Globals) -> Result<Self, Failure> {
        // kube and reqwest bring a TLS implementation each; with two in a process rustls takes none by
        // itself. An error says that one was chosen before: then there is one.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let unusable = |error: &dyn std::error::Error| {
            Failure::bad_input("no cluster is configured")
                .because(error)
                .remedy("give --kubeconfig FILE, or set KUBECONFIG")
        };
        let options = KubeConfigOptions {
            context: globals.context.clone(),
            ..KubeConfigOptions::default()
        };
        let mut config = match &globals.kubeconfig {
            Some(file) => {
                let kubeconfig = Kubeconfig::read_from(file).map_err(|error| unusable(&error))?;
                kube::Config::from_custom_kubeconfig(kubeconfig, &options)
                    .await
                    .map_err(|error| unusable(&error))?
            }
            None if globals.context.is_some() => kube::Config::from_kubeconfig(&options)
                .await
                .map_err(|error| unusable(&error))?,
            None => kube::Config::infer().await.map_err(|error| unusable(&error))?,
        };
        if let Some(timeout) = globals.timeout {
            config.connect_timeout = Some(timeout);
            config.read_timeout = Some(timeout);
        }
        let namespace = globals
            .namespace
            .clone()
            .unwrap_or_else(|| config.default_namespace.clone());
        let client = Client::try_from(config).map_err(|error| unusable(&error))?;
        Ok(Self {
            sales: Api::namespaced(client.clone(), &namespace),
            client,
            namespace,
        })
    }

    /// The control API of this cluster, through the API server. It knows sales by the names of
    /// their TicketSales too.
    pub(crate) async fn control(&self, globals: &Globals) -> Result<control::Api, Failure> {
        let plane = ControlPlane::new(self.client.clone(), self.namespace.clone());
        let tunnel = plane.open().await?;
        let token = match &globals.token_file {
            Some(_) => super::token(globals)?,
            None => plane.token().await?,
        };
        let mut names = Vec::new();
        for sale in self.all().await? {
            if let Ok(id) = sale.spec.event_id.parse() {
                names.push((sale.name_any(), id));
            }
        }
        Ok(super::api(&tunnel.base, &token, globals)?.seen_as(tunnel.shown, names))
    }

    /// The API server's version.
    pub(crate) async fn version(&self) -> Result<String, Failure> {
        let version = self
            .client
            .apiserver_version()
            .await
            .map_err(|error| refused(&error))?;
        Ok(version.git_version)
    }

    /// The sale called `name`; without one the only one in the namespace.
    pub(crate) async fn one(&self, name: Option<&str>) -> Result<TicketSale, Failure> {
        if let Some(name) = name {
            return self.sales.get(name).await.map_err(|error| refused(&error));
        }
        let mut all = self.all().await?;
        match (all.pop(), all.is_empty()) {
            (Some(sale), true) => Ok(sale),
            (None, _) => Err(Failure::new(
                Exit::NotFound,
                format!("there is no TicketSale in namespace {}", self.namespace),
            )
            .remedy("another namespace? give -n NAME")),
            (Some(last), false) => {
                let names: Vec<String> = all.iter().chain([&last]).map(|sale| sale.name_any()).collect();
                Err(Failure::bad_input("which sale?").remedy(format!("there are: {}", names.join(", "))))
            }
        }
    }

    async fn all(&self) -> Result<Vec<TicketSale>, Failure> {
        let list = self
            .sales
            .list(&ListParams::default())
            .await
            .map_err(|error| refused(&error))?;
        Ok(list.items)
    }

    /// Sales as a list shows them.
    pub(crate) async fn rows(&self, wanted: &[String]) -> Result<Vec<Row>, Failure> {
        let sales = if wanted.is_empty() {
            self.all().await?
        } else {
            let mut sales = Vec::with_capacity(wanted.len());
            for name in wanted {
                sales.push(self.one(Some(name)).await?);
            }
            sales
        };
        sales.iter().map(row).collect()
    }

    /// A sale as a document and as a page.
    pub(crate) async fn describe(&self, name: Option<&str>) -> Result<(Value, String), Failure> {
        let sale = self.one(name).await?;
        let page = super::page::page(&sale, &self.namespace, SystemClock::shared().now());
        Ok((crate::commands::document(&sale)?, page))
    }

    /// The sale of core that `object` means.
    pub(crate) fn sale_of(&self, object: &TicketSale) -> Result<Sale, Failure> {
        mapping::sale(&object.name_any(), &object.spec).map_err(|problems| {
            let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
            Failure::bad_input(format!(
                "{} is no sound sale: {}",
                object.name_any(),
                problems.join("; ")
            ))
        })
    }

    /// Moves a sale's instants.
    pub(crate) async fn reschedule(
        &self,
        name: &str,
        known: &Schedule,
        schedule: &Schedule,
        said: &SaidBy,
        dry_run: DryRun,
    ) -> Result<TicketSale, Failure> {
        // Only what moves: an instant that is written anew is a moved one to the API server's rules, if
        // only by the microseconds that we do not know.
        let mut moved = serde_json::Map::new();
        for (field, from, to) in [
            ("preQueueAt", known.pre_queue_at, schedule.pre_queue_at),
            ("opensAt", known.opens_at, schedule.opens_at),
            ("closesAt", known.closes_at, schedule.closes_at),
        ] {
            if from != to {
                moved.insert(field.to_owned(), crate::commands::document(&mapping::time(to))?);
            }
        }
        let mut patch = json!({"spec": {"schedule": moved}});
        note(&mut patch, said);
        let params = PatchParams {
            dry_run: dry_run == DryRun::Server,
            field_manager: Some(MANAGER.to_owned()),
            ..PatchParams::default()
        };
        self.sales
            .patch(name, &params, &Patch::Merge(&patch))
            .await
            .map_err(|error| match refused(&error) {
                // There is no file to be validated: it is what the sale is doing that forbids it.
                failure if failure.exit == Exit::BadInput => failure
                    .exiting(Exit::Conflict)
                    .remedy(format!("`ticketctl describe {name}` tells what it is doing")),
                failure => failure,
            })
    }
}

/// Writes who and why into the object.
pub(super) fn note(object: &mut Value, said: &SaidBy) {
    object["metadata"]["annotations"][ACTOR] = said.actor.clone().into();
    object["metadata"]["annotations"][REASON] = said.reason.clone().into();
}

fn row(sale: &TicketSale) -> Result<Row, Failure> {
    let spec = &sale.spec;
    let status = sale.status.clone().unwrap_or_default();
    let ready = status
        .conditions
        .iter()
        .find(|condition| condition.type_ == "Ready");
    let number = |n: Option<i32>| Cell::from(n.and_then(|n| u32::try_from(n).ok()));
    let positive = |n: i32| u32::try_from(n).unwrap_or(0);
    Ok(Row {
        name: sale.name_any(),
        cells: vec![
            sale.name_any().into(),
            status.phase.clone().unwrap_or_else(|| "?".to_owned()).into(),
            crate::text::instant(mapping::millis(&spec.schedule.opens_at)).into(),
            Cell::Number(format!(
                "{}/s",
                grouped(u64::from(positive(spec.admission.rate_per_second)))
            )),
            positive(spec.admission.cap).into(),
            positive(spec.seats).into(),
            match ready {
                Some(ready) if ready.status == "True" => "in place".into(),
                Some(ready) => ready.reason.clone().into(),
                None => "unknown".into(),
            },
            spec.event_id.clone().into(),
            number(status.ready_replicas),
            number(status.desired_replicas),
            sale.metadata
                .generation
                .and_then(|n| u64::try_from(n).ok())
                .into(),
        ],
        document: crate::commands::document(sale)?,
    })
}

/// What the API server said, with the exit code that tells scripts.
pub(super) fn refused(error: &kube::Error) -> Failure {
    match error {
        kube::Error::Api(status) => {
            let (exit, remedy) = match status.code {
                401 | 403 => (
                    Exit::Denied,
                    Some("what may you do there? kubectl auth can-i --list"),
                ),
                404 => (
                    Exit::NotFound,
                    Some("`ticketctl get` lists what there is; are the CRDs installed?"),
                ),
                409 => (
                    Exit::Conflict,
                    Some("somebody else owns or changed it: look and try again"),
                ),
                422 => (
                    Exit::BadInput,
                    Some("`ticketctl validate FILE` checks the same rules"),
                ),
                504 => (Exit::Unreachable, None),
                _ => (Exit::Failure, None),
            };
            let failure = Failure::new(exit, format!("the API server refused: {}", status.message));
            match remedy {
                Some(remedy) => failure.remedy(remedy),
                None => failure,
            }
        }
        other => Failure::new(Exit::Unreachable, "the API server does not answer")
            .because(other)
            .remedy("is the cluster up, and is it the right context?"),
    }
}
