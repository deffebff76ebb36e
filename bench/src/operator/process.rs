//! The operator's process: the real binary, which `make bench` builds beside this one.

use anyhow::{Context as _, ensure};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::process::{Child, Command};
use urr_kit::ctx::Ctx;
use urr_testkit::proxy::Proxy;
use urr_testkit::{Scope, eventually};

/// For what takes a moment; the machine may be busy.
const SOON: Duration = Duration::from_secs(60);

/// A running operator. It ends with this process, however that ends.
pub(super) struct Operator {
    child: Mutex<Child>,
    pid: u32,
    listen: SocketAddr,
    http: reqwest::Client,
    _kubeconfig: tempfile::NamedTempFile,
}

impl Operator {
    /// Starts it and waits until it leads.
    pub(super) async fn start(
        ctx: &Ctx,
        scope: &Scope,
        cluster: &Proxy,
        control: &Proxy,
    ) -> anyhow::Result<Self> {
        let kubeconfig = tempfile::NamedTempFile::new().context("making a kubeconfig")?;
        std::fs::write(kubeconfig.path(), cluster.kubeconfig()).context("writing the kubeconfig")?;
        let listen = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .context("finding a free port")?;
        // Absent where cargo builds elsewhere (`CARGO_TARGET_DIR`).
        std::fs::create_dir_all("target").context("making the directory of the operator's log")?;
        let log = std::fs::File::create("target/bench-operator.log").context("making the operator's log")?;
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "KILL"])
            .arg(binary()?)
            .args(["run", "--control-url", control.url()])
            .args([
                "--namespace",
                scope.namespace(),
                "--lease-namespace",
                scope.namespace(),
            ])
            .args(["--listen", &listen.to_string()])
            // Whoever shares the machine must not end this run; nobody else wants to lead.
            .args(["--lease-seconds", "60"])
            .env("CONTROL_API_TOKEN", &ctx.secrets.control_api_token)
            .env("KUBECONFIG", kubeconfig.path())
            .env("RUST_LOG", "warn")
            .stdin(Stdio::null())
            .stderr(log)
            .kill_on_drop(true);
        let child = command.spawn().context("starting the operator")?;
        let operator = Self {
            pid: child.id().context("the operator ended at once")?,
            child: Mutex::new(child),
            listen,
            http: ctx.http(),
            _kubeconfig: kubeconfig,
        };
        let ready = eventually(SOON, "an operator that is ready", async || {
            match operator.alive() {
                Ok(()) => operator
                    .ask("ready")
                    .await
                    .map(|_| Ok(()))
                    .map_err(|error| error.to_string()),
                Err(ended) => Ok(Err(ended)),
            }
        });
        ready.await?.map_err(anyhow::Error::msg)?;
        Ok(operator)
    }

    /// Whether it still runs.
    pub(super) fn alive(&self) -> Result<(), String> {
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        match child.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => Err(format!(
                "the operator has ended: {status}; see target/bench-operator.log"
            )),
            Err(error) => Err(error.to_string()),
        }
    }

    async fn ask(&self, path: &str) -> anyhow::Result<String> {
        let answer = self
            .http
            .get(format!("http://{}/{path}", self.listen))
            .send()
            .await?;
        Ok(answer.error_for_status()?.text().await?)
    }

    /// How many looks there were.
    pub(super) async fn looks(&self) -> anyhow::Result<f64> {
        let metrics = self.ask("metrics").await?;
        let looks = metrics
            .lines()
            .filter(|line| line.starts_with("operator_looks_total"))
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum();
        ensure!(looks > 0.0, "it counted no looks");
        Ok(looks)
    }

    /// The most memory it ever had.
    pub(super) fn peak_rss_mib(&self) -> anyhow::Result<f64> {
        let path = format!("/proc/{}/status", self.pid);
        let status = std::fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = peak.and_then(|text| text.trim().trim_end_matches(" kB").parse::<f64>().ok());
        Ok(kib.context("no VmHWM")? / 1024.0)
    }

    /// Ends it.
    pub(super) async fn end(self) -> anyhow::Result<()> {
        let mut child = self.child.into_inner().unwrap_or_else(PoisonError::into_inner);
        child.kill().await.context("ending the operator")
    }
}

fn binary() -> anyhow::Result<PathBuf> {
    let here = std::env::current_exe().context("finding this program")?;
    let binary = here.with_file_name("operator");
    ensure!(
        binary.is_file(),
        "there is no {}: build it in the same profile, `cargo build -p urr-operator --bin operator`",
        binary.display()
    );
    Ok(binary)
}
