//! What a run measured: a table for people, `target/bench.json` for machines.

use anyhow::{Context, bail};
use serde_json::{Map, Value, json};
use std::{fs, path::Path};

/// One figure beside its baseline, both of the same run.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
    pub(crate) baseline_name: &'static str,
    pub(crate) baseline: f64,
}

impl Row {
    fn ratio(&self) -> f64 {
        self.value / self.baseline
    }
}

/// The rows so far. Each is printed when it is measured: a run that fails later has said what it
/// found.
#[derive(Debug)]
pub(crate) struct Table {
    file: Map<String, Value>,
    /// The keys asked for; all, if none.
    asked: Vec<String>,
}

#[expect(clippy::print_stdout, reason = "the table is this program's output")]
impl Table {
    /// An empty table, with its head printed.
    pub(crate) fn new(asked: Vec<String>) -> Self {
        println!(
            "{:<20} {:>12} {:<8} {:>12}  {:<44} {:>7}",
            "name", "value", "unit", "baseline", "baseline is", "ratio"
        );
        Self {
            file: Map::new(),
            asked,
        }
    }

    /// Whether one of these keys, which are measured together, was asked for.
    pub(crate) fn wants(&self, keys: &[&str]) -> bool {
        self.asked.is_empty() || self.asked.iter().any(|key| keys.contains(&key.as_str()))
    }

    /// Prints `row` and keeps it.
    pub(crate) fn add(&mut self, row: &Row) {
        println!(
            "{:<20} {:>12} {:<8} {:>12}  {:<44} {:>7.2}",
            row.name,
            figure(row.value),
            row.unit,
            figure(row.baseline),
            row.baseline_name,
            row.ratio()
        );
        self.file.insert(
            row.name.to_owned(),
            json!({
                "value": row.value,
                "unit": row.unit,
                "baseline": format!("{}: {} {}", row.baseline_name, figure(row.baseline), row.unit),
                "ratio": row.ratio(),
            }),
        );
    }

    /// Writes `{"name": {value, unit, baseline, ratio}}`, if everything was asked for.
    pub(crate) fn write(self, path: &Path) -> anyhow::Result<()> {
        if !self.asked.is_empty() {
            let unknown = self.asked.iter().find(|key| !self.file.contains_key(*key));
            return unknown.map_or(Ok(()), |key| bail!("nothing measures {key:?}"));
        }
        if let Some(dir) = path.parent() {
            fs::create_dir_all(dir).with_context(|| format!("creating {}", dir.display()))?;
        }
        fs::write(path, serde_json::to_string_pretty(&Value::Object(self.file))?)
            .with_context(|| format!("writing {}", path.display()))?;
        println!("written: {}", path.display());
        Ok(())
    }
}

/// Whole numbers, unless the figure is so small that its fraction is the news.
fn figure(value: f64) -> String {
    if value < 10.0 {
        format!("{value:.3}")
    } else {
        format!("{value:.0}")
    }
}
