//! The processes of a private control plane and the flags they run with.
//!
//! etcd first, then the API server, then those that watch it. Each dies with us (kit's
//! `setpriv --pdeathsig`), and what a killed run leaves on disk the next run sweeps (kit's lair).
//! Ports are free ones of the moment; that another process takes one between looking and using is
//! rare, and the whole start is tried again then.

use crate::assets::Assets;
use crate::kubeconfig::{ADMIN, CONTROLLER_MANAGER, Credentials, KWOK, SCHEDULER, SIGNING_KEY};
use crate::{Error, pods};
use rustix::process::Signal;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use urr_kit::engines::EngineOptions;
use urr_kit::engines::child::{Child, Program};
use urr_kit::engines::lair::{self, Lair};

/// etcd answers within 100 ms; a machine under load gets this.
const ETCD_START: Duration = Duration::from_secs(30);
/// An etcd of a test run grows to some 200 MB (write-ahead logs are allocated ahead).
const FREE_MB_MIN: u64 = 512;
/// The last lines of a log that an error shows.
const LOG_LINES_SHOWN: usize = 20;
/// A node whose kubelet is silent for this long is lost. Kubernetes' 40 s would make tests of node
/// loss slow; much shorter, a busy machine would lose nodes by itself.
pub(crate) const NODE_GRACE_S: u64 = 12;
/// kwok renews a node's lease every quarter of this.
const NODE_LEASE_S: u64 = 12;

/// Running processes. Dropping them ends them.
// Fields drop in this order: processes end before their directory is removed.
pub(crate) struct ControlPlane {
    others: Vec<Child>,
    api_server: Mutex<Child>,
    etcd: Child,
    api_server_args: Vec<String>,
    admin_kubeconfig: PathBuf,
    assets: Assets,
    lair: Lair,
}

impl ControlPlane {
    /// Starts etcd and the API server, and returns when etcd answers; the API server takes a few
    /// seconds more. Then [`ControlPlane::start_others`].
    pub(crate) fn start(assets: &Assets) -> Result<Self, Error> {
        let lair = Lair::make(&EngineOptions {
            free_mb_min: FREE_MB_MIN,
            ..EngineOptions::default()
        })?;
        let dir = lair.path().to_owned();
        let [etcd_port, peer_port, api_port] = free_ports()?;
        let etcd_url = format!("http://127.0.0.1:{etcd_port}");
        let certificates = dir.join("certificates");
        fs::create_dir(&certificates).map_err(|source| Error::file(&certificates, source))?;
        let server = format!("https://127.0.0.1:{api_port}");
        let credentials = Credentials::make(&dir, &server, &certificates.join("apiserver.crt"))?;

        let starter = Starter { assets, dir: &dir };
        let etcd = starter.start(
            "etcd",
            vec![
                arg("--data-dir", dir.join("etcd").display()),
                arg("--listen-client-urls", &etcd_url),
                arg("--advertise-client-urls", &etcd_url),
                arg("--listen-peer-urls", format!("http://127.0.0.1:{peer_port}")),
                arg(
                    "--initial-advertise-peer-urls",
                    format!("http://127.0.0.1:{peer_port}"),
                ),
                arg(
                    "--initial-cluster",
                    format!("default=http://127.0.0.1:{peer_port}"),
                ),
                // Nothing here outlives a power cut.
                "--unsafe-no-fsync".to_owned(),
                arg("--log-level", "warn"),
            ],
        )?;
        starter.await_port("etcd", &etcd, etcd_port)?;
        let api_server_args = api_server_args(&etcd_url, api_port, &certificates, &credentials);
        let api_server = starter.start("kube-apiserver", api_server_args.clone())?;
        let stages = dir.join("stages.yaml");
        fs::write(&stages, pods::STAGES).map_err(|source| Error::file(&stages, source))?;
        Ok(Self {
            others: Vec::new(),
            api_server: Mutex::new(api_server),
            etcd,
            api_server_args,
            admin_kubeconfig: dir.join(ADMIN),
            assets: assets.clone(),
            lair,
        })
    }

    /// Starts what watches the API server; call it once that is ready.
    pub(crate) fn start_others(&mut self) -> Result<(), Error> {
        let starter = Starter {
            assets: &self.assets,
            dir: self.lair.path(),
        };
        let programs = [
            ("kube-controller-manager", controller_manager_args(starter.dir)),
            ("kube-scheduler", scheduler_args(starter.dir)),
            ("kwok", kwok_args(starter.dir)),
        ];
        for (program, args) in programs {
            self.others.push(starter.start(program, args)?);
        }
        Ok(())
    }

    pub(crate) fn admin_kubeconfig(&self) -> &Path {
        &self.admin_kubeconfig
    }

    pub(crate) fn dir(&self) -> &Path {
        self.lair.path()
    }

    pub(crate) fn assets(&self) -> &Assets {
        &self.assets
    }

    /// How the API server ended, if it has, with the end of its log.
    pub(crate) fn api_server_ended(&self) -> Option<Error> {
        let ended = self.lock_api_server().ended()?;
        Some(Error::DidNotStart {
            program: "kube-apiserver",
            problem: ended,
            log: log_end(self.dir(), "kube-apiserver"),
        })
    }

    /// The end of the log of `program`.
    pub(crate) fn log_of(&self, program: &str) -> String {
        log_end(self.dir(), program)
    }

    /// Kills the API server as a machine does, and starts it again on the same port and etcd.
    pub(crate) fn restart_api_server(&self) -> Result<(), Error> {
        let starter = Starter {
            assets: &self.assets,
            dir: self.dir(),
        };
        let mut server = self.lock_api_server();
        server.end(Signal::KILL, Duration::from_secs(10));
        *server = starter.start("kube-apiserver", self.api_server_args.clone())?;
        Ok(())
    }

    fn lock_api_server(&self) -> std::sync::MutexGuard<'_, Child> {
        self.api_server.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends everything and removes the directory.
    pub(crate) fn stop(self) -> Result<(), Error> {
        let Self {
            others,
            api_server,
            etcd,
            lair,
            ..
        } = self;
        // Nothing of it is wanted again: no time for farewells.
        drop(others);
        drop(api_server);
        drop(etcd);
        Ok(lair.remove()?)
    }
}

struct Starter<'a> {
    assets: &'a Assets,
    dir: &'a Path,
}

impl Starter<'_> {
    fn start(&self, program: &'static str, args: Vec<String>) -> Result<Child, Error> {
        let child = Program {
            engine: program,
            setpriv: self.assets.setpriv(),
            path: &self.assets.program(program),
            args,
            dir: self.dir,
            log: &self.dir.join(format!("{program}.log")),
            run_as: None,
            death_signal: "KILL",
        }
        .spawn()?;
        lair::register(self.dir, child.pid())?;
        Ok(child)
    }

    fn await_port(&self, program: &'static str, child: &Child, port: u16) -> Result<(), Error> {
        let deadline = Instant::now() + ETCD_START;
        loop {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Ok(());
            }
            let problem = match child.ended() {
                Some(ended) => ended,
                None if Instant::now() >= deadline => format!("no answer in {} s", ETCD_START.as_secs()),
                None => {
                    std::thread::sleep(Duration::from_millis(20));
                    continue;
                }
            };
            return Err(Error::DidNotStart {
                program,
                problem,
                log: log_end(self.dir, program),
            });
        }
    }
}

fn log_end(dir: &Path, program: &str) -> String {
    let log = fs::read_to_string(dir.join(format!("{program}.log"))).unwrap_or_default();
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..].join("\n")
}

fn arg(name: &str, value: impl std::fmt::Display) -> String {
    format!("{name}={value}")
}

/// Ports nobody uses at this moment, all different.
fn free_ports<const N: usize>() -> Result<[u16; N], Error> {
    let finding = |source| Error::Io {
        doing: "find a free port",
        source,
    };
    let mut listeners = Vec::with_capacity(N);
    let mut ports = [0; N];
    for port in &mut ports {
        let listener = TcpListener::bind("127.0.0.1:0").map_err(finding)?;
        *port = listener.local_addr().map_err(finding)?.port();
        // Kept open until all are found, so that none is found twice.
        listeners.push(listener);
    }
    Ok(ports)
}

fn api_server_args(etcd_url: &str, port: u16, certificates: &Path, credentials: &Credentials) -> Vec<String> {
    vec![
        arg("--etcd-servers", etcd_url),
        arg("--bind-address", "127.0.0.1"),
        arg("--advertise-address", "127.0.0.1"),
        arg("--secure-port", port),
        // Self-signed, by the server itself, into this directory.
        arg("--cert-dir", certificates.display()),
        arg("--token-auth-file", credentials.tokens.display()),
        arg("--service-account-issuer", "https://kubernetes.default.svc"),
        arg("--service-account-key-file", credentials.verifying_key.display()),
        arg(
            "--service-account-signing-key-file",
            credentials.signing_key.display(),
        ),
        arg("--service-cluster-ip-range", "10.0.0.0/16"),
        arg("--authorization-mode", "RBAC"),
        arg("--endpoint-reconciler-type", "none"),
        arg("--allow-privileged", "true"),
        // Tests ask for hundreds of things at once; what they wait for is their own.
        arg("--max-requests-inflight", "2000"),
        arg("--max-mutating-requests-inflight", "1000"),
    ]
}

fn controller_manager_args(dir: &Path) -> Vec<String> {
    let kubeconfig = dir.join(CONTROLLER_MANAGER).display().to_string();
    vec![
        arg("--kubeconfig", &kubeconfig),
        arg("--authentication-kubeconfig", &kubeconfig),
        arg("--authorization-kubeconfig", &kubeconfig),
        arg(
            "--service-account-private-key-file",
            dir.join(SIGNING_KEY).display(),
        ),
        arg("--root-ca-file", dir.join("certificates/apiserver.crt").display()),
        "--use-service-account-credentials".to_owned(),
        arg("--leader-elect", "false"),
        arg("--secure-port", 0),
        arg(
            "--controllers",
            "*,-nodeipam,-node-route-controller,-service-lb-controller,-cloud-node-lifecycle-controller",
        ),
        arg("--kube-api-qps", 500),
        arg("--kube-api-burst", 1000),
        arg("--node-monitor-period", "1s"),
        arg("--node-monitor-grace-period", format!("{NODE_GRACE_S}s")),
        arg("--horizontal-pod-autoscaler-sync-period", "1s"),
    ]
}

fn scheduler_args(dir: &Path) -> Vec<String> {
    let kubeconfig = dir.join(SCHEDULER).display().to_string();
    vec![
        arg("--kubeconfig", &kubeconfig),
        arg("--authentication-kubeconfig", &kubeconfig),
        arg("--authorization-kubeconfig", &kubeconfig),
        arg("--leader-elect", "false"),
        arg("--secure-port", 0),
        arg("--kube-api-qps", 500),
        arg("--kube-api-burst", 1000),
    ]
}

fn kwok_args(dir: &Path) -> Vec<String> {
    vec![
        arg("--kubeconfig", dir.join(KWOK).display()),
        arg("--config", dir.join("stages.yaml").display()),
        arg("--manage-all-nodes", "false"),
        // A node that loses the label loses its kubelet: see `nodes`.
        arg("--manage-nodes-with-label-selector", crate::nodes::ALIVE),
        arg("--node-lease-duration-seconds", NODE_LEASE_S),
    ]
}
