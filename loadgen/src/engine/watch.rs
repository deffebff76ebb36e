//! When a run is over, sale by sale: everybody is through, the time is up, or somebody ends it.

use super::thread::CrowdThread;
use crate::goose_shell::{FLUSH_EVERY, Running};
use crate::journey::World;
use crate::scenario::{Behaviour, Scenario};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use urr_core::time::Millis;

/// What a run says that somebody ended.
const INTERRUPTED: &str = "it was interrupted";
/// How often the run looks whether it is over.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Thinking, paying and being told no take a last visitor this much longer than his hold.
const AFTER_CLOSE: Duration = Duration::from_secs(15);

/// One of the sales that are watched.
pub(super) struct Watched<'a> {
    pub(super) scenario: &'a Scenario,
    pub(super) world: Arc<World>,
    /// Who comes, browsers included.
    pub(super) everybody: u64,
    /// When everybody was through; `None`: not yet.
    pub(super) through_at: Option<Millis>,
}

/// Closes every second of the run, and lets goose have what little there is to have. A sale of
/// which everybody is through has no more seconds.
pub(super) async fn tick(worlds: Vec<Arc<World>>) {
    let second = Duration::from_secs(1);
    let mut every = tokio::time::interval(FLUSH_EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    let mut due = Instant::now() + second;
    loop {
        every.tick().await;
        let closes = Instant::now() >= due;
        if closes {
            due = Instant::now().max(due + second);
        }
        for world in &worlds {
            world.tap.flush(&world.live);
            if closes && !world.over.is_cancelled() {
                world.live.tick(world.clock.now());
            }
        }
    }
}

/// Waits for the end of the run; says why it was cut short, if it was, for those sales whose people
/// were not all through.
pub(super) async fn watch(
    sales: &mut [Watched<'_>],
    crowd: &CrowdThread,
    goose: &Running,
    stop: &CancellationToken,
) -> Option<String> {
    let mut every = tokio::time::interval(LOOK_EVERY);
    loop {
        tokio::select! {
            () = stop.cancelled() => return Some(INTERRUPTED.to_owned()),
            _ = every.tick() => {}
        }
        let now = Instant::now();
        for (nth, sale) in sales.iter_mut().enumerate() {
            sale.look(now, crowd.is_empty(nth));
        }
        if sales.iter().all(|sale| sale.through_at.is_some()) && goose.browsers_left() == 0 {
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
        let under_way = || sales.iter().map(|sale| sale.world.live.under_way()).sum::<u64>();
        if let Some(limit) = sales.iter().find_map(|sale| sale.reached_limit(now)) {
            return Some(format!(
                "it reached its limit of {} s with {} visitors under way",
                limit / 1000,
                under_way()
            ));
        }
        if sales.iter().any(|sale| sale.all_out(now)) {
            return Some(format!(
                "{} visitors were under way after the sale had closed",
                under_way()
            ));
        }
    }
}

impl Watched<'_> {
    fn look(&mut self, now: Instant, street_is_empty: bool) {
        if self.through_at.is_some() {
            return;
        }
        let world = &self.world;
        let counters = &world.live.counters;
        let sold = counters.sold.load(Ordering::Relaxed);
        if sold >= self.scenario.seats() && !world.line_over.is_cancelled() {
            world.sold_out.store(true, Ordering::Relaxed);
            world.line_over.cancel();
        }
        if now >= world.clock.closes() {
            world.line_over.cancel();
        }
        // Browsers are not in the street, so journeys that ended are counted too.
        let all_came = counters.arrived.load(Ordering::Relaxed) >= self.everybody;
        let all_ended = counters.ended.load(Ordering::Relaxed) >= self.everybody;
        if all_came && all_ended && street_is_empty {
            self.through_at = Some(world.clock.now());
            world.over.cancel();
        }
    }

    /// The limit of the run, ms, if it is reached.
    fn reached_limit(&self, now: Instant) -> Option<i64> {
        let limit_ms = self.scenario.limits.run_at_most_ms;
        (now >= self.world.clock.start() + ms(limit_ms)).then_some(limit_ms)
    }

    /// Whether it is so long after the close that nobody should be under way any more.
    fn all_out(&self, now: Instant) -> bool {
        let last = self.world.clock.closes() + slowest_payer(self.scenario) + AFTER_CLOSE;
        self.through_at.is_none() && now >= last
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
