//! Who plays: the services, the operator, `kubectl` that watches, and the crowd; all of them processes
//! that end with this one, however it ends.

use super::say;
use super::stage::Stage;
use anyhow::{Context as _, ensure};
use std::ffi::OsStr;
use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use urr_kit::Secrets;
use urr_kit::settings::ServiceUrls;
use urr_testkit::eventually;
use urr_testkit::proxy::{Faults, Proxy};

/// Migrations of nine schemas on a busy machine with a debug build.
const HEALTHY: Duration = Duration::from_secs(120);
/// Of a log that an error shows.
const LOG_LINES: usize = 12;

/// The processes, in the order in which they were started.
pub(super) struct Cast {
    pub(super) secrets: Secrets,
    public: SocketAddr,
    internal: SocketAddr,
    control: SocketAddr,
    testpay: SocketAddr,
    operator: SocketAddr,
    programs: PathBuf,
    logs: tempfile::TempDir,
    players: Mutex<Vec<(&'static str, Child)>>,
    /// Between operator and cluster, so that it has the rights of its ServiceAccount.
    proxy: Option<Proxy>,
}

/// What the watch has printed.
pub(super) struct Table {
    phases: Arc<Mutex<Vec<String>>>,
}

impl Table {
    /// The phases, each time another one was shown.
    pub(super) fn phases(&self) -> Vec<String> {
        self.phases.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Cast {
    pub(super) fn new() -> anyhow::Result<Self> {
        let here = std::env::current_exe().context("finding this program")?;
        let programs = here.parent().unwrap_or_else(|| Path::new(".")).to_owned();
        for program in ["ticketctl", "operator"] {
            let path = programs.join(program);
            let shown = path.display();
            ensure!(
                path.is_file(),
                "there is no {shown}: `make cluster-demo` builds it"
            );
        }
        // Kept open until all are found, so that none is found twice.
        let listeners: Vec<TcpListener> = (0..5)
            .map(|_| TcpListener::bind("127.0.0.1:0"))
            .collect::<Result<_, _>>()
            .context("looking for free ports")?;
        let at = |index: usize| listeners[index].local_addr().context("a free port's number");
        Ok(Self {
            secrets: Secrets::generate()?,
            public: at(0)?,
            internal: at(1)?,
            control: at(2)?,
            testpay: at(3)?,
            operator: at(4)?,
            programs,
            logs: tempfile::tempdir().context("making a directory for logs")?,
            players: Mutex::default(),
            proxy: None,
        })
    }

    pub(super) fn public_url(&self) -> String {
        format!("http://{}", self.public)
    }

    pub(super) fn internal_url(&self) -> String {
        format!("http://{}", self.internal)
    }

    fn control_url(&self) -> String {
        format!("http://{}", self.control)
    }

    /// The services, up and healthy.
    pub(super) async fn services(&mut self, stage: &Stage) -> anyhow::Result<()> {
        let env = self.environment(stage);
        let [public, internal, control, testpay] =
            [self.public, self.internal, self.control, self.testpay].map(|address| address.to_string());
        for (name, args) in [
            ("testpay", vec!["urr", "testpay", "--listen", &testpay]),
            (
                "services",
                vec!["urr", "all", "--listen", &public, "--internal-listen", &internal],
            ),
            ("control-plane", vec!["urr", "control", "--listen", &control]),
        ] {
            let mut command = self.command("ticketctl", name)?;
            command
                .args(args)
                .envs(env.iter().map(|(name, value)| (name, value)));
            self.start(name, command)?;
        }
        for (name, address) in [
            ("testpay", self.testpay),
            ("services", self.public),
            ("control-plane", self.control),
        ] {
            self.answers(name, &format!("http://{address}/health")).await?;
        }
        Ok(())
    }

    /// What every service is told: engines, each other, secrets.
    fn environment(&self, stage: &Stage) -> Vec<(String, String)> {
        let mut settings = stage.engines.settings();
        settings.urls = ServiceUrls::all_at(&self.internal_url());
        settings.urls.control = self.control_url();
        settings.payment_provider_url = format!("http://{}", self.testpay);
        // All of the crowd comes from one address: the limits per address would take it for one person.
        let limits = ["AUTH", "QUEUE", "BOOKING", "GENERAL"]
            .map(|limit| (format!("RATE_LIMIT_{limit}_RPM"), "1000000000".to_owned()));
        let more = [
            ("NO_COLOR", "1"),
            ("COOKIE_SECURE", "false"),
            ("URR_ENVIRONMENT", "demo"),
            ("RESERVATION_CLEANUP_INTERVAL_MS", "1000"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        settings
            .to_env()
            .into_iter()
            .chain(self.secrets.to_env())
            .chain(limits)
            .chain(more)
            .collect()
    }

    /// The operator, with the rights that the manifests give it.
    pub(super) async fn operator(&mut self, stage: &Stage) -> anyhow::Result<()> {
        let proxy = Proxy::to_cluster(stage.operators_config(), Faults::default()).await?;
        let kubeconfig = self.logs.path().join("operator.kubeconfig");
        std::fs::write(&kubeconfig, proxy.kubeconfig()).context("writing the operator's kubeconfig")?;
        self.proxy = Some(proxy);
        let mut command = self.command("operator", "operator")?;
        command
            .args(["run", "--control-url", &self.control_url()])
            .args([
                "--namespace",
                stage.namespace(),
                "--lease-namespace",
                stage.namespace(),
            ])
            .args(["--listen", &self.operator.to_string()])
            .env("CONTROL_API_TOKEN", &self.secrets.control_api_token)
            .env("KUBECONFIG", kubeconfig);
        self.start("operator", command)?;
        self.answers("operator", &format!("http://{}/ready", self.operator))
            .await
    }

    /// `kubectl get ticketsales --watch`, line by line.
    pub(super) fn watch(&mut self, stage: &Stage) -> anyhow::Result<Table> {
        let mut command = bound_to_us(stage.kubectl_program());
        command
            .args([
                "--namespace",
                stage.namespace(),
                "get",
                "ticketsales",
                "--output=wide",
                "--watch",
            ])
            .env("KUBECONFIG", stage.kubeconfig())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit());
        let mut child = command.spawn().context("starting kubectl")?;
        let lines = child.stdout.take().context("kubectl has no output")?;
        let phases: Arc<Mutex<Vec<String>>> = Arc::default();
        let seen = Arc::clone(&phases);
        tokio::spawn(async move {
            let mut lines = BufReader::new(lines).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                say("    ", &line);
                let phase = line.split_whitespace().nth(1).unwrap_or_default().to_owned();
                let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                if line.starts_with("club-night") && seen.last() != Some(&phase) {
                    seen.push(phase);
                }
            }
        });
        self.keep("kubectl", child);
        Ok(Table { phases })
    }

    /// The visitors: `ticketctl load`.
    pub(super) async fn crowd(&mut self, stage: &Stage) -> anyhow::Result<()> {
        let scenario = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios/cluster-demo.yaml");
        // They ask the control plane for the sale: it must have heard of it.
        let sales = format!("{}/control/v1/sales", self.control_url());
        let http = reqwest::Client::new();
        eventually(HEALTHY, "the control plane knows the sale", async || {
            let request = http.get(&sales).bearer_auth(&self.secrets.control_api_token);
            let answer = request.send().await.map_err(|error| error.to_string())?;
            let text = answer.text().await.map_err(|error| error.to_string())?;
            if text.contains("preQueueAt") {
                Ok(())
            } else {
                Err(text)
            }
        })
        .await?;
        // In a directory that only we may read.
        let token = self.logs.path().join("control-token");
        std::fs::write(&token, &self.secrets.control_api_token).context("writing the token for the crowd")?;
        let mut command = self.command("ticketctl", "crowd")?;
        command
            .arg("load")
            .arg("--token-file")
            .arg(token)
            .arg(scenario)
            .args(["--target", &self.public_url(), "--control", &self.control_url()])
            .arg("--out")
            .arg(self.logs.path().join("load"))
            .envs(self.environment(stage));
        self.start("crowd", command)
    }

    /// Seats that are sold.
    pub(super) async fn sold(&self, event: &str) -> anyhow::Result<u64> {
        let url = format!("{}/internal/seats/summary/{event}", self.internal_url());
        let request = reqwest::Client::new().get(url);
        let answer = request
            .bearer_auth(&self.secrets.internal_api_token)
            .send()
            .await?;
        let seats: serde_json::Value = answer.error_for_status()?.json().await?;
        seats["sold"].as_u64().context("the summary has no seats sold")
    }

    /// Whether all still play. The crowd goes home when it is done.
    pub(super) fn alive(&self) -> Result<(), String> {
        let mut players = self.players.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, child) in players.iter_mut().filter(|(name, _)| *name != "crowd") {
            if let Ok(Some(status)) = child.try_wait() {
                return Err(format!("{name} has ended: {status}"));
            }
        }
        Ok(())
    }

    fn command(&self, program: &str, name: &str) -> anyhow::Result<Command> {
        let log = File::create(self.log(name)).with_context(|| format!("making the log of {name}"))?;
        let err = log.try_clone().context("sharing a log")?;
        let mut command = bound_to_us(self.programs.join(program));
        command.stdin(Stdio::null()).stdout(log).stderr(err);
        Ok(command)
    }

    fn log(&self, name: &str) -> PathBuf {
        self.logs.path().join(format!("{name}.log"))
    }

    fn start(&self, name: &'static str, mut command: Command) -> anyhow::Result<()> {
        let child = command.spawn().with_context(|| format!("starting {name}"))?;
        self.keep(name, child);
        Ok(())
    }

    fn keep(&self, name: &'static str, child: Child) {
        let mut players = self.players.lock().unwrap_or_else(PoisonError::into_inner);
        players.push((name, child));
    }

    async fn answers(&self, name: &str, url: &str) -> anyhow::Result<()> {
        let http = reqwest::Client::new();
        let what = format!("{name} answers");
        let answered = eventually(HEALTHY, &what, async || {
            if let Err(ended) = self.alive() {
                return Ok(Err(ended));
            }
            match http.get(url).send().await {
                Ok(answer) if answer.status().is_success() => Ok(Ok(())),
                Ok(answer) => Err(answer.status().to_string()),
                Err(error) => Err(error.to_string()),
            }
        });
        let problem = match answered.await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(ended)) => ended,
            Err(error) => error.to_string(),
        };
        let log = std::fs::read_to_string(self.log(name)).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let end = lines[lines.len().saturating_sub(LOG_LINES)..].join("\n");
        anyhow::bail!("{problem}; the log of {name} ends with\n{end}")
    }
}

/// A process of its own group, so that Ctrl-C is ours to pass on, and that dies when we do.
fn bound_to_us(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("setpriv");
    command
        .args(["--pdeathsig", "KILL", "--"])
        .arg(program)
        .process_group(0)
        .kill_on_drop(true);
    command
}
