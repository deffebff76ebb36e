//! `ticketctl doctor`: whether this machine can host a drill, and what to do where it cannot.

use super::{Done, document, show};
use crate::{
    checks::{Check, table},
    cli::Globals,
    exit::Exit,
    output::Format,
    running,
    text::grouped,
};
use rustix::process::{Resource, getrlimit};
use serde_json::json;
use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant, SystemTime},
};

/// Files a drill of 512 connections needs (`drill::preflight`).
const OPEN_FILES: u64 = 2048;
/// Engines and a run's files.
const FREE_MB: u64 = 1024;
/// Two for the drill, some for the engines' connections.
const FREE_PORTS: usize = 16;
/// No build is older than this: a clock before it stands wrong. 2026-01-01.
const BUILT_AFTER_S: u64 = 1_767_225_600;

/// How to print it.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Look for PostgreSQL and Redis here and nowhere else.
    #[arg(long, value_name = "DIR", env = "URR_ENGINES_DIR")]
    pub(crate) engines_dir: Option<PathBuf>,
    /// table, json, yaml or jsonpath='{.path}'.
    #[arg(long, short, default_value_t = Format::Table, value_name = "FORMAT")]
    pub(crate) output: Format,
}

/// Examines.
pub(crate) fn run(args: &Args, globals: &Globals) -> Done {
    let dir = args.engines_dir.as_deref();
    let mut checks: Vec<Check> = [
        ("PostgreSQL", "postgres"),
        ("PostgreSQL's initdb", "initdb"),
        ("Redis", "redis-server"),
    ]
    .into_iter()
    .map(|(name, program)| engine(name, program, dir, "apt-get install postgresql redis-server"))
    .collect();
    checks.push(engine("setpriv", "setpriv", None, "apt-get install util-linux"));
    checks.push(open_files());
    checks.push(disk("temporary files", &std::env::temp_dir()));
    checks.push(disk("runs", Path::new(".")));
    checks.push(ports());
    checks.push(clock());
    checks.push(cores());
    checks.push(drills());
    let healthy = checks.iter().all(|check| !check.failed());
    let json = json!({"apiVersion": "urr.io/v1", "kind": "Doctor", "healthy": healthy, "checks": document(&checks)?});
    show(&args.output, &json, || table(&checks, globals.color.on_stdout()))?;
    Ok(if healthy { Exit::Ok } else { Exit::BadInput })
}

/// Where the distributions put what is not in PATH, newest first.
fn usual_places() -> Vec<PathBuf> {
    let mut places: Vec<PathBuf> = ["/usr/lib/postgresql", "/usr/local/pgsql"]
        .into_iter()
        .filter_map(|dir| std::fs::read_dir(dir).ok())
        .flat_map(|entries| entries.flatten().map(|entry| entry.path().join("bin")))
        .collect();
    places.sort();
    places.reverse();
    places.extend(["/usr/local/bin", "/usr/bin", "/opt/homebrew/bin"].map(PathBuf::from));
    places
}

fn find(program: &str, dir: Option<&Path>) -> Option<PathBuf> {
    let dirs = match dir {
        Some(dir) => vec![dir.to_owned()],
        None => {
            let path = std::env::var_os("PATH").unwrap_or_default();
            std::env::split_paths(&path).chain(usual_places()).collect()
        }
    };
    dirs.into_iter()
        .map(|dir| dir.join(program))
        .find(|path| path.is_file())
}

fn engine(name: &str, program: &str, dir: Option<&Path>, remedy: &str) -> Check {
    let Some(path) = find(program, dir) else {
        return Check::fail(
            name,
            format!("{program} is not in PATH nor in the usual places"),
            remedy,
        );
    };
    let version = Command::new(&path).arg("--version").output();
    match version {
        Ok(output) if output.status.success() => {
            let said = String::from_utf8_lossy(&output.stdout);
            let first = said.lines().next().unwrap_or_default();
            Check::pass(name, format!("{first} ({})", path.display()))
        }
        Ok(output) => Check::fail(
            name,
            format!("{} ends with {}", path.display(), output.status),
            remedy,
        ),
        Err(error) => Check::fail(
            name,
            format!("{} does not start: {error}", path.display()),
            remedy,
        ),
    }
}

fn open_files() -> Check {
    let limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.unwrap_or(u64::MAX);
    let told = limit.maximum.map_or_else(|| "unlimited".to_owned(), grouped);
    if most >= OPEN_FILES {
        Check::pass("open files", format!("up to {told}"))
    } else {
        Check::fail(
            "open files",
            format!("up to {told}, {} are needed", grouped(OPEN_FILES)),
            "raise the hard limit: ulimit -Hn, or LimitNOFILE= of the service",
        )
    }
}

fn disk(name: &str, dir: &Path) -> Check {
    let name = format!("disk for {name}");
    match rustix::fs::statvfs(dir) {
        Err(error) => Check::fail(&name, format!("{}: {error}", dir.display()), "make the directory"),
        Ok(stat) => {
            let free_mb = stat.f_bavail.saturating_mul(stat.f_frsize) / 1_000_000;
            let told = format!("{} MB free in {}", grouped(free_mb), dir.display());
            if free_mb >= FREE_MB {
                Check::pass(&name, told)
            } else {
                Check::fail(&name, told, "free some, or set TMPDIR and --out to another disk")
            }
        }
    }
}

fn ports() -> Check {
    let bound: Result<Vec<TcpListener>, _> = (0..FREE_PORTS)
        .map(|_| TcpListener::bind("127.0.0.1:0"))
        .collect();
    match bound {
        Ok(_) => Check::pass("loopback ports", format!("{FREE_PORTS} free ones are there")),
        Err(error) => Check::fail(
            "loopback ports",
            format!("no free port: {error}"),
            "close what holds them, or widen net.ipv4.ip_local_port_range",
        ),
    }
}

/// The year is right, and a second lasts a second.
fn clock() -> Check {
    let wall_s = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let remedy = "set it, and let NTP keep it: timedatectl set-ntp true";
    if wall_s < BUILT_AFTER_S {
        return Check::fail("clock", "stands before this program was built", remedy);
    }
    let (wall, steady) = (SystemTime::now(), Instant::now());
    std::thread::sleep(Duration::from_millis(50));
    let drift_ms = wall.elapsed().map_or(i128::MAX, |wall| {
        wall.as_millis().cast_signed() - steady.elapsed().as_millis().cast_signed()
    });
    if drift_ms.abs() <= 5 {
        Check::pass("clock", "runs evenly")
    } else {
        Check::fail("clock", "jumps while one looks at it", remedy)
    }
}

fn cores() -> Check {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    if cores >= 2 {
        Check::pass("cores", format!("{cores}"))
    } else {
        Check::warn(
            "cores",
            "one: visitors and services measure each other",
            "rehearse small scenarios only",
        )
    }
}

fn drills() -> Check {
    match running::all().as_slice() {
        [] => Check::pass("other drills", "none"),
        drills => Check::warn(
            "other drills",
            drills
                .iter()
                .map(|drill| format!("{} (process {})", drill.title, drill.pid))
                .collect::<Vec<_>>()
                .join(", "),
            "two at once measure each other: wait for its end",
        ),
    }
}
