//! The end of a drill on stdout: every law with its verdict and what was checked, every
//! threshold, the funnel, the duration, the files. This is the data of `ticketctl drill`; all else
//! went to stderr.

use crate::{
    exit::Exit,
    picture::{LawVerdict, Verdict},
    text::{duration_s, grouped, percent},
};
use std::fmt::Write as _;
use urr_loadgen::report::human::from_opening;

/// Examples printed per broken law.
const EXAMPLES: usize = 5;

/// The whole summary.
pub(crate) fn render(title: &str, verdict: &Verdict) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = write(&mut out, title, verdict);
    out
}

fn write(out: &mut String, title: &str, verdict: &Verdict) -> std::fmt::Result {
    writeln!(out, "{title}: {}", verdict.headline)?;
    for reason in &verdict.reasons {
        writeln!(out, "  {reason}")?;
    }
    writeln!(out)?;
    writeln!(out, "laws")?;
    for law in &verdict.laws {
        writeln!(
            out,
            "  {:<18} {:<9} {:>10} checked  {}",
            law.name,
            law.verdict.word(),
            grouped(law.checked),
            law.detail
        )?;
        if law.verdict == LawVerdict::Broken {
            for example in law.examples.iter().take(EXAMPLES) {
                writeln!(out, "      {example}")?;
            }
        }
    }
    writeln!(out)?;
    writeln!(out, "thresholds")?;
    if verdict.thresholds.is_empty() {
        writeln!(out, "  none set by the scenario")?;
    }
    let width = verdict
        .thresholds
        .iter()
        .map(|t| t.rule.chars().count())
        .max()
        .unwrap_or(0);
    for threshold in &verdict.thresholds {
        writeln!(
            out,
            "  {:<width$}  {:<7} {}",
            threshold.rule,
            if threshold.met { "met" } else { "MISSED" },
            threshold.actual
        )?;
    }
    writeln!(out)?;
    writeln!(out, "visitors")?;
    let whole = verdict.funnel.first().map_or(0, |s| s.count);
    for step in &verdict.funnel {
        let share = percent(step.count, whole).map_or_else(String::new, |p| format!("{p:>4} %"));
        writeln!(out, "  {:<26} {:>10} {share}", step.label, grouped(step.count))?;
    }
    for aside in &verdict.asides {
        writeln!(out, "  {:<26} {:>10}", aside.label, grouped(aside.count))?;
    }
    if !verdict.sales.is_empty() {
        writeln!(out)?;
        writeln!(out, "sales")?;
        for line in &verdict.sales {
            writeln!(out, "  {line}")?;
        }
    }
    if let Some(rate) = &verdict.rate {
        writeln!(out)?;
        writeln!(out, "the rate followed the services: {}", rate.sentence())?;
        for step in &rate.steps {
            writeln!(
                out,
                "  {:>10} {:>5}/s -> {:>5}/s  {}",
                from_opening(step.at.since(rate.opens_at)),
                step.from_per_s,
                step.to_per_s,
                step.why
            )?;
        }
    }
    if !verdict.cost.is_empty() {
        writeln!(out)?;
        writeln!(out, "what it took")?;
        for (what, line) in &verdict.cost {
            writeln!(out, "  {what:<10} {line}")?;
        }
    }
    if !verdict.forecast.is_empty() {
        writeln!(out)?;
        writeln!(out, "forecast against outcome")?;
        for line in &verdict.forecast {
            writeln!(out, "  {line}")?;
        }
    }
    if !verdict.unsettled.is_empty() {
        writeln!(out)?;
        writeln!(out, "still open when the audit began")?;
        for open in &verdict.unsettled {
            writeln!(out, "  {open}")?;
        }
    }
    writeln!(out)?;
    for (what, path) in &verdict.files {
        writeln!(out, "{what:<10} {}", path.display())?;
    }
    writeln!(out, "{:<10} {}", "took", duration_s(verdict.took.as_secs()))?;
    writeln!(
        out,
        "{:<10} {} ({})",
        "exit",
        verdict.exit.code(),
        meaning(verdict.exit)
    )
}

const fn meaning(exit: Exit) -> &'static str {
    match exit {
        Exit::Ok => "all well",
        Exit::Failure => "the drill failed",
        Exit::BadInput => "bad input",
        Exit::NotFound => "not found",
        Exit::Conflict => "not possible now",
        Exit::Unreachable => "no answer in time",
        Exit::Denied => "not allowed",
        Exit::Saturated => "the generator was saturated: the run proves nothing",
        Exit::LawBroken => "a law is broken",
        Exit::ThresholdsFailed => "thresholds missed",
        Exit::Interrupted => "interrupted",
    }
}
