//! A real pseudo-terminal with a real process in it, and a terminal emulator that says what a
//! person would see.

use portable_pty::{Child, CommandBuilder, PtySize, native_pty_system};
use std::{
    io::{Read as _, Write},
    num::NonZero,
    path::Path,
    process::Command,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

/// Nothing on a screen takes longer, in a debug build beside other tests.
const PATIENCE: Duration = Duration::from_secs(90);

/// A terminal and what runs in it.
pub(crate) struct Terminal {
    child: Box<dyn Child + Send + Sync>,
    keys: Box<dyn Write + Send>,
    screen: Arc<Mutex<vt100::Parser>>,
    reading: thread::JoinHandle<()>,
    // Closing it hangs the terminal up.
    _master: Box<dyn portable_pty::MasterPty + Send>,
}

impl Terminal {
    /// `ticketctl` with `args` in a terminal of `columns` by `rows`.
    pub(crate) fn open(
        (columns, rows): (u16, u16),
        args: &[&str],
        env: &[(String, String)],
        dir: &Path,
    ) -> Self {
        let size = PtySize {
            rows,
            cols: columns,
            pixel_width: 0,
            pixel_height: 0,
        };
        let pair = native_pty_system().openpty(size).unwrap();
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_ticketctl"));
        command.args(args);
        command.cwd(dir);
        command.env("TERM", "xterm-256color");
        command.env("LANG", "C.UTF-8");
        command.env("USER", "mina");
        command.env("XDG_CONFIG_HOME", dir);
        // A backtrace would scroll the sentence off the screen.
        command.env("RUST_BACKTRACE", "0");
        for name in ["NO_COLOR", "URR_SABOTAGE", "LC_ALL", "LC_CTYPE"] {
            command.env_remove(name);
        }
        for (name, value) in env {
            command.env(name, value);
        }
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let mut reader = pair.master.try_clone_reader().unwrap();
        let keys = pair.master.take_writer().unwrap();
        let screen = Arc::new(Mutex::new(vt100::Parser::new(cells(rows), cells(columns), 0)));
        let parser = Arc::clone(&screen);
        let reading = thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(n @ 1..) = reader.read(&mut bytes) {
                parser
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .process(&bytes[..n]);
            }
        });
        Self {
            child,
            keys,
            screen,
            reading,
            _master: pair.master,
        }
    }

    fn look<T>(&self, what: impl FnOnce(&vt100::Screen) -> T) -> T {
        what(
            self.screen
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .screen(),
        )
    }

    /// What a person sees.
    pub(crate) fn text(&self) -> String {
        self.look(vt100::Screen::contents)
    }

    /// Waits until `text` is on the screen.
    pub(crate) fn until(&self, text: &str) {
        self.wait(&format!("\"{text}\""), |screen| screen.contents().contains(text));
    }

    /// Waits until the alternate screen is there.
    pub(crate) fn until_drawn(&self) {
        self.wait("the screen", vt100::Screen::alternate_screen);
    }

    fn wait(&self, what: &str, is_so: impl Fn(&vt100::Screen) -> bool) {
        let until = Instant::now() + PATIENCE;
        while !self.look(&is_so) {
            assert!(Instant::now() < until, "no {what} on\n{}", self.text());
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Presses keys.
    pub(crate) fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.process_id().unwrap().to_string();
        let status = Command::new("kill")
            .args([&format!("-{name}"), &pid])
            .status()
            .unwrap();
        assert!(status.success());
    }

    /// Waits for the end; its exit code, and what is left on the terminal.
    pub(crate) fn end(mut self) -> (u32, String) {
        let until = Instant::now() + PATIENCE;
        let code = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status.exit_code();
            }
            if Instant::now() >= until {
                let text = self.text();
                self.child.kill().unwrap();
                panic!("it does not end:\n{text}");
            }
            thread::sleep(Duration::from_millis(20));
        };
        // What was written last is still on its way through the terminal.
        let until = Instant::now() + PATIENCE;
        while !self.reading.is_finished() && Instant::now() < until {
            thread::sleep(Duration::from_millis(20));
        }
        let given_back = self.look(|screen| !screen.alternate_screen() && !screen.hide_cursor());
        assert!(given_back, "the terminal was not given back:\n{}", self.text());
        (code, self.text())
    }
}

fn cells(n: u16) -> NonZero<u16> {
    NonZero::new(n).unwrap()
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // A test that failed leaves nothing behind; who has ended is not there to be killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
