//! What should be different next time, from what was measured in this sale; and what an earlier sale's
//! measure makes of this one, where its spec allows it.

use crate::mapping::millis;
use urr_api::TicketSaleSpec;
use urr_api::spec::Tuning;
use urr_api::status::{Advice, TicketSaleStatus};
use urr_core::capacity::replicas_for_rate;
use urr_core::lead;
use urr_core::sale::Phase;

/// A lead is too long when it is twice what was needed, and by so much that it is worth a word.
const LEAD_WORTH_S: u32 = 300;
/// Advised capacity bears this part more than was used, in percent.
const HEADROOM_PERCENT: u32 = 25;

/// The advice of a sale whose status is `status` but for this. There is none while it still goes on, and
/// none where the spec wants none.
#[must_use]
pub fn advice(spec: &TicketSaleSpec, status: &TicketSaleStatus, phase: Phase) -> Vec<Advice> {
    let is_over = matches!(phase, Phase::SoldOut | Phase::Closed);
    if spec.tuning == Tuning::Off || !is_over {
        return Vec::new();
    }
    [
        of_lead(spec, status),
        of_rate(spec, status),
        of_replicas(spec, status),
        of_cap(spec, status),
        of_crowd(spec, status),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The rate that a sale with `spec` begins with, when it is not its own: what `borne` by an earlier sale of
/// the same targets, within its bounds.
#[must_use]
pub fn adopted(spec: &TicketSaleSpec, borne: Option<i32>) -> Option<i32> {
    let bounds = spec.admission.adaptive.as_ref()?;
    if spec.tuning != Tuning::Auto || bounds.min_rate_per_second > bounds.max_rate_per_second {
        return None;
    }
    let rate = borne?.clamp(bounds.min_rate_per_second, bounds.max_rate_per_second);
    (rate != spec.admission.rate_per_second).then_some(rate)
}

/// `spec` as it is carried out: with the rate that was adopted.
#[must_use]
pub fn as_adopted(spec: &TicketSaleSpec, adopted: Option<i32>) -> TicketSaleSpec {
    let mut spec = spec.clone();
    spec.admission.rate_per_second = adopted.unwrap_or(spec.admission.rate_per_second);
    spec
}

fn set(field: &str, value: &impl ToString, because: String) -> Option<Advice> {
    Some(Advice {
        field: format!("spec.{field}"),
        value: value.to_string(),
        because,
    })
}

fn of_lead(spec: &TicketSaleSpec, status: &TicketSaleStatus) -> Option<Advice> {
    let of_stage = |stage| {
        let here = spec.targets.iter().filter(move |target| target.stage == stage);
        let samples = here.filter_map(|target| {
            let shown = status.targets.iter().find(|shown| shown.name == target.name)?;
            u32::try_from(shown.ready_seconds?).ok()
        });
        samples.map(|seconds| vec![seconds]).collect::<Vec<_>>()
    };
    let mut stages: Vec<i32> = spec.targets.iter().map(|target| target.stage).collect();
    stages.sort_unstable();
    stages.dedup();
    let batches: Vec<_> = stages.into_iter().map(of_stage).collect();
    let took = lead::learned_s(&batches)?;
    let enough = lead::lead_s(&batches, 0);
    let asked = u32::try_from(spec.capacity.lead_seconds).unwrap_or(0);
    let (is_late, is_early) = (
        status.slack_seconds.is_some_and(|slack| slack < 0),
        asked > enough.saturating_mul(2) && asked - enough >= LEAD_WORTH_S,
    );
    (is_late || is_early)
        .then(|| {
            let because = match status.slack_seconds {
                Some(slack) if slack < 0 => format!(
                    "all of it was ready {took} s after it was asked for, {} s after the first visitors could come",
                    slack.unsigned_abs()
                ),
                _ => format!("all of it was ready {took} s after it was asked for, and {asked} s were given"),
            };
            set("capacity.leadSeconds", &enough, because)
        })
        .flatten()
}

fn of_rate(spec: &TicketSaleSpec, status: &TicketSaleStatus) -> Option<Advice> {
    let begun = status
        .adopted_rate_per_second
        .unwrap_or(spec.admission.rate_per_second);
    let borne = status.measured.as_ref()?.borne_per_second?;
    if borne == begun {
        return None;
    }
    let because =
        format!("it began with {begun}/s, and {borne}/s was the most the services bore within their limits");
    set("admission.ratePerSecond", &borne, because)
}

fn of_replicas(spec: &TicketSaleSpec, status: &TicketSaleStatus) -> Option<Advice> {
    let let_in = u32::try_from(status.measured.as_ref()?.let_in_per_second?).ok()?;
    let per_replica = u32::try_from(spec.capacity.rate_per_replica).ok()?;
    let asked = u32::try_from(spec.capacity.replicas).ok()?;
    let with_headroom = let_in.saturating_add(let_in.saturating_mul(HEADROOM_PERCENT).div_ceil(100));
    let needed = replicas_for_rate(with_headroom, per_replica).max(1);
    if needed.saturating_mul(2) > asked {
        return None;
    }
    let because = format!(
        "at most {let_in}/s came in, and {asked} replicas of {per_replica}/s were ready for more than twice that"
    );
    set("capacity.replicas", &needed, because)
}

fn of_cap(spec: &TicketSaleSpec, status: &TicketSaleStatus) -> Option<Advice> {
    let cap = i64::from(spec.admission.cap);
    let most = status.measured.as_ref()?.most_active?;
    if most < cap {
        return None;
    }
    let because =
        format!("{most} people were inside at once: the cap of {cap} and not the rate held the line up");
    set("admission.cap", &(cap + (cap / 4).max(1)), because)
}

fn of_crowd(spec: &TicketSaleSpec, status: &TicketSaleStatus) -> Option<Advice> {
    let (came, expected) = (status.line.as_ref()?.issued, spec.crowd.expected_visitors);
    let is_near = came.saturating_mul(4) >= expected.saturating_mul(3)
        && came.saturating_mul(3) <= expected.saturating_mul(4);
    if came == 0 || is_near {
        return None;
    }
    let sold_out = status
        .measured
        .as_ref()
        .and_then(|measured| measured.sold_out_seconds);
    let all_sold = sold_out.map_or_else(String::new, |seconds| {
        format!("; every seat was sold {seconds} s after the opening")
    });
    let because = format!("{came} people took a place and {expected} were expected{all_sold}");
    set("crowd.expectedVisitors", &came, because)
}

/// When the figures of `status` are of: the newer of two sales is the one to learn from.
#[must_use]
pub fn measured_at_ms(status: &TicketSaleStatus) -> i64 {
    let noted = status.line.as_ref().and_then(|line| line.observed_at.as_ref());
    noted.map_or(i64::MIN, |at| millis(at).0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::tests::spec;
    use urr_api::spec::AdaptiveSpec;
    use urr_api::status::{LineStatus, Measured, TargetStatus};

    fn told(change: impl FnOnce(&mut TicketSaleSpec, &mut TicketSaleStatus)) -> Vec<(String, String)> {
        let (mut spec, mut status) = (spec(), TicketSaleStatus::default());
        change(&mut spec, &mut status);
        let all = advice(&spec, &status, Phase::Closed);
        assert_eq!(advice(&spec, &status, Phase::Open), [], "not before it is over");
        spec.tuning = Tuning::Off;
        assert_eq!(advice(&spec, &status, Phase::Closed), [], "Off is off");
        all.into_iter()
            .map(|advice| (advice.field, advice.value))
            .collect()
    }

    fn is(field: &str, value: &str) -> Vec<(String, String)> {
        vec![(format!("spec.{field}"), value.to_owned())]
    }

    fn ready(name: &str, seconds: i32) -> TargetStatus {
        TargetStatus {
            name: name.into(),
            ready_seconds: Some(seconds),
            ..TargetStatus::default()
        }
    }

    #[test]
    fn nothing_measured_is_nothing_advised() {
        assert_eq!(told(|_, _| {}), []);
    }

    #[test]
    fn a_lead_that_was_too_long_or_too_short_is_told_with_what_it_took() {
        let both = || vec![ready("booking", 60), ready("payment", 40)];
        assert_eq!(
            told(|_, status| status.targets = both()),
            is("capacity.leadSeconds", "75")
        );
        let fits = |spec: &mut TicketSaleSpec, status: &mut TicketSaleStatus| {
            spec.capacity.lead_seconds = 100;
            status.targets = both();
        };
        assert_eq!(told(fits), []);
        let late = |spec: &mut TicketSaleSpec, status: &mut TicketSaleStatus| {
            fits(spec, status);
            spec.targets[1].stage = 1;
            status.slack_seconds = Some(-12);
        };
        assert_eq!(
            told(late),
            is("capacity.leadSeconds", "125"),
            "one after the other"
        );
    }

    #[test]
    fn rate_replicas_cap_and_crowd_are_advised_from_their_own_figures() {
        let measured = |measured| {
            move |_: &mut TicketSaleSpec, status: &mut TicketSaleStatus| {
                status.measured = Some(measured);
            }
        };
        let borne = Measured {
            borne_per_second: Some(33),
            ..Measured::default()
        };
        assert_eq!(told(measured(borne)), is("admission.ratePerSecond", "33"));
        let few = Measured {
            let_in_per_second: Some(9),
            ..Measured::default()
        };
        assert_eq!(told(measured(few)), is("capacity.replicas", "2"));
        let full = Measured {
            most_active: Some(1000),
            ..Measured::default()
        };
        assert_eq!(told(measured(full)), is("admission.cap", "1250"));
        let came = |issued| {
            move |_: &mut TicketSaleSpec, status: &mut TicketSaleStatus| {
                status.line = Some(LineStatus {
                    issued,
                    ..LineStatus::default()
                });
            }
        };
        assert_eq!(told(came(5200)), [], "as expected");
        assert_eq!(told(came(20_000)), is("crowd.expectedVisitors", "20000"));
    }

    #[test]
    fn a_rate_is_adopted_within_the_bounds_and_only_where_the_spec_says_so() {
        let mut spec = spec();
        spec.tuning = Tuning::Auto;
        assert_eq!(adopted(&spec, Some(30)), None, "no bounds");
        let bounds: AdaptiveSpec =
            serde_json::from_value(serde_json::json!({"minRatePerSecond": 20, "maxRatePerSecond": 40}))
                .unwrap();
        spec.admission.adaptive = Some(bounds);
        assert_eq!(adopted(&spec, Some(30)), Some(30));
        assert_eq!(adopted(&spec, Some(3)), Some(20));
        assert_eq!(adopted(&spec, Some(40)), None, "it is its own");
        assert_eq!(adopted(&spec, None), None);
        spec.tuning = Tuning::Advise;
        assert_eq!(adopted(&spec, Some(30)), None);
    }
}
