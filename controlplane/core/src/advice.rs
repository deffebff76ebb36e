//! What an operator should look at now: sentences with the command that would help.
//!
//! Derived from one snapshot and what was measured lately, like the warnings the control plane
//! sends, but with a remedy that can be carried out at once. Each sentence says what is wrong, with
//! figures; a command is only suggested where it is a good idea in that very situation.

use crate::{
    effect::{self, Flow},
    law::Law,
    live::{Seen, Watch},
    sale::Phase,
    slo::{Slo, Tally},
    snapshot::Snapshot,
    time::duration_s,
};

/// One thing to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advice {
    /// What is wrong.
    pub sentence: String,
    /// What to type to mend it, if typing helps: `rate 800`.
    pub command: Option<String>,
}

/// Budgets that burn this fast (in thousandths) are worth a sentence: at twice the sustainable
/// speed half an opening uses up all of it.
const BURN_ALARM_MILLI: u64 = 2_000;
/// Fewer requests than this in the window say nothing about a percentile.
const REQUESTS_MIN: u64 = 40;
/// Headroom below this is worth a sentence.
const HEADROOM_MIN_PERCENT: u32 = 10;
/// A command that makes room leaves this share of what ready capacity bears.
const EASED_PERCENT: u32 = 80;

/// Everything worth saying, the worst first.
#[must_use]
pub fn advise(snapshot: &Snapshot, flow: Flow, burns: &[(Slo, Tally)], laws: &Watch) -> Vec<Advice> {
    let mut found = Vec::new();
    broken_laws(laws, &mut found);
    if matches!(snapshot.phase, Phase::SoldOut | Phase::Closed) {
        return found;
    }
    services(snapshot, &mut found);
    held(snapshot, &mut found);
    applied(snapshot, &mut found);
    headroom(snapshot, &mut found);
    full(snapshot, flow, &mut found);
    burning(snapshot, burns, &mut found);
    too_slow(snapshot, flow, &mut found);
    found
}

fn say(found: &mut Vec<Advice>, sentence: String, command: Option<String>) {
    found.push(Advice { sentence, command });
}

fn broken_laws(laws: &Watch, found: &mut Vec<Advice>) {
    for law in Law::ALL {
        if let Seen::Broken { detail, .. } = laws.seen(law) {
            let sentence = format!("the law {law} was seen broken: {detail}; hold the line and find out why");
            say(found, sentence, Some("pause".to_owned()));
        }
    }
}

fn services(snapshot: &Snapshot, found: &mut Vec<Advice>) {
    for service in snapshot.services.iter().filter(|s| s.ready < s.desired) {
        let consequence = if service.ready == 0 {
            "nobody is let in until it answers"
        } else {
            "the rate is bounded by what they bear"
        };
        let sentence = format!(
            "{}: {} of {} replicas are ready, {consequence}",
            service.name, service.ready, service.desired
        );
        say(found, sentence, None);
    }
}

fn held(snapshot: &Snapshot, found: &mut Vec<Advice>) {
    if snapshot.queue.as_ref().is_some_and(|queue| queue.paused) {
        let waiting = effect::waiting(snapshot);
        let sentence = format!("an operator holds the line: {waiting} people wait and nobody is let in");
        say(found, sentence, Some("resume".to_owned()));
    }
}

fn applied(snapshot: &Snapshot, found: &mut Vec<Advice>) {
    let (Some(queue), Some(bearable)) = (&snapshot.queue, effect::bearable(snapshot)) else {
        return;
    };
    if snapshot.phase == Phase::Open && !queue.paused && bearable > 0 && queue.rate_per_s > bearable {
        let sentence = format!(
            "{} a second are set, but ready capacity bears {bearable}: that is what is applied",
            queue.rate_per_s
        );
        say(found, sentence, Some(format!("rate {bearable}")));
    }
}

fn headroom(snapshot: &Snapshot, found: &mut Vec<Advice>) {
    let (Some(rate), Some(bearable)) = (effect::set_rate(snapshot), effect::bearable(snapshot)) else {
        return;
    };
    // At its full capacity by plan is how some sales are run; below the plan it is an accident.
    let short = snapshot
        .capacity
        .is_some_and(|capacity| capacity.ready_replicas < capacity.desired_replicas);
    let headroom = effect::headroom_percent(snapshot, rate).unwrap_or(100);
    if short && bearable > 0 && rate <= bearable && headroom < HEADROOM_MIN_PERCENT {
        let eased = eased(bearable);
        let sentence =
            format!("{headroom} % of ready capacity is left at {rate} a second: scale up or ease off");
        say(found, sentence, (eased < rate).then(|| format!("rate {eased}")));
    }
}

fn eased(rate: u32) -> u32 {
    let eased = u64::from(rate) * u64::from(EASED_PERCENT) / 100;
    u32::try_from(eased).unwrap_or(rate).max(1)
}

fn full(snapshot: &Snapshot, flow: Flow, found: &mut Vec<Advice>) {
    let Some(queue) = &snapshot.queue else { return };
    let waiting = effect::waiting(snapshot);
    let turnover_limits = flow
        .let_in_per_s
        .is_some_and(|let_in| let_in < u64::from(queue.rate_per_s) / 2);
    if queue.active >= u64::from(queue.cap) && waiting > u64::from(queue.cap) && turnover_limits {
        let more = u64::from(queue.cap) * 5 / 4;
        let sentence = format!(
            "the hall is full ({} inside) and {waiting} wait: slots decide, a higher rate changes nothing",
            queue.active
        );
        say(
            found,
            sentence,
            Some(format!("cap {}", more.max(u64::from(queue.cap) + 1))),
        );
    }
}

fn burning(snapshot: &Snapshot, burns: &[(Slo, Tally)], found: &mut Vec<Advice>) {
    for (slo, tally) in burns {
        let Some(burn) = slo.burn_milli(*tally).filter(|burn| *burn >= BURN_ALARM_MILLI) else {
            continue;
        };
        if tally.total < REQUESTS_MIN {
            continue;
        }
        let sentence = format!(
            "{}: {} of {} requests in the last minute failed or took longer than {} ms (burn {}.{}x)",
            slo.step,
            tally.bad,
            tally.total,
            slo.bound_ms,
            burn / 1000,
            burn / 100 % 10
        );
        let rate = effect::set_rate(snapshot).filter(|rate| *rate > 1);
        say(found, sentence, rate.map(|rate| format!("rate {}", eased(rate))));
    }
}

fn too_slow(snapshot: &Snapshot, flow: Flow, found: &mut Vec<Advice>) {
    if snapshot.phase != Phase::Open || effect::waiting(snapshot) == 0 {
        return;
    }
    let left_s = u64::try_from(snapshot.closes_at.since(snapshot.at) / 1000).unwrap_or(0);
    if let Some(wait_s) = effect::wait_s(snapshot, flow).filter(|wait_s| *wait_s > left_s) {
        let sentence = format!(
            "the last in line would come in after {}, but the sale closes in {}",
            duration_s(wait_s),
            duration_s(left_s)
        );
        say(found, sentence, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        snapshot::{CapacityView, QueueView, ServiceView},
        time::Millis,
    };

    fn calm() -> Snapshot {
        Snapshot {
            phase: Phase::Open,
            closes_at: Millis(1_000_000),
            queue: Some(QueueView {
                waiting: 0,
                active: 10,
                cap: 100,
                rate_per_s: 50,
                admitted_total: 500,
                paused: false,
            }),
            capacity: Some(CapacityView {
                ready_replicas: 4,
                desired_replicas: 4,
                rate_per_replica: 25,
            }),
            ..Snapshot::unknown(uuid::Uuid::nil())
        }
    }

    fn commands(change: impl Fn(&mut Snapshot), flow: Flow) -> Vec<Option<String>> {
        let mut snapshot = calm();
        change(&mut snapshot);
        let advice = advise(&snapshot, flow, &[], &Watch::default());
        advice.into_iter().map(|advice| advice.command).collect()
    }

    #[test]
    fn a_calm_sale_needs_no_advice() {
        assert_eq!(commands(|_| {}, Flow::default()), []);
    }

    #[test]
    fn each_trouble_comes_with_the_command_that_helps() {
        let some = |command: &str| vec![Some(command.to_owned())];
        let flow = Flow::default();
        assert_eq!(
            commands(|s| s.queue.as_mut().unwrap().paused = true, flow),
            some("resume")
        );
        assert_eq!(
            commands(|s| s.queue.as_mut().unwrap().rate_per_s = 200, flow),
            some("rate 100")
        );
        let short = |s: &mut Snapshot| s.capacity.as_mut().unwrap().ready_replicas = 2;
        assert_eq!(commands(short, flow), some("rate 40"));
        let full = |s: &mut Snapshot| {
            let queue = s.queue.as_mut().unwrap();
            (queue.active, queue.waiting) = (100, 5_000);
        };
        let slow = Flow {
            let_in_per_s: Some(10),
            ..Flow::default()
        };
        assert_eq!(commands(full, slow), some("cap 125"));
        let down = |s: &mut Snapshot| {
            s.services = vec![ServiceView {
                name: "booking".to_owned(),
                ready: 0,
                desired: 4,
            }];
        };
        assert_eq!(commands(down, flow), [None]);
    }

    #[test]
    fn a_burning_budget_is_named_with_its_figures_and_a_handful_of_requests_is_not() {
        let slo = Slo::of("hold").unwrap();
        let advise = |total, bad| {
            advise(
                &calm(),
                Flow::default(),
                &[(slo, Tally { total, bad })],
                &Watch::default(),
            )
        };
        assert_eq!(
            advise(1_000, 120)[0],
            Advice {
                sentence: "hold: 120 of 1000 requests in the last minute failed or took longer than 1000 ms (burn 2.4x)"
                    .to_owned(),
                command: Some("rate 40".to_owned()),
            }
        );
        assert_eq!(advise(10, 5), []);
        assert_eq!(advise(1_000, 50), []);
    }

    #[test]
    fn a_line_that_outlasts_the_sale_is_said_before_it_does() {
        let mut snapshot = calm();
        snapshot.queue.as_mut().unwrap().waiting = 60_000;
        let advice = advise(&snapshot, Flow::default(), &[], &Watch::default());
        let [
            Advice {
                sentence,
                command: None,
            },
        ] = advice.as_slice()
        else {
            panic!("{advice:?}");
        };
        assert_eq!(
            sentence,
            "the last in line would come in after 20 min, but the sale closes in 16 min 40 s"
        );
    }
}
