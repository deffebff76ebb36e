//! `ticketctl report`: what came of a finished drill, from its files.

use super::{Done, document, print, say, show};
use crate::{
    drill::verdict_of,
    exit::Exit,
    failure::Failure,
    forecast::Comparison,
    output::{Cell, Format, Table},
    summary,
    text::{grouped, latency_ms},
};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use urr_loadgen::{
    LoadResult,
    report::{Meta, RunReport},
};

/// Which run.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  ticketctl report                             the newest run in runs/
  ticketctl report runs/arena-20261121-161500
  ticketctl report NEW --baseline OLD          latencies side by side
  ticketctl report -o jsonpath='{.load.funnel.sold}'

The page for people is report.html in the same directory.")]
pub(crate) struct Args {
    /// The directory of a run [default: the newest in --runs].
    pub(crate) run: Option<PathBuf>,
    /// Where runs are.
    #[arg(long, value_name = "DIR", default_value = "runs")]
    pub(crate) runs: PathBuf,
    /// An earlier run to compare with.
    #[arg(long, value_name = "DIR")]
    pub(crate) baseline: Option<PathBuf>,
    /// table, json, yaml or jsonpath='{.path}'.
    #[arg(long, short, default_value_t = Format::Table, value_name = "FORMAT")]
    pub(crate) output: Format,
}

/// Prints it. The exit code is the command's own: what the run came to is in the text.
pub(crate) fn run(args: &Args) -> Done {
    let dir = match &args.run {
        Some(dir) => dir.clone(),
        None => newest(&args.runs)?,
    };
    let report = read(&dir)?;
    if let Some(baseline) = &args.baseline {
        return compare(args, &load(&report, &dir)?, &load(&read(baseline)?, baseline)?);
    }
    if let Some(text) = args.output.document(&report)? {
        say(&text);
        return Ok(Exit::Ok);
    }
    print(&tell(&report, &dir)?);
    Ok(Exit::Ok)
}

fn tell(report: &Value, dir: &Path) -> Result<String, Failure> {
    let run = RunReport {
        load: load(report, dir)?,
        audit: part(report, "audit", dir)?,
        sale: part(report, "sale", dir)?,
        snapshots: Vec::new(),
        meta: Meta {
            stages: part(report, "stages", dir)?,
            storage: part(report, "storage", dir)?,
            processes: part(report, "processes", dir)?,
            memory_most_bytes: part(report, "memoryMostBytes", dir)?,
            ..Meta::default()
        },
        sales: Vec::new(),
    };
    let title = run.load.title.clone();
    let mut verdict = verdict_of(&run, Vec::new());
    verdict.took = std::time::Duration::from_millis(
        run.load
            .finished_at
            .since(run.load.started_at)
            .max(0)
            .unsigned_abs(),
    );
    verdict.forecast = forecast(dir)
        .map(|comparison| comparison.lines())
        .unwrap_or_default();
    verdict.files = vec![
        ("report", dir.join("report.html")),
        ("data", dir.join("report.json")),
    ];
    Ok(summary::render(&title, &verdict))
}

fn forecast(dir: &Path) -> Option<Comparison> {
    let text = std::fs::read(dir.join(crate::forecast::FILE)).ok()?;
    serde_json::from_slice(&text).ok()
}

fn read(dir: &Path) -> Result<Value, Failure> {
    let path = dir.join("report.json");
    let text = std::fs::read(&path).map_err(|error| {
        Failure::new(Exit::NotFound, format!("{} is no finished run", dir.display()))
            .because(&error)
            .remedy("give the directory that `ticketctl drill` printed")
    })?;
    serde_json::from_slice(&text)
        .map_err(|error| Failure::bad_input(format!("{} is damaged", path.display())).because(&error))
}

fn load(report: &Value, dir: &Path) -> Result<LoadResult, Failure> {
    part(report, "load", dir)
}

fn part<T: serde::de::DeserializeOwned>(report: &Value, name: &str, dir: &Path) -> Result<T, Failure> {
    serde_json::from_value(report[name].clone()).map_err(|error| {
        Failure::bad_input(format!("{}: `{name}` cannot be read", dir.display()))
            .because(&error)
            .remedy("it may be of another version of ticketctl; -o json prints it as it is")
    })
}

fn newest(runs: &Path) -> Result<PathBuf, Failure> {
    let entries = std::fs::read_dir(runs).into_iter().flatten().flatten();
    let finished = entries.filter_map(|entry| {
        let written = std::fs::metadata(entry.path().join("report.json"))
            .and_then(|meta| meta.modified())
            .ok()?;
        let hidden = entry.file_name().to_string_lossy().starts_with('.');
        (!hidden).then(|| (written, entry.path()))
    });
    finished.max().map(|(_, path)| path).ok_or_else(|| {
        Failure::new(
            Exit::NotFound,
            format!("there is no finished run in {}", runs.display()),
        )
        .remedy("`ticketctl drill scenarios/club-night.yaml` makes one")
    })
}

/// Latencies of two runs side by side.
fn compare(args: &Args, new: &LoadResult, old: &LoadResult) -> Done {
    let mut table = Table::new(
        &["STEP", "LANE", "P95 BEFORE", "P95 NOW", "CHANGE"],
        &["COUNT NOW"],
    );
    let mut items = Vec::new();
    for step in &new.steps {
        let same =
            |other: &&urr_loadgen::measure::StepSummary| other.step == step.step && other.lane == step.lane;
        let before = old.steps.iter().find(same);
        let now_ms = step.p95_us as f64 / 1000.0;
        let before_ms = before.map(|before| before.p95_us as f64 / 1000.0);
        let change = before_ms
            .filter(|before| *before > 0.0)
            .map(|before| (now_ms - before) / before * 100.0);
        let ms = |ms: f64| Cell::Number(latency_ms(ms));
        table.row(vec![
            step.step.name().into(),
            format!("{:?}", step.lane).to_lowercase().into(),
            before_ms.map(ms).into(),
            ms(now_ms),
            change
                .map(|change| Cell::Number(format!("{change:+.0} %")))
                .into(),
            step.total().into(),
        ]);
        items.push(json!({
            "step": step.step.name(), "lane": document(&step.lane)?,
            "beforeMs": before_ms, "nowMs": now_ms, "changePercent": change,
        }));
    }
    let sold = format!(
        "seats sold {} -> {}\n",
        grouped(old.funnel.sold),
        grouped(new.funnel.sold)
    );
    let json = json!({"apiVersion": "urr.io/v1", "kind": "Comparison", "items": items});
    show(&args.output, &json, || {
        format!("{}{sold}", table.render(args.output == Format::Wide, true))
    })?;
    Ok(Exit::Ok)
}
