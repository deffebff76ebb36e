//! Whose last rehearsal has failed, for the alert. It is read off the runs that there are when somebody asks: a
//! recorder cannot forget, and an operator that starts anew has judged nothing.

use super::Guarded;
use crate::mapping::millis;
use kube::ResourceExt as _;
use kube::runtime::reflector::Store;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use urr_api::LoadRun;
use urr_api::conditions::SUCCEEDED;
use urr_core::time::Millis;

static RUNS: Mutex<Option<Store<Guarded>>> = Mutex::new(None);

/// From here on `runs` are the ones there are.
pub fn show(runs: Store<Guarded>) {
    *RUNS.lock().unwrap_or_else(PoisonError::into_inner) = Some(runs);
}

/// The metrics, in Prometheus' words.
#[must_use]
pub fn text() -> String {
    let runs = RUNS.lock().unwrap_or_else(PoisonError::into_inner);
    runs.as_ref()
        .map_or_else(String::new, |runs| failed(&runs.state()))
}

/// When the last verdict on each sale was that it failed: that instant.
fn failed(runs: &[Arc<Guarded>]) -> String {
    let mut last: BTreeMap<(String, String), (Millis, &LoadRun)> = BTreeMap::new();
    for run in runs.iter().filter_map(|run| run.0.as_ref().ok()) {
        let finished_at = run.status.as_ref().and_then(|status| status.finished_at.as_ref());
        let Some(finished_at) = finished_at.map(millis) else {
            continue;
        };
        let of = (
            run.namespace().unwrap_or_default(),
            run.spec.sale_ref.name.clone(),
        );
        let newest = last.entry(of).or_insert((finished_at, run));
        if finished_at > newest.0 {
            *newest = (finished_at, run);
        }
    }
    let mut text = String::new();
    for ((namespace, sale), (at, run)) in last {
        let conditions = run.status.iter().flat_map(|status| &status.conditions);
        let mut verdicts = conditions.filter(|condition| condition.type_ == SUCCEEDED);
        let Some(verdict) = verdicts.next().filter(|verdict| verdict.status == "False") else {
            continue;
        };
        if text.is_empty() {
            text.push_str("# TYPE operator_rehearsal_failed_at_seconds gauge\n");
        }
        // Names of objects and reasons have no quotes in them. To write into a String cannot fail.
        let _ = writeln!(
            text,
            "operator_rehearsal_failed_at_seconds{{namespace=\"{namespace}\",sale=\"{sale}\",load_run=\"{}\",reason=\"{}\"}} {}",
            run.name_any(),
            verdict.reason,
            at.0 / 1000
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use kube::core::DeserializeGuard;
    use serde_json::json;

    fn run(name: &str, finished_at: Option<&str>, succeeded: &str) -> Arc<Guarded> {
        let mut run = crate::load_run::tests::run();
        run.metadata.name = Some(name.into());
        let verdict = json!({
            "type": SUCCEEDED, "status": succeeded, "reason": "RunnerLost", "message": "m",
            "lastTransitionTime": "2026-12-01T10:00:00Z"
        });
        let status = json!({"finishedAt": finished_at, "conditions": [verdict]});
        run.status = serde_json::from_value(status).unwrap();
        Arc::new(DeserializeGuard(Ok(run)))
    }

    #[test]
    fn a_sale_whose_last_rehearsal_failed_is_told_until_one_passes() {
        let first = run("first", Some("2026-12-01T10:01:00Z"), "False");
        let under_way = run("second", None, "Unknown");
        let told = failed(&[Arc::clone(&first), under_way]);
        assert!(
            told.ends_with(
                "{namespace=\"n\",sale=\"club-night\",load_run=\"first\",reason=\"RunnerLost\"} 1796119260\n"
            ),
            "{told}"
        );
        let passed = run("second", Some("2026-12-01T10:02:00Z"), "True");
        assert_eq!(failed(&[first, passed]), "");
    }
}
