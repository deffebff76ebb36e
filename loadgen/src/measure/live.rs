//! The run as it happens: shared by the engine that writes and the screens that read.
//!
//! Writers touch atomics and one short lock per step; readers take snapshots. Once a second
//! [`Live::tick`] closes the second, which is what series and "the last seconds" are made of.

use super::counters::{Counters, Funnel};
use super::step::{Lane, Latency, Sample, Step, StepSummary, Verdict};
use super::tally::StepTally;
use super::view::{LiveView, Second, StepView};
use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use urr_core::crowd::{BUCKETS, bucket_of_us};
use urr_core::time::Millis;

/// Seconds that "recent" looks back on.
const RECENT_S: usize = 5;
/// Seconds kept as a series; a day. Longer runs lose the oldest, never memory.
const SERIES_MAX: usize = 86_400;
/// A request later than this after its due moment counts as late.
const LATE_AFTER: Duration = Duration::from_millis(100);

/// The run so far.
#[derive(Debug)]
pub struct Live {
    /// Counters; anybody may count.
    pub counters: Counters,
    crowd: Vec<Mutex<StepState>>,
    browser: Vec<Mutex<StepState>>,
    seconds: Mutex<Seconds>,
}

#[derive(Debug)]
struct StepState {
    response: Latency,
    service: Latency,
    fine: u64,
    declined: u64,
    failed: u64,
    late: u64,
    /// `response` by [`urr_core::crowd::BOUNDS_MS`], counted along: a screen asks four times a second,
    /// and a walk over every slot of every histogram would cost more than the requests.
    buckets: [u64; BUCKETS],
    /// The second being filled.
    second: Latency,
    /// Service times since the generator was last looked after.
    second_service: Latency,
    /// The closed seconds before it.
    recent: VecDeque<Latency>,
}

impl StepState {
    fn new() -> Self {
        Self {
            response: Latency::new(3),
            service: Latency::new(2),
            fine: 0,
            declined: 0,
            failed: 0,
            late: 0,
            buckets: [0; BUCKETS],
            second: Latency::new(2),
            second_service: Latency::new(2),
            recent: VecDeque::with_capacity(RECENT_S + 1),
        }
    }
}

#[derive(Debug, Default)]
struct Seconds {
    last: Funnel,
    series: VecDeque<Second>,
}

/// A poisoned lock only means that a writer panicked between two numbers; the numbers are usable.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Default for Live {
    fn default() -> Self {
        Self::new()
    }
}

impl Live {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        let states = || Step::ALL.iter().map(|_| Mutex::new(StepState::new())).collect();
        Self {
            counters: Counters::default(),
            crowd: states(),
            browser: states(),
            seconds: Mutex::default(),
        }
    }

    fn state(&self, lane: Lane, step: Step) -> MutexGuard<'_, StepState> {
        let states = match lane {
            Lane::Crowd => &self.crowd,
            Lane::Browser => &self.browser,
        };
        lock(&states[step.index()])
    }

    /// Takes one measurement.
    pub fn record(&self, sample: &Sample) {
        let late = sample.response.saturating_sub(sample.service) > LATE_AFTER;
        if sample.step.is_request() {
            Counters::add(&self.counters.requests);
            if sample.verdict == Verdict::Failed {
                Counters::add(&self.counters.errors);
            }
            if late {
                Counters::add(&self.counters.late);
            }
        }
        let mut state = self.state(sample.lane, sample.step);
        match sample.verdict {
            Verdict::Fine => state.fine += 1,
            Verdict::Declined => state.declined += 1,
            Verdict::Failed => state.failed += 1,
        }
        state.late += u64::from(late && sample.step.is_request());
        // A refused connection is quick; it must not make a percentile look good.
        if sample.verdict != Verdict::Failed {
            state.response.record(sample.response);
            let us = u64::try_from(sample.response.as_micros()).unwrap_or(u64::MAX);
            state.buckets[bucket_of_us(us)] += 1;
            state.service.record(sample.service);
            state.second.record(sample.response);
            state.second_service.record(sample.service);
        }
    }

    /// Closes the second that ends at `at`.
    pub fn tick(&self, at: Millis) {
        let p95_us = self.crowd.iter().map(close_second).collect();
        self.browser.iter().for_each(|state| {
            close_second(state);
        });
        let now = self.counters.funnel();
        let mut seconds = lock(&self.seconds);
        let last = std::mem::replace(&mut seconds.last, now.clone());
        seconds.series.push_back(Second {
            at,
            arrived: now.arrived - last.arrived,
            admitted: now.admitted - last.admitted,
            sold: now.sold - last.sold,
            requests: now.requests - last.requests,
            errors: now.errors - last.errors,
            late: now.late - last.late,
            dropped: now.dropped - last.dropped,
            waiting: now.waiting,
            inside: now.inside,
            p95_us,
        });
        if seconds.series.len() > SERIES_MAX {
            seconds.series.pop_front();
        }
    }

    /// The run now, for a screen.
    #[must_use]
    pub fn view(&self) -> LiveView {
        const ON_SCREEN: usize = 120;
        let steps = Step::ALL
            .into_iter()
            .filter_map(|step| {
                let state = self.state(Lane::Crowd, step);
                let count = state.fine + state.declined + state.failed;
                (count > 0).then(|| {
                    let mut recent = Latency::new(2);
                    state.recent.iter().for_each(|second| recent.add(second));
                    recent.add(&state.second);
                    StepView {
                        step,
                        count,
                        failed: state.failed,
                        recent_us: (recent.count() > 0).then(|| three(&recent)),
                        run_us: three(&state.response),
                        buckets: state.buckets.to_vec(),
                    }
                })
            })
            .collect();
        let seconds = lock(&self.seconds);
        let skip = seconds.series.len().saturating_sub(ON_SCREEN);
        LiveView {
            funnel: self.counters.funnel(),
            steps,
            seconds: seconds.series.iter().skip(skip).cloned().collect(),
        }
    }

    /// Every closed second.
    #[must_use]
    pub fn series(&self) -> Vec<Second> {
        lock(&self.seconds).series.iter().cloned().collect()
    }

    /// Every step that somebody took, by lane, with everything that adds up over workers.
    #[must_use]
    pub fn tallies(&self) -> Vec<StepTally> {
        let mut tallies = Vec::new();
        for lane in [Lane::Crowd, Lane::Browser] {
            for step in Step::ALL {
                let state = self.state(lane, step);
                if state.fine + state.declined + state.failed == 0 {
                    continue;
                }
                tallies.push(StepTally {
                    step,
                    lane,
                    fine: state.fine,
                    declined: state.declined,
                    failed: state.failed,
                    late: state.late,
                    response: state.response.clone(),
                    service: state.service.clone(),
                });
            }
        }
        tallies
    }

    /// Every step that somebody took, by lane, in figures.
    #[must_use]
    pub fn summaries(&self) -> Vec<StepSummary> {
        self.tallies().iter().map(StepTally::summary).collect()
    }

    /// Median service times (µs) of the crowd's `steps` since this was last asked; for the generator's
    /// own watch.
    pub(crate) fn close_service_second<const N: usize>(&self, steps: [Step; N]) -> [Option<u64>; N] {
        steps.map(|step| {
            let mut state = self.state(Lane::Crowd, step);
            let median = state.second_service.percentile_us(50.0);
            let taken = state.second_service.count() > 0;
            state.second_service.clear();
            taken.then_some(median)
        })
    }

    /// The quickest answer to each of the crowd's `steps`, µs.
    pub(crate) fn fastest_service<const N: usize>(&self, steps: [Step; N]) -> [Option<u64>; N] {
        steps.map(|step| {
            let state = self.state(Lane::Crowd, step);
            (state.service.count() > 0).then(|| state.service.min_us())
        })
    }

    /// Journeys under way.
    #[must_use]
    pub fn under_way(&self) -> u64 {
        self.counters.under_way.load(Ordering::Relaxed)
    }

    /// A percentile of the crowd's response times for `step`, in µs.
    #[must_use]
    pub fn percentile_us(&self, step: Step, percent: f64) -> u64 {
        self.state(Lane::Crowd, step).response.percentile_us(percent)
    }
}

/// Moves the second being filled to the closed ones; its p95 in µs if it has any.
fn close_second(state: &Mutex<StepState>) -> Option<u64> {
    let mut state = lock(state);
    let closed = state.second.clone();
    state.second.clear();
    let p95_us = (closed.count() > 0).then(|| closed.percentile_us(95.0));
    state.recent.push_back(closed);
    if state.recent.len() > RECENT_S {
        state.recent.pop_front();
    }
    p95_us
}

fn three(latency: &Latency) -> [u64; 3] {
    [50.0, 95.0, 99.0].map(|percent| latency.percentile_us(percent))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(step: Step, response_ms: u64, service_ms: u64, verdict: Verdict) -> Sample {
        Sample {
            step,
            lane: Lane::Crowd,
            response: Duration::from_millis(response_ms),
            service: Duration::from_millis(service_ms),
            status: 200,
            verdict,
        }
    }

    #[test]
    fn a_stall_shows_in_the_response_time_and_counts_as_late() {
        let live = Live::new();
        live.record(&sample(Step::Poll, 5, 5, Verdict::Fine));
        live.record(&sample(Step::Poll, 905, 5, Verdict::Fine));
        let [poll] = &live.summaries()[..] else { panic!() };
        assert!(poll.max_us > 900_000 && poll.service_p95_us < 6000);
        assert_eq!((poll.late, live.counters.funnel().late), (1, 1));
    }

    #[test]
    fn quick_failures_do_not_improve_percentiles() {
        let live = Live::new();
        live.record(&sample(Step::Join, 80, 80, Verdict::Fine));
        for _ in 0..100 {
            live.record(&sample(Step::Join, 1, 1, Verdict::Failed));
        }
        assert!(live.percentile_us(Step::Join, 50.0) >= 79_000);
        assert_eq!(live.counters.funnel().errors, 100);
    }

    #[test]
    fn seconds_hold_differences_and_recent_forgets() {
        let live = Live::new();
        live.record(&sample(Step::Join, 10, 10, Verdict::Fine));
        live.tick(Millis(1000));
        live.tick(Millis(2000));
        let series = live.series();
        assert_eq!([series[0].requests, series[1].requests], [1, 0]);
        assert!(series[0].p95_us[Step::Join.index()].is_some());
        assert_eq!(series[1].p95_us[Step::Join.index()], None);
        assert!(live.view().steps[0].recent_us.is_some());
        for second in 3..10 {
            live.tick(Millis(second * 1000));
        }
        assert_eq!(live.view().steps[0].recent_us, None);
        assert!(live.view().steps[0].run_us[0] > 0);
    }
}
