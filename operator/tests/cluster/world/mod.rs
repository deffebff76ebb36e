//! A world for one test of the operator: a namespace with the RBAC of the manifests, the real URR control
//! plane on real stores, and operators that can be stopped, killed, and made to lose their connection.

mod sales;
mod services;

pub(crate) use sales::{holds, in_seconds, patch, phase, reason};
pub(crate) use services::Services;

use crate::common::{SOON, scope};
use futures::FutureExt as _;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use urr_kit::Ctx;
use urr_kit::clock::SystemClock;
use urr_kit::state::rooms::Rooms;
use urr_kit::testing::TestBed;
use urr_operator::run;
use urr_testkit::Scope;
use urr_testkit::proxy::{Faults, Proxy};

/// A control plane for sales, and an operator in a namespace of its own.
pub(crate) struct World {
    pub(crate) scope: Scope,
    _bed: TestBed,
    pub(crate) rooms: Rooms,
    pub(crate) services: Services,
    tasks: Vec<JoinHandle<()>>,
    pub(crate) control_url: String,
    pub(crate) control_token: String,
    /// What the operator writes to the cluster goes through here.
    pub(crate) faults: Faults,
    proxy: Proxy,
    _control_proxy: Proxy,
    pub(crate) lease_seconds: u64,
    /// Where the operator answers probes.
    pub(crate) listen: SocketAddr,
    /// What becomes of an operator that ends by itself.
    pub(crate) when_ended: WhenEnded,
    /// The operator is a process of its own, with this in `URR_SABOTAGE`; else it is a task of the test.
    pub(crate) process: Option<&'static str>,
    /// What it is told of runners.
    pub(crate) runners: urr_operator::load_run::Settings,
    /// Where it writes its looks down.
    trace: tempfile::TempDir,
    operator: Option<(CancellationToken, JoinHandle<()>)>,
}

/// What becomes of an operator that ends by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WhenEnded {
    /// It is started again, as Kubernetes does.
    Restarts,
    /// It stays down.
    StaysDown,
}

/// An operator beside the world's own.
pub(crate) struct Another {
    pub(crate) faults: Faults,
    running: JoinHandle<anyhow::Result<()>>,
    _proxy: Proxy,
}

impl Drop for Another {
    fn drop(&mut self) {
        self.running.abort();
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some((_, running)) = &self.operator {
            running.abort();
        }
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl World {
    pub(crate) async fn new(name: &str) -> Self {
        Self::within(scope(name).await, false).await
    }

    /// As [`World::new`], with what the operator says to the control API counted and made to fail like
    /// what it writes to the cluster.
    pub(crate) async fn with_every_write_counted(name: &str) -> Self {
        Self::within(scope(name).await, true).await
    }

    /// A world in a namespace of any cluster; `counts_control` as in [`World::with_every_write_counted`].
    pub(crate) async fn within(scope: Scope, counts_control: bool) -> Self {
        let bed = TestBed::new().await;
        let behind = Services::default();
        let services = bed.serve(behind.clone().router()).await;
        let mut settings = (*bed.ctx().settings).clone();
        settings.urls.booking.clone_from(&services);
        settings.urls.queue.clone_from(&services);
        let secrets = (*bed.ctx().secrets).clone();
        let ctx = Ctx::new(settings, secrets, Arc::new(SystemClock)).unwrap();
        let control = urr_controlplane::start(&ctx, urr_controlplane::Config::default())
            .await
            .unwrap();
        let control_url = bed.serve(control.internal).await;
        let tasks = control
            .tasks
            .into_iter()
            .map(|task| tokio::spawn(async move { task.future.await.unwrap() }))
            .collect();
        let faults = Faults::default();
        let who = format!("system:serviceaccount:{}:urr-operator", scope.namespace());
        let proxy = Proxy::to_cluster(scope.cluster().config_as(&who), faults.clone())
            .await
            .unwrap();
        let control_proxy = Proxy::to_url(&control_url, faults.clone()).await.unwrap();
        let control_url = if counts_control {
            control_proxy.url().to_owned()
        } else {
            control_url
        };
        allow_operator(&scope).await;
        let mut world = Self {
            rooms: Rooms::new(&ctx.dynamo().await),
            services: behind,
            control_token: ctx.secrets.control_api_token.clone(),
            scope,
            _bed: bed,
            tasks,
            control_url,
            faults,
            proxy,
            _control_proxy: control_proxy,
            // A busy machine loses a shorter one, and then time.
            lease_seconds: 9,
            listen: ([127, 0, 0, 1], 0).into(),
            when_ended: WhenEnded::Restarts,
            process: None,
            runners: urr_operator::load_run::Settings::default(),
            trace: tempfile::tempdir().unwrap(),
            operator: None,
        };
        world.start_operator();
        world
    }

    pub(crate) fn config(&self) -> run::Config {
        run::Config {
            control_url: self.control_url.clone(),
            control_api_token: self.control_token.clone(),
            namespace: Some(self.scope.namespace().to_owned()),
            lease_namespace: self.scope.namespace().to_owned(),
            lease_seconds: self.lease_seconds,
            listen: self.listen,
            runners: self.runners.clone(),
            trace: urr_operator::trace::Settings {
                file: Some(self.trace_file()),
                mib: 64,
            },
        }
    }

    /// Every look of the world's own operators; of one that is a process of its own, none.
    pub(crate) fn trace_file(&self) -> PathBuf {
        self.trace.path().join("trace.ndjson")
    }

    /// Another one beside the world's own, through a proxy of its own, until it is dropped.
    pub(crate) async fn another_operator(&self, config: run::Config) -> Another {
        let who = format!("system:serviceaccount:{}:urr-operator", self.scope.namespace());
        let config_as = self.scope.cluster().config_as(&who);
        Self::one_more(config_as, config).await
    }

    /// As [`World::another_operator`], with a lease in a namespace of its own: both lead. What it may do
    /// is not looked at: no RBAC of ours gives such a lease.
    pub(crate) async fn rival_operator(&self) -> Another {
        let elsewhere = self.scope.cluster().scope("elsewhere").await.unwrap();
        let mut config = self.config();
        elsewhere.namespace().clone_into(&mut config.lease_namespace);
        Self::one_more(self.scope.cluster().config(), config).await
    }

    async fn one_more(reaching: kube::Config, config: run::Config) -> Another {
        let faults = Faults::default();
        let proxy = Proxy::to_cluster(reaching, faults.clone()).await.unwrap();
        let client = proxy.client().unwrap();
        let running =
            tokio::spawn(async move { run::operate(client, &config, std::future::pending()).await });
        Another {
            faults,
            running,
            _proxy: proxy,
        }
    }

    /// Whether the operator's process would have ended.
    pub(crate) fn has_ended(&self) -> bool {
        self.operator
            .as_ref()
            .is_none_or(|(_, running)| running.is_finished())
    }

    /// Ends it as a kill does: nothing is finished, nothing given back.
    pub(crate) async fn kill_operator(&mut self) {
        let (_, running) = self.operator.take().unwrap();
        running.abort();
        let _ = running.await;
    }

    pub(crate) fn start_operator(&mut self) {
        let stop = CancellationToken::new();
        let told = stop.clone().cancelled_owned().shared();
        let when_ended = self.when_ended;
        let (config, client) = (self.config(), self.proxy.client().unwrap());
        let process = self.process.map(|sabotage| (sabotage, self.proxy.kubeconfig()));
        let running = tokio::spawn(async move {
            loop {
                let ended = match &process {
                    None => run::operate(client.clone(), &config, told.clone()).await,
                    Some((sabotage, kubeconfig)) => as_process(&config, sabotage, kubeconfig).await,
                };
                match (ended, when_ended) {
                    (Ok(()), _) | (Err(_), WhenEnded::StaysDown) => return,
                    (Err(error), WhenEnded::Restarts) => {
                        eprintln!("the operator is started again: {error:#}");
                    }
                }
            }
        });
        self.operator = Some((stop, running));
    }

    pub(crate) async fn stop_operator(&mut self) {
        let (stop, running) = self.operator.take().unwrap();
        stop.cancel();
        tokio::time::timeout(SOON, running).await.unwrap().unwrap();
    }
}

/// The real binary, until it ends; dropped, it is killed.
async fn as_process(config: &run::Config, sabotage: &str, kubeconfig: &str) -> anyhow::Result<()> {
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(file.path(), kubeconfig)?;
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_operator"));
    command
        .args(["run", "--control-url", &config.control_url])
        .args(["--namespace", config.namespace.as_deref().unwrap_or_default()])
        .args(["--lease-namespace", &config.lease_namespace])
        .args(["--lease-seconds", &config.lease_seconds.to_string()])
        .args(["--listen", &config.listen.to_string()])
        .env("CONTROL_API_TOKEN", &config.control_api_token)
        .env("KUBECONFIG", file.path())
        .env("URR_SABOTAGE", sabotage)
        .env("RUST_LOG", "off")
        .kill_on_drop(true);
    let ended = command.status().await?;
    anyhow::ensure!(ended.success(), "the operator ended: {ended}");
    Ok(())
}

/// The operator's own RBAC, as the manifests have it.
async fn allow_operator(scope: &Scope) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../manifests/base/operator-rbac.yaml");
    let text = std::fs::read_to_string(path).unwrap();
    let mut objects: Vec<Value> = serde_yaml::from_multiple(&text).unwrap();
    for object in &mut objects {
        for subject in object
            .get_mut("subjects")
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            subject["namespace"] = json!(scope.namespace());
        }
    }
    let text: String = objects.iter().map(|object| format!("---\n{object}\n")).collect();
    scope
        .kubectl_with(&["apply", "-f", "-"], &text)
        .await
        .unwrap()
        .ok()
        .unwrap();
}
