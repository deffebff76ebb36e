//! The child processes of a drill: started, watched, killed on purpose, stopped.
//!
//! Each child is owned by one task, so that a signal can only ever reach a child that is still
//! ours (a pid is never used after the child was reaped). A child that dies unasked is reported
//! with the end of its log; nothing outlives us, not even a `kill -9` of this process.

use anyhow::Context as _;
use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs::{File, OpenOptions},
    io::{Read as _, Seek as _, SeekFrom},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{
    process::{Child, Command},
    sync::{mpsc, watch},
    time::{Instant, sleep, timeout},
};

/// A service drains for at most this long after SIGTERM before it is killed.
const STOP_GRACE: Duration = Duration::from_secs(8);
/// Between two looks at a starting service.
const HEALTH_EVERY: Duration = Duration::from_millis(50);
/// One look.
const HEALTH_TIMEOUT: Duration = Duration::from_secs(2);
/// How much of a log is quoted in an error.
const TAIL_LINES: usize = 12;
const TAIL_BYTES: u64 = 16 * 1024;
/// Deaths not yet read; there are fewer processes than this.
const DEATHS_QUEUED: usize = 64;

/// How to start one process.
#[derive(Debug, Clone)]
pub(crate) struct Spec {
    /// For people and logs: `booking`.
    pub(crate) name: &'static str,
    /// After `ticketctl urr`.
    pub(crate) args: Vec<OsString>,
    /// Settings and secrets; never on the command line, where anybody can read them.
    pub(crate) env: Vec<(String, String)>,
    /// Where `/health` is.
    pub(crate) health: SocketAddr,
}

/// A child that ended though nobody asked it to.
#[derive(Debug)]
pub(crate) struct Death {
    /// Which.
    pub(crate) name: &'static str,
    /// How.
    pub(crate) status: ExitStatus,
    /// The end of its log.
    pub(crate) tail: String,
}

/// All children. Cheap to clone; the last clone's drop kills what still runs.
#[derive(Debug, Clone)]
pub(crate) struct Fleet(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    logs: PathBuf,
    members: Mutex<BTreeMap<&'static str, Member>>,
    /// While starting, a death is the starter's business: it may try again with other ports.
    up: AtomicBool,
    deaths: mpsc::Sender<Death>,
}

#[derive(Debug)]
struct Member {
    spec: Spec,
    /// For whoever counts what it takes; signals go by `orders` only.
    pid: Option<u32>,
    orders: mpsc::Sender<Order>,
    ended: watch::Receiver<bool>,
}

#[derive(Debug, Clone, Copy)]
enum Order {
    /// SIGKILL, now: the fault of a scenario.
    Kill,
    /// SIGTERM, and SIGKILL when it takes too long.
    Stop,
}

impl Fleet {
    /// No children yet; their logs will go to the directory `logs`.
    pub(crate) fn new(logs: &Path) -> (Self, mpsc::Receiver<Death>) {
        let (deaths, receiver) = mpsc::channel(DEATHS_QUEUED);
        let fleet = Self(Arc::new(Shared {
            logs: logs.to_owned(),
            members: Mutex::default(),
            up: AtomicBool::new(false),
            deaths,
        }));
        (fleet, receiver)
    }

    /// Starts a process. Must be called on a thread that lives as long as the drill: the kernel
    /// kills the child when the *thread* that started it ends.
    pub(crate) fn start(&self, spec: &Spec) -> anyhow::Result<()> {
        let log = self.log_path(spec.name);
        let out = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&log)
            .with_context(|| format!("opening the log {}", log.display()))?;
        let err = out.try_clone().context("sharing the log")?;
        let child = command()?
            .args(&spec.args)
            .envs(spec.env.iter().map(|(k, v)| (k, v)))
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            // Ctrl-C in the terminal is for us; we stop the children in order.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("starting {}", spec.name))?;
        let pid = child.id();
        tracing::info!(name = spec.name, pid, "started");
        let (orders, inbox) = mpsc::channel(4);
        let (set_ended, ended) = watch::channel(false);
        let shared = Arc::downgrade(&self.0);
        let name = spec.name;
        tokio::spawn(async move {
            let death = keep(child, inbox).await;
            set_ended.send_replace(true);
            if let (Some(status), Some(shared)) = (death, shared.upgrade())
                && shared.up.load(Ordering::SeqCst)
            {
                let tail = tail(&log);
                // Full only when dozens died at once: the first few say enough.
                let _ = shared.deaths.try_send(Death { name, status, tail });
            }
        });
        self.members().insert(
            spec.name,
            Member {
                spec: spec.clone(),
                pid,
                orders,
                ended,
            },
        );
        Ok(())
    }

    /// Waits until `/health` of `name` says yes.
    pub(crate) async fn healthy(&self, name: &'static str, within: Duration) -> anyhow::Result<()> {
        let (address, mut ended) = {
            let members = self.members();
            let member = members
                .get(name)
                .with_context(|| format!("{name} was never started"))?;
            (member.spec.health, member.ended.clone())
        };
        let http = reqwest::Client::builder()
            .timeout(HEALTH_TIMEOUT)
            .build()
            .context("building an HTTP client")?;
        let url = format!("http://{address}/health");
        let until = Instant::now() + within;
        let mut last = "it does not answer".to_owned();
        loop {
            if *ended.borrow_and_update() {
                anyhow::bail!(
                    "{name} ended while starting; its log ends with\n{}",
                    self.tail(name)
                );
            }
            match http.get(&url).send().await {
                Ok(answer) if answer.status().is_success() => return Ok(()),
                Ok(answer) => {
                    let status = answer.status();
                    last = format!("{status} {}", answer.text().await.unwrap_or_default());
                }
                Err(error) if error.is_connect() => "it does not answer".clone_into(&mut last),
                Err(error) => last = error.to_string(),
            }
            if Instant::now() >= until {
                anyhow::bail!(
                    "{name} is not healthy after {} s ({last}); its log ends with\n{}",
                    within.as_secs(),
                    self.tail(name)
                );
            }
            sleep(HEALTH_EVERY).await;
        }
    }

    /// All are up: from now on, who dies unasked is reported.
    pub(crate) fn all_up(&self) -> anyhow::Result<()> {
        self.0.up.store(true, Ordering::SeqCst);
        // Whoever died between being healthy and this line was not reported.
        match self.members().iter().find(|(_, m)| *m.ended.borrow()) {
            None => Ok(()),
            Some((name, _)) => {
                anyhow::bail!("{name} died; its log ends with\n{}", self.tail(name))
            }
        }
    }

    /// `kill -9`, as a scenario asks; returns when the process is gone.
    pub(crate) async fn kill(&self, name: &'static str) -> anyhow::Result<()> {
        self.order(name, Order::Kill).await
    }

    /// Starts `name` again as it was started before.
    pub(crate) fn restart(&self, name: &'static str) -> anyhow::Result<()> {
        let spec = self
            .members()
            .get(name)
            .map(|m| m.spec.clone())
            .with_context(|| format!("{name} was never started"))?;
        self.start(&spec)
    }

    /// Whether `name` is running.
    pub(crate) fn runs(&self, name: &str) -> bool {
        self.members().get(name).is_some_and(|m| !*m.ended.borrow())
    }

    /// Stops all at once, each with time to drain.
    pub(crate) async fn stop_all(&self) {
        let names: Vec<&'static str> = self.members().keys().copied().collect();
        futures::future::join_all(names.iter().map(|name| self.order(name, Order::Stop))).await;
    }

    /// Stops these one after the other, each with time to drain.
    pub(crate) async fn stop(&self, order: &[&'static str]) {
        for name in order {
            if self.order(name, Order::Stop).await.is_err() {
                tracing::debug!(name, "was not running");
            }
        }
    }

    /// The processes as they are running, by name.
    pub(crate) fn pids(&self) -> Vec<(u32, &'static str)> {
        let members = self.members();
        let running = members.iter().filter(|(_, member)| !*member.ended.borrow());
        running
            .filter_map(|(name, member)| Some((member.pid?, *name)))
            .collect()
    }

    /// The end of a child's log.
    pub(crate) fn tail(&self, name: &str) -> String {
        tail(&self.log_path(name))
    }

    async fn order(&self, name: &'static str, order: Order) -> anyhow::Result<()> {
        let (orders, mut ended) = {
            let members = self.members();
            let member = members
                .get(name)
                .with_context(|| format!("{name} was never started"))?;
            (member.orders.clone(), member.ended.clone())
        };
        if *ended.borrow() {
            anyhow::bail!("{name} is not running");
        }
        // A closed inbox means it just ended by itself, which is what was wanted.
        let _ = orders.send(order).await;
        let _ = ended.wait_for(|ended| *ended).await;
        Ok(())
    }

    fn log_path(&self, name: &str) -> PathBuf {
        self.0.logs.join(format!("{name}.log"))
    }

    fn members(&self) -> MutexGuard<'_, BTreeMap<&'static str, Member>> {
        self.0.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `ticketctl urr`, tied to our own life where the system can do it.
fn command() -> anyhow::Result<Command> {
    let this = std::env::current_exe().context("finding this program's own file")?;
    let mut command = if on_path("setpriv") {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--"]).arg(this);
        command
    } else {
        Command::new(this)
    };
    command.arg("urr");
    Ok(command)
}

fn on_path(program: &str) -> bool {
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join(program).is_file()))
}

/// Owns a child until it ends. `Some` when it ended unasked.
async fn keep(mut child: Child, mut inbox: mpsc::Receiver<Order>) -> Option<ExitStatus> {
    let order = tokio::select! {
        status = child.wait() => return status.ok(),
        order = inbox.recv() => order,
    };
    match order {
        Some(Order::Stop) => {
            terminate(&child);
            if timeout(STOP_GRACE, child.wait()).await.is_err() {
                tracing::warn!(pid = child.id(), "did not stop in time and was killed");
                let _ = child.kill().await;
            }
        }
        // Nobody can give orders any more: the drill is gone.
        Some(Order::Kill) | None => {
            let _ = child.kill().await;
        }
    }
    None
}

fn terminate(child: &Child) {
    let pid = child
        .id()
        .and_then(|id| i32::try_from(id).ok())
        .and_then(rustix::process::Pid::from_raw);
    if let Some(pid) = pid {
        // It may have ended this instant; then there is nobody to tell.
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
    }
}

/// The last lines of a log, indented.
fn tail(log: &Path) -> String {
    let read = || -> std::io::Result<String> {
        let mut file = File::open(log)?;
        let len = file.metadata()?.len();
        file.seek(SeekFrom::Start(len.saturating_sub(TAIL_BYTES)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    let text = match read() {
        Ok(text) if text.trim().is_empty() => return "    (the log is empty)".to_owned(),
        Ok(text) => text,
        Err(error) => return format!("    (the log cannot be read: {error})"),
    };
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..]
        .iter()
        .map(|line| format!("    {line}"))
        .collect::<Vec<_>>()
        .join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tail_is_the_end_and_never_the_whole() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("x.log");
        let lines: Vec<String> = (0..1_000).map(|n| format!("line {n}")).collect();
        std::fs::write(&log, lines.join("\n")).unwrap();
        let tail = tail(&log);
        assert_eq!(tail.lines().count(), TAIL_LINES);
        assert!(tail.ends_with("    line 999"));
        std::fs::write(&log, "").unwrap();
        assert_eq!(super::tail(&log), "    (the log is empty)");
    }

    fn sleeper() -> Child {
        Command::new("sleep")
            .arg("60")
            .kill_on_drop(true)
            .spawn()
            .unwrap()
    }

    #[tokio::test]
    async fn a_child_that_is_killed_or_stopped_is_no_death_and_one_that_ends_is() {
        for order in [Order::Kill, Order::Stop] {
            let (orders, inbox) = mpsc::channel(1);
            let kept = tokio::spawn(keep(sleeper(), inbox));
            orders.send(order).await.unwrap();
            assert!(kept.await.unwrap().is_none(), "{order:?}");
        }
        let (_orders, inbox) = mpsc::channel(1);
        let ends = Command::new("false").spawn().unwrap();
        let status = keep(ends, inbox).await.expect("a death");
        assert_eq!(status.code(), Some(1));
    }
}
