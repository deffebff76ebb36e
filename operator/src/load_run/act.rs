//! Carries out what was decided: the objects of a run, its verdict, its report and its events. Every write
//! is under the claim, and is made so that a look after a kill can make it again.

use super::collect::collect;
use super::decide::{self, Preparation, phase};
use super::seen::Seen;
use super::verdict::{Verdict, judge};
use super::{Context, Error, PERIOD_FAILED, REQUEUE_MIN, names, now, objects, status};
use crate::reconcile::chain;
use crate::targets::FIELD_MANAGER;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{ListParams, Patch, PatchParams};
use kube::runtime::controller::Action;
use kube::runtime::events::{Event, EventType};
use kube::{Api, Resource as _, ResourceExt as _};
use serde_json::{Value, json};
use urr_api::conditions::run_reason;
use urr_api::{LoadRun, LoadRunStatus};
use urr_core::time::Millis;

/// One page of results: each may be 1 MiB, and the API server must not build them all at once.
const RESULTS_PAGE: u32 = 16;
/// The longest merged result that goes into a ConfigMap whole.
const RESULT_BYTES_MAX: usize = 900 * 1024;

impl Context {
    /// Orders first: a Job without them would have Pods that wait for a volume. What is there already is not
    /// written again.
    pub(super) async fn prepare(
        &self,
        run: &LoadRun,
        seen: &Seen,
        preparation: &Preparation,
    ) -> Result<Action, Error> {
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

    pub(super) async fn start(&self, run: &LoadRun, mut seen: Seen, at: Millis) -> Result<Action, Error> {
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

    pub(super) async fn judge(&self, run: &LoadRun, seen: Seen) -> Result<Action, Error> {
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
    pub(super) async fn end(
        &self,
        run: &LoadRun,
        seen: &Seen,
        verdict: Verdict,
        now: Millis,
    ) -> Result<Action, Error> {
        let job = names::job(run);
        if let Some(merged) = &verdict.merged {
            let summary = status::summary(run, &verdict, merged);
            let result = objects::result(run, &job, &in_one_piece(merged), &summary);
            if !self.has_result(run, &job, &result).await? {
                self.apply::<ConfigMap>(run, result).await?;
            }
        }
        if let Some(seen) = seen.job.as_ref().filter(|job| job.is_ours && !job.is_let_go) {
            // What was judged is judged again alike; what was decided by the clock has to be remembered.
            let because = verdict.failure.as_ref().filter(|_| verdict.merged.is_none());
            self.let_go(
                run,
                objects::end(&job, run.spec.keep_seconds, seen.ended.is_some(), because),
            )
            .await?;
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
    async fn let_go(&self, run: &LoadRun, end: Value) -> Result<(), Error> {
        self.leadership.check()?;
        let job = names::job(run);
        let patch = Patch::Merge(end);
        match self
            .api::<Job>(run)
            .patch(&job, &PatchParams::default(), &patch)
            .await
        {
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

    pub(super) async fn report(&self, run: &LoadRun, status: LoadRunStatus) -> Result<(), Error> {
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

    pub(super) fn api<K>(&self, run: &LoadRun) -> Api<K>
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
