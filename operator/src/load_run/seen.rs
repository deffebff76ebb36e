//! What there is of a run: its Job, what its runners were told, what they handed in.

use super::decide::Failure;
use super::names;
use super::orders::Orders;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::core::DeserializeGuard;
use kube::{Api, Client, ResourceExt as _};
use serde_json::Value;
use urr_api::conditions::run_reason;
use urr_api::{LoadRun, TicketSale};
use urr_core::time::Millis;

/// Everything a decision about a run takes.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// The sale it rehearses.
    pub sale: Option<TicketSale>,
    /// The scenario: as it is, until runners were told one; from then on that one.
    pub scenario_text: Option<String>,
    /// What the runners were told.
    pub orders: Option<Orders>,
    /// Its Job.
    pub job: Option<JobSeen>,
    /// When they were told to begin.
    pub start: Option<Millis>,
}

/// How a Job ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// Every Pod ended well.
    Complete,
    /// It did not.
    Failed {
        /// Kubernetes' word.
        reason: String,
        /// Its sentence.
        message: String,
    },
}

/// A Job, as far as a run needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobSeen {
    /// Its UID: what runners handed in belongs to it.
    pub uid: String,
    /// It was made for this very run.
    pub is_ours: bool,
    /// Pods that are ready now.
    pub ready: u32,
    /// Pods that ended well.
    pub succeeded: u32,
    /// Pods that did not.
    pub failed: u32,
    /// Their indexes, as far as the Job names them.
    pub lost_indexes: Vec<u32>,
    /// How it ended, once it has.
    pub ended: Option<Ended>,
    /// It goes by itself after a while: the last that is done to a Job.
    pub is_let_go: bool,
    /// For which failure it was let go; of none, or by an operator that did not write it down: `None`.
    pub ended_because: Option<Failure>,
}

impl JobSeen {
    /// What of `job` counts for `run`.
    #[must_use]
    pub fn of(run: &LoadRun, job: &Job) -> Self {
        let status = job.status.clone().unwrap_or_default();
        let count = |value: Option<i32>| value.and_then(|value| u32::try_from(value).ok()).unwrap_or(0);
        let is_ours = job
            .owner_references()
            .iter()
            .any(|owner| Some(&owner.uid) == run.metadata.uid.as_ref());
        let ended = status
            .conditions
            .iter()
            .flatten()
            .filter(|condition| condition.status == "True")
            .find_map(|condition| match condition.type_.as_str() {
                "Complete" => Some(Ended::Complete),
                "Failed" => Some(Ended::Failed {
                    reason: condition.reason.clone().unwrap_or_default(),
                    message: condition.message.clone().unwrap_or_default(),
                }),
                _ => None,
            });
        let lost_indexes = intervals(status.failed_indexes.as_deref().unwrap_or_default());
        Self {
            uid: job.uid().unwrap_or_default(),
            is_ours,
            ready: count(status.ready),
            succeeded: count(status.succeeded),
            failed: count(status.failed).max(u32::try_from(lost_indexes.len()).unwrap_or(u32::MAX)),
            lost_indexes,
            ended,
            is_let_go: job
                .spec
                .as_ref()
                .is_some_and(|spec| spec.ttl_seconds_after_finished.is_some()),
            ended_because: job
                .annotations()
                .get(names::ENDED_BECAUSE_ANNOTATION)
                .and_then(|text| failure(text)),
        }
    }
}

/// A failure as `objects::end` writes it.
fn failure(text: &str) -> Option<Failure> {
    let told: Value = serde_json::from_str(text).ok()?;
    let reason = run_reason::FAILURES
        .into_iter()
        .find(|known| told["reason"] == **known)?;
    Some(Failure {
        reason,
        message: told["message"].as_str()?.to_owned(),
    })
}

/// Most runners of a run: what an interval of indexes may name.
const INDEX_MAX: u32 = 1000;

/// Kubernetes' way to write many indexes: `1,3-5`.
fn intervals(text: &str) -> Vec<u32> {
    text.split(',')
        .filter_map(|part| {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last): (u32, u32) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
            (last < INDEX_MAX).then_some(first..=last)
        })
        .flatten()
        .collect()
}

/// Looks at everything of `run`.
///
/// # Errors
/// When the API server does not answer.
pub async fn look(client: &Client, run: &LoadRun) -> Result<Seen, kube::Error> {
    let namespace = run.namespace().unwrap_or_default();
    let configs: Api<ConfigMap> = Api::namespaced(client.clone(), &namespace);
    let jobs: Api<Job> = Api::namespaced(client.clone(), &namespace);
    let sales: Api<DeserializeGuard<TicketSale>> = Api::namespaced(client.clone(), &namespace);
    let name = names::job(run);
    let told = configs.get_opt(&names::orders(&name)).await?;
    let told = told.and_then(|map| map.data).unwrap_or_default();
    let job = jobs.get_opt(&name).await?;
    let scenario_text = match told.get(names::SCENARIO_KEY) {
        Some(text) => Some(text.clone()),
        None => {
            let of = &run.spec.scenario;
            let map = configs.get_opt(&of.config_map).await?;
            map.and_then(|map| map.data?.remove(&of.key))
        }
    };
    let start = configs.get_opt(&names::start(&name)).await?;
    let sale = sales.get_opt(&run.spec.sale_ref.name).await?;
    Ok(Seen {
        sale: sale.and_then(|guarded| guarded.0.ok()),
        scenario_text,
        orders: Orders::read(&told),
        job: job.map(|job| JobSeen::of(run, &job)),
        start: start.and_then(|map| start_of(&map)),
    })
}

/// The instant in the ConfigMap of a start.
#[must_use]
pub fn start_of(map: &ConfigMap) -> Option<Millis> {
    let text = map.data.as_ref()?.get(names::START_KEY)?;
    text.parse().ok().map(Millis)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load_run::objects;

    #[test]
    fn indexes_are_read_as_kubernetes_writes_them() {
        assert_eq!(intervals("1,3-5,7"), [1, 3, 4, 5, 7]);
        assert_eq!(intervals(""), [0_u32; 0]);
        assert_eq!(intervals("x,2,4-x"), [2]);
        assert_eq!(intervals("0-4000000000"), [0_u32; 0], "no such run");
    }

    #[test]
    fn a_job_tells_for_which_failure_it_was_ended_and_of_none_that_nobody_knows() {
        let run = crate::load_run::tests::run();
        let because = Failure {
            reason: run_reason::TOO_LATE,
            message: "all \"runners\" were late".to_owned(),
        };
        let read = |job: Value| JobSeen::of(&run, &serde_json::from_value(job).unwrap()).ended_because;
        assert_eq!(read(objects::end("j", 60, false, Some(&because))), Some(because));
        assert_eq!(read(objects::end("j", 60, false, None)), None);
        for text in [
            "TooLate",
            r#"{"reason":"Tired","message":"m"}"#,
            r#"{"reason":"TooLate"}"#,
        ] {
            let job =
                serde_json::json!({"metadata": {"annotations": {names::ENDED_BECAUSE_ANNOTATION: text}}});
            assert_eq!(read(job), None, "{text}");
        }
    }

    #[test]
    fn a_job_is_read_with_those_it_lost() {
        let run = crate::load_run::tests::run();
        let job: Job = serde_json::from_value(serde_json::json!({
            "metadata": {"uid": "j", "ownerReferences": [
                {"apiVersion": "urr.guru/v1alpha1", "kind": "LoadRun", "name": "r", "uid": "u-1"}]},
            "status": {"ready": 1, "succeeded": 1, "failed": 1, "failedIndexes": "2",
                "conditions": [{"type": "FailureTarget", "status": "True"},
                    {"type": "Failed", "status": "True", "reason": "FailedIndexes", "message": "m"}]}
        }))
        .unwrap();
        let seen = JobSeen::of(&run, &job);
        assert!(seen.is_ours);
        assert_eq!((seen.ready, seen.succeeded, seen.failed), (1, 1, 1));
        assert_eq!(seen.lost_indexes, [2]);
        assert!(matches!(seen.ended, Some(Ended::Failed { reason, .. }) if reason == "FailedIndexes"));
    }
}
