//! A private PostgreSQL.

use super::child::{Child, Program, RunAs};
use super::find::Programs;
use super::lair::{Lair, register};
use super::{EngineError, EngineOptions};
use rustix::process::Signal;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, PgConnection};
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::time::{Duration, Instant};

const ENGINE: &str = "PostgreSQL";
const ADMIN: &str = "urr_admin";
/// A cold machine takes a few seconds; one that takes longer than this is not coming up.
const START_LIMIT: Duration = Duration::from_secs(60);
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// A running PostgreSQL.
pub struct PostgresEngine {
    child: Child,
    admin_url: String,
    service_password: String,
    log: PathBuf,
    durable: bool,
}

impl PostgresEngine {
    pub(super) fn start(
        programs: &Programs,
        lair: &Lair,
        options: &EngineOptions,
    ) -> Result<Self, EngineError> {
        if let Some(port) = options.postgres_port {
            super::check_port(ENGINE, port)?;
        }
        let run_as = run_as()?;
        let log = lair.path().join("postgres.log");
        let home = lair.path().join("postgres");
        let making = |source| EngineError::io(format!("make {}", home.display()), source);
        fs::create_dir(&home).map_err(making)?;
        fs::set_permissions(&home, Permissions::from_mode(0o700)).map_err(making)?;
        let password = random_word();
        let password_file = home.join("password");
        fs::write(&password_file, &password).map_err(making)?;
        fs::set_permissions(&password_file, Permissions::from_mode(0o600)).map_err(making)?;
        // PostgreSQL puts its sockets where it can write: into its own directory's `run`.
        let run = home.join("run");
        fs::create_dir(&run).map_err(making)?;
        if let Some(RunAs { uid, gid }) = run_as {
            for path in [&home, &password_file, &run] {
                chown(path, Some(uid), Some(gid)).map_err(making)?;
            }
        }
        init(programs, &home, &password_file, &log, run_as)?;
        let child = Program {
            engine: ENGINE,
            setpriv: &programs.setpriv,
            path: &programs.postgres,
            args: arguments(&home, &run, options),
            dir: &home,
            log: &log,
            run_as,
            // Fast shutdown: PostgreSQL ends its own children.
            death_signal: "INT",
        }
        .spawn()?;
        register(lair.path(), child.pid())?;
        let host = percent_encode(&run);
        Ok(Self {
            child,
            admin_url: format!("postgres://{ADMIN}:{password}@localhost/postgres?host={host}"),
            service_password: random_word(),
            log,
            durable: options.durable,
        })
    }

    /// Waits until it takes connections.
    pub(super) async fn ready(&self) -> Result<(), EngineError> {
        let deadline = Instant::now() + START_LIMIT;
        let options = PgConnectOptions::from_str(&self.admin_url).map_err(|error| EngineError::BadName {
            what: "the admin URL",
            problem: error.to_string(),
        })?;
        loop {
            let problem = match PgConnection::connect_with(&options).await {
                Ok(conn) => {
                    // It answered; how the goodbye went does not matter.
                    let _ = conn.close().await;
                    return Ok(());
                }
                Err(error) => error.to_string(),
            };
            if let Some(ended) = self.child.ended() {
                return Err(did_not_start(ended, &self.log));
            }
            if Instant::now() > deadline {
                return Err(did_not_start(problem, &self.log));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// A URL with all rights, for making roles and for looking at everything.
    #[must_use]
    pub fn admin_url(&self) -> &str {
        &self.admin_url
    }

    /// `DATABASE_URL` for all services: role `urr_{service}`, one password.
    #[must_use]
    pub fn service_url_template(&self) -> String {
        // The admin URL is ours: the replacement always happens.
        let start = self.admin_url.find('@').unwrap_or_default();
        format!(
            "postgres://urr_{{service}}:{}{}",
            self.service_password,
            &self.admin_url[start..]
        )
    }

    /// The process id, while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child.ended().is_none().then(|| self.child.pid())
    }
}

impl Drop for PostgresEngine {
    fn drop(&mut self) {
        // Nobody reads throw-away data again: no checkpoint on the way out.
        let signal = if self.durable { Signal::INT } else { Signal::QUIT };
        self.child.end(signal, STOP_LIMIT);
    }
}

fn init(
    programs: &Programs,
    home: &Path,
    password_file: &Path,
    log: &Path,
    run_as: Option<RunAs>,
) -> Result<(), EngineError> {
    let data = home.join("data");
    let args = [
        "--pgdata",
        &data.display().to_string(),
        "--username",
        ADMIN,
        "--pwfile",
        &password_file.display().to_string(),
        "--auth",
        "scram-sha-256",
        "--encoding",
        "UTF8",
        "--locale",
        "C.UTF-8",
        "--no-sync",
        "--no-instructions",
    ]
    .map(str::to_owned)
    .to_vec();
    let child = Program {
        engine: "initdb",
        setpriv: &programs.setpriv,
        path: &programs.initdb,
        args,
        dir: home,
        log,
        run_as,
        death_signal: "KILL",
    }
    .spawn()?;
    match child.wait(START_LIMIT) {
        Some(ended) if ended == "it ended" => Ok(()),
        Some(problem) => Err(did_not_start(format!("initdb: {problem}"), log)),
        None => Err(did_not_start("initdb took too long".to_owned(), log)),
    }
}

fn arguments(home: &Path, run: &Path, options: &EngineOptions) -> Vec<String> {
    let (listen, port) = match options.postgres_port {
        Some(port) => ("127.0.0.1", port),
        None => ("", 5432),
    };
    // The socket's name carries the port; ours is always the default one.
    let mut settings = vec![
        format!("listen_addresses={listen}"),
        format!("unix_socket_directories={}", run.display()),
        format!("max_connections={}", options.max_connections),
        // Everything a drill touches fits; more would only be taken from the drill.
        "shared_buffers=256MB".to_owned(),
        "max_wal_size=1GB".to_owned(),
        // A hall's worth of seats changes many times an opening.
        "autovacuum_naptime=10s".to_owned(),
        "log_min_messages=warning".to_owned(),
        "timezone=UTC".to_owned(),
        // Nobody replicates from here.
        "wal_level=minimal".to_owned(),
        "max_wal_senders=0".to_owned(),
        // Parallel plans want /dev/shm, which containers keep at 64 MB, and cores we do not have.
        "max_parallel_workers_per_gather=0".to_owned(),
        // jit compiles a plan for longer than our statements run.
        "jit=off".to_owned(),
    ];
    if !options.durable {
        settings.extend(["fsync=off", "synchronous_commit=off", "full_page_writes=off"].map(str::to_owned));
    }
    let mut args = vec!["-D".to_owned(), home.join("data").display().to_string()];
    args.extend(["-p".to_owned(), port.to_string()]);
    args.extend(
        settings
            .into_iter()
            .flat_map(|setting| ["-c".to_owned(), setting]),
    );
    args
}

/// PostgreSQL refuses to be root.
fn run_as() -> Result<Option<RunAs>, EngineError> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let users =
        fs::read_to_string("/etc/passwd").map_err(|source| EngineError::io("read /etc/passwd", source))?;
    ["postgres", "nobody"]
        .iter()
        .find_map(|name| user(&users, name))
        .map(Some)
        .ok_or(EngineError::NoUserForPostgres)
}

fn user(passwd: &str, name: &str) -> Option<RunAs> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        if fields.next()? != name {
            return None;
        }
        let mut numbers = fields.skip(1);
        Some(RunAs {
            uid: numbers.next()?.parse().ok()?,
            gid: numbers.next()?.parse().ok()?,
        })
    })
}

/// The error for an engine that is not there, with the end of its log; a full disk is told apart.
pub(super) fn engine_failed(engine: &'static str, problem: String, log: &Path) -> EngineError {
    let text = fs::read_to_string(log).unwrap_or_default();
    if text.contains("No space left on device") {
        let path = log.parent().unwrap_or(log).to_owned();
        return EngineError::DiskFilledUp { engine, path };
    }
    let lines: Vec<&str> = text.lines().rev().take(12).collect();
    let log = lines.into_iter().rev().collect::<Vec<_>>().join("\n");
    EngineError::DidNotStart { engine, problem, log }
}

fn did_not_start(problem: String, log: &Path) -> EngineError {
    engine_failed(ENGINE, problem, log)
}

fn random_word() -> String {
    format!("{:032x}", rand::random::<u128>())
}

/// A path as part of a URL's query.
fn percent_encode(path: &Path) -> String {
    use std::fmt::Write as _;
    use std::os::unix::ffi::OsStrExt as _;
    path.as_os_str()
        .as_bytes()
        .iter()
        .fold(String::new(), |mut text, byte| {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => text.push(char::from(*byte)),
                // Writing to a String does not fail.
                _ => drop(write!(text, "%{byte:02X}")),
            }
            text
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_found_by_its_exact_name() {
        let passwd = "root:x:0:0::/root:/bin/sh\npostgres2:x:7:8::/:/x\npostgres:x:101:104::/:/x\n";
        let found = user(passwd, "postgres").unwrap();
        assert_eq!((found.uid, found.gid), (101, 104));
        assert!(user(passwd, "nobody").is_none());
    }

    #[test]
    fn a_full_disk_in_the_log_is_said_as_such() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        fs::write(&log, "initdb: error: could not write: No space left on device\n").unwrap();
        let error = did_not_start("it ended".to_owned(), &log);
        assert!(matches!(error, EngineError::DiskFilledUp { .. }), "{error}");
    }
}
