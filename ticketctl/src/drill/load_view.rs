//! The load generator's figures as screens show them.

use crate::picture::{Aside, FunnelStep, LoadView, StepLatency};
use urr_loadgen::{
    Scenario,
    measure::{Funnel, LiveView, Outcome, StepView},
};

/// The visitors' side right now.
pub(super) fn of(scenario: &Scenario, live: &LiveView) -> LoadView {
    LoadView {
        planned: u64::from(scenario.crowd.visitors) + u64::from(scenario.browsers),
        finished: live.funnel.ended,
        funnel: funnel(&live.funnel),
        asides: asides(&live.funnel),
        latency: live.steps.iter().map(latency).collect(),
    }
}

/// From arrived to a ticket, in people.
pub(super) fn funnel(f: &Funnel) -> Vec<FunnelStep> {
    let step = |label: &'static str, count| FunnelStep {
        label: label.into(),
        count,
    };
    vec![
        step("arrived", f.arrived),
        step("joined", f.joined),
        step("let in", f.admitted),
        step("held", f.held),
        step("paying", f.paid),
        step("bought", f.outcome(Outcome::Bought)),
    ]
}

/// Those who left beside the way; the last ones tell about the run itself.
pub(super) fn asides(f: &Funnel) -> Vec<Aside> {
    let aside = |label: &'static str, count, alarming| Aside {
        label: label.into(),
        count,
        alarming,
    };
    let of = |outcome| f.outcome(outcome);
    vec![
        aside("looked", of(Outcome::Browsed), false),
        aside("gave up", of(Outcome::GaveUp), false),
        aside("sold out", of(Outcome::SoldOut) + of(Outcome::LostRace), false),
        aside(
            "pay failed",
            of(Outcome::PaymentRefused) + of(Outcome::HoldLost),
            false,
        ),
        aside("shut out", of(Outcome::Refused) + of(Outcome::Blocked), false),
        aside("waiting", of(Outcome::StillWaiting), false),
        aside("broke in", of(Outcome::BrokeIn), true),
        aside("failed", of(Outcome::Failed), true),
        aside("dropped", f.dropped, true),
        aside("late", f.late, false),
    ]
}

fn latency(step: &StepView) -> StepLatency {
    // The last seconds while somebody takes the step; the whole run when nobody does any more.
    let [p50_ms, p95_ms, p99_ms] = step.recent_us.unwrap_or(step.run_us).map(ms);
    StepLatency {
        name: step.step.name().to_owned(),
        count: step.count,
        errors: step.failed,
        p50_ms,
        p95_ms,
        p99_ms,
        buckets: step.buckets.clone(),
    }
}

fn ms(us: u64) -> f64 {
    std::time::Duration::from_micros(us).as_secs_f64() * 1000.0
}
