//! A cluster to test against: a private one, started once per test process, or the one that
//! `USE_EXISTING_CLUSTER=true` and `KUBECONFIG` name (the ecosystem's convention; `cluster with`
//! sets both, so that the test binaries of one `make test` share one).

use crate::assets::Assets;
use crate::control_plane::ControlPlane;
use crate::{Error, Output, Scope, eventually, kubectl, nodes};
use http::Request;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OnceCell;
use tokio::task::spawn_blocking;

/// Three seconds on a quiet machine; the compiler of a neighbour can take both cores for long.
const API_SERVER_START: Duration = Duration::from_secs(120);
/// How often a start is tried: a port may be taken between looking and using.
const STARTS_MAX: u32 = 3;

/// A control plane with fake nodes. Dropping a private one ends it.
pub struct Cluster {
    config: Config,
    kubeconfig: PathBuf,
    /// Ours, unless the cluster was there before.
    own: Option<ControlPlane>,
    kubectl: PathBuf,
}

static SHARED: OnceCell<Arc<Cluster>> = OnceCell::const_new();

impl Cluster {
    /// The cluster of this test process, started at the first call. It ends with the process.
    ///
    /// # Errors
    /// When there is none and none can be started; the message says what to do.
    pub async fn shared() -> Result<Arc<Self>, Error> {
        let start = || async {
            if std::env::var("USE_EXISTING_CLUSTER").is_ok_and(|value| value == "true" || value == "1") {
                Self::existing().await.map(Arc::new)
            } else {
                Self::start().await.map(Arc::new)
            }
        };
        SHARED.get_or_try_init(start).await.map(Arc::clone)
    }

    /// The cluster that `KUBECONFIG` (or a Pod's ServiceAccount) names.
    ///
    /// # Errors
    /// When there is none, or it has no usable `kubectl`.
    pub async fn existing() -> Result<Self, Error> {
        choose_tls();
        let config = Config::infer().await.map_err(Error::NoExistingCluster)?;
        let home = std::env::var_os("HOME").unwrap_or_default();
        let kubeconfig = std::env::var_os("KUBECONFIG")
            .map_or_else(|| PathBuf::from(home).join(".kube/config"), PathBuf::from);
        let assets = spawn_blocking(Assets::find).await.map_err(joined)??;
        let cluster = Self {
            config,
            kubeconfig,
            own: None,
            kubectl: assets.program("kubectl"),
        };
        cluster.await_answer().await?;
        Ok(cluster)
    }

    /// A private cluster with three fake nodes in three zones, ready to take Pods.
    ///
    /// # Errors
    /// When binaries are missing or a process does not come up.
    pub async fn start() -> Result<Self, Error> {
        choose_tls();
        let assets = spawn_blocking(Assets::find).await.map_err(joined)??;
        let mut tried = 1;
        loop {
            match Self::try_start(assets.clone()).await {
                Err(Error::DidNotStart { problem, log, .. })
                    if tried < STARTS_MAX && log.contains("address already in use") =>
                {
                    tracing::warn!(problem, "a port was taken, trying others");
                    tried += 1;
                }
                outcome => return outcome,
            }
        }
    }

    async fn try_start(assets: Assets) -> Result<Self, Error> {
        let kubectl = assets.program("kubectl");
        let control_plane = spawn_blocking(move || ControlPlane::start(&assets))
            .await
            .map_err(joined)??;
        let kubeconfig = control_plane.admin_kubeconfig().to_owned();
        // The kubeconfig names the certificate, which the API server writes as one of its first acts.
        let config = eventually(API_SERVER_START, "a certificate of the API server", async || {
            if control_plane.api_server_ended().is_some() {
                return Ok(None);
            }
            config_from(&kubeconfig)
                .await
                .map(Some)
                .map_err(|error| error.to_string())
        })
        .await?;
        let Some(config) = config else {
            return Err(control_plane
                .api_server_ended()
                .unwrap_or(Error::NotOurs { what: "a start" }));
        };
        let mut cluster = Self {
            config,
            kubeconfig,
            own: Some(control_plane),
            kubectl,
        };
        cluster.await_answer().await?;
        if let Some(own) = &mut cluster.own {
            own.start_others()?;
        }
        nodes::make_usual(&cluster).await?;
        Ok(cluster)
    }

    /// Waits until the API server says that it is ready.
    ///
    /// # Errors
    /// When it does not within two minutes, with the end of its log.
    pub async fn await_answer(&self) -> Result<(), Error> {
        let client = self.client()?;
        let ready = eventually(API_SERVER_START, "an API server that is ready", async || {
            if let Some(ended) = self.own.as_ref().and_then(ControlPlane::api_server_ended) {
                return Ok(Err(ended));
            }
            let request = Request::get("/readyz")
                .body(Vec::new())
                .map_err(|error| error.to_string())?;
            match client.request_text(request).await {
                Ok(_) => Ok(Ok(())),
                Err(error) => Err(error.to_string()),
            }
        })
        .await;
        match (ready, &self.own) {
            (Ok(outcome), _) => outcome,
            (Err(Error::Timeout { seen, .. }), Some(own)) => Err(Error::DidNotStart {
                program: "kube-apiserver",
                problem: seen,
                log: own.log_of("kube-apiserver"),
            }),
            (Err(error), _) => Err(error),
        }
    }

    /// How to reach it as administrator.
    #[must_use]
    pub fn config(&self) -> Config {
        self.config.clone()
    }

    /// How to reach it as somebody else: a ServiceAccount is
    /// `system:serviceaccount:<namespace>:<name>`. What RBAC does not give, it does not get.
    #[must_use]
    pub fn config_as(&self, user: &str) -> Config {
        let mut config = self.config();
        config.auth_info.impersonate = Some(user.to_owned());
        config
    }

    /// A client as administrator. It belongs to the runtime that asks.
    ///
    /// # Errors
    /// When the configuration cannot be used.
    pub fn client(&self) -> Result<Client, Error> {
        Ok(Client::try_from(self.config())?)
    }

    /// The administrator's kubeconfig, for programs that want a file.
    #[must_use]
    pub fn kubeconfig_path(&self) -> &Path {
        &self.kubeconfig
    }

    /// Whether this cluster was started by us and has fake nodes.
    #[must_use]
    pub const fn is_own(&self) -> bool {
        self.own.is_some()
    }

    /// The directory of a private cluster: logs of its processes.
    #[must_use]
    pub fn dir(&self) -> Option<&Path> {
        self.own.as_ref().map(ControlPlane::dir)
    }

    /// The program `name` that belongs to this cluster, for example `kwok`.
    #[must_use]
    pub fn program(&self, name: &str) -> Option<PathBuf> {
        self.own.as_ref().map(|own| own.assets().program(name))
    }

    /// A namespace of its own for one test; `name` begins its name.
    ///
    /// # Errors
    /// When the API server does not make it.
    pub async fn scope(self: &Arc<Self>, name: &str) -> Result<Scope, Error> {
        Scope::make(Arc::clone(self), name).await
    }

    /// Installs definitions and waits until they are served.
    ///
    /// # Errors
    /// When the API server refuses one.
    pub async fn install(&self, crds: &[CustomResourceDefinition]) -> Result<(), Error> {
        crate::crds::install(&self.client()?, crds).await
    }

    /// Runs the real `kubectl` as administrator.
    ///
    /// # Errors
    /// When it cannot be run. What it says and how it ends is in the answer.
    pub async fn kubectl<A: AsRef<str>>(&self, args: &[A]) -> Result<Output, Error> {
        kubectl::run(&self.kubectl, &self.kubeconfig, args, None).await
    }

    /// As [`Cluster::kubectl`], with `input` on its standard input (`apply -f -`).
    ///
    /// # Errors
    /// When it cannot be run.
    pub async fn kubectl_with<A: AsRef<str>>(&self, args: &[A], input: &str) -> Result<Output, Error> {
        kubectl::run(&self.kubectl, &self.kubeconfig, args, Some(input)).await
    }

    /// Kills the API server and starts it again, as when its machine is replaced. Connections break,
    /// watches end; what is stored stays. Only for a cluster of one's own ([`Cluster::start`]): other
    /// tests use the shared one.
    ///
    /// # Errors
    /// When the cluster is not ours, or the server does not come back.
    pub async fn restart_api_server(&self) -> Result<(), Error> {
        let own = self.own.as_ref().ok_or(Error::NotOurs {
            what: "restarting the API server",
        })?;
        own.restart_api_server()?;
        self.await_answer().await
    }

    /// Ends a private cluster and removes its directory.
    ///
    /// # Errors
    /// When the directory cannot be removed.
    pub fn stop(self) -> Result<(), Error> {
        self.own.map_or(Ok(()), ControlPlane::stop)
    }
}

async fn config_from(kubeconfig: &Path) -> Result<Config, Error> {
    let read = Kubeconfig::read_from(kubeconfig)?;
    Ok(Config::from_custom_kubeconfig(read, &KubeConfigOptions::default()).await?)
}

/// kube and reqwest bring a TLS implementation each; with two in a process rustls takes none by itself.
fn choose_tls() {
    // An error says that one was chosen before: then there is one.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

fn joined(error: tokio::task::JoinError) -> Error {
    Error::Io {
        doing: "run the cluster's starter",
        source: error.into(),
    }
}
