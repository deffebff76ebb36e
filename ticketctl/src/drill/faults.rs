//! What the scenario breaks on purpose: `kill -9` of our own children at fixed instants.

use super::{fleet::Fleet, witness::Witness};
use crate::{picture::Board, text::age};
use anyhow::Context as _;
use futures::future::try_join_all;
use std::time::Duration;
use tokio::time::sleep;
use urr_core::time::Millis;
use urr_kit::clock::SharedClock;
use urr_loadgen::scenario::{Fault, Process};

/// A restarted service is up within this or the drill has failed.
const BACK_WITHIN: Duration = Duration::from_secs(60);

/// All faults of a scenario, and what they act on.
pub(super) struct Unrest<'a> {
    pub(super) faults: &'a [Fault],
    pub(super) opens_at: Millis,
    pub(super) fleet: &'a Fleet,
    pub(super) board: &'a Board,
    pub(super) clock: &'a SharedClock,
    /// Of every sale: all of them stand on the same services.
    pub(super) witnesses: Vec<&'a Witness>,
}

impl Unrest<'_> {
    /// Carries out all faults; ends when the last restarted service is healthy. Must be awaited on
    /// the thread that started the fleet (see [`Fleet::start`]).
    pub(super) async fn apply(&self) -> anyhow::Result<()> {
        try_join_all(self.faults.iter().map(|fault| self.one(fault)))
            .await
            .map(|_| ())
    }

    /// Faults whose instant has not come: a rehearsal that was over before its fault proves less
    /// than its scenario says.
    pub(super) fn missed(&self) -> Vec<String> {
        let now = self.clock.now();
        self.faults
            .iter()
            .filter(|fault| self.opens_at.plus_ms(fault.at_ms) > now)
            .map(|fault| {
                format!(
                    "{} was to be killed {} after the opening; everybody was through before that",
                    fault.kill.name(),
                    age(fault.at_ms)
                )
            })
            .collect()
    }

    /// Starts whoever was killed and is to come back, at once.
    pub(super) async fn bring_back(&self) -> anyhow::Result<()> {
        for fault in self.faults {
            let name = fault.kill.name();
            if fault.restart_after_ms.is_some() && !self.fleet.runs(name) {
                self.back(fault.kill).await?;
            }
        }
        Ok(())
    }

    async fn one(&self, fault: &Fault) -> anyhow::Result<()> {
        let name = fault.kill.name();
        let ahead_ms = self.opens_at.plus_ms(fault.at_ms).since(self.clock.now());
        sleep(Duration::from_millis(ahead_ms.max(0).unsigned_abs())).await;
        self.fleet
            .kill(name)
            .await
            .with_context(|| format!("the scenario kills {name}"))?;
        let now = self.clock.now();
        if behind_the_door(fault.kill) {
            self.witnesses
                .iter()
                .for_each(|witness| witness.capacity_lost(now));
        }
        let Some(back_in_ms) = fault.restart_after_ms else {
            self.board
                .note(now, "drill", format!("killed {name}; it stays dead"));
            return Ok(());
        };
        let back_in = age(i64::from(back_in_ms));
        self.board
            .note(now, "drill", format!("killed {name}; it comes back in {back_in}"));
        sleep(Duration::from_millis(u64::from(back_in_ms))).await;
        self.back(fault.kill).await
    }

    async fn back(&self, process: Process) -> anyhow::Result<()> {
        let name = process.name();
        self.fleet
            .restart(name)
            .with_context(|| format!("restarting {name}"))?;
        self.fleet
            .healthy(name, BACK_WITHIN)
            .await
            .with_context(|| format!("{name} was killed and restarted"))?;
        let now = self.clock.now();
        if behind_the_door(process) {
            self.witnesses
                .iter()
                .for_each(|witness| witness.capacity_back(now));
        }
        self.board.note(now, "drill", format!("{name} is back"));
        Ok(())
    }
}

/// Whether the admitted people are served by it (law `capacity-first`).
const fn behind_the_door(process: Process) -> bool {
    matches!(process, Process::Booking)
}
