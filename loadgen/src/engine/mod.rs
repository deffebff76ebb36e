//! Runs a scenario against a target: open loop, everything bounded.
//!
//! Visitors come when the curve says, not when the system is ready for them. Who waits is a small
//! record ([`shelf`]), who acts holds one of a bounded number of lanes ([`street`]), and whether the
//! generator kept up is watched and judged ([`health`], [`judgement`]). The crowd has a thread of its
//! own; goose and the browsers run on the caller's. A run is the merge of its segments, also when it
//! is only one: so there is one place where a verdict is passed.

mod health;
mod judgement;
mod machine;
mod shelf;
mod street;
mod thread;

pub(crate) use judgement::validity;
pub use machine::Shortage;

use crate::crowd;
use crate::goose_shell::{FLUSH_EVERY, Running, Shell, Tap};
use crate::journey::{Visitor, World};
use crate::measure::Live;
use crate::result::{GooseSummary, LoadResult};
use crate::scenario::{Behaviour, Scenario};
use crate::segments::{MergeError, Segment, SegmentResult, merge};
use crate::target::{Target, Unsafe};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use thread::{CrowdThread, Plan};
use tokio_util::sync::CancellationToken;
use urr_kit::clock::{Clock, SystemClock};

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

/// What a run says that somebody ended.
const INTERRUPTED: &str = "it was interrupted";
/// How often the run looks whether it is over.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Thinking, paying and being told no take a last visitor this much longer than his hold.
const AFTER_CLOSE: Duration = Duration::from_secs(15);

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
    let base = target.check()?;
    let connections = segment.part_of(scenario.limits.connections);
    let comers: Vec<_> = crowd::crowd(scenario)
        .into_iter()
        .filter(|comer| segment.has(comer.index.into()))
        .collect();
    let browsers: Vec<_> = crowd::browsers(scenario)
        .into_iter()
        .filter(|comer| segment.has(comer.index.into()))
        .collect();
    machine::check(connections, browsers.len())?;
    tokio::fs::create_dir_all(run_dir)
        .await
        .map_err(|source| LoadError::RunDir {
            path: run_dir.to_owned(),
            source,
        })?;
    let started_at = SystemClock.now();
    let late_ms = started_at.since(target.sale.schedule.opens_at);
    if late_ms > 0 {
        return Err(LoadError::TooLate { late_ms });
    }
    let (tap, drain) = Tap::new();
    let over = stop.child_token();
    let world = Arc::new(World::new(
        scenario,
        target,
        Arc::clone(&live),
        tap,
        started_at,
        over,
    ));
    // The crowd's thread ends with the run, also when nobody waits for the run any more.
    let _over_with_us = world.over.clone().drop_guard();
    let everybody = (comers.len() + browsers.len()) as u64;
    let waiting_browsers = browsers.iter().rev().map(|comer| {
        let visitor = Visitor {
            index: comer.index.into(),
            persona: comer.persona.into(),
            account: None,
        };
        (visitor, world.clock.from_opening(comer.arrives_us))
    });
    let goose = Shell {
        drain,
        base: base.clone(),
        // Of several segments none sees everybody, so goose judges none of them.
        rules: if segment == Segment::WHOLE {
            scenario.thresholds.clone()
        } else {
            Vec::new()
        },
        browsers: waiting_browsers.collect(),
        run_dir: run_dir.to_owned(),
        world: Arc::clone(&world),
    }
    .start();
    let seconds = tokio::spawn(tick(Arc::clone(&world)));
    let crowd = CrowdThread::start(Plan {
        world: Arc::clone(&world),
        base,
        comers,
        connections,
        slot_wait: Duration::from_millis(u64::from(scenario.limits.slot_wait_ms)),
        registrations: scenario.registrations,
        crowd: scenario.crowd.visitors,
        segment,
    })
    .map_err(LoadError::Setup)?;
    let cut_short = watch(scenario, &world, everybody, &crowd, &goose, &stop).await;
    // Whoever is still under way ends now and is counted as such.
    world.line_over.cancel();
    world.over.cancel();
    let generator = crowd.finish().await;
    world.tap.flush(&live);
    let goose = goose.finish().await;
    seconds.abort();
    live.tick(world.clock.now());
    let generator = generator.ok_or(LoadError::CrowdLost)?;
    Ok(conclude(
        scenario, target, segment, &world, goose, generator, cut_short,
    ))
}

/// Closes every second of the run, and lets goose have what little there is to have.
async fn tick(world: Arc<World>) {
    let second = Duration::from_secs(1);
    let mut every = tokio::time::interval(FLUSH_EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    let mut due = Instant::now() + second;
    loop {
        every.tick().await;
        world.tap.flush(&world.live);
        if Instant::now() >= due {
            due = Instant::now().max(due + second);
            world.live.tick(world.clock.now());
        }
    }
}

/// Waits for the end of the run; says why it was cut short, if it was.
async fn watch(
    scenario: &Scenario,
    world: &World,
    everybody: u64,
    crowd: &CrowdThread,
    goose: &Running,
    stop: &CancellationToken,
) -> Option<String> {
    let started = world.clock.start();
    let limit = started + ms(scenario.limits.run_at_most_ms);
    let all_out = world.clock.closes() + slowest_payer(scenario) + AFTER_CLOSE;
    let mut every = tokio::time::interval(LOOK_EVERY);
    loop {
        tokio::select! {
            () = stop.cancelled() => return Some(INTERRUPTED.to_owned()),
            _ = every.tick() => {}
        }
        let now = Instant::now();
        let counters = &world.live.counters;
        if counters.sold.load(Ordering::Relaxed) >= scenario.seats() && !world.line_over.is_cancelled() {
            world.sold_out.store(true, Ordering::Relaxed);
            world.line_over.cancel();
        }
        if now >= world.clock.closes() {
            world.line_over.cancel();
        }
        let all_came = counters.arrived.load(Ordering::Relaxed) >= everybody;
        if all_came && crowd.is_empty() && goose.browsers_left() == 0 {
            return None;
        }
        if crowd.is_lost() {
            // It also ends when it is told to, sooner than this loop may look.
            let why = if stop.is_cancelled() {
                INTERRUPTED
            } else {
                "its thread ended"
            };
            return Some(why.to_owned());
        }
        if now >= limit {
            return Some(format!(
                "it reached its limit of {} s with {} visitors under way",
                scenario.limits.run_at_most_ms / 1000,
                world.live.under_way()
            ));
        }
        if now >= all_out {
            return Some(format!(
                "{} visitors were under way after the sale had closed",
                world.live.under_way()
            ));
        }
    }
}

/// How long after the close somebody who got in at the last moment may still be on the way to paying:
/// as long as a hold lasts, or as the latest payer dallies.
fn slowest_payer(scenario: &Scenario) -> Duration {
    let hold = Duration::from_secs(u64::from(scenario.sale.admission.hold_ttl_s));
    let dally = scenario
        .crowd
        .personas
        .iter()
        .filter_map(|persona| match persona.behaviour {
            Behaviour::PaysLate { after_ms } => Some(Duration::from_millis(u64::from(after_ms))),
            _ => None,
        });
    dally.fold(hold, Duration::max)
}

fn ms(ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}

fn conclude(
    scenario: &Scenario,
    target: &Target,
    segment: Segment,
    world: &World,
    goose: GooseSummary,
    generator: crate::result::Generator,
    cut_short: Option<String>,
) -> SegmentResult {
    let live = &world.live;
    SegmentResult {
        segment,
        scenario: scenario.name.clone(),
        seed: scenario.seed,
        started_at: world.clock.millis(world.clock.start()),
        opens_at: target.sale.schedule.opens_at,
        finished_at: world.clock.now(),
        funnel: live.counters.funnel(),
        steps: live.tallies(),
        series: live.series(),
        personas: world.tally.results(&scenario.crowd.personas),
        generator,
        goose,
        cut_short,
        observations: world.observer.take(),
    }
}

#[cfg(test)]
mod tests;
