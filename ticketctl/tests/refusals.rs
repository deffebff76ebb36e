//! Bad input: a clear sentence, the right exit code, nothing left behind.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod common;

use common::{Running, Stage, scenario, ticketctl};
use std::{
    fs,
    net::TcpListener,
    path::Path,
    process::{Command, Output},
};
use urr_kit::Secrets;

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn an_unknown_scenario_key_is_named_with_file_and_line() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("typo.yaml");
    let text = fs::read_to_string(scenario("normal")).unwrap();
    let line = text.lines().position(|l| l.contains("  venue:")).unwrap() + 1;
    fs::write(&file, text.replace("  venue:", "  venu:")).unwrap();
    for verb in ["validate", "drill"] {
        let output = ticketctl()
            .arg(verb)
            .arg(&file)
            .current_dir(&place)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2));
        let said = stderr(&output);
        assert!(said.contains(&format!("typo.yaml:{line}")), "{said}");
        assert!(said.contains("venu"), "{said}");
        assert!(output.stdout.is_empty(), "messages go to stderr");
    }
    assert_eq!(fs::read_dir(&place).unwrap().count(), 1, "nothing was written");
}

#[test]
fn a_scenario_that_is_not_there_is_named() {
    let output = ticketctl().args(["drill", "/nowhere/x.yaml"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("/nowhere/x.yaml"), "{}", stderr(&output));
}

#[test]
fn good_scenarios_are_said_to_be_good_on_stdout() {
    let output = ticketctl()
        .arg("validate")
        .arg(scenario("normal"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(String::from_utf8_lossy(&output.stdout).contains("ok"));
}

#[test]
fn a_missing_postgres_is_named_with_its_remedy() {
    let stage = Stage::new();
    let empty = tempfile::tempdir().unwrap();
    let mut command = stage.drill("normal");
    command.env("URR_ENGINES_DIR", empty.path());
    let ended = Running::start(command).end();
    assert_eq!(ended.code(), Some(2), "{}", ended.said());
    assert!(ended.stderr.contains("apt-get install"), "{}", ended.said());
    assert!(!stage.run_dir().exists());
    stage.is_clean();
}

#[test]
fn a_finished_run_is_not_overwritten() {
    let stage = Stage::new();
    fs::create_dir_all(stage.run_dir()).unwrap();
    let ended = Running::start(stage.drill("normal")).end();
    assert_eq!(ended.code(), Some(2), "{}", ended.said());
    assert!(ended.stderr.contains("exists already"), "{}", ended.said());
    stage.is_clean();
}

#[test]
fn a_place_that_cannot_be_written_is_named() {
    let mut command = ticketctl();
    command
        .args(["drill", "--plain", "--out", "/proc/nowhere/run"])
        .arg(scenario("normal"));
    let ended = Running::start(command).end();
    assert_eq!(ended.code(), Some(2), "{}", ended.said());
    assert!(ended.stderr.contains("/proc/nowhere"), "{}", ended.said());
}

#[test]
fn a_weak_secret_stops_a_service_and_names_its_variable() {
    let secrets = Secrets::generate().unwrap();
    for (variable, value) in [
        ("JWT_SECRET", "c2hvcnQ="),
        ("QUEUE_ENTRY_TOKEN_SECRET", "short"),
        ("CONTROL_API_TOKEN", ""),
    ] {
        let output = ticketctl()
            .args(["urr", "booking", "--listen", "127.0.0.1:0"])
            .envs(secrets.to_env())
            .env(variable, value)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1), "{variable}");
        assert!(stderr(&output).contains(variable), "{}", stderr(&output));
    }
}

#[test]
fn watching_without_a_token_or_a_control_api_says_so() {
    let place = tempfile::tempdir().unwrap();
    let token = place.path().join("token");
    let sale = "00000000-0000-4000-8000-000000000007";
    let watch = |url: &str| {
        ticketctl()
            .args(["watch", sale, "--url", url, "--token-file"])
            .arg(&token)
            .output()
            .unwrap()
    };
    let output = watch("http://127.0.0.1:9");
    assert_eq!(
        output.status.code(),
        Some(2),
        "no token file: {}",
        stderr(&output)
    );
    fs::write(&token, "secret-of-somebody\n").unwrap();
    let output = watch("http://127.0.0.1:9");
    assert_eq!(output.status.code(), Some(5), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("http://127.0.0.1:9"),
        "{}",
        stderr(&output)
    );
    assert!(!stderr(&output).contains("secret-of-somebody"));
}

#[test]
fn a_port_in_use_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = ticketctl()
        .args(["urr", "testpay", "--listen", &address])
        .envs(Secrets::generate().unwrap().to_env())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).contains(&address), "{}", stderr(&output));
    assert!(stderr(&output).contains("in use"), "{}", stderr(&output));
}

/// Runs `command` where `dir` is a disk of `size_mb`, visible to it alone and gone with it.
fn on_a_small_disk(command: &Command, dir: &Path, size_mb: u32) -> Command {
    let mut small = Command::new("unshare");
    if !rustix::process::geteuid().is_root() {
        small.arg("--map-root-user");
    }
    small.args(["--mount", "sh", "-c"]).arg(format!(
        "mount -t tmpfs -o size={size_mb}m,mode=0711 small \"$0\" && exec \"$@\""
    ));
    small.arg(dir).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => small.env(name, value),
            None => small.env_remove(name),
        };
    }
    if let Some(dir) = command.get_current_dir() {
        small.current_dir(dir);
    }
    small
}

#[test]
fn a_full_disk_is_named_before_anything_starts() {
    let stage = Stage::new();
    let runs = stage.run_dir().parent().unwrap().to_owned();
    fs::create_dir_all(&runs).unwrap();
    let ended = Running::start(on_a_small_disk(&stage.drill("normal"), &runs, 16)).end();
    assert_eq!(ended.code(), Some(2), "{}", ended.said());
    assert!(ended.stderr.contains("is full"), "{}", ended.said());
    stage.is_clean();
}

#[test]
fn engines_on_a_full_disk_say_so_and_leave_nothing() {
    let stage = Stage::new();
    let command = stage.drill("normal");
    let tmp = stage.temporary();
    let ended = Running::start(on_a_small_disk(&command, &tmp, 24)).end();
    assert_eq!(ended.code(), Some(2), "{}", ended.said());
    assert!(ended.stderr.contains("disk"), "{}", ended.said());
    assert!(ended.stderr.contains(&*tmp.to_string_lossy()), "{}", ended.said());
    assert!(!stage.run_dir().exists());
    stage.is_clean();
}
