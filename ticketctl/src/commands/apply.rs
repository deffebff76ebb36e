//! `ticketctl apply`: announces sales, or changes them, from files.

use super::{Done, complain, document, show};
use crate::{
    ask::{Danger, Person, SaidBy, sure},
    cli::{ChangeArgs, DryRun, Globals},
    control::Api,
    exit::Exit,
    failure::Failure,
    output::Format,
    place::{self, Place},
    source::{self, Source},
    text::{grouped, instant},
};
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use urr_core::{change, sale::Sale};
use urr_kit::clock::SystemClock;

/// What to apply.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// TicketSales; - for stdin, a directory for all .yaml files in it.
    #[arg(long = "filename", short = 'f', required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) change: ChangeArgs,
    /// table, json, yaml, name or jsonpath='{.path}'.
    #[arg(long, short, default_value_t = Format::Table, value_name = "FORMAT")]
    pub(crate) output: Format,
}

/// Reads everything first: nothing is applied of a set with a mistake in it.
pub(crate) async fn run(args: Args, globals: Globals) -> Done {
    let mut texts = Vec::new();
    for file in &args.files {
        for file in files_of(file)? {
            texts.push((file.display().to_string(), source::text_of(&file)?));
        }
    }
    let mut sales = Vec::new();
    for (file, text) in &texts {
        for source in source::parse(file, text)? {
            match source {
                Source::Sale(sale, _) => sales.push(*sale),
                Source::Scenario(_) => {
                    return Err(Failure::bad_input(format!("{file} is a scenario, not a sale"))
                        .remedy(format!("rehearse it: ticketctl drill {file}")));
                }
            }
        }
    }
    let results = match place::find(&globals).await? {
        Place::Control(api, _) => {
            let mut results = Vec::with_capacity(sales.len());
            for sale in &sales {
                results.push(to_control(&api, sale, &args, &globals).await?);
            }
            results
        }
        #[cfg(feature = "cluster")]
        Place::Cluster(cluster) => {
            let texts: Vec<&str> = texts.iter().map(|(_, text)| text.as_str()).collect();
            let changes = cluster.changes(&texts).await?;
            let what: Vec<String> = changes.iter().map(place::declare::Change::told).collect();
            let Some(said) = said(&format!("{}.", what.join("\n")), &args.change, &globals)? else {
                return Ok(Exit::Ok);
            };
            cluster.apply(changes, &said, args.change.dry_run).await?
        }
    };
    let json = json!({"apiVersion": "urr.io/v1", "kind": "Applied", "items": results.iter().map(|(_, json)| json.clone()).collect::<Vec<_>>()});
    show(&args.output, &json, || {
        results.iter().map(|(line, _)| format!("{line}\n")).collect()
    })?;
    Ok(Exit::Ok)
}

fn said(what: &str, args: &ChangeArgs, globals: &Globals) -> Result<Option<SaidBy>, Failure> {
    if args.dry_run != DryRun::None {
        return Ok(Some(SaidBy {
            actor: String::new(),
            reason: String::new(),
        }));
    }
    let said = sure(Danger::Medium, what, "", args, &mut Person::of(globals))?;
    if said.is_none() {
        complain("nothing was changed");
    }
    Ok(said)
}

async fn to_control(
    api: &Api,
    sale: &Sale,
    args: &Args,
    globals: &Globals,
) -> Result<(String, Value), Failure> {
    let known = match api.state(sale.id).await {
        Ok(state) => Some(state.sale),
        Err(crate::control::ControlError::Refused { status, .. }) if status == StatusCode::NOT_FOUND => None,
        Err(error) => return Err(place::refused(&error)),
    };
    let differences = known.as_ref().map(|known| differences(known, sale));
    let verb = match &differences {
        None => "created".to_owned(),
        Some(lines) if lines.is_empty() => return Ok((format!("{} unchanged", sale.name), document(sale)?)),
        Some(lines) => format!("changed: {}", lines.join(", ")),
    };
    if let Some(known) = &known {
        let now = SystemClock::shared().now();
        change::check(known, sale, now).map_err(|problems| {
            let problem = problems.first();
            let what = problem.map_or_else(String::new, |p| format!("{} {}", p.field, p.problem));
            Failure::new(Exit::Conflict, format!("{}: {what}", sale.name))
                .remedy(problem.map_or_else(String::new, |p| p.remedy.clone()))
        })?;
    }
    let line = format!("{} {verb}", sale.name);
    if args.change.dry_run != DryRun::None {
        return Ok((format!("{line} (dry run)"), document(sale)?));
    }
    let Some(said) = said(&format!("{line}."), &args.change, globals)? else {
        return Ok((format!("{} left as it is", sale.name), document(sale)?));
    };
    let after = api
        .put_by(sale, &said.actor, &said.reason)
        .await
        .map_err(|error| place::refused(&error))?;
    for problem in &after.problems {
        complain(&format!("! {problem}"));
    }
    Ok((line, document(&after)?))
}

/// What differs, old -> new.
pub(crate) fn differences(old: &Sale, new: &Sale) -> Vec<String> {
    let mut lines = Vec::new();
    let mut tell = |what: &str, old: String, new: String| {
        if old != new {
            lines.push(format!("{what} {old} -> {new}"));
        }
    };
    let n = |n: u32| grouped(u64::from(n));
    tell("name", old.name.clone(), new.name.clone());
    tell(
        "pre-queue",
        instant(old.schedule.pre_queue_at),
        instant(new.schedule.pre_queue_at),
    );
    tell(
        "opens",
        instant(old.schedule.opens_at),
        instant(new.schedule.opens_at),
    );
    tell(
        "closes",
        instant(old.schedule.closes_at),
        instant(new.schedule.closes_at),
    );
    tell(
        "order",
        format!("{:?}", old.ordering),
        format!("{:?}", new.ordering),
    );
    tell("seats", n(old.seats), n(new.seats));
    tell(
        "expected",
        grouped(old.expected_visitors),
        grouped(new.expected_visitors),
    );
    tell("rate", n(old.admission.rate_per_s), n(new.admission.rate_per_s));
    tell("cap", n(old.admission.cap), n(new.admission.cap));
    tell("replicas", n(old.capacity.replicas), n(new.capacity.replicas));
    tell(
        "rate per replica",
        n(old.capacity.rate_per_replica),
        n(new.capacity.rate_per_replica),
    );
    // Settings nobody watches: told in one.
    let others = |sale: &Sale| {
        let mut sale = sale.clone();
        sale.admission.rate_per_s = 0;
        sale.admission.cap = 0;
        sale.admission
    };
    if others(old) != others(new) {
        lines.push("other admission settings".to_owned());
    }
    lines
}

fn files_of(path: &Path) -> Result<Vec<PathBuf>, Failure> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let entries = std::fs::read_dir(path)
        .map_err(|error| Failure::bad_input(format!("cannot read {}", path.display())).because(&error))?;
    let mut files: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| {
            path.extension()
                .is_some_and(|ext| ext == "yaml" || ext == "yml" || ext == "json")
        })
        .collect();
    files.sort();
    if files.is_empty() {
        return Err(Failure::bad_input(format!(
            "{} holds no .yaml file",
            path.display()
        )));
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::place::tests::state;

    #[test]
    fn what_differs_is_told_from_old_to_new() {
        let old = state(1, "Arena").sale;
        assert!(differences(&old, &old).is_empty());
        let mut new = old.clone();
        new.admission.rate_per_s = 1200;
        new.admission.burst = 1;
        assert_eq!(
            differences(&old, &new),
            ["rate 100 -> 1,200", "other admission settings"]
        );
    }
}
