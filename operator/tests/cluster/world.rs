//! A world for one test of the operator: a namespace with the RBAC of the manifests, the real URR control
//! plane on real stores, and operators that can be stopped, killed, and made to lose their connection.

use crate::common::{SOON, sale, scope, set};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, put};
use axum::{Json, Router};
use futures::FutureExt as _;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use urr_api::TicketSale;
use urr_core::room::Room;
use urr_kit::Ctx;
use urr_kit::clock::{Clock as _, SystemClock};
use urr_kit::state::rooms::Rooms;
use urr_kit::testing::TestBed;
use urr_operator::run;
use urr_testkit::proxy::{Faults, Proxy};
use urr_testkit::{Scope, eventually};
use uuid::Uuid;

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
    /// What it writes down.
    pub(crate) trace: urr_operator::trace::Settings,
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

/// The services behind the door, as far as the control plane asks them: what they say can be changed.
#[derive(Clone)]
pub(crate) struct Services {
    pub(crate) seats: Arc<Mutex<Value>>,
    /// Tier 2's figures and how the services feel; they do not say while there is nothing.
    pub(crate) queue: Arc<Mutex<Option<Value>>>,
    pub(crate) pulse: Arc<Mutex<Option<Value>>>,
}

impl Default for Services {
    fn default() -> Self {
        let seats = json!({"capacity": 100, "free": 100, "held": 0, "sold": 0, "sections": []});
        Self {
            seats: Arc::new(Mutex::new(seats)),
            queue: Arc::default(),
            pulse: Arc::default(),
        }
    }
}

impl Services {
    fn router(self) -> Router {
        fn said(what: &Mutex<Option<Value>>) -> Result<Json<Value>, StatusCode> {
            what.lock()
                .unwrap()
                .clone()
                .map(Json)
                .ok_or(StatusCode::NOT_FOUND)
        }
        let seats = |State(s): State<Self>| async move { Json(s.seats.lock().unwrap().clone()) };
        let told = |State(_): State<Self>, Path(_): Path<Uuid>| async { Json(json!({})) };
        Router::new()
            .route("/internal/sales/{id}", put(told))
            .route("/internal/seats/summary/{id}", get(seats))
            .route(
                "/internal/queue/summary/{id}",
                get(|State(s): State<Self>| async move { said(&s.queue) }),
            )
            .route(
                "/actuator/pulse",
                get(|State(s): State<Self>| async move { said(&s.pulse) }),
            )
            .route("/health", get(|| async {}))
            .with_state(self)
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
            trace: urr_operator::trace::Settings::default(),
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
            trace: self.trace.clone(),
        }
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

    /// Applies a sale whose instants are so many seconds from now; returns its event.
    pub(crate) async fn announce(&self, name: &str, instants: [i64; 3], targets: &[&str]) -> Uuid {
        let targets: Vec<Value> = targets.iter().map(|name| json!({"name": name})).collect();
        self.announce_with(name, instants, &[("/spec/targets", json!(targets))])
            .await
    }

    /// As [`World::announce`], with more fields set.
    pub(crate) async fn announce_with(
        &self,
        name: &str,
        [pre_queue, opens, closes]: [i64; 3],
        fields: &[(&str, Value)],
    ) -> Uuid {
        let mut document = sale(name);
        let event = Uuid::new_v4();
        for (pointer, value) in [
            ("/spec/eventId", json!(event)),
            ("/spec/seats", json!(100)),
            ("/spec/schedule/preQueueAt", in_seconds(pre_queue)),
            ("/spec/schedule/opensAt", in_seconds(opens)),
            ("/spec/schedule/closesAt", in_seconds(closes)),
        ] {
            set(&mut document, pointer, &value);
        }
        for (pointer, value) in fields {
            set(&mut document, pointer, value);
        }
        let apply = ["apply", "--server-side", "-f", "-"];
        self.scope
            .kubectl_with(&apply, &document.to_string())
            .await
            .unwrap()
            .ok()
            .unwrap();
        event
    }

    /// Merges `spec` into the sale's, as `kubectl patch` does.
    pub(crate) async fn patch(&self, name: &str, spec: Value) {
        patch(&self.scope, name, spec).await;
    }

    /// Waits until the waiting room's record is as `look` wants it.
    pub(crate) async fn await_room(&self, event: Uuid, what: &str, look: impl Fn(&Room) -> bool) -> Room {
        eventually(SOON, what, async || {
            let room = self.rooms.get(event).await.map_err(|error| error.to_string())?;
            match room {
                Some(room) if look(&room) => Ok(room),
                other => Err(format!("{other:?}")),
            }
        })
        .await
        .unwrap()
    }

    pub(crate) async fn await_sale(
        &self,
        name: &str,
        what: &str,
        look: impl Fn(&TicketSale) -> bool,
    ) -> TicketSale {
        let seen = |sale: &TicketSale| {
            if look(sale) {
                Ok(())
            } else {
                Err(format!("{:?}", sale.status))
            }
        };
        self.scope.await_object(name, what, SOON, seen).await.unwrap()
    }

    pub(crate) async fn await_replicas(&self, target: &str, replicas: i32) -> Deployment {
        self.scope
            .await_replicas(target, replicas, replicas, SOON)
            .await
            .unwrap()
    }
}

/// Merges `spec` into the sale's, as `kubectl patch` does.
pub(crate) async fn patch(scope: &Scope, name: &str, spec: Value) {
    let patch = json!({"spec": spec}).to_string();
    let args = ["patch", "ts", name, "--type=merge", "--patch", &patch];
    scope.kubectl(&args).await.unwrap().ok().unwrap();
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

/// The instant so many seconds from now, as a spec has it.
pub(crate) fn in_seconds(seconds: i64) -> Value {
    let instant = SystemClock.now().plus_s(seconds);
    json!(Timestamp::from_millisecond(instant.0).unwrap().to_string())
}

pub(crate) fn phase(sale: &TicketSale) -> &str {
    sale.status
        .as_ref()
        .and_then(|status| status.phase.as_deref())
        .unwrap_or_default()
}

pub(crate) fn holds(sale: &TicketSale, condition: &str) -> bool {
    let conditions = sale
        .status
        .as_ref()
        .map(|status| status.conditions.as_slice())
        .unwrap_or_default();
    conditions
        .iter()
        .any(|found| found.type_ == condition && found.status == "True")
}

/// The reason of a condition.
pub(crate) fn reason(sale: &TicketSale, condition: &str) -> String {
    let conditions = sale.status.iter().flat_map(|status| &status.conditions);
    let mut found = conditions.filter(|found| found.type_ == condition);
    found.next().map(|found| found.reason.clone()).unwrap_or_default()
}
