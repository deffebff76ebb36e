//! The terminal's state, given back on every way out: normal end, error, panic.
//!
//! The guard is taken before anything is changed, so an early `?` cannot leave a raw shell; the
//! panic hook restores before the message is printed, so the message can be read.

use crossterm::{
    cursor::Show,
    execute,
    terminal::{
        Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
    },
};
use ratatui::{Terminal, backend::CrosstermBackend};
use std::{
    io::{self, Stdout},
    sync::{
        Once,
        atomic::{AtomicBool, Ordering},
    },
};

/// Whether the terminal is (possibly) changed right now. Process-wide, as the terminal is.
static CHANGED: AtomicBool = AtomicBool::new(false);
static HOOK: Once = Once::new();

/// Restores the terminal when dropped.
#[must_use]
pub(super) struct Guard(());

impl Guard {
    /// Takes responsibility for the terminal; call before [`open`].
    pub(super) fn take() -> Self {
        HOOK.call_once(|| {
            let before = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                restore();
                before(panic);
            }));
        });
        CHANGED.store(true, Ordering::SeqCst);
        Self(())
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        restore();
    }
}

/// Gives the terminal back, once; safe to call from anywhere, also when nothing was changed.
pub(crate) fn restore() {
    if CHANGED.swap(false, Ordering::SeqCst) {
        // Nothing can be done about a terminal that is gone.
        let _ = disable_raw_mode();
        let _ = execute!(io::stdout(), LeaveAlternateScreen, Show);
    }
}

/// Whether the terminal is still ours to draw on; a panic anywhere gives it back at once.
pub(super) fn is_ours() -> bool {
    CHANGED.load(Ordering::SeqCst)
}

/// Raw mode and the alternate screen.
pub(super) fn open() -> io::Result<Terminal<CrosstermBackend<Stdout>>> {
    enable_raw_mode()?;
    // Not `Terminal::clear`: that asks the terminal where its cursor is and fails where none answers
    // within two seconds, as behind a slow line or in a screen reader's terminal.
    execute!(io::stdout(), EnterAlternateScreen, Clear(ClearType::All))?;
    Terminal::new(CrosstermBackend::new(io::stdout()))
}
