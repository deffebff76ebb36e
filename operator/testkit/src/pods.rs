//! How fake Pods behave, as annotations that kwok's stages read: when they become ready, how long a
//! Job's Pods run and with which code they end, when they crash.

use k8s_openapi::api::core::v1::Pod;
use serde_json::{Map, Value, json};
use std::time::Duration;

/// What kwok plays; written beside the control plane's other files.
pub(crate) const STAGES: &str = include_str!("stages.yaml");

/// While a Pod carries it, it is down (`CrashLoopBackOff`), whatever else it is told.
pub(crate) const CRASH: &str = "urr.guru/crash";
const READY_AFTER: &str = "urr.guru/ready-after";
const RUNS_FOR: &str = "urr.guru/runs-for";
const ENDS_AFTER: &str = "urr.guru/ends-after";
const EXIT_CODE: &str = "urr.guru/exit-code";

/// How the Pods of a workload behave. The default: ready at once; a Job's Pods succeed at once.
#[derive(Debug, Clone, Default)]
pub struct Behaviour {
    ready_after: Duration,
    runs_for: Duration,
    ends_after: Duration,
    exit_code: Option<i32>,
    node: Option<String>,
}

impl Behaviour {
    /// Ready this long after they were scheduled.
    #[must_use]
    pub const fn ready_after(mut self, delay: Duration) -> Self {
        self.ready_after = delay;
        self
    }

    /// A Job's Pods run this long before they end.
    #[must_use]
    pub const fn runs_for(mut self, time: Duration) -> Self {
        self.runs_for = time;
        self
    }

    /// They take this long to go after they were deleted.
    #[must_use]
    pub const fn ends_after(mut self, time: Duration) -> Self {
        self.ends_after = time;
        self
    }

    /// A Job's Pods end with this code; anything but 0 fails them.
    #[must_use]
    pub const fn exit_code(mut self, code: i32) -> Self {
        self.exit_code = Some(code);
        self
    }

    /// They run on this node only ([`crate::nodes::reserved`]).
    #[must_use]
    pub fn on_node(mut self, node: &str) -> Self {
        self.node = Some(node.to_owned());
        self
    }

    /// The annotations that say so.
    #[must_use]
    pub fn annotations(&self) -> Map<String, Value> {
        let mut all = Map::new();
        for (name, duration) in [
            (READY_AFTER, self.ready_after),
            (RUNS_FOR, self.runs_for),
            (ENDS_AFTER, self.ends_after),
        ] {
            if !duration.is_zero() {
                all.insert(name.to_owned(), json!(format!("{}ms", duration.as_millis())));
            }
        }
        if let Some(code) = self.exit_code {
            all.insert(EXIT_CODE.to_owned(), json!(code.to_string()));
        }
        all
    }

    /// A Pod template with label `app=<name>`.
    #[must_use]
    pub fn template(&self, name: &str, namespace: &str) -> Value {
        let mut spec = json!({
            "containers": [{"name": "main", "image": "urr.invalid/none"}],
            // A lost node's Pods stay bound to it: their end is another test's business.
            "terminationGracePeriodSeconds": 1,
        });
        if let Some(node) = &self.node {
            spec["nodeSelector"] = json!({"kubernetes.io/hostname": node});
            spec["tolerations"] = json!([
                {"key": "urr.guru/reserved-for", "operator": "Equal", "value": namespace, "effect": "NoSchedule"}
            ]);
        }
        json!({
            "metadata": {"labels": {"app": name}, "annotations": self.annotations()},
            "spec": spec,
        })
    }
}

/// Whether its condition `Ready` holds.
#[must_use]
pub fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions.is_some_and(|all| {
        all.iter()
            .any(|condition| condition.type_ == "Ready" && condition.status == "True")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stages_read_the_annotations_that_are_written() {
        for name in [CRASH, READY_AFTER, RUNS_FOR, ENDS_AFTER, EXIT_CODE] {
            assert!(STAGES.contains(&format!("\"{name}\"")), "no stage reads {name}");
        }
        let annotations = Behaviour::default()
            .ready_after(Duration::from_millis(1500))
            .exit_code(3)
            .annotations();
        assert_eq!(
            Value::Object(annotations),
            json!({"urr.guru/ready-after": "1500ms", "urr.guru/exit-code": "3"})
        );
    }
}
