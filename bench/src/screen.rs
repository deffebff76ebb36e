//! What the terminal UI costs while it shows an opening: 60 pictures a second taken in, frames drawn as
//! its loop draws them, of a recording of a real drill. `ticketctl` measures itself, in its own process
//! and with its own allocator; here it is asked and held to its budget.

use crate::table::Row;
use anyhow::{Context as _, ensure};
use std::{path::Path, process::Command};

pub(crate) const KEY: &str = "tui_cost_percent_of_core";
/// The budget of issue 6 at 60 updates a second.
const PROMISED_PERCENT: f64 = 5.0;
/// The least of so many: the others were disturbed.
const RUNS: u32 = 3;

/// CPU of the screen at its largest, in percent of a core.
pub(crate) fn cost() -> anyhow::Result<Row> {
    let here = std::env::current_exe().context("finding this program")?;
    let ticketctl = here.with_file_name("ticketctl");
    ensure!(
        ticketctl.exists(),
        "{} is missing: `make bench` builds it beside this program",
        ticketctl.display()
    );
    let recording =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../ticketctl/tests/fixtures/recording.ndjson");
    let mut least = f64::INFINITY;
    for _ in 0..RUNS {
        let output = Command::new(&ticketctl)
            .args(["watch", "--cost", "--replay"])
            .arg(&recording)
            .output()
            .context("running ticketctl")?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "ticketctl watch --cost: {said}");
        let cost: serde_json::Value = serde_json::from_slice(&output.stdout).context("reading its answer")?;
        let percent = cost["percentOfACore"]
            .as_f64()
            .context("its answer lacks percentOfACore")?;
        least = least.min(percent);
    }
    Ok(Row {
        name: KEY,
        value: least,
        unit: "%",
        baseline_name: "what 200x50 at 60 updates a second may cost",
        baseline: PROMISED_PERCENT,
    })
}
