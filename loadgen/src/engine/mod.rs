//! Runs a scenario against a target: open loop, one task per visitor, everything bounded.
//!
//! Visitors come when the curve says, not when the system is ready for them. A task is spawned at
//! its visitor's instant and not before, so the crowd to come costs eight bytes a head.

mod machine;

pub use machine::Shortage;

use crate::arrivals;
use crate::goose_shell::{Running, Shell, Tap};
use crate::http::{Http, Pooled};
use crate::journey::{self, Visitor, World, travel};
use crate::measure::{Live, Outcome, StepSummary};
use crate::result::{LoadResult, Validity, deciles};
use crate::scenario::{Behaviour, Persona, RunLimits, Scenario, Share};
use crate::seed::{Dice, Purpose};
use crate::target::{Target, Unsafe};
use crate::thresholds::{Figures, judge};
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use urr_kit::clock::{Clock, SystemClock};

/// Why a run could not be done at all. A run that was done and is worthless is no error but
/// [`Validity`].
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
}

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
    let base = target.check()?;
    machine::check(scenario.limits.connections, scenario.browsers)?;
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
    let crowd = Crowd::draw(scenario);
    let slot_wait = Duration::from_millis(u64::from(scenario.limits.slot_wait_ms));
    let http: Arc<dyn Http> = Arc::new(Pooled::new(
        base.as_str(),
        scenario.limits.connections,
        slot_wait,
        Arc::clone(&live),
    ));
    let goose = Shell {
        world: Arc::clone(&world),
        drain,
        base,
        rules: scenario.thresholds.clone(),
        browsers: crowd.browsers(&world),
        run_dir: run_dir.to_owned(),
    }
    .start();
    let seconds = tokio::spawn(tick(Arc::clone(&world)));
    let visitors = TaskTracker::new();
    let arriving =
        tokio::spawn(crowd.arrive(Arc::clone(&world), http, visitors.clone(), scenario.registrations));
    let cut_short = watch(scenario, &world, &visitors, &goose, &stop).await;
    // Whoever is still under way ends now and is counted as such.
    world.line_over.cancel();
    world.over.cancel();
    // Open-loop arrivals end by `over`; an error here could only be a panic, which tests forbid.
    let _ = arriving.await;
    visitors.close();
    let _ = tokio::time::timeout(Duration::from_secs(20), visitors.wait()).await;
    let goose = goose.finish().await;
    seconds.abort();
    live.tick(world.clock.now());
    Ok(conclude(scenario, target, &world, goose, cut_short))
}

/// Closes every second of the run.
async fn tick(world: Arc<World>) {
    let mut every = tokio::time::interval(Duration::from_secs(1));
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    every.tick().await;
    loop {
        every.tick().await;
        world.live.tick(world.clock.now());
    }
}

/// Who comes, drawn from the seed.
struct Crowd {
    /// Instants of the crowd, µs from the opening, sorted.
    instants: Vec<i64>,
    /// Instants of the browsers.
    browser_instants: Vec<i64>,
    personas: Vec<Persona>,
    seed: u64,
}

impl Crowd {
    fn draw(scenario: &Scenario) -> Self {
        let curves: Vec<_> = scenario
            .crowd
            .arrivals
            .iter()
            .map(|arrival| (arrival.share, arrival.curve))
            .collect();
        Self {
            instants: arrivals::schedule(scenario.crowd.visitors, &curves, scenario.seed),
            browser_instants: arrivals::schedule(scenario.browsers, &curves, scenario.seed),
            personas: scenario.crowd.personas.clone(),
            seed: scenario.seed,
        }
    }

    /// Browsers with their arrivals, the last first, as goose takes them from the end.
    fn browsers(&self, world: &World) -> Vec<(Visitor, Instant)> {
        let first = self.instants.len() as u64;
        let mut browsers: Vec<_> = (first..)
            .zip(&self.browser_instants)
            .map(|(index, us)| {
                let visitor = Visitor {
                    index,
                    persona: persona_of(&self.personas, self.seed, index),
                    account: None,
                };
                (visitor, world.clock.from_opening(*us))
            })
            .collect();
        browsers.reverse();
        browsers
    }

    /// Spawns each visitor at its instant.
    async fn arrive(self, world: Arc<World>, http: Arc<dyn Http>, visitors: TaskTracker, registrations: u32) {
        let mut accounts = self.register(&world, &http, &visitors, registrations);
        for (index, us) in (0_u64..).zip(&self.instants) {
            let arrival = world.clock.from_opening(*us);
            if arrival > Instant::now() {
                tokio::select! {
                    () = world.over.cancelled() => return,
                    () = tokio::time::sleep_until(arrival.into()) => {}
                }
            } else if index % 256 == 0 {
                // A thousand at once must not keep the runtime from answering them.
                tokio::task::yield_now().await;
            }
            // Who comes after the last seat is gone still comes, and is told so.
            if world.over.is_cancelled() {
                return;
            }
            let visitor = Visitor {
                index,
                persona: persona_of(&self.personas, self.seed, index),
                account: accounts.remove(&index),
            };
            visitors.spawn(travel(Arc::clone(&world), Arc::clone(&http), visitor, arrival));
        }
    }

    /// Starts the real registrations, spread evenly over the time before the opening.
    fn register(
        &self,
        world: &Arc<World>,
        http: &Arc<dyn Http>,
        visitors: &TaskTracker,
        registrations: u32,
    ) -> HashMap<u64, journey::RealAccount> {
        let count = u64::from(registrations);
        let crowd = self.instants.len() as u64;
        let before_opening = world.clock.from_opening(0) - world.clock.start();
        // The last fifth stays free, so that the opening itself finds nobody hashing passwords.
        let window = before_opening.mul_f64(0.8);
        (0..count)
            .map(|nth| {
                let index = nth * crowd / count.max(1);
                let due = world.clock.start() + window.mul_f64(fraction(nth, count));
                let (done, account) = oneshot::channel();
                visitors.spawn(journey::register(
                    Arc::clone(world),
                    Arc::clone(http),
                    index,
                    due,
                    done,
                ));
                (index, account)
            })
            .collect()
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of people stay below 2^53")]
fn fraction(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}

/// Which persona visitor `index` is, by the personas' shares.
fn persona_of(personas: &[Persona], seed: u64, index: u64) -> usize {
    let mut dice = Dice::new(seed, index, Purpose::Persona);
    let mut throw = u32::try_from(dice.below(Share::WHOLE_PPM as usize)).unwrap_or(0);
    for (nth, persona) in personas.iter().enumerate() {
        if throw < persona.share.ppm {
            return nth;
        }
        throw -= persona.share.ppm;
    }
    personas.len().saturating_sub(1)
}

/// Waits for the end of the run; says why it was cut short, if it was.
async fn watch(
    scenario: &Scenario,
    world: &World,
    visitors: &TaskTracker,
    goose: &Running,
    stop: &CancellationToken,
) -> Option<String> {
    let started = world.clock.start();
    let limit = started + ms(scenario.limits.run_at_most_ms);
    let crowd = u64::from(scenario.crowd.visitors);
    let all_out = world.clock.closes() + slowest_payer(scenario) + AFTER_CLOSE;
    let mut every = tokio::time::interval(LOOK_EVERY);
    loop {
        tokio::select! {
            () = stop.cancelled() => return Some("it was interrupted".to_owned()),
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
        let all_came = counters.arrived.load(Ordering::Relaxed) >= crowd;
        if all_came && visitors.is_empty() && goose.browsers_left() == 0 {
            return None;
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
    world: &World,
    goose: crate::result::GooseSummary,
    cut_short: Option<String>,
) -> LoadResult {
    let live = &world.live;
    let observations = world.observer.take();
    let funnel = live.counters.funnel();
    let steps = live.summaries();
    let thresholds = judge(
        &scenario.thresholds,
        &Figures {
            funnel: &funnel,
            steps: &steps,
            percentile_us: &|step, percent| live.percentile_us(step, percent),
            seats: scenario.seats(),
            goose: &goose,
        },
    );
    LoadResult {
        scenario: scenario.name.clone(),
        title: scenario.title.clone(),
        seed: scenario.seed,
        started_at: world.clock.millis(world.clock.start()),
        opens_at: target.sale.schedule.opens_at,
        finished_at: world.clock.now(),
        visitors: u64::from(scenario.crowd.visitors),
        browsers: u64::from(scenario.browsers),
        seats: scenario.seats(),
        validity: validity(&scenario.limits, &funnel, &steps, &goose, cut_short.as_deref()),
        waiting: deciles(&observations),
        series: live.series(),
        funnel,
        steps,
        thresholds,
        goose,
        cut_short,
        observations,
    }
}

/// Whether the generator kept its own promises. A run of a saturated generator measures the
/// generator.
fn validity(
    limits: &RunLimits,
    funnel: &crate::measure::Funnel,
    steps: &[StepSummary],
    goose: &crate::result::GooseSummary,
    cut_short: Option<&str>,
) -> Validity {
    let mut reasons = Vec::new();
    let late = fraction(funnel.late, funnel.requests);
    let allowed = limits.late_at_most.fraction();
    if late > allowed {
        reasons.push(format!(
            "{:.1}% of requests started more than 100 ms after they were due, {:.1}% are allowed: the generator was too slow or had too few connections ({}); fewer visitors, more `limits.connections` or more cores would help",
            late * 100.0,
            allowed * 100.0,
            limits.connections
        ));
    }
    let never_came = funnel.outcome(Outcome::Dropped);
    if never_came > 0 {
        reasons.push(format!(
            "{never_came} visitors never came, because no connection was free within {} ms",
            limits.slot_wait_ms
        ));
    }
    let measured: u64 = steps.iter().map(StepSummary::total).sum();
    if let Some(error) = &goose.error {
        reasons.push(format!("goose could not judge: {error}"));
    } else if goose.requests < measured {
        reasons.push(format!(
            "goose counted {} of {measured} measurements",
            goose.requests
        ));
    }
    if let Some(why) = cut_short {
        reasons.push(format!("the run was cut short: {why}"));
    }
    Validity { reasons }
}

#[cfg(test)]
mod tests;
