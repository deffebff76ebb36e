//! What stands there before anybody comes: a cluster, engines, definitions, workloads, a hall.

use super::cast::Cast;
use anyhow::Context as _;
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use urr_core::time::Millis;
use urr_kit::engines::{EngineOptions, Engines};
use urr_kit::identity::{AccessTokens, Identity, Role};
use urr_testkit::{Cluster, Scope};
use uuid::Uuid;

const SALE: &str = include_str!("sale.yaml");
const WORKLOADS: &str = include_str!("workloads.yaml");
/// From the opening to the show; any time after the sale will do.
const SHOW_AFTER_S: i64 = 30 * 24 * 3600;
const TIMEOUT: Duration = Duration::from_secs(30);

/// Cluster and engines. Dropping it ends them.
pub(super) struct Stage {
    cluster: Arc<Cluster>,
    scope: Scope,
    pub(super) engines: Engines,
}

/// The sale's document, with its instants so many seconds from now.
pub(super) fn sale(event: &str, [pre_queue, opens, closes]: [i64; 3]) -> String {
    let at = |seconds: i64| {
        let instant = Timestamp::from_second(Timestamp::now().as_second() + seconds);
        instant.map_or_else(|_| String::new(), |at| at.to_string())
    };
    SALE.replace("{event}", event)
        .replace("{preQueueAt}", &at(pre_queue))
        .replace("{opensAt}", &at(opens))
        .replace("{closesAt}", &at(closes))
}

impl Stage {
    pub(super) async fn build() -> anyhow::Result<Self> {
        let (cluster, engines) = tokio::join!(Cluster::start(), Engines::start(EngineOptions::default()));
        let cluster = Arc::new(cluster.context("starting a Kubernetes control plane")?);
        let scope = cluster.scope("demo").await?;
        Ok(Self {
            cluster,
            scope,
            engines: engines.context("starting the engines")?,
        })
    }

    pub(super) fn namespace(&self) -> &str {
        self.scope.namespace()
    }

    /// The administrator's, for `kubectl`.
    pub(super) fn kubeconfig(&self) -> &Path {
        self.cluster.kubeconfig_path()
    }

    pub(super) fn kubectl_program(&self) -> std::path::PathBuf {
        self.cluster
            .program("kubectl")
            .unwrap_or_else(|| "kubectl".into())
    }

    /// The configuration of whoever may do what the manifests let the operator do, and nothing else.
    pub(super) fn operators_config(&self) -> kube::Config {
        let user = format!("system:serviceaccount:{}:urr-operator", self.namespace());
        self.cluster.config_as(&user)
    }

    /// Definitions, the operator's rights, workloads.
    pub(super) async fn prepare(&self) -> anyhow::Result<()> {
        let manifests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../manifests");
        let crds = manifests.join("crds").display().to_string();
        self.kubectl(&["apply", "--server-side", "-k", &crds], "").await?;
        let wait = [
            "wait",
            "crd",
            "--all",
            "--for=condition=Established",
            "--timeout=30s",
        ];
        self.kubectl(&wait, "").await?;
        let rbac = manifests.join("base/operator-rbac.yaml");
        let rbac = std::fs::read_to_string(&rbac).with_context(|| format!("reading {}", rbac.display()))?;
        // Whom the rights are given to is in this namespace here.
        let mut objects: Vec<Value> =
            serde_yaml::from_multiple(&rbac).context("reading the operator's RBAC")?;
        let subjects = objects.iter_mut().filter_map(|object| object.get_mut("subjects"));
        for subject in subjects.filter_map(Value::as_array_mut).flatten() {
            subject["namespace"] = json!(self.namespace());
        }
        let rbac: String = objects.iter().map(|object| format!("---\n{object}\n")).collect();
        self.apply(&rbac).await?;
        self.apply(WORKLOADS).await
    }

    pub(super) async fn apply(&self, document: &str) -> anyhow::Result<()> {
        self.kubectl(&["apply", "-f", "-"], document).await.map(drop)
    }

    async fn kubectl(&self, args: &[&str], input: &str) -> anyhow::Result<String> {
        let output = self.scope.kubectl_with(args, input).await?;
        output.ok().map_err(anyhow::Error::msg)
    }

    pub(super) async fn phase(&self) -> Result<String, String> {
        let get = [
            "get",
            "ticketsale",
            "club-night",
            "--output=jsonpath={.status.phase}",
        ];
        self.kubectl(&get, "").await.map_err(|error| format!("{error:#}"))
    }

    /// How many replicas each workload is to have, in words.
    pub(super) async fn workloads(&self) -> Result<Workloads, Lost> {
        let path = "--output=jsonpath={range .items[*]}{.metadata.name} {.spec.replicas}  {end}";
        let found = self.kubectl(&["get", "deployments", path], "").await;
        found
            .map(|text| Workloads(text.trim().to_owned()))
            .map_err(|error| Lost(format!("{error:#}")))
    }

    pub(super) async fn events(&self) -> anyhow::Result<String> {
        self.kubectl(&["events", "--for=ticketsale/club-night", "--no-headers"], "")
            .await
    }

    /// Makes hall and event as an organiser does; returns the event's id.
    pub(super) async fn event(&self, cast: &Cast) -> anyhow::Result<String> {
        let http = reqwest::Client::builder().timeout(TIMEOUT).build()?;
        let hall = json!({
            "name": "A club in Seoul",
            "description": "Two minutes on a cluster",
            "totalSeats": 300,
            "layoutConfig": {"sections": [
                {"name": "FLOOR", "rows": 10, "seatsPerRow": 20, "price": 88_000, "startRow": 1},
                {"name": "BALCONY", "rows": 5, "seatsPerRow": 20, "price": 77_000, "startRow": 1}
            ]}
        });
        let layouts = format!("{}/internal/seat-layouts", cast.internal_url());
        let layout = http
            .post(layouts)
            .bearer_auth(&cast.secrets.internal_api_token)
            .json(&hall);
        let layout = created(layout).await.context("storing the hall's layout")?;
        let now = Millis(Timestamp::now().as_millisecond());
        let at = |seconds: i64| {
            let instant = Timestamp::from_millisecond(now.plus_s(seconds).0);
            instant.map_or_else(|_| String::new(), |at| at.to_string())
        };
        let admin = Identity {
            user_id: Uuid::new_v4(),
            email: "demo@urr.example".to_owned(),
            role: Role::Admin,
        };
        let token = AccessTokens::new(&cast.secrets).issue_access(&admin, now);
        let event = json!({
            "title": "Two minutes on a cluster",
            "description": "A sale from its announcement to its end",
            "venue": "A club in Seoul",
            "eventDate": at(SHOW_AFTER_S),
            "saleStartDate": at(super::OPENS_S),
            "saleEndDate": at(super::CLOSES_S),
            "seatLayoutId": layout,
        });
        let events = format!("{}/api/v1/admin/events", cast.public_url());
        let event = http.post(events).bearer_auth(token).json(&event);
        created(event).await.context("creating the event")
    }

    /// Ends everything in order.
    pub(super) async fn strike(self) -> anyhow::Result<()> {
        let Self {
            cluster,
            scope,
            engines,
        } = self;
        drop(scope);
        engines.stop().await.context("stopping the engines")?;
        if let Some(cluster) = Arc::into_inner(cluster) {
            cluster.stop()?;
        }
        Ok(())
    }
}

/// Replicas by workload.
#[derive(PartialEq, Eq)]
pub(super) struct Workloads(String);

impl std::fmt::Display for Workloads {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// `kubectl` said no.
#[derive(Debug)]
pub(super) struct Lost(String);

impl std::fmt::Display for Lost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Lost {}

impl From<Lost> for String {
    fn from(Lost(words): Lost) -> Self {
        words
    }
}

/// Sends what makes something; returns its id.
async fn created(request: reqwest::RequestBuilder) -> anyhow::Result<String> {
    let answer = request.send().await.context("no answer")?;
    let status = answer.status();
    let body = answer.text().await.context("the answer broke off")?;
    anyhow::ensure!(status.is_success(), "{status}: {body}");
    let body: Value = serde_json::from_str(&body).with_context(|| format!("not JSON: {body}"))?;
    ["/id", "/layout/id", "/event/id"]
        .iter()
        .find_map(|path| body.pointer(path)?.as_str().map(str::to_owned))
        .with_context(|| format!("the answer carries no id: {body}"))
}
