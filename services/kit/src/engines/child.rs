//! A child process that cannot outlive us.
//!
//! The kernel sends the parent-death signal when the *thread* that made the child ends, so each
//! child gets a thread of its own that makes it and then waits for it. Signals go through a pidfd:
//! they reach this child or nobody, never a stranger who got the same number later.

use super::EngineError;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Another user and group to run a program as.
#[derive(Debug, Clone, Copy)]
pub struct RunAs {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
}

/// A program to run.
pub struct Program<'a> {
    /// Its name, for threads and messages.
    pub engine: &'static str,
    /// `setpriv` of util-linux.
    pub setpriv: &'a Path,
    /// The program.
    pub path: &'a Path,
    /// Its arguments.
    pub args: Vec<String>,
    /// Where it runs.
    pub dir: &'a Path,
    /// Where its output goes.
    pub log: &'a Path,
    /// As whom; as we ourselves when `None`.
    pub run_as: Option<RunAs>,
    /// What the kernel sends it when we die.
    pub death_signal: &'static str,
}

impl Program<'_> {
    fn command(&self) -> Result<Command, EngineError> {
        let opening = |source| EngineError::io(format!("write {}", self.log.display()), source);
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.log)
            .map_err(opening)?;
        let errors = log.try_clone().map_err(opening)?;
        let mut command = Command::new(self.setpriv);
        command.args(["--pdeathsig", self.death_signal]);
        if let Some(RunAs { uid, gid }) = self.run_as {
            command
                .arg(format!("--reuid={uid}"))
                .arg(format!("--regid={gid}"));
            command.arg("--clear-groups");
        }
        command
            .arg("--")
            .arg(self.path)
            .args(&self.args)
            .current_dir(self.dir)
            // A Ctrl-C at the terminal is for us: services drain first, engines end last.
            .process_group(0)
            // Locale variables change messages and sorting; the engine gets a plain one.
            .env("LC_ALL", "C")
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors);
        Ok(command)
    }

    /// Starts it.
    ///
    /// # Errors
    /// When its log cannot be written or the program cannot be run.
    pub fn spawn(&self) -> Result<Child, EngineError> {
        let mut command = self.command()?;
        let ended = Arc::new(Ended::default());
        let (report, reported) = mpsc::sync_channel(1);
        let told = Arc::clone(&ended);
        let starting = |source| EngineError::io(format!("start {}", self.engine), source);
        std::thread::Builder::new()
            .name(format!("keeps-{}", self.engine))
            .spawn(move || keep(&mut command, &report, &told))
            .map_err(starting)?;
        let (pid, pidfd) = reported
            .recv()
            .unwrap_or_else(|_| Err(io::Error::other("the keeper thread ended")))
            .map_err(starting)?;
        Ok(Child { pid, pidfd, ended })
    }
}

type Report = io::Result<(u32, OwnedFd)>;

fn keep(command: &mut Command, report: &mpsc::SyncSender<Report>, ended: &Ended) {
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => {
            let _ = report.send(Err(error));
            return;
        }
    };
    // Not waited for yet, so the number is still this child's even if it has ended.
    let pidfd = Pid::from_raw(i32::try_from(child.id()).unwrap_or_default())
        .ok_or_else(|| io::Error::other("no process id"))
        .and_then(|pid| Ok(pidfd_open(pid, PidfdFlags::empty())?));
    let handed_over = match pidfd {
        Ok(pidfd) => report.send(Ok((child.id(), pidfd))).is_ok(),
        Err(error) => {
            let _ = report.send(Err(error));
            false
        }
    };
    if !handed_over {
        let _ = child.kill();
    }
    ended.set(child.wait());
}

#[derive(Default)]
struct Ended {
    status: Mutex<Option<io::Result<ExitStatus>>>,
    changed: Condvar,
}

impl Ended {
    fn set(&self, status: io::Result<ExitStatus>) {
        *self.status.lock().unwrap_or_else(PoisonError::into_inner) = Some(status);
        self.changed.notify_all();
    }

    fn get(&self) -> Option<String> {
        self.status
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .as_ref()
            .map(describe)
    }

    fn wait(&self, limit: Duration) -> Option<String> {
        let deadline = Instant::now() + limit;
        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        while status.is_none() {
            let left = deadline.checked_duration_since(Instant::now())?;
            status = self
                .changed
                .wait_timeout(status, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        status.as_ref().map(describe)
    }
}

fn describe(status: &io::Result<ExitStatus>) -> String {
    match status {
        Ok(status) if status.success() => "it ended".to_owned(),
        Ok(status) => format!("it ended with {status}"),
        Err(error) => format!("it could not be watched: {error}"),
    }
}

/// A running child. Dropping it kills it, if [`Child::end`] did not end it.
pub struct Child {
    pid: u32,
    pidfd: OwnedFd,
    ended: Arc<Ended>,
}

impl Child {
    /// Its process id.
    #[must_use]
    pub const fn pid(&self) -> u32 {
        self.pid
    }

    /// How it ended, if it has.
    #[must_use]
    pub fn ended(&self) -> Option<String> {
        self.ended.get()
    }

    /// Waits for it to end by itself.
    pub fn wait(&self, limit: Duration) -> Option<String> {
        self.ended.wait(limit)
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        // The only failure is that it has ended already.
        let _ = pidfd_send_signal(&self.pidfd, signal);
    }

    /// Asks it to end, and kills it if it has not within `limit`.
    pub fn end(&self, signal: Signal, limit: Duration) {
        self.signal(signal);
        if self.ended.wait(limit).is_none() {
            self.signal(Signal::KILL);
            self.ended.wait(limit);
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if self.ended().is_none() {
            self.end(Signal::KILL, Duration::from_secs(5));
        }
    }
}
