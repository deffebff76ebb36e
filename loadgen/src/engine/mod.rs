//! Runs a scenario against a target: open loop, everything bounded.
//!
//! Visitors come when the curve says, not when the system is ready for them. Who waits is a small
//! record ([`shelf`]), who acts holds one of a bounded number of lanes ([`street`]), and whether the
//! generator kept up is watched and judged ([`health`], [`judgement`]). The crowd has a thread of its
//! own; goose and the browsers run on the caller's. A run is the merge of its segments, also when it
//! is only one: so there is one place where a verdict is passed. Several sales at once share the
//! thread and goose, and nothing else (docs/decisions/0020).

mod health;
mod judgement;
mod machine;
mod shelf;
mod street;
mod thread;
mod watch;

pub(crate) use judgement::{by_goose, validity};
pub use machine::Shortage;

use crate::crowd::{self, Comer};
use crate::goose_shell::{Arrival, Shell, Tap};
use crate::journey::{Visitor, World};
use crate::measure::Live;
use crate::result::{GooseSummary, LoadResult};
use crate::scenario::Scenario;
use crate::segments::{MergeError, Segment, SegmentResult, merge};
use crate::target::{Target, Unsafe};
use crate::together::{Together, together};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use thread::{CrowdThread, Plan};
use tokio_util::sync::CancellationToken;
use urr_kit::clock::{Clock, SystemClock};
use watch::{Watched, tick, watch};

/// Why a run could not be done at all. A run that was done and is worthless is no error but
/// [`crate::result::Validity`].
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The target must not be loaded.
    #[error(transparent)]
    Unsafe(#[from] Unsafe),
    /// This machine cannot carry the generator.
    #[error(transparent)]
    Shortage(#[from] Shortage),
    /// The sale opened before the run began.
    #[error("the sale opened {late_ms} ms before the run began; give the scenario a longer `opens_in`")]
    TooLate {
        /// By how much.
        late_ms: i64,
    },
    /// The run directory cannot be used.
    #[error("cannot use run directory {}", .path.display())]
    RunDir {
        /// Which.
        path: std::path::PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The crowd's thread or its connections could not be set up.
    #[error("cannot set up the crowd")]
    Setup(#[source] std::io::Error),
    /// The crowd's thread ended before the run did.
    #[error("the crowd's thread ended early")]
    CrowdLost,
    /// What came out is not the result of the scenario.
    #[error(transparent)]
    Merge(#[from] MergeError),
}

/// One sale of a run: who comes where.
#[derive(Debug, Clone)]
pub struct Opening<'a> {
    /// The scenario of this sale alone ([`Scenario::each`]).
    pub scenario: &'a Scenario,
    /// Its target; browsers go to the first one's.
    pub target: &'a Target,
    /// Where its figures appear while it runs.
    pub live: Arc<Live>,
}

/// Runs `scenario` against `target`; figures appear in `live` while it runs, goose's reports in
/// `run_dir`. Ends when every journey has, at the scenario's limit, or when `stop` is cancelled.
///
/// # Errors
/// [`LoadError`] when the run could not begin.
pub async fn run(
    scenario: &Scenario,
    target: &Target,
    live: Arc<Live>,
    stop: CancellationToken,
    run_dir: &Path,
) -> Result<LoadResult, LoadError> {
    let alone = run_segment(scenario, target, Segment::WHOLE, live, stop, run_dir).await?;
    Ok(merge(scenario, vec![alone])?)
}

/// Runs all `openings` at once: one generator, one goose, and of everything else one for each sale.
/// `scenario` is the file's, with its `sales`. Ends when the last sale does.
///
/// # Errors
/// [`LoadError`] when the run could not begin.
pub async fn run_together(
    scenario: &Scenario,
    openings: &[Opening<'_>],
    stop: CancellationToken,
    run_dir: &Path,
) -> Result<Together, LoadError> {
    let (parts, goose) = drive(openings, Segment::WHOLE, stop, run_dir).await?;
    let parts = openings.iter().map(|opening| opening.scenario).zip(parts);
    Ok(together(scenario, parts.collect(), goose)?)
}

/// Runs the visitors of `segment` only, as [`run`] does, and judges nothing: whoever has the results
/// of all segments does, with [`merge`]. Workers agree on the start by the sale's `opensAt`.
///
/// # Errors
/// [`LoadError`] when the run could not begin.
pub async fn run_segment(
    scenario: &Scenario,
    target: &Target,
    segment: Segment,
    live: Arc<Live>,
    stop: CancellationToken,
    run_dir: &Path,
) -> Result<SegmentResult, LoadError> {
    let opening = Opening {
        scenario,
        target,
        live,
    };
    let (parts, goose) = drive(&[opening], segment, stop, run_dir).await?;
    let alone = parts.into_iter().next().ok_or(LoadError::CrowdLost)?;
    Ok(SegmentResult { goose, ..alone })
}

/// Who comes to one sale.
struct Cast {
    comers: Vec<Comer>,
    browsers: Vec<Comer>,
    connections: u32,
}

impl Cast {
    fn of(scenario: &Scenario, segment: Segment) -> Self {
        let ours = |comer: &Comer| segment.has(comer.index.into());
        Self {
            comers: crowd::crowd(scenario).into_iter().filter(ours).collect(),
            browsers: crowd::browsers(scenario).into_iter().filter(ours).collect(),
            connections: segment.part_of(scenario.limits.connections),
        }
    }
}

/// The whole run of `segment` of every sale; what it came to by sale, and what goose found in all
/// of them.
async fn drive(
    openings: &[Opening<'_>],
    segment: Segment,
    stop: CancellationToken,
    run_dir: &Path,
) -> Result<(Vec<SegmentResult>, GooseSummary), LoadError> {
    let first = openings.first().ok_or(LoadError::CrowdLost)?;
    let bases = openings.iter().map(|opening| opening.target.check());
    let bases = bases.collect::<Result<Vec<_>, Unsafe>>()?;
    let casts: Vec<Cast> = openings
        .iter()
        .map(|opening| Cast::of(opening.scenario, segment))
        .collect();
    machine::check(
        casts.iter().map(|cast| cast.connections).sum(),
        casts.iter().map(|cast| cast.browsers.len()).sum(),
    )?;
    tokio::fs::create_dir_all(run_dir)
        .await
        .map_err(|source| LoadError::RunDir {
            path: run_dir.to_owned(),
            source,
        })?;
    let started_at = SystemClock.now();
    for opening in openings {
        let late_ms = started_at.since(opening.target.sale.schedule.opens_at);
        if late_ms > 0 {
            return Err(LoadError::TooLate { late_ms });
        }
    }
    let (tap, drain) = Tap::new();
    let over = stop.child_token();
    // The crowd's thread ends with the run, also when nobody waits for the run any more.
    let _over_with_us = over.clone().drop_guard();
    let worlds: Vec<Arc<World>> = openings
        .iter()
        .map(|opening| {
            Arc::new(World::new(
                opening.scenario,
                opening.target,
                Arc::clone(&opening.live),
                tap.beside(),
                started_at,
                over.child_token(),
            ))
        })
        .collect();
    drop(tap);
    let goose = Shell {
        drain,
        // Browsers are goose's, and goose knows one host.
        base: bases[0].clone(),
        // Of several segments none sees everybody, so goose judges none of them.
        rules: if segment == Segment::WHOLE {
            first.scenario.thresholds.clone()
        } else {
            Vec::new()
        },
        browsers: browsers(&casts, &worlds),
        run_dir: run_dir.to_owned(),
    }
    .start();
    let seconds = tokio::spawn(tick(worlds.clone()));
    let mut sales: Vec<Watched<'_>> = Vec::with_capacity(openings.len());
    let mut plans = Vec::with_capacity(openings.len());
    for (((opening, cast), world), base) in openings.iter().zip(casts).zip(&worlds).zip(bases) {
        let scenario = opening.scenario;
        sales.push(Watched {
            scenario,
            world: Arc::clone(world),
            everybody: (cast.comers.len() + cast.browsers.len()) as u64,
            through_at: None,
        });
        plans.push(Plan {
            world: Arc::clone(world),
            base,
            comers: cast.comers,
            connections: cast.connections,
            slot_wait: Duration::from_millis(u64::from(scenario.limits.slot_wait_ms)),
            registrations: scenario.registrations,
            crowd: scenario.crowd.visitors,
            segment,
        });
    }
    let crowd = CrowdThread::start(plans).map_err(LoadError::Setup)?;
    let cut_short = watch(&mut sales, &crowd, &goose, &stop).await;
    // Whoever is still under way ends now and is counted as such.
    for world in &worlds {
        world.line_over.cancel();
    }
    over.cancel();
    let generators = crowd.finish().await;
    for world in &worlds {
        world.tap.flush(&world.live);
    }
    let goose = goose.finish().await;
    seconds.abort();
    let generators = generators.ok_or(LoadError::CrowdLost)?;
    let ended = openings.iter().zip(&sales).zip(generators);
    let parts = ended.map(|((opening, sale), generator)| {
        opening
            .live
            .tick(sale.through_at.unwrap_or_else(|| sale.world.clock.now()));
        conclude(opening, segment, sale, generator, cut_short.as_deref())
    });
    Ok((parts.collect(), goose))
}

/// The browsers of all sales, the last to come first.
fn browsers(casts: &[Cast], worlds: &[Arc<World>]) -> Vec<Arrival> {
    let mut all: Vec<Arrival> = Vec::new();
    for (cast, world) in casts.iter().zip(worlds) {
        all.extend(cast.browsers.iter().map(|comer| Arrival {
            world: Arc::clone(world),
            visitor: Visitor {
                index: comer.index.into(),
                persona: comer.persona.into(),
                account: None,
            },
            at: world.clock.from_opening(comer.arrives_us),
        }));
    }
    all.sort_by_key(|arrival| std::cmp::Reverse(arrival.at));
    all
}

/// What one sale came to; goose, which hears of all of them, is not asked here.
fn conclude(
    opening: &Opening<'_>,
    segment: Segment,
    sale: &Watched<'_>,
    generator: crate::result::Generator,
    cut_short: Option<&str>,
) -> SegmentResult {
    let (scenario, world) = (opening.scenario, &sale.world);
    let live = &world.live;
    SegmentResult {
        segment,
        scenario: scenario.name.clone(),
        seed: scenario.seed,
        started_at: world.clock.millis(world.clock.start()),
        opens_at: opening.target.sale.schedule.opens_at,
        finished_at: sale.through_at.unwrap_or_else(|| world.clock.now()),
        funnel: live.counters.funnel(),
        steps: live.tallies(),
        series: live.series(),
        personas: world.tally.results(&scenario.crowd.personas),
        generator,
        goose: GooseSummary::default(),
        cut_short: cut_short.filter(|_| sale.through_at.is_none()).map(str::to_owned),
        observations: world.observer.take(),
    }
}

#[cfg(test)]
mod tests;
