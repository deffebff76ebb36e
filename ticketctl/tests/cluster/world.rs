//! A cluster as an on-call engineer finds it: TicketSales, the operator, the real control plane behind a
//! Pod, and a kubeconfig with contexts.

use crate::kubelet::Kubelet;
use axum::{
    Json, Router,
    routing::{get, put},
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::{
    path::PathBuf,
    process::{Output, Stdio},
    sync::Arc,
    time::Duration,
};
use tokio::{
    process::{Child, Command},
    sync::OnceCell,
    task::JoinHandle,
};
use urr_kit::{
    Ctx,
    clock::{Clock as _, SystemClock},
    testing::TestBed,
};
use urr_operator::run;
use urr_testkit::{Cluster, Scope, pods::is_ready};

/// For what takes a moment; the machine may be busy.
pub(crate) const SOON: Duration = Duration::from_secs(60);

/// Everything, in a namespace of its own.
pub(crate) struct World {
    pub(crate) scope: Scope,
    pub(crate) token: String,
    kubelet: Option<Kubelet>,
    home: tempfile::TempDir,
    bed: TestBed,
    tasks: Vec<JoinHandle<()>>,
}

impl Drop for World {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// What a command said.
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    fn of(output: &Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// What it printed, as it ended well.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{}{}", self.out, self.err);
        self.out
    }

    #[track_caller]
    pub(crate) fn json(self) -> Value {
        let text = self.ok();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// Why it refused, with exit `code`; nothing was printed.
    #[track_caller]
    pub(crate) fn refused(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "{}{}", self.out, self.err);
        assert_eq!(self.out, "", "messages go to stderr");
        assert!(
            self.err.contains("= help:"),
            "what to do is missing: {}",
            self.err
        );
        self.err
    }
}

async fn cluster() -> Arc<Cluster> {
    static INSTALLED: OnceCell<()> = OnceCell::const_new();
    let cluster = Cluster::shared().await.unwrap();
    let install = || async { cluster.install(&urr_api::crds()).await.unwrap() };
    INSTALLED.get_or_init(install).await;
    cluster
}

/// The services behind the door, as far as the control plane asks them.
fn services() -> Router {
    let seats = || async { Json(json!({"capacity": 100, "free": 90, "held": 3, "sold": 7, "sections": []})) };
    let told = || async { Json(json!({})) };
    Router::new()
        .route("/internal/sales/{id}", put(told))
        .route("/internal/seats/summary/{id}", get(seats))
        .route("/health", get(|| async {}))
}

/// A `ticketctl` that goes on printing documents, a line each.
pub(crate) struct Watching {
    process: Child,
    seen: PathBuf,
}

impl Watching {
    /// What it has printed by now.
    pub(crate) fn documents<T: DeserializeOwned>(&self) -> Vec<T> {
        let text = std::fs::read_to_string(&self.seen).unwrap();
        // A line that it is still at is for the next look.
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        whole
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    pub(crate) async fn end(mut self) {
        self.process.kill().await.unwrap();
    }
}

impl World {
    /// A namespace with the operator at work. The control plane has no Pod yet.
    pub(crate) async fn new(name: &str) -> Self {
        let scope = cluster().await.scope(name).await.unwrap();
        let bed = TestBed::new().await;
        let behind = bed.serve(services()).await;
        let mut settings = (*bed.ctx().settings).clone();
        settings.urls.booking.clone_from(&behind);
        settings.urls.queue.clone_from(&behind);
        let secrets = (*bed.ctx().secrets).clone();
        let ctx = Ctx::new(settings, secrets, Arc::new(SystemClock)).unwrap();
        let control = urr_controlplane::start(&ctx, urr_controlplane::Config::default())
            .await
            .unwrap();
        let url = bed.serve(control.internal).await;
        let mut tasks: Vec<_> = control
            .tasks
            .into_iter()
            .map(|task| tokio::spawn(async move { task.future.await.unwrap() }))
            .collect();
        let token = ctx.secrets.control_api_token.clone();
        let config = run::Config {
            control_url: url.clone(),
            control_api_token: token.clone(),
            namespace: Some(scope.namespace().to_owned()),
            lease_namespace: scope.namespace().to_owned(),
            lease_seconds: 15,
            listen: ([127, 0, 0, 1], 0).into(),
            runners: urr_operator::load_run::Settings::default(),
            trace: urr_operator::trace::Settings::default(),
        };
        let client = scope.client();
        tasks.push(tokio::spawn(async move {
            run::operate(client, &config, std::future::pending())
                .await
                .unwrap();
        }));
        let port = url
            .rsplit(':')
            .next()
            .unwrap()
            .trim_end_matches('/')
            .parse()
            .unwrap();
        let kubelet = Kubelet::start(&scope, port).await;
        let world = Self {
            scope,
            token,
            kubelet: Some(kubelet),
            home: tempfile::tempdir().unwrap(),
            bed,
            tasks,
        };
        world.write_kubeconfig();
        world
    }

    /// Contexts: `arena` may do everything, `on-call` what the sample Role says, `stranger` nothing, and
    /// in `nowhere` nobody answers.
    fn write_kubeconfig(&self) {
        let text = std::fs::read_to_string(self.scope.cluster().kubeconfig_path()).unwrap();
        let mut config: Value = serde_yaml::from_str(&text).unwrap();
        let admin = config["users"][0]["user"].clone();
        let here = config["clusters"][0]["name"].clone();
        let name = config["users"][0]["name"].clone();
        let mut contexts = Vec::new();
        let users = config["users"].as_array_mut().unwrap();
        for person in ["on-call", "stranger"] {
            let mut user = admin.clone();
            user["as"] = person.into();
            users.push(json!({"name": person, "user": user}));
        }
        for (context, user, cluster) in [
            ("arena", &name, &here),
            ("on-call", &"on-call".into(), &here),
            ("stranger", &"stranger".into(), &here),
            ("nowhere", &name, &"nowhere".into()),
        ] {
            contexts.push(json!({
                "name": context,
                "context": {"cluster": cluster, "user": user, "namespace": self.scope.namespace()},
            }));
        }
        let clusters = config["clusters"].as_array_mut().unwrap();
        clusters.push(json!({"name": "nowhere", "cluster": {"server": "https://127.0.0.1:9"}}));
        config["contexts"] = contexts.into();
        config["current-context"] = "arena".into();
        std::fs::write(self.kubeconfig(), config.to_string()).unwrap();
    }

    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.home.path().join("kubeconfig")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// A file in this world, and its path.
    pub(crate) fn file(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env("KUBECONFIG", self.kubeconfig())
            .env("KUBECACHEDIR", self.path("kubectl-cache"))
            .env("HOME", self.home.path())
            // No drill of somebody else's.
            .env("XDG_RUNTIME_DIR", self.home.path())
            .env("USER", "mina")
            .env("NO_COLOR", "1")
            .env_remove("TICKETCTL_CONTROL_URL")
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    /// `ticketctl` with `args`.
    pub(crate) async fn run(&self, args: &[&str]) -> Said {
        self.finish(self.command(env!("CARGO_BIN_EXE_ticketctl")).args(args))
            .await
    }

    /// Starts `ticketctl` with `args`, which goes on until it is ended.
    pub(crate) fn watching(&self, args: &[&str]) -> Watching {
        let seen = self.path("seen.ndjson");
        let out = std::fs::File::create(&seen).unwrap();
        let mut command = self.command(env!("CARGO_BIN_EXE_ticketctl"));
        let process = command.args(args).stdout(out).spawn().unwrap();
        Watching { process, seen }
    }

    /// Runs `command` to its end.
    pub(crate) async fn finish(&self, command: &mut Command) -> Said {
        let output = tokio::time::timeout(SOON * 2, command.output()).await;
        Said::of(&output.expect("a command ends").unwrap())
    }

    /// A sale whose instants are so many seconds from now, as a file.
    pub(crate) fn sale(&self, name: &str, [pre_queue, opens, closes]: [i64; 3]) -> String {
        let at = |seconds: i64| {
            let at = SystemClock.now().plus_s(seconds);
            chrono::DateTime::from_timestamp_millis(at.0)
                .unwrap()
                .to_rfc3339()
        };
        let sale = json!({
            "apiVersion": "urr.guru/v1alpha1",
            "kind": "TicketSale",
            "metadata": {"name": name},
            "spec": {
                "eventId": uuid::Uuid::new_v4(),
                "displayName": "Club night",
                "seats": 100,
                "schedule": {"preQueueAt": at(pre_queue), "opensAt": at(opens), "closesAt": at(closes)},
                "crowd": {"expectedVisitors": 500},
                "admission": {"ratePerSecond": 40, "cap": 60},
                "capacity": {"replicas": 4, "ratePerReplica": 10, "leadSeconds": 0},
            },
        });
        let text = serde_yaml::to_string(&sale).unwrap();
        self.file(&format!("{name}.yaml"), &text)
    }

    /// Applies objects as an administrator.
    pub(crate) async fn objects(&self, objects: &Value) {
        let text: String = objects
            .as_array()
            .unwrap()
            .iter()
            .map(|object| format!("---\n{object}\n"))
            .collect();
        let applied = self
            .scope
            .kubectl_with(&["apply", "-f", "-"], &text)
            .await
            .unwrap();
        applied.ok().unwrap();
    }

    /// Gives the control plane a Pod, as the manifests have it, and waits until it is ready.
    pub(crate) async fn control_pod(&self, name: &str) {
        let node = &self.kubelet.as_ref().unwrap().node;
        self.objects(&json!([
            {
                "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "urr-secrets"},
                "stringData": {"CONTROL_API_TOKEN": self.token, "JWT_SECRET": "of no concern"},
            },
            {
                "apiVersion": "v1", "kind": "Pod",
                "metadata": {"name": name, "labels": {"app.kubernetes.io/name": "control"}},
                "spec": {
                    "nodeName": node,
                    "terminationGracePeriodSeconds": 0,
                    "tolerations": [{"operator": "Exists"}],
                    "containers": [{
                        "name": "service", "image": "urr.invalid/none",
                        "ports": [{"name": "http", "containerPort": 3010}],
                        "envFrom": [{"secretRef": {"name": "urr-secrets"}}],
                    }],
                },
            },
        ]))
        .await;
        let look = |pod: &k8s_openapi::api::core::v1::Pod| {
            if is_ready(pod) {
                Ok(())
            } else {
                Err(format!("{:?}", pod.status))
            }
        };
        self.scope
            .await_object(name, "a Pod of the control plane", SOON, look)
            .await
            .unwrap();
    }

    /// What the sample gives to people on call.
    pub(crate) async fn allow_on_call(&self) {
        let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/../manifests/samples/on-call.yaml");
        let text = std::fs::read_to_string(sample).unwrap();
        self.scope
            .kubectl_with(&["apply", "-f", "-"], &text)
            .await
            .unwrap()
            .ok()
            .unwrap();
        self.objects(&json!([{
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "on-call"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "urr-on-call"},
            "subjects": [{"kind": "User", "name": "on-call"}],
        }]))
        .await;
    }

    pub(crate) async fn end(mut self) {
        if let Some(kubelet) = self.kubelet.take() {
            kubelet.end(&self.scope).await;
        }
        // The services behind the control plane end with it.
        let _ = &self.bed;
    }
}
