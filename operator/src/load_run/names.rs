//! What a run's objects are called. A wire format between versions: a run that an older operator began is
//! found by the next one by these names.

use kube::ResourceExt as _;
use urr_api::LoadRun;

/// On everything that belongs to a run: the LoadRun's UID, so that a later run of the same name finds
/// nothing of an earlier one.
pub const RUN_LABEL: &str = "urr.guru/load-run-uid";
/// On what a runner handed in: which segment, from 1.
pub const SEGMENT_LABEL: &str = "urr.guru/segment";
/// Which piece of it, from 1.
pub const PIECE_ANNOTATION: &str = "urr.guru/piece";
/// Of how many.
pub const PIECES_ANNOTATION: &str = "urr.guru/pieces";
/// The Pod that handed it in.
pub const POD_ANNOTATION: &str = "urr.guru/handed-in-by";
/// On a Job that was ended for a failure: the failure, as JSON. It is written with the end itself, so that a look
/// that goes on after a kill tells the same, however late it is by then.
pub const ENDED_BECAUSE_ANNOTATION: &str = "urr.guru/ended-because";
/// In the ConfigMap of orders: what the runners are told.
pub const ORDERS_KEY: &str = "orders.json";
/// In the same: the scenario.
pub const SCENARIO_KEY: &str = "scenario.yaml";
/// In the ConfigMap of the start: the instant, in milliseconds since 1970.
pub const START_KEY: &str = "startAtMs";
/// In a piece: its bytes.
pub const PIECE_KEY: &str = "piece";
/// The merged result.
pub const RESULT_KEY: &str = "load.json";
/// The same for people.
pub const SUMMARY_KEY: &str = "summary.txt";

/// The Pods' host names, `<job>-<index>`, have 63 characters at most; the longest index has three.
const NAME_CHARS_MAX: usize = 40;

/// The Job's, and the beginning of all the others. The UID in it keeps a run apart from an earlier one of
/// the same name whose objects are still going away.
#[must_use]
pub fn job(run: &LoadRun) -> String {
    let uid = run.uid().unwrap_or_default();
    let name: String = run
        .name_any()
        .replace('.', "-")
        .chars()
        .take(NAME_CHARS_MAX)
        .collect();
    let tail: String = uid.chars().filter(char::is_ascii_hexdigit).take(8).collect();
    format!("{}-{tail}", name.trim_end_matches('-'))
}

/// The ConfigMap with what runners are told when they are made.
#[must_use]
pub fn orders(job: &str) -> String {
    format!("{job}-orders")
}

/// The ConfigMap that tells them when to begin.
#[must_use]
pub fn start(job: &str) -> String {
    format!("{job}-start")
}

/// A piece of what the runner of segment `nth` hands in. One name for each: there cannot be two.
#[must_use]
pub fn piece(job: &str, nth: u32, piece: usize) -> String {
    format!("{job}-segment-{nth}-{piece}")
}

/// The ConfigMap with the merged result.
#[must_use]
pub fn result(job: &str) -> String {
    format!("{job}-result")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_of_any_name_has_a_job_whose_pods_can_have_host_names() {
        let named = |name: &str| {
            let mut run = crate::load_run::tests::run();
            run.metadata.name = Some(name.to_owned());
            run.metadata.uid = Some("6f1c9a52-7a0e-4c2b".to_owned());
            job(&run)
        };
        assert_eq!(named("club-night"), "club-night-6f1c9a52");
        let long = named(&"a.".repeat(126));
        assert!(long.len() <= 59 && !long.contains('.'), "{long}");
        assert_ne!(named("a"), named("b"));
    }
}
