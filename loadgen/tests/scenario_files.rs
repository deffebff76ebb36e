//! Every scenario in the repository is one that can be rehearsed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::path::{Path, PathBuf};
use urr_core::time::Millis;
use urr_loadgen::Scenario;
use uuid::Uuid;

fn scenarios(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            scenarios(&path, found);
        } else if path.extension().is_some_and(|ext| ext == "yaml") {
            found.push(path);
        }
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios")
}

#[test]
fn every_scenario_file_parses_and_describes_a_possible_sale() {
    let mut files = Vec::new();
    scenarios(&root(), &mut files);
    assert!(files.len() >= 8, "{files:?}");
    for file in files {
        let scenario = Scenario::load(&file).unwrap_or_else(|error| panic!("{error}"));
        let stem = file.file_stem().unwrap().to_str().unwrap();
        assert_eq!(scenario.name, stem, "a scenario is named like its file");
        let sale = scenario.sale(Uuid::nil(), Millis(1_000_000));
        assert_eq!(sale.validate(), Ok(()), "{stem}");
        assert_eq!(scenario.hall().validate(), Ok(()), "{stem}");
        assert_eq!(u64::from(sale.seats), scenario.hall().capacity(), "{stem}");
    }
}

#[test]
fn the_two_named_openings_have_the_figures_that_the_mission_names() {
    let club = Scenario::load(&root().join("club-night.yaml")).unwrap();
    assert_eq!((club.seats(), club.crowd.visitors), (1000, 5000));
    let arena = Scenario::load(&root().join("arena.yaml")).unwrap();
    assert_eq!((arena.seats(), arena.crowd.visitors), (15_000, 50_000));
    assert!(!arena.sources.is_empty());
    assert!(club.limits.run_at_most_ms < 90_000 && arena.limits.run_at_most_ms < 300_000);
}

/// Editors read `scenarios/schema.json`; it must be made from the types that read the files.
#[test]
fn the_schema_for_editors_is_the_one_that_the_types_give() {
    let path = root().join("schema.json");
    let made = format!(
        "{}\n",
        serde_json::to_string_pretty(&Scenario::json_schema()).unwrap()
    );
    if std::env::var_os("URR_BLESS").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        kept, made,
        "run `URR_BLESS=1 cargo test -p urr-loadgen --test scenario_files`"
    );
}
