//! The screen in a real terminal: it watches and steers a real drill, goes through a recording, and
//! gives the terminal back whatever happens.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod common;
mod pty;

use common::Stage;
use pty::Terminal;
use serde_json::Value;
use std::path::{Path, PathBuf};
use urr_core::snapshot::Snapshot;

/// The summary that follows the screen, judged as that of any drill: see `Ended::is_lawful`.
#[track_caller]
fn is_lawful(code: u32, run: &Path) {
    let text = std::fs::read(run.join("report.json")).unwrap();
    let report: Value = serde_json::from_slice(&text).unwrap();
    assert_eq!(report["exitCode"], code, "the report says the same");
    let findings = report["audit"]["findings"].as_array().unwrap();
    for finding in findings {
        // A machine that stalls at the opening opens late; nobody may have gone in before.
        let late = finding["law"] == "on-time"
            && finding["examples"]
                .as_array()
                .unwrap()
                .iter()
                .all(|example| example.as_str().unwrap().starts_with("the line opened "));
        assert!(finding["verdict"] != "broken" || late, "{finding:#}");
    }
}

fn recording() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/recording.ndjson");
    path.to_string_lossy().into_owned()
}

/// A recording on a screen, held.
fn replay(size: (u16, u16)) -> (Terminal, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let mut terminal = Terminal::open(size, &["watch", "--replay", &recording()], &[], dir.path());
    terminal.until_drawn();
    terminal.until("recording.ndjson");
    terminal.press(" ");
    (terminal, dir)
}

fn drill(stage: &Stage, scenario: &str, size: (u16, u16), more: &[&str]) -> Terminal {
    let scenario = common::scenario(scenario).to_string_lossy().into_owned();
    let out = stage.run_dir().to_string_lossy().into_owned();
    let mut args = vec!["drill", "--out", &out, &scenario];
    args.extend(more);
    Terminal::open(size, &args, &stage.env(), stage.dir())
}

fn recorded(run: &Path) -> Vec<Snapshot> {
    let text = std::fs::read_to_string(run.join("snapshots.ndjson")).unwrap();
    let lines = text.lines().skip(1);
    lines.map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_hand_at_the_terminal_raises_the_rate_and_sees_it_applied_and_audited() {
    let stage = Stage::new();
    let mut terminal = drill(&stage, "steered", (120, 36), &[]);
    terminal.until("DRILL");
    terminal.until("● OPEN");
    terminal.until("2/s set   2/s applied");
    // Read-only by default, and it says how that is changed.
    terminal.press("+");
    terminal.until("read-only: S turns steering on");
    terminal.press("S");
    terminal.until("STEERING");
    terminal.press(":rate 60 the test waits\r");
    // Two steps: what it would bring, then Enter.
    terminal.until("rate 2 -> 60 a second");
    terminal.until("gets in after");
    terminal.until("headroom of ready capacity: 99 % -> 70 %");
    terminal.until("2/s set");
    terminal.press("\r");
    terminal.until("done, and in the audit log");
    terminal.until("60/s set   60/s applied");
    // The audit log, as the control plane tells it.
    terminal.until("mina: rate:");
    terminal.until("the drill is over");
    terminal.press("q");
    let (code, left) = terminal.end();
    is_lawful(code, &stage.run_dir());
    assert!(
        left.contains("recording "),
        "the summary follows the screen:\n{left}"
    );

    let snapshots = recorded(&stage.run_dir());
    let events = &snapshots[snapshots.len() - 1].events;
    let mine: Vec<_> = events.iter().filter(|event| event.actor == "mina").collect();
    assert_eq!(mine.len(), 1, "{events:#?}");
    assert!(
        mine[0].text.contains("60/s") && mine[0].text.contains("the test waits"),
        "{mine:?}"
    );
    let applied = |rate| {
        snapshots
            .iter()
            .any(|s| s.room.as_ref().is_some_and(|r| r.rate_per_s == rate))
    };
    assert!(applied(2) && applied(60));
    assert!(
        snapshots.iter().any(|s| s.crowd.is_some()),
        "the visitors' side is recorded"
    );
    stage.is_clean();
}

#[test]
fn the_screen_outlives_the_control_plane_and_says_that_it_is_blind() {
    let stage = Stage::new();
    let mut terminal = drill(&stage, "kill-control-plane", (80, 24), &["--steer"]);
    terminal.until("STEERING");
    terminal.until("LOST, age");
    terminal.press("+");
    terminal.until("read-only: the control API is away");
    terminal.until("the drill is over");
    terminal.press("q");
    let (code, _) = terminal.end();
    is_lawful(code, &stage.run_dir());
    stage.is_clean();
}

#[test]
fn sigterm_ends_the_drill_and_gives_the_terminal_back() {
    let stage = Stage::new();
    let terminal = drill(&stage, "steered", (80, 24), &[]);
    terminal.until("● OPEN");
    terminal.signal("TERM");
    let (code, left) = terminal.end();
    assert_eq!(code, 130, "{left}");
    assert!(left.contains("everything is stopped"), "{left}");
    stage.is_clean();
}

#[test]
fn a_recording_is_gone_through_by_keys_and_commands() {
    let (mut terminal, _dir) = replay((120, 36));
    terminal.press(":seek 100%\r");
    terminal.until("1x  00:");
    terminal.press("4");
    terminal.until("latency and service levels");
    terminal.press(":view seats\r");
    terminal.until("seats by section");
    terminal.press("+");
    terminal.until("read-only: this is a recording");
    terminal.press("q");
    assert_eq!(terminal.end().0, 0);
}

#[test]
fn it_follows_the_size_of_the_window() {
    for (size, word) in [
        ((200, 50), "services and laws"),
        ((60, 20), "waiting"),
        ((30, 8), "enlarge"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let terminal = Terminal::open(size, &["watch", "--replay", &recording()], &[], dir.path());
        terminal.until_drawn();
        terminal.until(word);
        terminal.signal("TERM");
        terminal.end();
    }
}

#[test]
fn a_panic_gives_the_terminal_back_before_it_speaks() {
    let (mut terminal, _dir) = replay((80, 24));
    terminal.press(":panic\r");
    let (_, left) = terminal.end();
    assert!(left.contains("asked for by :panic"), "{left}");
}

#[test]
fn sigterm_gives_the_terminal_back() {
    let (terminal, _dir) = replay((80, 24));
    terminal.signal("TERM");
    terminal.end();
}

#[test]
fn keys_can_be_bound_anew_and_a_conflict_is_named_before_the_screen_comes() {
    let dir = tempfile::tempdir().unwrap();
    let config: PathBuf = dir.path().join("tui.yaml");
    let open = |text: &str| {
        std::fs::write(&config, text).unwrap();
        let args = [
            "watch",
            "--replay",
            &recording(),
            "--config",
            config.to_str().unwrap(),
        ];
        Terminal::open((100, 30), &args, &[], dir.path())
    };
    let mut terminal = open("version: 1\nkeys: { quit: x, help: q }\n");
    terminal.until("recording.ndjson");
    terminal.press("q");
    terminal.until("mission control");
    terminal.press("xx");
    assert_eq!(terminal.end().0, 0);
    let terminal = open("version: 1\nkeys: { freeze: q }\n");
    let (code, left) = terminal.end();
    assert_eq!(code, 2);
    assert!(left.contains("keys.freeze: \"q\" also does quit"), "{left}");
}
