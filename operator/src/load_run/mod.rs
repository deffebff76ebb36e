//! `LoadRun`: a scenario's crowd sent by one Indexed Job, one result, one verdict.
//!
//! ```text
//! orders (ConfigMap) → Job → all Pods ready → start (ConfigMap) → each runner: visitors, then its result
//! (ConfigMaps of the Job) → Job ended → merged, judged once → result (ConfigMap), condition Succeeded
//! ```
//!
//! A look sees ([`seen`]), decides ([`decide`], pure) and does one thing; what there is says how far a run
//! has come, so a killed operator costs nothing but time. What runners hand in is in [`mod@collect`], the
//! verdict in [`verdict`], the runner's own side, which `operator runner` is a shell around, in
//! [`runner`]. Everything is owned by the LoadRun: deleting it in the middle of a run takes the Job, the
//! runners and all results with it, and needs no finalizer. Why results travel as they do, and what
//! bounds them: docs/decisions/0016.

pub mod collect;
pub mod decide;
pub mod last_failures;

pub mod names;
pub mod objects;
pub mod orders;
pub mod runner;
pub mod seen;
pub mod settings;
pub mod status;
pub mod verdict;

pub use settings::Settings;

use crate::lease::{Claim as Leadership, NotLeading};
use crate::reconcile::chain;
use crate::targets::FIELD_MANAGER;
use chrono::Utc;
use collect::collect;
use decide::{Next, Preparation, next, phase};
use futures::StreamExt as _;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{ListParams, Patch, PatchParams};
use kube::core::DeserializeGuard;
use kube::runtime::controller::{self, Action, Controller};
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::runtime::watcher;
use kube::{Api, Client, Resource as _, ResourceExt as _};
use seen::Seen;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use urr_api::conditions::run_reason;
use urr_api::{LoadRun, LoadRunStatus};
use urr_core::time::Millis;
use verdict::{Verdict, judge};

/// A run, or what of it can be read: one that cannot stops no other.
pub type Guarded = DeserializeGuard<LoadRun>;

/// Looks at once: a rehearsal is one run, a nightly suite a few.
const LOOKS_AT_ONCE: u16 = 4;
/// After an error.
const PERIOD_FAILED: Duration = Duration::from_secs(2);
/// While a run goes on: for the change that no watch told.
const PERIOD: Duration = Duration::from_secs(15);
/// A requeue never comes at once.
const REQUEUE_MIN: Duration = Duration::from_millis(5);
/// One page of results: each may be 1 MiB, and the API server must not build them all at once.
const RESULTS_PAGE: u32 = 16;
/// The longest merged result that goes into a ConfigMap whole.
const RESULT_BYTES_MAX: usize = 900 * 1024;

/// What looks need.
pub struct Context {
    client: Client,
    leadership: Leadership,
    settings: Settings,
    /// Where the operator itself runs: its image is read there.
    own_namespace: String,
    recorder: Recorder,
    /// A merge holds a hundred bytes for each visitor: one at a time.
    merging: Semaphore,
}

/// Why a look failed; the next one tries again.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The API server.
    #[error("the cluster's API did not do it")]
    Kube(#[from] kube::Error),
    /// Nothing was written.
    #[error(transparent)]
    NotLeading(#[from] NotLeading),
    /// The image of the runners is not known.
    #[error("the Deployment {0} has no container whose image runners could have: set --runner-image")]
    NoImage(String),
    /// The merge was not done.
    #[error("the results could not be merged")]
    Merge(#[source] tokio::task::JoinError),
}

impl Context {
    /// Writes through `client` while `leadership` lasts; events come from `identity`.
    #[must_use]
    pub fn new(
        client: Client,
        leadership: Leadership,
        settings: Settings,
        own_namespace: String,
        identity: &str,
    ) -> Self {
        let reporter = Reporter {
            controller: "urr-operator".to_owned(),
            instance: Some(identity.to_owned()),
        };
        Self {
            recorder: Recorder::new(client.clone(), reporter),
            client,
            leadership,
            settings,
            own_namespace,
            merging: Semaphore::new(1),
        }
    }
}

/// Looks at the runs of `namespace`, or of all, until `told`.
pub async fn run(
    context: Context,
    namespace: Option<&str>,
    watched: watcher::Config,
    told: impl Future<Output = ()> + Send + Sync + 'static,
) {
    let client = context.client.clone();
    let runs: Controller<Guarded> = match namespace {
        Some(namespace) => {
            let jobs: Api<Job> = Api::namespaced(client.clone(), namespace);
            Controller::new(Api::namespaced(client, namespace), watched.clone()).owns(jobs, watched)
        }
        None => {
            let jobs: Api<Job> = Api::all(client.clone());
            Controller::new(Api::all(client), watched.clone()).owns(jobs, watched)
        }
    };
    last_failures::show(runs.store());
    runs.with_config(controller::Config::default().concurrency(LOOKS_AT_ONCE))
        .graceful_shutdown_on(told)
        .run(
            reconcile,
            |run, error, _| on_error(&run, error),
            Arc::new(context),
        )
        .for_each(|look| async move {
            if let Err(error @ (controller::Error::QueueError(_) | controller::Error::ObjectNotFound(_))) =
                look
            {
                tracing::warn!(error = chain(&error), "watching");
            }
        })
        .await;
}

fn on_error(run: &Guarded, error: &Error) -> Action {
    let run = run.name_any();
    tracing::warn!(load_run = run, error = chain(error), "looking at the run failed");
    Action::requeue(PERIOD_FAILED)
}

/// Looks at `run` once.
///
/// # Errors
/// [`Error`].
pub async fn reconcile(run: Arc<Guarded>, context: Arc<Context>) -> Result<Action, Error> {
    let run = match &run.0 {
        Ok(run) => run,
        Err(unreadable) => {
            let name = unreadable.metadata.name.as_deref().unwrap_or_default();
            tracing::error!(load_run = name, error = %unreadable, "this LoadRun cannot be read: it is left alone");
            return Ok(Action::await_change());
        }
    };
    // What is going away goes by its owner references.
    if run.meta().deletion_timestamp.is_some() || decide::is_over(run) {
        return Ok(Action::await_change());
    }
    context.look(run).await
}

impl Context {
    async fn look(&self, watched: &LoadRun) -> Result<Action, Error> {
        // The watch's copy may be older than our own last report, and a verdict is told once.
        let Some(run) = self.api::<LoadRun>(watched).get_opt(&watched.name_any()).await? else {
            return Ok(Action::await_change());
        };
        let run = &run;
        let seen = seen::look(&self.client, run).await?;
        let now = now();
        match next(run, &seen, &self.settings.runner_target_url, now) {
            Next::Over => Ok(Action::await_change()),
            Next::Wait {
                phase,
                message,
                until,
            } => {
                let status = status::under_way(run, &seen, phase, &message, now);
                self.report(run, status).await?;
                let wait = u64::try_from(until.since(now)).unwrap_or(0);
                let wait = Duration::from_millis(wait).min(PERIOD).max(REQUEUE_MIN);
                Ok(Action::requeue(wait))
            }
            Next::Prepare(preparation) => self.prepare(run, &seen, &preparation).await,
            Next::Start(at) => self.start(run, seen, at).await,
            Next::Judge => self.judge(run, seen).await,
            Next::Fail(failure) => self.end(run, &seen, Verdict::failed(failure), now).await,
        }
    }

    /// Orders first: a Job without them would have Pods that wait for a volume. What is there already is not
    /// written again.
    async fn prepare(&self, run: &LoadRun, seen: &Seen, preparation: &Preparation) -> Result<Action, Error> {
        let image = self.image(run).await?;
        if seen.orders.is_none() {
            let orders = objects::orders(run, preparation);
            self.apply::<ConfigMap>(run, orders).await?;
        }
        let job = objects::job(run, preparation, &self.settings, &image);
        self.apply::<Job>(run, job).await?;
        let message = format!("{} runners are being made", run.spec.runners);
        self.tell(run, EventType::Normal, phase::WAITING, &message).await;
        Ok(Action::requeue(REQUEUE_MIN))
    }

    async fn start(&self, run: &LoadRun, mut seen: Seen, at: Millis) -> Result<Action, Error> {
        let Some(orders) = seen.orders.as_ref() else {
            return Ok(Action::requeue(REQUEUE_MIN));
        };
        self.apply::<ConfigMap>(run, objects::start(run, orders, at))
            .await?;
        seen.start = Some(at);
        let message = format!("all runners begin at {}", crate::mapping::time(at).0);
        self.tell(run, EventType::Normal, "Started", &message).await;
        let status = status::under_way(run, &seen, phase::RUNNING, &message, now());
        self.report(run, status).await?;
        Ok(Action::requeue(REQUEUE_MIN))
    }

    async fn judge(&self, run: &LoadRun, seen: Seen) -> Result<Action, Error> {
        let (Some(job), Some(orders)) = (&seen.job, &seen.orders) else {
            return Ok(Action::requeue(REQUEUE_MIN));
        };
        // Closed only when the process ends.
        let Ok(_alone) = self.merging.acquire().await else {
            return Ok(Action::requeue(PERIOD_FAILED));
        };
        let maps = self.results(run, &orders.run_uid).await?;
        let text = seen.scenario_text.clone().unwrap_or_default();
        let (run_of, orders_of, uid) = (run.clone(), orders.clone(), job.uid.clone());
        let judged = move || {
            let scenario = decide::scenario(&run_of, &text);
            match scenario {
                Ok(scenario) => judge(&run_of, &orders_of, &scenario, collect(maps, &uid)),
                Err(message) => Verdict::failed(decide::Failure {
                    reason: run_reason::SCENARIO_UNFIT,
                    message,
                }),
            }
        };
        // Merging a million visitors takes seconds of a core.
        let verdict = tokio::task::spawn_blocking(judged).await.map_err(Error::Merge)?;
        self.end(run, &seen, verdict, now()).await
    }

    /// Everything that was handed in for the run.
    async fn results(&self, run: &LoadRun, run_uid: &str) -> Result<Vec<ConfigMap>, kube::Error> {
        let maps: Api<ConfigMap> = self.api(run);
        let labels = format!("{}={run_uid},{}", names::RUN_LABEL, names::SEGMENT_LABEL);
        let mut params = ListParams::default().labels(&labels).limit(RESULTS_PAGE);
        let mut all = Vec::new();
        loop {
            let page = maps.list(&params).await?;
            all.extend(page.items);
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params.continue_token = Some(token),
                None => return Ok(all),
            }
        }
    }

    /// The last write is the status: until it is there, a look does all of this again.
    async fn end(&self, run: &LoadRun, seen: &Seen, verdict: Verdict, now: Millis) -> Result<Action, Error> {
        let job = names::job(run);
        if let Some(merged) = &verdict.merged {
            let summary = status::summary(run, &verdict, merged);
            let result = objects::result(run, &job, &in_one_piece(merged), &summary);
            if !self.has_result(run, &job, &result).await? {
                self.apply::<ConfigMap>(run, result).await?;
            }
        }
        if let Some(seen) = seen.job.as_ref().filter(|job| job.is_ours && !job.is_let_go) {
            self.let_go(run, &job, seen.ended.is_some()).await?;
        }
        let artefacts = status::artefacts(run, verdict.merged.is_some());
        let status = status::over(run, seen, &verdict, artefacts, now);
        self.report(run, status).await?;
        let outcome = match &verdict.failure {
            None => "Passed",
            Some(failure) => failure.reason,
        };
        metrics::counter!("operator_load_runs_total", "outcome" => outcome).increment(1);
        let (type_, note) = match &verdict.failure {
            None => (EventType::Normal, "the rehearsal passed"),
            Some(failure) => (EventType::Warning, failure.message.as_str()),
        };
        self.tell(run, type_, outcome, note).await;
        Ok(Action::await_change())
    }

    /// Whether `result` was written by a look that did not come to its end.
    async fn has_result(&self, run: &LoadRun, job: &str, result: &Value) -> Result<bool, Error> {
        let written = self.api::<ConfigMap>(run).get_opt(&names::result(job)).await?;
        let data = written.and_then(|written| written.data);
        Ok(data.is_some_and(|data| json!(data) == result["data"]))
    }

    /// Stops what still runs, and lets the Job go after a while. It may be gone already.
    async fn let_go(&self, run: &LoadRun, job: &str, is_over: bool) -> Result<(), Error> {
        self.leadership.check()?;
        let jobs: Api<Job> = self.api(run);
        let patch = Patch::Merge(objects::end(job, run.spec.keep_seconds, is_over));
        match jobs.patch(job, &PatchParams::default(), &patch).await {
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            Err(error) => Err(error.into()),
            Ok(_) => Ok(()),
        }
    }

    async fn image(&self, run: &LoadRun) -> Result<String, Error> {
        if let Some(image) = &run.spec.runner.image {
            return Ok(image.clone());
        }
        if let Some(image) = &self.settings.runner_image {
            return Ok(image.clone());
        }
        let name = &self.settings.own_deployment;
        let deployments: Api<Deployment> = Api::namespaced(self.client.clone(), &self.own_namespace);
        let own = deployments.get_opt(name).await?;
        let containers = own
            .and_then(|own| own.spec?.template.spec)
            .map(|pod| pod.containers);
        let mut images = containers
            .into_iter()
            .flatten()
            .filter_map(|container| container.image);
        images.next().ok_or_else(|| Error::NoImage(name.clone()))
    }

    async fn apply<K>(&self, run: &LoadRun, object: Value) -> Result<(), Error>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>
            + Clone
            + std::fmt::Debug
            + serde::de::DeserializeOwned,
    {
        self.leadership.check()?;
        metrics::counter!("operator_writes_total", "to" => "load-run").increment(1);
        let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let params = PatchParams::apply(FIELD_MANAGER).force();
        self.api::<K>(run)
            .patch(&name, &params, &Patch::Apply(object))
            .await?;
        Ok(())
    }

    async fn report(&self, run: &LoadRun, status: LoadRunStatus) -> Result<(), Error> {
        if run.status.as_ref() == Some(&status) {
            return Ok(());
        }
        self.leadership.check()?;
        metrics::counter!("operator_writes_total", "to" => "status").increment(1);
        let patch = json!({"apiVersion": "urr.guru/v1alpha1", "kind": "LoadRun", "status": status});
        let params = PatchParams::apply(FIELD_MANAGER).force();
        self.api::<LoadRun>(run)
            .patch_status(&run.name_any(), &params, &Patch::Apply(patch))
            .await?;
        Ok(())
    }

    /// An event that cannot be written stops nothing.
    async fn tell(&self, run: &LoadRun, type_: EventType, reason: &str, note: &str) {
        if self.leadership.check().is_err() {
            return;
        }
        let event = Event {
            type_,
            reason: reason.to_owned(),
            note: Some(crate::events::shortened(note).to_owned()),
            action: "Reconcile".to_owned(),
            secondary: None,
        };
        if let Err(error) = self.recorder.publish(&event, &run.object_ref(&())).await {
            tracing::warn!(error = chain(&error), reason, "an event was not written");
        }
    }

    fn api<K>(&self, run: &LoadRun) -> Api<K>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client.clone(), &run.namespace().unwrap_or_default())
    }
}

/// The result as JSON that fits into a ConfigMap: the seconds go first, figures and verdicts never.
fn in_one_piece(merged: &urr_loadgen::LoadResult) -> String {
    let whole = serde_json::to_value(merged).unwrap_or_default();
    let text = whole.to_string();
    if text.len() <= RESULT_BYTES_MAX {
        return text;
    }
    let mut without = whole;
    without["series"] = json!([]);
    without["seriesLeftOut"] = json!("the seconds do not fit into a ConfigMap; runners' own files have them");
    without.to_string()
}

fn now() -> Millis {
    Millis(Utc::now().timestamp_millis())
}

#[cfg(test)]
pub(crate) mod tests;
