//! The command line as scripts use it: data on stdout, messages on stderr, documented exit codes;
//! and against a running drill.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod common;

use common::{Running, Stage, scenario, ticketctl};
use serde_json::Value;
use std::{
    path::Path,
    process::{Command, Output},
};

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn run(args: &[&str]) -> Output {
    let nowhere = tempfile::tempdir().unwrap();
    let mut command = ticketctl();
    command
        .args(args)
        // No drill of somebody else's, no cluster.
        .env("XDG_RUNTIME_DIR", nowhere.path())
        .env("KUBECONFIG", nowhere.path().join("none"))
        .env("HOME", nowhere.path());
    command.output().unwrap()
}

fn arena() -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/arena.yaml");
    file.display().to_string()
}

#[test]
fn a_simulation_is_drawn_the_same_twice_and_without_colour() {
    let scenario = scenario("normal").display().to_string();
    let (a, b) = (run(&["simulate", &scenario]), run(&["simulate", &scenario]));
    assert_eq!(a.status.code(), Some(0), "{}", err(&a));
    assert_eq!(a.stdout, b.stdout, "seeded and deterministic");
    assert!(!a.stdout.contains(&0x1b), "NO_COLOR, and no terminal");
    assert!(out(&a).contains("sold out"), "{}", out(&a));
    let other = run(&["simulate", &scenario, "--seed", "99"]);
    assert_ne!(a.stdout, other.stdout);
}

#[test]
fn a_forecast_is_a_document_too_and_its_parts_can_be_asked_for() {
    let output = run(&["simulate", &arena(), "-o", "json"]);
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["apiVersion"], "urr.io/forecast/v1");
    assert_eq!(json["forecast"]["visitors"], 50_040);
    let part = run(&["sim", &arena(), "-o", "jsonpath={.forecast.seats}"]);
    assert_eq!(out(&part), "15000\n");
    let missing = run(&["sim", &arena(), "-o", "jsonpath={.nothing}"]);
    assert_eq!(missing.status.code(), Some(3));
}

#[test]
fn a_plan_tells_the_day() {
    let output = run(&["plan", &arena()]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    for word in [
        "replicas come up",
        "the line moves",
        "80/s",
        "sold out",
        "headroom",
    ] {
        assert!(out(&output).contains(word), "{word} in\n{}", out(&output));
    }
}

#[test]
fn where_there_is_nothing_it_says_what_to_do() {
    let output = run(&["get"]);
    assert_eq!(output.status.code(), Some(2), "{}", err(&output));
    assert!(output.stdout.is_empty());
    assert!(err(&output).contains("ticketctl drill"), "{}", err(&output));
    assert_eq!(run(&["verify", "--runs", "/nowhere"]).status.code(), Some(3));
    assert_eq!(run(&["report", "--runs", "/nowhere"]).status.code(), Some(3));
    assert_eq!(run(&["explain", "scenario.sael"]).status.code(), Some(3));
    assert_eq!(run(&["frobnicate"]).status.code(), Some(2));
}

#[test]
fn the_manual_and_the_completions_are_data() {
    for args in [
        vec!["man"],
        vec!["completion", "bash"],
        vec!["completion", "powershell"],
    ] {
        let output = run(&args);
        assert_eq!(output.status.code(), Some(0), "{args:?}");
        assert!(out(&output).contains("preflight"), "{args:?}");
        assert!(output.stderr.is_empty(), "{args:?}");
    }
    let version: Value = serde_json::from_slice(&run(&["version", "-o", "json"]).stdout).unwrap();
    assert_eq!(version["client"]["version"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn the_doctor_examines_this_machine() {
    let output = run(&["doctor", "-o", "json"]);
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["healthy"], output.status.code() == Some(0), "{json:#}");
    let empty = tempfile::tempdir().unwrap();
    let output = run(&["doctor", "--engines-dir", &empty.path().display().to_string()]);
    assert_eq!(output.status.code(), Some(2));
    assert!(out(&output).contains("apt-get install"), "{}", out(&output));
}

/// Commands against a running drill, found by themselves; then its evidence and its report.
#[test]
fn a_running_drill_is_watched_steered_undone_and_proven() {
    let stage = Stage::new();
    let runtime = tempfile::tempdir().unwrap();
    let mut drill = stage.drill("steered");
    drill.env("XDG_RUNTIME_DIR", runtime.path());
    let mut running = Running::start(drill);
    running.until("announced");
    let on_drill = |args: &[&str]| {
        let mut command: Command = ticketctl();
        command
            .args(args)
            .env("XDG_RUNTIME_DIR", runtime.path())
            .output()
            .unwrap()
    };
    let json = |args: &[&str]| -> Value {
        let output = on_drill(args);
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{args:?}: {}", err(&output)))
    };

    assert_eq!(
        json(&["get", "-o", "json"])["items"][0]["sale"]["name"],
        "A line that waits for a hand"
    );
    assert_eq!(
        out(&on_drill(&["get", "-o", "name"])),
        "A line that waits for a hand\n"
    );

    // Without a reason, or without anybody to ask: refused, and nothing changes.
    let refused = on_drill(&["rate", "3", "--yes"]);
    assert_eq!(refused.status.code(), Some(2), "{}", err(&refused));
    assert!(err(&refused).contains("--reason"));
    let refused = on_drill(&["rate", "3", "--reason", "x"]);
    assert!(err(&refused).contains("--yes"), "{}", err(&refused));
    let too_much = on_drill(&["rate", "100000", "--reason", "x", "--yes"]);
    assert_eq!(too_much.status.code(), Some(4), "{}", err(&too_much));
    let tried = on_drill(&["rate", "3", "--dry-run"]);
    assert!(out(&tried).contains("2/s -> 3/s"), "{}", out(&tried));

    let by = ["--actor", "mina", "--reason", "a test", "--yes", "-o", "json"];
    let args: Vec<&str> = ["rate", "3"].into_iter().chain(by).collect();
    assert_eq!(json(&args)["hand"]["ratePerS"], 3);
    let described = json(&["describe", "-o", "json"]);
    let log = described["audit"].as_array().unwrap();
    let last = log.iter().rfind(|entry| entry["action"] == "rate").unwrap();
    assert_eq!(
        (&last["actor"], &last["reason"]),
        (&"mina".into(), &"a test".into())
    );
    let undone = json(&["undo", "--actor", "mina", "-o", "json"]);
    assert!(undone["hand"]["ratePerS"].is_null(), "{undone:#}");

    let ready = on_drill(&["preflight"]);
    assert!(
        out(&ready).contains("PostgreSQL"),
        "{}{}",
        out(&ready),
        err(&ready)
    );
    assert!(out(&ready).contains("entry tokens end to end"), "{}", out(&ready));
    assert!(!out(&ready).contains("FAIL"), "{}", out(&ready));

    let waited = on_drill(&["wait", "--for=phase=open", "--timeout=60s"]);
    assert_eq!(waited.status.code(), Some(0), "{}", err(&waited));
    let hurried = on_drill(&["rate", "60", "--reason", "that was all", "--yes"]);
    assert_eq!(hurried.status.code(), Some(0), "{}", err(&hurried));
    let ended = running.end();
    ended.is_lawful();
    assert!(
        ended.stdout.contains("forecast against outcome"),
        "{}",
        ended.said()
    );
    assert!(
        on_drill(&["get"]).status.code() == Some(2),
        "the announcement went with the drill"
    );

    let run = stage.run_dir().display().to_string();
    let proven = on_drill(&["verify", &run]);
    assert_eq!(proven.status.code(), Some(0), "{}{}", out(&proven), err(&proven));
    tampering_is_found(&stage.run_dir());
    let report = on_drill(&["report", &run]);
    assert!(
        out(&report).contains("fair-order"),
        "{}{}",
        out(&report),
        err(&report)
    );
    stage.is_clean();
}

/// One swapped pair, one skipped visitor and one changed figure in a real drill's evidence.
fn tampering_is_found(run: &Path) {
    let text = std::fs::read_to_string(run.join("evidence.ndjson")).unwrap();
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let verdict = |lines: &[String]| {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), lines.join("\n") + "\n").unwrap();
        let output = ticketctl().arg("verify").arg(file.path()).output().unwrap();
        (output.status.code(), out(&output) + &err(&output))
    };
    assert_eq!(verdict(&lines).0, Some(0));

    let admits: Vec<usize> = (0..lines.len())
        .filter(|at| lines[*at].contains("\"kind\":\"admit\""))
        .collect();
    let mut swapped = lines.clone();
    swapped.swap(admits[10], admits[11]);
    let (code, said) = verdict(&swapped);
    assert_eq!(code, Some(98), "{said}");
    assert!(said.contains("NOT PROVEN"), "{said}");

    let mut skipped = lines.clone();
    let numbers: Vec<usize> = (0..lines.len())
        .filter(|at| lines[*at].starts_with("{\"number\""))
        .collect();
    skipped.remove(numbers[5]);
    let last = skipped.len() - 1;
    skipped[last] = skipped[last].replace(
        &format!("\"numbers\":{}", numbers.len()),
        &format!("\"numbers\":{}", numbers.len() - 1),
    );
    let (code, said) = verdict(&skipped);
    assert_eq!(code, Some(98), "{said}");
    assert!(said.contains("number 6") && said.contains("skipped"), "{said}");
}
