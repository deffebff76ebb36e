//! Small rules of taste that are cheaper to check than to discuss.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::{
    fs,
    path::{Path, PathBuf},
};

/// A file is one idea. 400 lines are long; beyond 800 a file needs a reason here.
const LINES_MAX: usize = 800;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("workspace")
        .to_owned()
}

fn files_with(extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![root()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(&dir).expect("readable") {
            let path = entry.expect("entry").path();
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            if path.is_dir() {
                if !name.starts_with('.') && !name.starts_with("target") && name != "runs" {
                    open.push(path);
                }
            } else if path.extension().is_some_and(|found| found == extension) {
                found.push(path);
            }
        }
    }
    found
}

#[test]
fn no_file_has_grown_past_one_idea() {
    let long: Vec<String> = files_with("rs")
        .into_iter()
        .filter_map(|path| {
            let lines = fs::read_to_string(&path).ok()?.lines().count();
            (lines > LINES_MAX).then(|| format!("{} ({lines})", path.display()))
        })
        .collect();
    assert!(long.is_empty(), "split by idea: {long:?}");
}

#[test]
fn every_module_says_why_it_exists() {
    let silent: Vec<String> = files_with("rs")
        .into_iter()
        .filter(|path| {
            !fs::read_to_string(path)
                .unwrap_or_default()
                .trim_start()
                .starts_with("//!")
        })
        .map(|path| path.display().to_string())
        .collect();
    assert!(silent.is_empty(), "no module doc at the top: {silent:?}");
}

#[test]
fn no_line_was_left_for_later() {
    let marks = [concat!("FIX", "ME"), concat!("XX", "X"), concat!("HA", "CK")];
    let left: Vec<String> = files_with("rs")
        .into_iter()
        .filter(|path| {
            let text = fs::read_to_string(path).unwrap_or_default();
            marks.iter().any(|mark| text.contains(mark))
        })
        .map(|path| path.display().to_string())
        .collect();
    assert!(left.is_empty(), "do it or write it into docs/plan.md: {left:?}");
}
