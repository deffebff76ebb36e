//! What the run took: time by stage, the stores, the processes, and the generator itself.

use super::fairness::fact;
use super::float;
use crate::report::{RunReport, human};
use std::fmt::Write;

pub(super) fn machine(report: &RunReport) -> String {
    let mut html = String::from("<h2>What it took</h2>");
    html.push_str(&table("time", "", &times(report)));
    if let Some(storage) = &report.meta.storage {
        let mut rows = String::new();
        fact(
            &mut rows,
            "items written by the waiting room",
            &human::count(storage.item_writes),
            &format!(
                "at most {} in one second",
                human::count(storage.item_writes_most_per_s)
            ),
        );
        fact(
            &mut rows,
            "reads by waiting polls",
            &human::count(storage.poll_reads),
            &format!("{} polls were answered", human::count(storage.polls)),
        );
        fact(
            &mut rows,
            "reads by the clock",
            &human::count(storage.clock_reads),
            "each replica refreshes its copy, whoever asks",
        );
        html.push_str(&table("stores", "margin-top:12px", &rows));
    }
    html.push_str(&processes(report));
    html.push_str(&table("generator", "margin-top:12px", &generator(report)));
    html
}

fn table(name: &str, style: &str, rows: &str) -> String {
    format!(
        "<div class=\"card\" style=\"{style}\"><table class=\"facts\"><caption>{name}</caption><tbody>{rows}</tbody></table></div>"
    )
}

/// Each part of the opening, and each stage of the drill where it is known.
fn times(report: &RunReport) -> String {
    let mut rows = String::new();
    let took = |ms: i64| human::millis(u64::try_from(ms).unwrap_or(0));
    for stage in report.load.stages() {
        fact(
            &mut rows,
            &stage.name,
            &took(stage.to_ms - stage.from_ms),
            &format!(
                "{} to {}",
                human::from_opening(stage.from_ms),
                human::from_opening(stage.to_ms)
            ),
        );
    }
    for (span, took_ms) in report.load.spans() {
        fact(&mut rows, &span, &human::millis(took_ms), "");
    }
    for (stage, took_ms) in &report.meta.stages {
        fact(&mut rows, stage, &human::millis(*took_ms), "");
    }
    if let Some(audit) = &report.audit {
        let at = human::from_opening(audit.taken_at.since(report.load.opens_at));
        fact(&mut rows, "stores read for the audit", &at, "");
    }
    rows
}

fn processes(report: &RunReport) -> String {
    if report.meta.processes.is_empty() {
        return String::new();
    }
    let mut html = String::from(
        "<div class=\"card\" style=\"margin-top:12px\"><table><caption>processes</caption><thead><tr><th></th><th class=\"num\">CPU</th><th class=\"num\">most memory</th></tr></thead><tbody>",
    );
    for process in &report.meta.processes {
        let _ = write!(
            html,
            "<tr><th scope=\"row\">{}</th><td class=\"num\">{:.1} s</td><td class=\"num\">{}</td></tr>",
            super::escape(&process.name),
            process.cpu_s,
            human::bytes(process.memory_most_bytes)
        );
    }
    if let Some(most) = report.meta.memory_most_bytes {
        let _ = write!(
            html,
            "<tr><th scope=\"row\">all at once</th><td class=\"num\">{:.1} s</td><td class=\"num\">{}</td></tr>",
            report
                .meta
                .processes
                .iter()
                .map(|process| process.cpu_s)
                .sum::<f64>(),
            human::bytes(most)
        );
    }
    html.push_str("</tbody></table></div>");
    html
}

fn generator(report: &RunReport) -> String {
    let load = &report.load;
    let generator = &load.generator;
    let mut rows = String::new();
    let s = |s: f64| format!("{s:.1} s");
    fact(
        &mut rows,
        "CPU of the crowd’s thread",
        &s(generator.cpu_s),
        &format!("at most {:.2} of a core in one second", generator.cpu_most),
    );
    let out_of_cpu = match generator.out_of_cpu_s {
        0 => "never".to_owned(),
        n => format!("{n} s"),
    };
    fact(&mut rows, "without CPU left", &out_of_cpu, "");
    fact(
        &mut rows,
        "its own loop was late by",
        &human::micros(generator.lag_p99_us),
        &format!("p99; {} at worst", human::micros(generator.lag_most_us)),
    );
    fact(
        &mut rows,
        "requests late by more than 100 ms",
        &human::count(generator.late),
        &format!(
            "{} of them because the system had every connection at work",
            human::count(generator.late_by_system)
        ),
    );
    fact(
        &mut rows,
        "most people waiting at once",
        &human::count(generator.waiting_most),
        &generator
            .bytes_per_waiting()
            .map_or_else(String::new, |bytes| format!("{bytes} bytes of memory each")),
    );
    if generator.memory_most_bytes > 0 {
        fact(
            &mut rows,
            "most memory of its process",
            &human::bytes(generator.memory_most_bytes),
            "",
        );
    }
    let dialled = &generator.dialled;
    let mut trouble = Vec::new();
    for (n, what) in [
        (dialled.refused, "refused or broken off"),
        (dialled.out_of_ports, "without a local port"),
        (dialled.out_of_files, "without a file descriptor"),
    ] {
        if n > 0 {
            trouble.push(format!("{} {what}", human::count(n)));
        }
    }
    let note = if trouble.is_empty() {
        "no attempt failed".to_owned()
    } else {
        trouble.join(", ")
    };
    fact(
        &mut rows,
        "connections opened",
        &human::count(dialled.opened),
        &note,
    );
    if generator.files_limit > 0 {
        let share = float(generator.files) / float(generator.files_limit) * 100.0;
        fact(
            &mut rows,
            "files open at the end",
            &human::count(generator.files),
            &format!(
                "{share:.0} % of the {} allowed",
                human::count(generator.files_limit)
            ),
        );
    }
    rows
}
