//! One headless Chromium for all tests of this process; each test has a context of its own in it.
//!
//! It ends with us: the kernel sends it SIGKILL when the thread that started it ends, and that
//! thread lives as long as the process. Profiles of earlier runs are swept at start.

use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
    time::{Duration, Instant},
};

/// A cold start on two busy cores has been seen to take 6 s.
const START_WITHIN: Duration = Duration::from_secs(40);

/// The address of the browser's DevTools; starts the browser the first time.
pub(crate) fn devtools() -> &'static str {
    static ADDRESS: OnceLock<String> = OnceLock::new();
    ADDRESS.get_or_init(start)
}

fn program() -> PathBuf {
    if let Some(named) = std::env::var_os("URR_CHROMIUM") {
        return named.into();
    }
    let names = ["chromium", "chromium-browser", "google-chrome", "chrome"];
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .flat_map(|dir| names.map(|name| dir.join(name)))
        .find(|program| program.is_file())
        .expect(
            "no Chromium on PATH: run tools/setup.sh (apt-get install chromium), or name one in URR_CHROMIUM",
        )
}

fn start() -> String {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR"));
    sweep(root);
    let profile = root.join(format!("chromium-{}", std::process::id()));
    fs::create_dir_all(&profile).expect("a directory for the profile");
    let log = fs::File::create(profile.join("log")).expect("a log");
    let mut command = Command::new("setpriv");
    command
        .args(["--pdeathsig", "KILL", "--"])
        .arg(program())
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            "--remote-debugging-port=0",
        ])
        .arg(format!("--user-data-dir={}", profile.display()))
        .arg("about:blank")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log);
    std::thread::spawn(move || {
        let mut child = command.spawn().expect("Chromium starts");
        let _ = child.wait();
    });
    let written = profile.join("DevToolsActivePort");
    let deadline = Instant::now() + START_WITHIN;
    loop {
        // Two lines: the port and the path.
        let text = fs::read_to_string(&written).unwrap_or_default();
        if let Some((port, path)) = text.trim().split_once('\n') {
            return format!("ws://127.0.0.1:{port}{path}");
        }
        if Instant::now() > deadline {
            let mut said = String::new();
            let log = fs::File::open(profile.join("log"));
            let _ = log.and_then(|mut log| log.read_to_string(&mut said));
            panic!("Chromium did not open its DevTools within {START_WITHIN:?}: {said}");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Removes the profiles of processes that are gone.
fn sweep(root: &Path) {
    for entry in fs::read_dir(root).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.strip_prefix("chromium-")) else {
            continue;
        };
        if pid.parse::<u32>().is_ok() && !Path::new("/proc").join(pid).exists() {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
