//! `LoadRun`: a scenario's crowd sent by one Indexed Job, one result, one verdict.
//!
//! ```text
//! orders (ConfigMap) → Job → all Pods ready → start (ConfigMap) → each runner: visitors, then its result
//! (ConfigMaps of the Job) → Job ended → merged, judged once → result (ConfigMap), condition Succeeded
//! ```
//!
//! A look sees ([`seen`]), decides ([`decide`], pure) and does one thing (`act`); what there is says how far a run
//! has come, so a killed operator costs nothing but time. What runners hand in is in [`mod@collect`], the
//! verdict in [`verdict`], the runner's own side, which `operator runner` is a shell around, in
//! [`runner`]. Everything is owned by the LoadRun: deleting it in the middle of a run takes the Job, the
//! runners and all results with it, and needs no finalizer. Why results travel as they do, and what
//! bounds them: docs/decisions/0016.

mod act;
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
use chrono::Utc;
use decide::{Next, next};
use futures::StreamExt as _;
use k8s_openapi::api::batch::v1::Job;
use kube::core::DeserializeGuard;
use kube::runtime::controller::{self, Action, Controller};
use kube::runtime::events::{Recorder, Reporter};
use kube::runtime::watcher;
use kube::{Api, Client, Resource as _, ResourceExt as _};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use urr_api::LoadRun;
use urr_core::time::Millis;
use verdict::Verdict;

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
}

fn now() -> Millis {
    Millis(Utc::now().timestamp_millis())
}

#[cfg(test)]
pub(crate) mod tests;
