//! A finished sale's record on disk, for `ticketctl verify`: NDJSON, one thing a line, in the
//! directory of the run. The drill's audit writes it; anybody may check it, with any tool.
//!
//! Line 1 tells the sale, the line's epoch, how many numbers were given out and what the draw
//! published; then a line for each number (`"number"`), a line for each entry of the admission
//! log (`"log"`) in its order, and a last line that counts them, so that a file that was cut off
//! is known as such. Add fields, never change a meaning.

use serde::{Deserialize, Serialize};
use std::{
    fs::File,
    io::{self, BufRead as _, BufReader, BufWriter, Write as _},
    path::{Path, PathBuf},
};
use urr_core::{
    admission::LogEntry,
    audit::Evidence,
    draw::DrawRecord,
    sale::Sale,
    verify::{Numbered, Record},
};

/// Its name in the directory of a run.
pub(crate) const FILE: &str = "evidence.ndjson";
const API_VERSION: &str = "urr.io/evidence/v1";

/// A line of the file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
enum Line {
    /// The first.
    Sale {
        api_version: String,
        sale: Box<Sale>,
        epoch: u32,
        issued: u64,
        draw: DrawRecord,
    },
    /// A numbered visitor.
    Number(Numbered),
    /// An entry of the admission log.
    Log(LogEntry),
    /// The last.
    End { numbers: u64, log: u64 },
}

/// Why a record could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EvidenceError {
    /// The system says no.
    #[error("cannot read {}", .path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A line is not one of ours.
    #[error("{}:{line}: not a line of evidence", .path.display())]
    Strange {
        /// Which file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
        /// What the reader saw.
        #[source]
        source: serde_json::Error,
    },
    /// Lines are missing.
    #[error("{}: {what}", .path.display())]
    Incomplete {
        /// Which file.
        path: PathBuf,
        /// How that shows.
        what: String,
    },
}

/// Writes what `verify` needs of `evidence` into `dir`. A sale that never had a line leaves none.
pub(crate) fn write(dir: &Path, evidence: &Evidence) -> io::Result<()> {
    match Record::of(evidence) {
        Some(record) => write_record(&dir.join(FILE), &record),
        None => Ok(()),
    }
}

/// Writes `record` to `path`.
fn write_record(path: &Path, record: &Record) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    let mut put = |line: &Line| -> io::Result<()> {
        serde_json::to_writer(&mut file, line)?;
        file.write_all(b"\n")
    };
    put(&Line::Sale {
        api_version: API_VERSION.to_owned(),
        sale: Box::new(record.sale.clone()),
        epoch: record.epoch,
        issued: record.issued,
        draw: record.draw,
    })?;
    for numbered in &record.numbered {
        put(&Line::Number(numbered.clone()))?;
    }
    for entry in &record.log {
        put(&Line::Log(entry.clone()))?;
    }
    put(&Line::End {
        numbers: record.numbered.len() as u64,
        log: record.log.len() as u64,
    })?;
    file.flush()
}

/// Reads the record at `path`.
pub(crate) fn read(path: &Path) -> Result<Record, EvidenceError> {
    let unreadable = |source| EvidenceError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let incomplete = |what: String| EvidenceError::Incomplete {
        path: path.to_owned(),
        what,
    };
    let mut record: Option<Record> = None;
    let mut end: Option<(u64, u64)> = None;
    let file = BufReader::new(File::open(path).map_err(unreadable)?);
    for (number, text) in (1..).zip(file.lines()) {
        let text = text.map_err(unreadable)?;
        let line: Line = serde_json::from_str(&text).map_err(|source| EvidenceError::Strange {
            path: path.to_owned(),
            line: number,
            source,
        })?;
        if end.is_some() {
            return Err(incomplete(format!("line {number} comes after the end")));
        }
        match (line, record.as_mut()) {
            (
                Line::Sale {
                    api_version,
                    sale,
                    epoch,
                    issued,
                    draw,
                },
                None,
            ) => {
                if api_version != API_VERSION {
                    return Err(incomplete(format!(
                        "is of {api_version}, this ticketctl reads {API_VERSION}"
                    )));
                }
                record = Some(Record {
                    sale: *sale,
                    epoch,
                    issued,
                    draw,
                    numbered: Vec::new(),
                    log: Vec::new(),
                });
            }
            (Line::Number(numbered), Some(record)) => record.numbered.push(numbered),
            (Line::Log(entry), Some(record)) => record.log.push(entry),
            (Line::End { numbers, log }, Some(_)) => end = Some((numbers, log)),
            (Line::Sale { .. }, Some(_)) => {
                return Err(incomplete(format!("line {number} begins a second sale")));
            }
            (_, None) => return Err(incomplete("does not begin with the sale".to_owned())),
        }
    }
    let record = record.ok_or_else(|| incomplete("is empty".to_owned()))?;
    let (numbers, log) = end.ok_or_else(|| incomplete("has no last line: it was cut off".to_owned()))?;
    let found = (record.numbered.len() as u64, record.log.len() as u64);
    if found != (numbers, log) {
        return Err(incomplete(format!(
            "its last line counts {numbers} numbers and {log} log lines, it has {} and {}",
            found.0, found.1
        )));
    }
    Ok(record)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use urr_core::{
        admission::LogKind,
        draw::{Draw, Seed},
        sale::{AdmissionSettings, CapacitySettings, Ordering, Schedule},
        time::Millis,
        verify::{Violation, verify},
    };
    use uuid::Uuid;

    const OPENS_AT: Millis = Millis(1_796_122_800_000);

    /// Twenty people by lot, each let in and out again.
    pub(crate) fn record() -> Record {
        let seed = Seed::from_bytes([9; 32]);
        let draw = Draw::new(&seed, 20);
        let numbered = (1..=20).map(|ticket| Numbered {
            visitor: format!("anon-{ticket}"),
            epoch: 1,
            ticket,
            place: draw.place(ticket),
            joined_at: OPENS_AT.plus_ms(-1),
            request_id: None,
        });
        let entry = |kind, at: i64, place: u64, inside| LogEntry {
            kind,
            at: OPENS_AT.plus_ms(at),
            user: Some(Uuid::from_u128(u128::from(place))),
            position: Some(place),
            active_after: inside,
            cap: 5,
            rate_per_s: 10,
            reason: None,
        };
        let log = (1..=20_u64).flat_map(|place| {
            let at = i64::try_from(place).unwrap() * 10;
            [
                entry(LogKind::Enqueue, at, place, 0),
                entry(LogKind::Admit, at + 1, place, 1),
                entry(LogKind::Leave, at + 2, place, 0),
            ]
        });
        Record {
            sale: Sale {
                id: Uuid::from_u128(5),
                name: "x".into(),
                schedule: Schedule {
                    pre_queue_at: OPENS_AT.plus_s(-60),
                    opens_at: OPENS_AT,
                    closes_at: OPENS_AT.plus_s(60),
                },
                ordering: Ordering::Shuffle,
                seats: 20,
                expected_visitors: 20,
                admission: AdmissionSettings::default(),
                capacity: CapacitySettings {
                    rate_per_replica: 10,
                    replicas: 1,
                },
            },
            epoch: 1,
            issued: 20,
            draw: DrawRecord {
                commitment: Some(seed.commitment()),
                drawn: Some(20),
                seed: Some(seed),
            },
            numbered: numbered.collect(),
            log: log.collect(),
        }
    }

    /// A run's directory with the record of [`record`], its text changed by `tamper`.
    pub(crate) fn run_dir(tamper: impl FnOnce(Vec<String>) -> Vec<String>) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        write_record(&path, &record()).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let lines = tamper(text.lines().map(str::to_owned).collect());
        std::fs::write(&path, lines.join("\n") + "\n").unwrap();
        dir
    }

    fn read_back(tamper: impl FnOnce(Vec<String>) -> Vec<String>) -> Result<Record, String> {
        let dir = run_dir(tamper);
        read(&dir.path().join(FILE)).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_written_is_read_and_proven() {
        let read = read_back(|lines| lines).unwrap();
        assert_eq!(read, record());
        assert_eq!(verify(&read).unwrap().admissions, 20);
    }

    #[test]
    fn a_file_that_was_cut_off_or_mended_is_known() {
        let said = read_back(|mut lines| {
            lines.pop();
            lines
        });
        assert!(said.unwrap_err().contains("cut off"));
        let said = read_back(|mut lines| {
            lines.remove(4);
            lines
        });
        assert!(said.unwrap_err().contains("counts 20 numbers"));
        let said = read_back(|mut lines| {
            lines[7] = lines[7].replace("anon", "\"anon");
            lines
        });
        assert!(said.unwrap_err().contains(":8:"));
    }

    #[test]
    fn a_swapped_pair_a_skipped_visitor_and_another_seed_are_named() {
        // Two visitors swap places.
        let swapped = read_back(|mut lines| {
            let (a, b) = (lines[3].clone(), lines[4].clone());
            let part = |line: &str| {
                line[line.find("\"place\"").unwrap()..line.find(",\"joinedAt\"").unwrap()].to_owned()
            };
            lines[3] = a.replace(&part(&a), &part(&b));
            lines[4] = b.replace(&part(&b), &part(&a));
            lines
        });
        let violation = verify(&swapped.unwrap()).unwrap_err();
        assert!(matches!(violation, Violation::Draw(_)), "{violation}");
        // One is skipped, by somebody who thought of the last line.
        let skipped = read_back(|mut lines| {
            lines.remove(6);
            let last = lines.len() - 1;
            lines[last] = lines[last].replace("\"numbers\":20", "\"numbers\":19");
            lines
        });
        let violation = verify(&skipped.unwrap()).unwrap_err();
        assert_eq!(
            violation,
            Violation::Missing {
                ticket: 6,
                issued: 20
            }
        );
        // Another seed.
        let reseeded = read_back(|mut lines| {
            let seed = Seed::from_bytes([9; 32]).to_hex();
            lines[0] = lines[0].replace(&seed, &Seed::from_bytes([10; 32]).to_hex());
            lines
        });
        assert!(verify(&reseeded.unwrap()).is_err());
    }
}
