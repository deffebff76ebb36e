//! What a drill is going to do, settled before anything is started.

use chrono::{DateTime, Utc};
use std::path::{Path, PathBuf};
use urr_core::time::Millis;
use urr_loadgen::Scenario;

/// Where runs go unless told otherwise.
const RUNS: &str = "runs";

/// A drill, as asked for.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// Where the scenario was read from.
    pub(crate) file: PathBuf,
    /// What to rehearse.
    pub(crate) scenario: Scenario,
    /// Where the run's files will be.
    pub(crate) target: PathBuf,
    /// Whether the logs of a failed run stay.
    pub(crate) keep: bool,
    /// Where snapshots are recorded, besides the run's own directory.
    pub(crate) record: Option<PathBuf>,
    /// Where PostgreSQL and Redis are; the system's usual places when `None`.
    pub(crate) engines_dir: Option<PathBuf>,
}

/// Where a run's files go unless told otherwise: `runs/<name>-<time>`.
pub(crate) fn default_target(name: &str, now: Millis) -> PathBuf {
    let time = DateTime::<Utc>::from_timestamp_millis(now.0).unwrap_or_default();
    Path::new(RUNS).join(format!("{name}-{}", time.format("%Y%m%d-%H%M%S")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_named_by_scenario_and_time() {
        assert_eq!(
            default_target("club-night", Millis(1_763_730_900_000)),
            Path::new("runs/club-night-20251121-131500")
        );
    }
}
