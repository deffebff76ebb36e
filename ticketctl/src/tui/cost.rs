//! What the screen costs: pictures taken in and drawn at full speed, into nothing, on the CPU time
//! of this thread. The figure `ticketctl watch --replay FILE --cost` prints, and the budget it is
//! held to: 60 updates a second within 5 % of a core.

use super::{FRAME, config::Options, state::App, view};
use crate::{
    picture::Picture,
    recording::{Recording, RecordingError},
};
use ratatui::{Terminal, TerminalOptions, Viewport, backend::CrosstermBackend, layout::Rect};
use serde::Serialize;
use std::{
    cell::Cell,
    io::{self, Write},
    rc::Rc,
};

/// Updates a second that a screen must bear.
const UPDATES_PER_S: u32 = 60;
/// Seconds that are simulated.
const SECONDS: u32 = 20;

/// What was measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Cost {
    columns: u16,
    lines: u16,
    updates: u32,
    frames: u32,
    cpu_ms_per_update: f64,
    cpu_ms_per_frame: f64,
    bytes_per_frame: u64,
    /// At 60 updates a second, with frames as the loop draws them.
    percent_of_a_core: f64,
}

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CostError {
    /// The recording.
    #[error(transparent)]
    Recording(#[from] RecordingError),
    /// The CPU time, or the drawing into nothing.
    #[error("cannot measure")]
    Io(#[from] io::Error),
}

/// Counts what would go to the terminal.
struct Nowhere(Rc<Cell<u64>>);

impl Write for Nowhere {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.set(self.0.get() + bytes.len() as u64);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Plays `recording` over and over into a terminal of `columns` by `lines`.
///
/// # Errors
/// [`CostError`].
pub(crate) fn measure(mut recording: Recording, columns: u16, lines: u16) -> Result<Cost, CostError> {
    let pictures = pictures(&mut recording)?;
    let written = Rc::new(Cell::new(0));
    let viewport = Viewport::Fixed(Rect::new(0, 0, columns, lines));
    let backend = CrosstermBackend::new(Nowhere(Rc::clone(&written)));
    let mut terminal = Terminal::with_options(backend, TerminalOptions { viewport })?;
    let Some(first) = pictures.first().cloned() else {
        return Err(io::Error::other("no picture").into());
    };
    let now = first.snapshot.as_ref().map(|s| s.at).unwrap_or_default();
    let mut app = App::new(first, Options::default(), "nobody".to_owned(), now);
    let frames_per_s = u32::try_from(1_000 / FRAME.as_millis()).unwrap_or(1);
    let (updates, frames) = (UPDATES_PER_S * SECONDS, frames_per_s * SECONDS);
    let (mut taking_ns, mut drawing_ns) = (0, 0);
    for update in 0..updates {
        let began = cpu_ns()?;
        let picture = &pictures[update as usize % pictures.len()];
        let at = picture.snapshot.as_ref().map_or(now, |s| s.at);
        app.take(picture.clone(), at);
        let taken = cpu_ns()?;
        taking_ns += taken - began;
        if update.is_multiple_of(UPDATES_PER_S / frames_per_s) {
            terminal.draw(|frame| view::draw(frame, &app))?;
            drawing_ns += cpu_ns()? - taken;
        }
    }
    let ms = |ns: u64, n: u32| std::time::Duration::from_nanos(ns).as_secs_f64() * 1000.0 / f64::from(n);
    Ok(Cost {
        columns,
        lines,
        updates,
        frames,
        cpu_ms_per_update: ms(taking_ns, updates),
        cpu_ms_per_frame: ms(drawing_ns, frames),
        bytes_per_frame: written.get() / u64::from(frames),
        percent_of_a_core: ms(taking_ns + drawing_ns, SECONDS) / 10.0,
    })
}

fn pictures(recording: &mut Recording) -> Result<Vec<Picture>, RecordingError> {
    // As many as differ within the measurement; more would only measure memory.
    const PICTURES: usize = 240;
    let frames = recording.times().len();
    let from = frames.saturating_sub(PICTURES);
    let snapshots = (from..frames)
        .map(|index| recording.read(index))
        .collect::<Result<Vec<_>, _>>()?;
    let empty = Picture::new("cost");
    let pictures = snapshots.into_iter().map(|snapshot| {
        let mut picture = empty.clone();
        picture.load = snapshot.crowd.clone().map(std::sync::Arc::new);
        picture.take(snapshot);
        picture
    });
    Ok(pictures.collect())
}

/// CPU time of this thread in nanoseconds, as Linux accounts for it.
fn cpu_ns() -> io::Result<u64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let ns = text.split_whitespace().next().and_then(|ns| ns.parse().ok());
    ns.ok_or_else(|| io::Error::other("/proc/thread-self/schedstat cannot be read on this machine"))
}
