//! Writes looks down. A trace never stands in the way of a sale: what cannot be written is told once and
//! left out.

use super::{Decided, Look, Saw, Settings};
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

/// Writes into one file; when that is full it becomes FILE.1, in place of the one before.
pub struct Recorder {
    file: PathBuf,
    bytes_max: u64,
    writing: Mutex<Writing>,
}

struct Writing {
    /// `None` after a failure.
    to: Option<File>,
    bytes: u64,
    looks: u64,
}

impl Recorder {
    /// As `settings` say; `None` when no trace is wanted.
    ///
    /// # Errors
    /// When the file cannot be opened: said at the start, when somebody is there to read it.
    pub fn new(settings: &Settings) -> io::Result<Option<Self>> {
        let Some(file) = settings.file.clone() else {
            return Ok(None);
        };
        let to = OpenOptions::new().create(true).append(true).open(&file)?;
        let bytes = to.metadata()?.len();
        Ok(Some(Self {
            file,
            bytes_max: settings.mib.max(1) * 1024 * 1024,
            writing: Mutex::new(Writing {
                to: Some(to),
                bytes,
                looks: 0,
            }),
        }))
    }

    /// Writes a look at `sale` down.
    pub fn note(&self, sale: String, uid: String, saw: Saw, decided: &Decided) {
        let mut writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        if writing.to.is_none() {
            return;
        }
        writing.looks += 1;
        let look = Look {
            sale,
            uid,
            look: writing.looks,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            saw,
            decided: serde_json::to_value(decided).unwrap_or_default(),
        };
        if let Err(error) = self.write(&mut writing, &look) {
            let file = self.file.display();
            tracing::error!(%file, %error, "the trace cannot be written: no more looks are written down");
            writing.to = None;
        }
    }

    fn write(&self, writing: &mut Writing, look: &Look) -> io::Result<()> {
        let mut line = serde_json::to_vec(look)?;
        line.push(b'\n');
        let length = line.len() as u64;
        if writing.bytes > 0 && writing.bytes + length > self.bytes_max {
            std::fs::rename(&self.file, aside(&self.file))?;
            writing.to = Some(OpenOptions::new().create(true).append(true).open(&self.file)?);
            writing.bytes = 0;
        }
        if let Some(to) = &mut writing.to {
            // One write for a line: a process that is killed leaves at most the last one cut.
            to.write_all(&line)?;
            writing.bytes += length;
        }
        Ok(())
    }
}

/// Where a full file goes.
pub(super) fn aside(file: &std::path::Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".1");
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::{Kind, Refused};

    fn saw() -> Saw {
        let spec = crate::mapping::tests::spec();
        let opens_at = crate::mapping::millis(&spec.schedule.opens_at);
        Saw {
            name: "club-night".into(),
            generation: Some(1),
            instants: Saw::instants(&spec),
            spec,
            shown: None,
            at: opens_at,
            kind: Kind::Refused(Refused {
                adopted: None,
                rival: Some("n/first".into()),
            }),
        }
    }

    #[test]
    fn a_full_trace_is_put_aside_and_both_halves_are_replayed() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("trace");
        let settings = Settings {
            file: Some(file.clone()),
            mib: 1,
        };
        let recorder = Recorder::new(&settings).unwrap().unwrap();
        let decided = crate::trace::again::decide(&saw()).unwrap();
        while !aside(&file).exists() {
            recorder.note("n/club-night".into(), "u".into(), saw(), &decided);
        }
        recorder.note("n/club-night".into(), "u".into(), saw(), &decided);
        assert!(std::fs::metadata(aside(&file)).unwrap().len() <= 1024 * 1024);
        let replayed = crate::trace::replay(&file).unwrap();
        let looks = recorder.writing.lock().unwrap().looks;
        assert!(
            replayed.is_same() && replayed.looks == looks && looks > 100,
            "{replayed}"
        );
    }

    #[test]
    fn a_trace_that_cannot_be_written_is_said_at_the_start() {
        let settings = Settings {
            file: Some("/no/such/directory/trace".into()),
            mib: 1,
        };
        assert!(Recorder::new(&settings).is_err());
        assert!(Recorder::new(&Settings::default()).unwrap().is_none());
    }
}
