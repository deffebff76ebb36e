//! Is everything there that the drill needs? Asked before anything is started, so that the answer
//! is one clear sentence and nothing has to be cleaned up.

use super::plan::Plan;
use crate::text::grouped;
use anyhow::{Context as _, bail};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::path::Path;

/// The report of a large run, its recording and its logs.
const RUN_FREE_MB: u64 = 256;
/// Files besides the load's connections: engines, logs, the control plane, the emulator.
const OTHER_FILES: u64 = 512;
/// Each of the load's connections is met by the emulator's share of the services' ones.
const FILES_PER_CONNECTION: u64 = 2;

/// Checks this machine against the plan.
pub(super) fn check(plan: &Plan, files_dir: &Path) -> anyhow::Result<()> {
    open_files(plan)?;
    disk(files_dir)
}

/// Raises the soft limit of open files as far as needed; says what to do when the hard one is
/// too low. Children inherit it.
fn open_files(plan: &Plan) -> anyhow::Result<()> {
    let connections = u64::from(plan.scenario.limits.connections) + u64::from(plan.scenario.all_browsers());
    let needed = connections * FILES_PER_CONNECTION + OTHER_FILES;
    let limit = getrlimit(Resource::Nofile);
    let enough = |limit: Option<u64>| limit.is_none_or(|n| n >= needed);
    if enough(limit.current) {
        return Ok(());
    }
    if !enough(limit.maximum) {
        bail!(
            "the limit of open files is {}, the scenario needs {}: raise it with `ulimit -Hn`, \
             or lower `limits.connections`",
            grouped(limit.maximum.unwrap_or(0)),
            grouped(needed)
        );
    }
    let raised = Rlimit {
        current: limit.maximum.or(Some(needed)),
        maximum: limit.maximum,
    };
    setrlimit(Resource::Nofile, raised).context("raising the limit of open files")
}

fn disk(dir: &Path) -> anyhow::Result<()> {
    let stat =
        rustix::fs::statvfs(dir).with_context(|| format!("looking at the disk of {}", dir.display()))?;
    let free_mb = stat.f_bavail.saturating_mul(stat.f_frsize) / 1_000_000;
    if free_mb < RUN_FREE_MB {
        bail!(
            "the disk of {} is full: {free_mb} MB free, {RUN_FREE_MB} MB needed for the run's \
             files; free some, or give another --out",
            dir.display()
        );
    }
    Ok(())
}
