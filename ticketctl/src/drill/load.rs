//! The visitors, and meanwhile whatever the scenario breaks.

use super::{faults::Unrest, load_view};
use crate::picture::Board;
use anyhow::Context as _;
use std::{path::Path, sync::Arc, time::Duration};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use urr_loadgen::{LoadResult, Scenario, Target, measure::Live};

/// Four pictures a second: more than the eye of somebody under stress takes in.
const PICTURE_EVERY: Duration = Duration::from_millis(250);

/// A run of the load generator.
pub(super) struct Run<'a> {
    pub(super) scenario: &'a Scenario,
    pub(super) target: &'a Target,
    pub(super) live: Arc<Live>,
    pub(super) stop: CancellationToken,
    pub(super) dir: &'a Path,
    pub(super) board: &'a Board,
}

/// Runs both; returns the result, and sentences about faults that never happened.
pub(super) async fn with_faults(
    run: Run<'_>,
    unrest: Unrest<'_>,
) -> anyhow::Result<(LoadResult, Vec<String>)> {
    let mut load = Box::pin(run.load());
    let mut faults = Box::pin(unrest.apply());
    let mut pictures = Box::pin(run.pictures());
    let mut unrest_over = false;
    let result = loop {
        tokio::select! {
            result = &mut load => break result?,
            applied = &mut faults, if !unrest_over => {
                applied?;
                unrest_over = true;
            }
            () = &mut pictures => {}
        }
    };
    drop(pictures);
    run.show();
    if unrest_over {
        return Ok((result, Vec::new()));
    }
    // Somebody killed may still be on the way back; who was not killed by now never will be.
    let missed = unrest.missed();
    if missed.is_empty() {
        faults.await?;
    } else {
        drop(faults);
        unrest.bring_back().await?;
    }
    Ok((result, missed))
}

impl Run<'_> {
    async fn load(&self) -> anyhow::Result<LoadResult> {
        urr_loadgen::run(
            self.scenario,
            self.target,
            Arc::clone(&self.live),
            self.stop.clone(),
            self.dir,
        )
        .await
        .context("running the visitors")
    }

    /// Shows the visitors' side for ever.
    async fn pictures(&self) {
        let mut ticks = tokio::time::interval(PICTURE_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            ticks.tick().await;
            self.show();
        }
    }

    fn show(&self) {
        self.board.load(load_view::of(self.scenario, &self.live.view()));
    }
}
