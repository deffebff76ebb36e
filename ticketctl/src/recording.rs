//! A run's snapshots as a file that can be watched again: NDJSON, a header and then one snapshot a
//! line, in time order.
//!
//! The header names the format's version, so that a later ticketctl can say what it cannot read;
//! a file without one is of the time before there were headers and is read all the same. Snapshots
//! are the wire format of the control plane's stream. The same files are test fixtures.

use serde::{Deserialize, Serialize};
use std::{
    fs::File,
    io::{self, BufRead as _, BufReader, BufWriter, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
};
use urr_core::{
    sale::SaleId,
    snapshot::{EventLine, Snapshot},
    time::Millis,
};

/// The version written. Readers take it and everything before it.
const VERSION: u32 = 1;
/// Longest line read: a snapshot of a hall with a thousand sections is below 100 KB.
const LINE_MAX: u64 = 4 * 1024 * 1024;
/// Events kept with a snapshot: what an event pane shows without scrolling.
const EVENTS_MAX: usize = 60;

/// The first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Header {
    urr_recording: u32,
    sale: SaleId,
    name: String,
    recorded_by: String,
}

/// What a line says about itself before it is read whole.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    urr_recording: Option<u32>,
    at: Option<Millis>,
}

/// Writes a recording. A snapshot is on its way to the disk when [`Recorder::write`] returns.
#[derive(Debug)]
pub(crate) struct Recorder {
    file: BufWriter<File>,
    begun: bool,
}

impl Recorder {
    /// A new file at `path`; an old one is replaced.
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        Ok(Self {
            file: BufWriter::new(File::create(path)?),
            begun: false,
        })
    }

    /// Adds `snapshot`. Lines of whoever watches (`notes`) become events of the recording.
    pub(crate) fn write(&mut self, snapshot: &Snapshot, notes: &[EventLine]) -> io::Result<()> {
        if !std::mem::replace(&mut self.begun, true) {
            let header = Header {
                urr_recording: VERSION,
                sale: snapshot.sale,
                name: snapshot.name.clone(),
                recorded_by: format!("ticketctl {}", env!("CARGO_PKG_VERSION")),
            };
            serde_json::to_writer(&mut self.file, &header)?;
            self.file.write_all(b"\n")?;
        }
        if notes.is_empty() {
            serde_json::to_writer(&mut self.file, snapshot)?;
        } else {
            let mut with_notes = snapshot.clone();
            with_notes.events.extend_from_slice(notes);
            with_notes.events.sort_by_key(|event| event.at);
            let surplus = with_notes.events.len().saturating_sub(EVENTS_MAX);
            with_notes.events.drain(..surplus);
            serde_json::to_writer(&mut self.file, &with_notes)?;
        }
        self.file.write_all(b"\n")?;
        // Two lines a second: what is seen of a run that dies is worth more than a saved call.
        self.file.flush()
    }
}

/// Why a recording cannot be watched.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecordingError {
    /// It cannot be read.
    #[error("cannot read the recording {}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A line is no snapshot.
    #[error("{}:{line}: not a snapshot", path.display())]
    Garbled {
        /// Which file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// It is of a later ticketctl.
    #[error("{} is a recording of version {found}; this ticketctl reads up to {VERSION}: use a newer one", path.display())]
    TooNew {
        /// Which file.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
    /// There is nothing in it.
    #[error("{} holds no snapshot", path.display())]
    Empty {
        /// Which file.
        path: PathBuf,
    },
}

/// A recording to be watched. Snapshots are read when they are shown: what is held is where each
/// of them begins, so a week costs megabytes.
#[derive(Debug)]
pub(crate) struct Recording {
    path: PathBuf,
    file: BufReader<File>,
    frames: Vec<Frame>,
}

#[derive(Debug, Clone, Copy)]
struct Frame {
    at: Millis,
    offset: u64,
    line: usize,
}

impl Recording {
    /// Opens `path` and finds its snapshots. A last line that was cut off is left out: that is how
    /// a run ends that was killed.
    ///
    /// # Errors
    /// [`RecordingError`].
    pub(crate) fn open(path: &Path) -> Result<Self, RecordingError> {
        let unreadable = |source| RecordingError::Unreadable {
            path: path.to_owned(),
            source,
        };
        let mut file = BufReader::new(File::open(path).map_err(unreadable)?);
        let mut frames: Vec<Frame> = Vec::new();
        let (mut offset, mut number, mut text) = (0, 0, Vec::new());
        loop {
            text.clear();
            let read = file
                .by_ref()
                .take(LINE_MAX)
                .read_until(b'\n', &mut text)
                .map_err(unreadable)?;
            if read == 0 {
                break;
            }
            number += 1;
            let begins = offset;
            offset += read as u64;
            if text.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            match serde_json::from_slice::<Line>(&text) {
                Ok(Line {
                    urr_recording: Some(found),
                    ..
                }) if found > VERSION => {
                    return Err(RecordingError::TooNew {
                        path: path.to_owned(),
                        found,
                    });
                }
                Ok(Line { at: Some(at), .. }) => frames.push(Frame {
                    // A clock that was set back must not make time run backwards here.
                    at: frames.last().map_or(at, |last| at.max(last.at)),
                    offset: begins,
                    line: number,
                }),
                Ok(Line { at: None, .. }) => {}
                Err(_) if !text.ends_with(b"\n") => break,
                Err(source) => {
                    return Err(RecordingError::Garbled {
                        path: path.to_owned(),
                        line: number,
                        source,
                    });
                }
            }
        }
        if frames.is_empty() {
            return Err(RecordingError::Empty {
                path: path.to_owned(),
            });
        }
        Ok(Self {
            path: path.to_owned(),
            file,
            frames,
        })
    }

    /// When each snapshot was taken, in order; never empty.
    pub(crate) fn times(&self) -> Vec<Millis> {
        self.frames.iter().map(|frame| frame.at).collect()
    }

    /// The snapshot number `index` (the last one beyond the end).
    ///
    /// # Errors
    /// [`RecordingError`] when the file changed since it was opened.
    pub(crate) fn read(&mut self, index: usize) -> Result<Snapshot, RecordingError> {
        let frame = self.frames[index.min(self.frames.len() - 1)];
        let unreadable = |source| RecordingError::Unreadable {
            path: self.path.clone(),
            source,
        };
        self.file
            .seek(SeekFrom::Start(frame.offset))
            .map_err(unreadable)?;
        let mut text = Vec::new();
        self.file
            .by_ref()
            .take(LINE_MAX)
            .read_until(b'\n', &mut text)
            .map_err(unreadable)?;
        serde_json::from_slice(&text).map_err(|source| RecordingError::Garbled {
            path: self.path.clone(),
            line: frame.line,
            source,
        })
    }

    /// Its file's name.
    pub(crate) fn name(&self) -> String {
        let name = self.path.file_name().unwrap_or(self.path.as_os_str());
        name.to_string_lossy().into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(s: i64) -> Snapshot {
        Snapshot {
            name: "Club night".to_owned(),
            at: Millis(s * 1000),
            ..Snapshot::unknown(uuid::Uuid::from_u128(7))
        }
    }

    fn file() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run.ndjson");
        (dir, path)
    }

    #[test]
    fn what_was_recorded_is_seen_again_in_any_order() {
        let (_dir, path) = file();
        let mut recorder = Recorder::create(&path).unwrap();
        for s in 1..=3 {
            recorder.write(&snapshot(s), &[]).unwrap();
        }
        let mut recording = Recording::open(&path).unwrap();
        assert_eq!(recording.times(), [Millis(1000), Millis(2000), Millis(3000)]);
        for (index, s) in [(2, 3), (0, 1), (1, 2)] {
            assert_eq!(recording.read(index).unwrap(), snapshot(s));
        }
        assert_eq!(recording.read(99).unwrap(), snapshot(3));
    }

    #[test]
    fn what_the_watcher_did_is_among_the_events() {
        let (_dir, path) = file();
        let note = EventLine {
            at: Millis(5),
            actor: "drill".to_owned(),
            text: "killed booking".to_owned(),
        };
        Recorder::create(&path)
            .unwrap()
            .write(&snapshot(1), std::slice::from_ref(&note))
            .unwrap();
        assert_eq!(Recording::open(&path).unwrap().read(0).unwrap().events, [note]);
    }

    #[test]
    fn recordings_without_a_header_and_with_a_cut_end_are_watched_as_far_as_they_go() {
        let (_dir, path) = file();
        let line = serde_json::to_string(&snapshot(1)).unwrap();
        std::fs::write(&path, format!("{line}\n{}", &line[..40])).unwrap();
        assert_eq!(Recording::open(&path).unwrap().times().len(), 1);
    }

    #[test]
    fn what_is_no_recording_is_named_with_its_line() {
        let (_dir, path) = file();
        let said = |text: &str| {
            std::fs::write(&path, text).unwrap();
            Recording::open(&path).unwrap_err().to_string()
        };
        assert!(said("").contains("no snapshot"));
        assert!(said("{\"urrRecording\":2}\n").contains("version 2"));
        let line = serde_json::to_string(&snapshot(1)).unwrap();
        assert!(said(&format!("{line}\nnonsense\n{line}\n")).contains("run.ndjson:2"));
        assert!(
            Recording::open(Path::new("/nowhere/x"))
                .unwrap_err()
                .to_string()
                .contains("/nowhere/x")
        );
    }
}
