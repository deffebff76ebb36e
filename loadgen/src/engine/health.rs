//! Watching the generator: was it the system that was slow, or we?
//!
//! On one machine both share the cores, so lateness alone tells nothing. Every second is noted
//! here with what tells: how late our own loop was, how much CPU our thread used and how long it
//! waited for one, how busy the machine was, and whether requests waited for a connection. The
//! rules that weigh these notes are in `judgement`.

use super::street::Street;
use crate::http::Pooled;
use crate::measure::{Latency, Live, Step};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// How often the loop is felt.
const BEAT: Duration = Duration::from_millis(20);
/// From when on a beat is late enough to make requests late.
const OVERSLEPT: Duration = Duration::from_millis(100);

/// One second of the generator.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Pulse {
    /// Requests that started more than 100 ms after they were due.
    pub(super) late: u64,
    /// Part of the second in which people were due and every connection was at work.
    pub(super) jammed: f64,
    /// Part of the second that the generator's own loop overslept, counting only sleeps that were more
    /// than [`OVERSLEPT`] too long.
    pub(super) overslept: f64,
    /// How late the generator's own loop was at worst, µs.
    pub(super) lag_most_us: u64,
    /// Cores the generator's thread used; `None` where the system does not tell.
    pub(super) cpu: Option<f64>,
    /// Part of the second in which the thread could have run and had no core.
    pub(super) cpu_wait: Option<f64>,
    /// Cores in use on the whole machine, and how many it has.
    pub(super) machine: Option<(f64, f64)>,
    /// Median service time of joins and of polls, µs.
    pub(super) service_p50_us: [Option<u64>; 2],
}

/// What a run's watching yields.
#[derive(Debug, Default)]
pub(super) struct Diary {
    pub(super) pulses: Vec<Pulse>,
    pub(super) lag: Option<Latency>,
    pub(super) fastest_us: [Option<u64>; 2],
}

/// The steps whose service time tells whether the system queues.
const TELLING: [Step; 2] = [Step::Join, Step::Poll];
/// Pulses kept; a day.
const PULSES_MAX: usize = 86_400;

/// Watches until `stop`. Runs on the thread it watches.
pub(super) async fn watch(
    street: Arc<Street>,
    pool: Pooled,
    live: Arc<Live>,
    stop: CancellationToken,
) -> Diary {
    let mut diary = Diary::default();
    let mut lag = Latency::new(3);
    let mut readings = Readings::take();
    let mut late = live.counters.late.load(Ordering::Relaxed);
    let (mut beats, mut jams, mut lag_most_us, mut second) = (0, 0, 0, Instant::now());
    let mut overslept = Duration::ZERO;
    let mut due = Instant::now() + BEAT;
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            () = tokio::time::sleep_until(due.into()) => {}
        }
        let now = Instant::now();
        let behind = now.saturating_duration_since(due);
        lag.record(behind);
        lag_most_us = lag_most_us.max(u64::try_from(behind.as_micros()).unwrap_or(u64::MAX));
        if behind > OVERSLEPT {
            overslept += behind;
        }
        beats += 1;
        jams += u32::from(street.census().jammed || pool.is_full());
        // A beat that comes late makes the following ones late too, not many.
        due = (due + BEAT).max(now);
        if now.saturating_duration_since(second) >= Duration::from_secs(1) {
            let next = Readings::take();
            let late_now = live.counters.late.load(Ordering::Relaxed);
            let service = live.close_service_second(TELLING);
            let elapsed_s = now.saturating_duration_since(second).as_secs_f64();
            let (cpu, cpu_wait) = readings.thread_since(&next, elapsed_s);
            let pulse = Pulse {
                late: late_now - late,
                jammed: f64::from(jams) / f64::from(beats),
                overslept: overslept.as_secs_f64() / elapsed_s.max(1e-3),
                lag_most_us,
                cpu,
                cpu_wait,
                machine: readings.machine_since(&next, elapsed_s),
                service_p50_us: service,
            };
            tracing::debug!(?pulse, "generator");
            if diary.pulses.len() < PULSES_MAX {
                diary.pulses.push(pulse);
            }
            (readings, late) = (next, late_now);
            (beats, jams, lag_most_us, second) = (0, 0, 0, now);
            overslept = Duration::ZERO;
        }
    }
    diary.lag = Some(lag);
    diary.fastest_us = live.fastest_service(TELLING);
    diary
}

/// What the kernel says about this thread and this machine.
struct Readings {
    /// This thread: ns on a core, ns waiting for one.
    thread: Option<(u64, u64)>,
    /// The machine: ticks in use, ticks in all, cores.
    machine: Option<(u64, u64, u32)>,
}

impl Readings {
    fn take() -> Self {
        let read = |path| std::fs::read_to_string(path).ok();
        Self {
            thread: read("/proc/thread-self/schedstat").as_deref().and_then(thread),
            machine: read("/proc/stat").as_deref().and_then(machine),
        }
    }

    /// Cores used and waited for since then.
    fn thread_since(&self, next: &Self, elapsed_s: f64) -> (Option<f64>, Option<f64>) {
        let (Some(then), Some(now)) = (self.thread, next.thread) else {
            return (None, None);
        };
        let part = |then: u64, now: u64| {
            Duration::from_nanos(now.saturating_sub(then)).as_secs_f64() / elapsed_s.max(1e-3)
        };
        (Some(part(then.0, now.0)), Some(part(then.1, now.1)))
    }

    /// Cores the machine used, and how many it has.
    #[expect(clippy::cast_precision_loss, reason = "ticks stay far below 2^52")]
    fn machine_since(&self, next: &Self, elapsed_s: f64) -> Option<(f64, f64)> {
        if elapsed_s <= 0.0 {
            return None;
        }
        let (then, now) = (self.machine?, next.machine?);
        let cores = f64::from(now.2);
        let all = now.1.checked_sub(then.1).filter(|ticks| *ticks > 0)?;
        Some((now.0.saturating_sub(then.0) as f64 / all as f64 * cores, cores))
    }
}

/// `schedstat`: time on a core, time waiting for one, slices.
fn thread(text: &str) -> Option<(u64, u64)> {
    let mut numbers = text.split_whitespace().map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// First line of `/proc/stat`: user nice system idle iowait irq softirq steal, in ticks.
fn machine(text: &str) -> Option<(u64, u64, u32)> {
    let line = text.lines().next()?.strip_prefix("cpu ")?;
    let ticks: Vec<u64> = line.split_whitespace().take(8).flat_map(str::parse).collect();
    let all: u64 = ticks.iter().sum();
    let idle: u64 = ticks.iter().skip(3).take(2).sum();
    let cores = text
        .lines()
        .skip(1)
        .take_while(|line| line.starts_with("cpu"))
        .count();
    Some((all - idle, all, u32::try_from(cores).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_figures_are_read_as_it_writes_them() {
        assert_eq!(thread("763595 3492635 2\n"), Some((763_595, 3_492_635)));
        let text =
            "cpu  10 1 4 80 5 0 0 0 0 0\ncpu0 5 0 2 40 3 0 0 0 0 0\ncpu1 5 1 2 40 2 0 0 0 0 0\nintr 1\n";
        assert_eq!(machine(text), Some((15, 100, 2)));
        let before = Readings {
            thread: Some((0, 0)),
            machine: Some((15, 100, 2)),
        };
        let after = Readings {
            thread: Some((500_000_000, 250_000_000)),
            machine: Some((165, 300, 2)),
        };
        assert_eq!(before.thread_since(&after, 1.0), (Some(0.5), Some(0.25)));
        assert_eq!(before.machine_since(&after, 1.0), Some((1.5, 2.0)));
    }
}
