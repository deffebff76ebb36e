//! What several sales of one run came to: each by itself, and all of them together.
//!
//! Laws, thresholds and fairness are each sale's own and are judged there. What is true of the sum is
//! only what adds up (people, seats, requests, latencies); of everything else the sum says in which sales
//! it holds. So nothing can look well on average.

use crate::engine::by_goose;
use crate::fairness::Fairness;
use crate::goose_shell::GooseSummary;
use crate::measure::{StepSummary, StepTally};
use crate::observe::Observations;
use crate::result::{Generator, Judged, LoadResult, Validity};
use crate::scenario::{Rule, Scenario};
use crate::segments::{MergeError, SegmentResult, add_seconds, add_up};
use crate::stages::Milestones;
use crate::tally::{PersonaResult, add_waits};
use crate::thresholds::is_about_the_rate;
use std::collections::BTreeMap;

/// Sales named where a rule was missed; the others are in their own reports.
const NAMED: usize = 4;

/// Several sales of one run.
#[derive(Debug, Clone)]
pub struct Together {
    /// Each with its own verdicts.
    pub sales: Vec<LoadResult>,
    /// The sum, which holds what holds in every sale.
    pub all: LoadResult,
}

/// Judges every sale, and the run of `scenario` whose sales they are; `goose` heard of all of them.
pub(crate) fn together(
    scenario: &Scenario,
    parts: Vec<(&Scenario, SegmentResult)>,
    goose: GooseSummary,
) -> Result<Together, MergeError> {
    let mut tallies: Vec<StepTally> = Vec::new();
    let mut series = Vec::with_capacity(parts.len());
    let mut sales = Vec::with_capacity(parts.len());
    for (of_sale, part) in parts {
        tallies.extend(part.steps.iter().cloned());
        series.push(part.series.clone());
        sales.push(add_up(of_sale, vec![part], false)?);
    }
    let first = sales.first().ok_or(MergeError::Nothing)?;
    let steps: Vec<StepSummary> = StepTally::sum(&tallies).iter().map(StepTally::summary).collect();
    let observations = seen(&sales);
    let sum = |of: fn(&LoadResult) -> u64| sales.iter().map(of).sum();
    let mut funnel = first.funnel.clone();
    let mut generator: Generator = first.generator.clone();
    for sale in &sales[1..] {
        funnel.add(&sale.funnel);
        generator.add_beside(&sale.generator);
    }
    let each: Vec<&LoadResult> = sales.iter().collect();
    let milestones: Vec<Milestones> = sales.iter().map(|sale| sale.milestones).collect();
    let cut_short = sales.iter().find_map(|sale| sale.cut_short.clone());
    let all = LoadResult {
        scenario: scenario.name.clone(),
        title: scenario.title.clone(),
        seed: scenario.seed,
        started_at: first.started_at,
        opens_at: first.opens_at,
        finished_at: sales
            .iter()
            .map(|sale| sale.finished_at)
            .max()
            .unwrap_or(first.finished_at),
        visitors: sum(|sale| sale.visitors),
        browsers: sum(|sale| sale.browsers),
        seats: sum(|sale| sale.seats),
        funnel,
        waiting: Vec::new(),
        fairness: Fairness::default(),
        personas: personas(&sales, &observations),
        series: add_seconds(series, first.opens_at),
        milestones: Milestones::together(&milestones),
        thresholds: scenario
            .thresholds
            .iter()
            .enumerate()
            .map(|(nth, rule)| everywhere(nth, rule, &each, &goose))
            .collect(),
        // Each sale's rate moves by itself: of their sum nothing can be said.
        rate_steps: Vec::new(),
        validity: validity(&sales, &goose, &steps),
        steps,
        generator,
        goose,
        cut_short,
        observations,
    };
    Ok(Together { sales, all })
}

/// Judges the rules about the rate in `all`, once it was told in each of `sales` how theirs moved.
pub fn rates_moved(rules: &[Rule], sales: &[&LoadResult], all: &mut LoadResult) {
    for (nth, rule) in rules.iter().enumerate() {
        if is_about_the_rate(rule)
            && let Some(judged) = all.thresholds.get_mut(nth)
        {
            *judged = everywhere(nth, rule, sales, &all.goose);
        }
    }
}

/// A rule holds where it holds in every sale, and by goose in all of them together.
fn everywhere(nth: usize, rule: &Rule, sales: &[&LoadResult], goose: &GooseSummary) -> Judged {
    let of_rule = |sale: &LoadResult| sale.thresholds.get(nth).cloned();
    let missed: Vec<String> = sales
        .iter()
        .filter_map(|sale| {
            let judged = of_rule(sale)?;
            (!judged.passed).then(|| format!("{} {}", sale.scenario, judged.observed))
        })
        .collect();
    let spelled = rule.for_goose();
    let by_goose = goose
        .thresholds
        .iter()
        .find(|judged| Some(&judged.rule) == spelled.as_ref());
    let observed = match missed.len() {
        0 => format!("in each of {} sales", sales.len()),
        n => {
            let more = if n > NAMED { ", …" } else { "" };
            let named = missed[..n.min(NAMED)].join(", ");
            format!("missed in {n} of {} sales: {named}{more}", sales.len())
        }
    };
    Judged {
        rule: rule.text.clone(),
        observed,
        passed: missed.is_empty() && by_goose.is_none_or(|judged| judged.passed),
        judge: by_goose.map_or_else(
            || "loadgen".to_owned(),
            |judged| format!("goose, of all sales together: {}", judged.observed),
        ),
    }
}

/// The run is worth what its least worthy sale is.
fn validity(sales: &[LoadResult], goose: &GooseSummary, steps: &[StepSummary]) -> Validity {
    // Most reasons are the one generator's and so every sale's.
    let mut whose: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for sale in sales {
        for reason in &sale.validity.reasons {
            whose.entry(reason).or_default().push(&sale.scenario);
        }
    }
    let told = |(reason, whose): (&str, Vec<&str>)| {
        if whose.len() == sales.len() {
            reason.to_owned()
        } else {
            let more = if whose.len() > NAMED { ", …" } else { "" };
            format!("{}{more}: {reason}", whose[..whose.len().min(NAMED)].join(", "))
        }
    };
    let mut reasons: Vec<String> = whose.into_iter().map(told).collect();
    reasons.extend(by_goose(goose, steps));
    Validity { reasons }
}

/// What the report of all sales asks visitors about: who bought, who got in, who tried the back door.
/// Places are each sale's own and not gathered.
fn seen(sales: &[LoadResult]) -> Observations {
    let mut all = Observations::default();
    for sale in sales {
        let seen = &sale.observations;
        all.purchases.extend_from_slice(&seen.purchases);
        all.waits.extend_from_slice(&seen.waits);
        all.intrusions.extend_from_slice(&seen.intrusions);
        all.not_kept += seen.not_kept;
    }
    all
}

/// The personas are the scenario's and so the same in every sale.
fn personas(sales: &[LoadResult], seen: &Observations) -> Vec<PersonaResult> {
    let mut sales = sales.iter().map(|sale| &sale.personas);
    let mut sum = sales.next().cloned().unwrap_or_default();
    for personas in sales {
        for (mine, theirs) in sum.iter_mut().zip(personas) {
            mine.merge(theirs);
        }
    }
    add_waits(&mut sum, seen);
    sum
}
