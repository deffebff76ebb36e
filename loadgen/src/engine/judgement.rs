//! Whether a run says something about the system, or only about the generator.
//!
//! Every request that starts more than 100 ms after it was due is late, and stays so in every
//! figure: its latency counts from the intended moment. What is judged here is whose lateness it
//! was. More people than the system can answer wait somewhere; here they wait for a connection, as
//! at a real site they would in its listen queue, and then the run measures what it should. That is
//! so in a second in which all of this holds, and otherwise the lateness is the generator's own:
//!
//! - people were due and every connection was at work, for most of it;
//! - the system answered three times slower than it can: it had a queue of its own already, and more
//!   connections would only have made that longer;
//! - the generator's own loop did not oversleep much of it;
//! - the generator was not out of CPU: neither was its thread full, nor did it take more than
//!   half of what a full machine used.

use super::health::{Diary, Pulse};
use super::machine::taken;
use crate::http::Dialled;
use crate::measure::{Funnel, Outcome, StepSummary};
use crate::result::{Generator, GooseSummary, Validity};
use crate::scenario::RunLimits;

/// From when on most of a second was jammed.
const MOSTLY: f64 = 0.5;
/// So much of a second overslept makes its lateness ours.
const MUCH: f64 = 0.3;
/// How much slower than its best the system must answer before it counts as saturated.
const SLOWER: u64 = 3;
/// A thread that uses this much of a core has none left.
const THREAD_FULL: f64 = 0.9;
/// A machine that uses this part of its cores has none left.
const MACHINE_FULL: f64 = 0.95;
/// The largest part of a full machine's CPU that a generator may take which claims not to be what
/// fills it.
const OURS_MOST: f64 = 0.5;

/// Whose lateness a second's was, if there was any.
fn was_the_systems(pulse: &Pulse, fastest_us: [Option<u64>; 2]) -> bool {
    pulse.jammed >= MOSTLY && system_queues(pulse, fastest_us) && pulse.overslept < MUCH && !out_of_cpu(pulse)
}

fn system_queues(pulse: &Pulse, fastest_us: [Option<u64>; 2]) -> bool {
    let steps = pulse.service_p50_us.into_iter().zip(fastest_us);
    steps
        .filter_map(|(median, fastest)| Some((median?, fastest?.max(1))))
        .any(|(median, fastest)| median >= fastest.saturating_mul(SLOWER))
}

fn out_of_cpu(pulse: &Pulse) -> bool {
    let Some(cpu) = pulse.cpu else {
        return false;
    };
    let took_most = pulse
        .machine
        .is_some_and(|(used, cores)| used >= cores * MACHINE_FULL && cpu > used * OURS_MOST);
    cpu >= THREAD_FULL || took_most
}

/// Sums up what the generator did.
pub(super) fn sum_up(
    diary: &Diary,
    funnel: &Funnel,
    dialled: Dialled,
    waiting_most: usize,
    bytes: usize,
) -> Generator {
    let held_up: u64 = diary
        .pulses
        .iter()
        .filter(|pulse| was_the_systems(pulse, diary.fastest_us))
        .map(|pulse| pulse.late)
        .sum();
    let lag = |percent| diary.lag.as_ref().map_or(0, |lag| lag.percentile_us(percent));
    let cpu = diary.pulses.iter().filter_map(|pulse| pulse.cpu);
    let out_of_cpu_s = diary.pulses.iter().filter(|pulse| out_of_cpu(pulse)).count();
    let taken = taken();
    Generator {
        late: funnel.late,
        late_by_system: held_up.min(funnel.late),
        waiting_most: waiting_most as u64,
        waiting_bytes: bytes as u64,
        lag_p99_us: lag(99.0),
        lag_most_us: diary.lag.as_ref().map_or(0, crate::measure::Latency::max_us),
        cpu_s: cpu.clone().sum(),
        cpu_most: cpu.fold(0.0, f64::max),
        out_of_cpu_s: out_of_cpu_s as u64,
        dialled,
        memory_most_bytes: taken.memory_most_bytes,
        files: taken.files,
        files_limit: taken.files_limit,
    }
}

/// Whether the generator kept its own promises. A run of a saturated generator measures the
/// generator.
pub(crate) fn validity(
    limits: &RunLimits,
    generator: &Generator,
    funnel: &Funnel,
    steps: &[StepSummary],
    goose: Option<&GooseSummary>,
    cut_short: Option<&str>,
) -> Validity {
    let mut reasons = Vec::new();
    let own_late = generator.late_by_generator();
    let late = fraction(own_late, funnel.requests);
    let allowed = limits.late_at_most.fraction();
    if late > allowed {
        let mut why = format!(
            "{:.1}% of requests started more than 100 ms after they were due though the system was not what held them up, {:.1}% are allowed: ",
            late * 100.0,
            allowed * 100.0,
        );
        why.push_str(&if generator.out_of_cpu_s > 0 {
            format!(
                "the generator was out of CPU for {} s (it used {:.2} of a core at most); fewer visitors, more cores or more workers would help",
                generator.out_of_cpu_s, generator.cpu_most
            )
        } else {
            format!(
                "{} connections were too few, or others took its CPU (its loop was up to {:.0} ms late); more `limits.connections` or a quieter machine would help",
                limits.connections,
                std::time::Duration::from_micros(generator.lag_most_us).as_secs_f64() * 1000.0
            )
        });
        reasons.push(why);
    }
    let never_came = funnel.outcome(Outcome::Dropped);
    if never_came > 0 {
        reasons.push(format!(
            "{never_came} visitors never came, because no connection was free within {} ms",
            limits.slot_wait_ms
        ));
    }
    if generator.dialled.out_of_ports > 0 {
        reasons.push(format!(
            "{} connections found no local port; lower `limits.connections`",
            generator.dialled.out_of_ports
        ));
    }
    if generator.dialled.out_of_files > 0 {
        reasons.push(format!(
            "{} connections found no file descriptor; raise `ulimit -n` or lower `limits.connections`",
            generator.dialled.out_of_files
        ));
    }
    reasons.extend(goose.and_then(|goose| by_goose(goose, steps)));
    if let Some(why) = cut_short {
        reasons.push(format!("the run was cut short: {why}"));
    }
    Validity { reasons }
}

/// Why goose's findings about `steps` cannot be believed, if they cannot.
pub(crate) fn by_goose(goose: &GooseSummary, steps: &[StepSummary]) -> Option<String> {
    let measured: u64 = steps.iter().map(StepSummary::total).sum();
    if let Some(error) = &goose.error {
        return Some(format!("goose could not judge: {error}"));
    }
    (goose.requests < measured)
        .then(|| format!("goose counted {} of {measured} measurements", goose.requests))
}

#[expect(clippy::cast_precision_loss, reason = "counts of requests stay below 2^53")]
fn fraction(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A second of a rush: everything full, the system ten times slower than it can be.
    const RUSH: Pulse = Pulse {
        late: 100,
        jammed: 1.0,
        overslept: 0.0,
        lag_most_us: 3000,
        cpu: Some(0.5),
        cpu_wait: Some(0.3),
        machine: Some((2.0, 2.0)),
        service_p50_us: [Some(9000), None],
    };
    const FASTEST: [Option<u64>; 2] = [Some(900), Some(100)];

    #[test]
    fn lateness_is_the_systems_only_while_it_queues_behind_full_connections() {
        assert!(was_the_systems(&RUSH, FASTEST));
        let not = |change: fn(&mut Pulse)| {
            let mut pulse = RUSH;
            change(&mut pulse);
            assert!(!was_the_systems(&pulse, FASTEST), "{pulse:?}");
        };
        not(|pulse| pulse.jammed = 0.2);
        not(|pulse| pulse.service_p50_us = [Some(1100), Some(120)]);
        not(|pulse| pulse.service_p50_us = [None, None]);
        not(|pulse| pulse.overslept = 0.4);
        not(|pulse| pulse.cpu = Some(0.95));
        not(|pulse| {
            pulse.cpu = Some(1.2);
            pulse.machine = Some((2.0, 2.0));
        });
    }

    #[test]
    fn a_lonely_busy_generator_on_a_large_machine_is_judged_by_its_thread() {
        let pulse = Pulse {
            cpu: Some(0.7),
            machine: Some((1.2, 16.0)),
            ..RUSH
        };
        assert!(was_the_systems(&pulse, FASTEST), "there are cores to spare");
    }
}
