//! What the scenario breaks on purpose: our own children are killed (`kill -9`) or kept waiting for
//! their database, at fixed instants.

use super::{detour::Detour, fleet::Fleet, services::Detours, witness::Witness};
use crate::{picture::Board, text::age};
use anyhow::Context as _;
use futures::future::try_join_all;
use std::time::Duration;
use tokio::time::sleep;
use urr_core::time::Millis;
use urr_kit::clock::SharedClock;
use urr_loadgen::scenario::{Fault, Harm, Process};

/// A restarted service is up within this or the drill has failed.
const BACK_WITHIN: Duration = Duration::from_secs(60);

/// All faults of a scenario, and what they act on.
pub(super) struct Unrest<'a> {
    pub(super) faults: &'a [Fault],
    pub(super) opens_at: Millis,
    pub(super) fleet: &'a Fleet,
    pub(super) detours: &'a Detours,
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
                    "{} was to be {} {} after the opening; everybody was through before that",
                    fault.process.name(),
                    match fault.harm {
                        Harm::Kill { .. } => "killed",
                        Harm::Slow { .. } => "slowed down",
                    },
                    age(fault.at_ms)
                )
            })
            .collect()
    }

    /// Takes back what is to be taken back, at once.
    pub(super) async fn bring_back(&self) -> anyhow::Result<()> {
        for Fault { process, harm, .. } in self.faults {
            match harm {
                Harm::Kill {
                    restart_after_ms: Some(_),
                } if !self.fleet.runs(process.name()) => self.back(*process).await?,
                Harm::Kill { .. } => {}
                Harm::Slow { .. } => self.detour(*process)?.slow_by(0),
            }
        }
        Ok(())
    }

    async fn one(&self, fault: &Fault) -> anyhow::Result<()> {
        let ahead_ms = self.opens_at.plus_ms(fault.at_ms).since(self.clock.now());
        sleep(Duration::from_millis(ahead_ms.max(0).unsigned_abs())).await;
        match fault.harm {
            Harm::Kill { restart_after_ms } => self.kill(fault.process, restart_after_ms).await,
            Harm::Slow { by_ms, for_ms } => self.slow(fault.process, by_ms, for_ms).await,
        }
    }

    async fn kill(&self, process: Process, restart_after_ms: Option<u32>) -> anyhow::Result<()> {
        let name = process.name();
        self.fleet
            .kill(name)
            .await
            .with_context(|| format!("the scenario kills {name}"))?;
        let now = self.clock.now();
        if behind_the_door(process) {
            self.witnesses
                .iter()
                .for_each(|witness| witness.capacity_lost(now));
        }
        let Some(back_in_ms) = restart_after_ms else {
            self.note(format!("killed {name}; it stays dead"));
            return Ok(());
        };
        let back_in = age(i64::from(back_in_ms));
        self.note(format!("killed {name}; it comes back in {back_in}"));
        sleep(Duration::from_millis(u64::from(back_in_ms))).await;
        self.back(process).await
    }

    async fn slow(&self, process: Process, by_ms: u32, for_ms: u32) -> anyhow::Result<()> {
        let (name, detour) = (process.name(), self.detour(process)?);
        detour.slow_by(by_ms);
        let lasts = age(i64::from(for_ms));
        self.note(format!(
            "{name} hears {by_ms} ms later from its database, for {lasts}"
        ));
        sleep(Duration::from_millis(u64::from(for_ms))).await;
        detour.slow_by(0);
        self.note(format!("{name} hears from its database as before"));
        Ok(())
    }

    fn detour(&self, process: Process) -> anyhow::Result<&Detour> {
        let name = process.name();
        self.detours
            .get(&process)
            .with_context(|| format!("{name} has no way to its database that could be slow"))
    }

    fn note(&self, text: String) {
        self.board.note(self.clock.now(), "drill", text);
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
        self.note(format!("{name} is back"));
        Ok(())
    }
}

/// Whether the admitted people are served by it (law `capacity-first`).
const fn behind_the_door(process: Process) -> bool {
    matches!(process, Process::Booking)
}
