//! `ticketctl verify`: proves the order of a finished sale from its evidence, or names the first
//! violation.

use super::{Done, document, show};
use crate::{cli::Globals, evidence, exit::Exit, failure::Failure, output::Format, text::grouped};
use serde_json::json;
use std::path::{Path, PathBuf};
use urr_core::{
    sale::Ordering,
    verify::{Proof, Record, Violation, verify},
};

/// What to prove.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Replayed are: the numbering (each number once, in order of joining, as the signed ids in visitors'
hands say), the draw (the revealed seed has the published hash, every place follows from it), and
the admission log (nobody went in while somebody ahead waited, the count inside adds up).")]
pub(crate) struct Args {
    /// The directory of a run, an evidence file, or a sale's name or id, whose newest run in runs/
    /// is meant. Without one: the newest run.
    pub(crate) what: Option<String>,
    /// Where runs are.
    #[arg(long, value_name = "DIR", default_value = "runs")]
    pub(crate) runs: PathBuf,
    /// table, json, yaml or jsonpath='{.path}'.
    #[arg(long, short, default_value_t = Format::Table, value_name = "FORMAT")]
    pub(crate) output: Format,
}

/// Proves, or says what is wrong.
pub(crate) async fn run(args: Args, _: Globals) -> Done {
    let file = find(&args)?;
    let record = evidence::read(&file)
        .map_err(|error| Failure::new(Exit::LawBroken, "the evidence cannot be trusted").because(&error))?;
    let outcome = verify(&record);
    let (proof, violation) = match &outcome {
        Ok(proof) => (document(proof)?, serde_json::Value::Null),
        Err(violation) => (serde_json::Value::Null, violation.to_string().into()),
    };
    let json = json!({
        "apiVersion": "urr.io/proof/v1",
        "kind": "Proof",
        "evidence": file.display().to_string(),
        "sale": {"id": record.sale.id, "name": record.sale.name},
        "proven": outcome.is_ok(),
        "violation": violation,
        "checked": proof,
    });
    show(&args.output, &json, || tell(&file, &record, &outcome))?;
    Ok(if outcome.is_ok() {
        Exit::Ok
    } else {
        Exit::LawBroken
    })
}

fn tell(file: &Path, record: &Record, outcome: &Result<Proof, Violation>) -> String {
    let sale = &record.sale;
    match outcome {
        Err(violation) => format!(
            "{}: NOT PROVEN\n  {violation}\n  evidence: {}\n",
            sale.name,
            file.display()
        ),
        Ok(proof) => {
            let order = match sale.ordering {
                Ordering::Shuffle => format!(
                    "{} of them by lot, as the seed says whose hash was published before",
                    grouped(proof.drawn)
                ),
                Ordering::Fifo => "first come, first served".to_owned(),
            };
            format!(
                "{}: the order is proven\n  {} numbers, each given once and in order of joining ({} compared with the \
                 id in the visitor's hand)\n  {} places, {order}\n  {} admissions in {} log lines, nobody let in while \
                 somebody ahead waited\n  evidence: {}\n",
                sale.name,
                grouped(proof.numbered),
                grouped(proof.ids),
                grouped(proof.numbered),
                grouped(proof.admissions),
                grouped(proof.log_lines),
                file.display()
            )
        }
    }
}

/// The evidence that is meant.
fn find(args: &Args) -> Result<PathBuf, Failure> {
    if let Some(path) = args.what.as_deref().map(Path::new) {
        if path.is_dir() {
            let file = path.join(evidence::FILE);
            return if file.exists() {
                Ok(file)
            } else {
                Err(Failure::new(
                    Exit::NotFound,
                    format!("{} holds no {}", path.display(), evidence::FILE),
                )
                .remedy("runs of older versions have none: rehearse again"))
            };
        }
        if path.is_file() {
            return Ok(path.to_owned());
        }
    }
    let mut runs = runs(&args.runs);
    if let Some(name) = &args.what {
        let lower = name.to_lowercase();
        runs.retain(|(_, file)| {
            sale_of(file).is_some_and(|(id, title)| id == lower || title.to_lowercase() == lower)
        });
    }
    runs.pop().map(|(_, file)| file).ok_or_else(|| {
        let what = args.what.as_deref().unwrap_or("any sale");
        Failure::new(
            Exit::NotFound,
            format!("there is no finished run of {what} in {}", args.runs.display()),
        )
        .remedy("give the directory of a run, or say where runs are with --runs DIR")
    })
}

/// Evidence of all runs below `dir`, the newest last.
fn runs(dir: &Path) -> Vec<(std::time::SystemTime, PathBuf)> {
    let Ok(entries) = std::fs::read_dir(dir) else {
        return Vec::new();
    };
    let mut runs: Vec<_> = entries
        .flatten()
        // Hidden ones are being written.
        .filter(|entry| !entry.file_name().to_string_lossy().starts_with('.'))
        .filter_map(|entry| {
            let file = entry.path().join(evidence::FILE);
            let written = std::fs::metadata(&file).and_then(|meta| meta.modified()).ok()?;
            Some((written, file))
        })
        .collect();
    runs.sort();
    runs
}

/// Id and name of the sale that an evidence file is about, from its first line.
fn sale_of(file: &Path) -> Option<(String, String)> {
    use std::io::BufRead as _;
    let mut first = String::new();
    std::io::BufReader::new(std::fs::File::open(file).ok()?)
        .read_line(&mut first)
        .ok()?;
    let line: serde_json::Value = serde_json::from_str(&first).ok()?;
    let text = |field: &str| line["sale"]["sale"][field].as_str().map(str::to_owned);
    Some((text("id")?, text("name")?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::tests::run_dir;

    fn args(what: Option<&str>, runs: &Path) -> Args {
        Args {
            what: what.map(str::to_owned),
            runs: runs.to_owned(),
            output: Format::Table,
        }
    }

    #[test]
    fn a_run_is_found_by_directory_by_name_and_as_the_newest() {
        let runs = tempfile::tempdir().unwrap();
        let run = run_dir(|lines| lines);
        std::fs::create_dir(runs.path().join("x")).unwrap();
        let file = runs.path().join("x").join(evidence::FILE);
        std::fs::copy(run.path().join(evidence::FILE), &file).unwrap();
        for what in [None, Some("X"), Some("00000000-0000-0000-0000-000000000005")] {
            assert_eq!(find(&args(what, runs.path())).unwrap(), file, "{what:?}");
        }
        let by_dir = find(&args(Some(&run.path().display().to_string()), runs.path()));
        assert_eq!(by_dir.unwrap(), run.path().join(evidence::FILE));
        assert_eq!(
            find(&args(Some("y"), runs.path())).unwrap_err().exit,
            Exit::NotFound
        );
        assert_eq!(
            find(&args(Some(&runs.path().display().to_string()), runs.path()))
                .unwrap_err()
                .exit,
            Exit::NotFound
        );
    }

    #[test]
    fn the_verdict_is_an_exit_code_too() {
        let verdict = |dir: &tempfile::TempDir| {
            let what = dir.path().display().to_string();
            futures::executor::block_on(run(args(Some(&what), Path::new("runs")), Globals::default()))
        };
        assert_eq!(verdict(&run_dir(|lines| lines)), Ok(Exit::Ok));
        let tampered = run_dir(|mut lines| {
            let swap = lines[2].replace("\"ticket\":2,", "\"ticket\":99,");
            lines[2] = swap;
            lines
        });
        assert_eq!(verdict(&tampered), Ok(Exit::LawBroken));
        let cut = run_dir(|mut lines| {
            lines.pop();
            lines
        });
        assert_eq!(verdict(&cut).unwrap_err().exit, Exit::LawBroken);
    }
}
