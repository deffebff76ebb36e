//! The visitors, and meanwhile whatever the scenario breaks.

use super::{faults::Unrest, stand::Stand, together};
use crate::picture::Board;
use anyhow::Context as _;
use std::{path::Path, sync::Arc, time::Duration};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use urr_loadgen::{LoadResult, Opening, Scenario};

/// Four pictures a second: more than the eye of somebody under stress takes in.
const PICTURE_EVERY: Duration = Duration::from_millis(250);
/// Of several sales one: each picture takes a look at the histograms of every sale.
const PICTURE_OF_SEVERAL_EVERY: Duration = Duration::from_secs(1);

/// A run of the load generator.
pub(super) struct Run<'a> {
    /// The file's, with all its sales.
    pub(super) scenario: &'a Scenario,
    pub(super) stands: &'a [Stand],
    pub(super) stop: CancellationToken,
    pub(super) dir: &'a Path,
    pub(super) board: &'a Board,
}

/// What the visitors came to.
pub(super) struct Came {
    /// Sale by sale.
    pub(super) sales: Vec<LoadResult>,
    /// All of several; `None`: there was one.
    pub(super) all: Option<LoadResult>,
}

impl Came {
    /// What the run came to.
    pub(super) fn whole(&self) -> Option<&LoadResult> {
        self.all.as_ref().or_else(|| self.sales.first())
    }
}

/// Runs both; returns the result, and sentences about faults that never happened.
pub(super) async fn with_faults(run: Run<'_>, unrest: Unrest<'_>) -> anyhow::Result<(Came, Vec<String>)> {
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
    async fn load(&self) -> anyhow::Result<Came> {
        if let [alone] = self.stands {
            let live = Arc::clone(&alone.live);
            let run = urr_loadgen::run(&alone.scenario, &alone.target, live, self.stop.clone(), self.dir);
            let result = run.await.context("running the visitors")?;
            return Ok(Came {
                sales: vec![result],
                all: None,
            });
        }
        let openings: Vec<Opening<'_>> = self.stands.iter().map(Stand::opening).collect();
        let run = urr_loadgen::run_together(self.scenario, &openings, self.stop.clone(), self.dir);
        let together = run.await.context("running the visitors of all sales")?;
        Ok(Came {
            sales: together.sales,
            all: Some(together.all),
        })
    }

    /// Shows the visitors' side for ever.
    async fn pictures(&self) {
        let every = match self.stands.len() {
            1 => PICTURE_EVERY,
            _ => PICTURE_OF_SEVERAL_EVERY,
        };
        let mut ticks = tokio::time::interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            ticks.tick().await;
            self.show();
        }
    }

    fn show(&self) {
        let views = self.stands.iter().map(Stand::look);
        self.board.load(together::crowd(views.collect()));
    }
}
