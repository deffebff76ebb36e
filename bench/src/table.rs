//! What a run measured: a table for people, `target/bench.json` for machines.

use anyhow::Context;
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

/// Prints the rows and writes them as `{"name": {value, unit, baseline, ratio}}`.
#[expect(clippy::print_stdout, reason = "the table is this program's output")]
pub(crate) fn publish(rows: &[Row], path: &Path) -> anyhow::Result<()> {
    println!(
        "{:<18} {:>12} {:<8} {:>12}  {:<44} {:>7}",
        "name", "value", "unit", "baseline", "baseline is", "ratio"
    );
    let mut file = Map::new();
    for row in rows {
        println!(
            "{:<18} {:>12} {:<8} {:>12}  {:<44} {:>7.2}",
            row.name,
            figure(row.value),
            row.unit,
            figure(row.baseline),
            row.baseline_name,
            row.ratio()
        );
        file.insert(
            row.name.to_owned(),
            json!({
                "value": row.value,
                "unit": row.unit,
                "baseline": format!("{}: {} {}", row.baseline_name, figure(row.baseline), row.unit),
                "ratio": row.ratio(),
            }),
        );
    }
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir).with_context(|| format!("creating {}", dir.display()))?;
    }
    fs::write(path, serde_json::to_string_pretty(&Value::Object(file))?)
        .with_context(|| format!("writing {}", path.display()))?;
    println!("written: {}", path.display());
    Ok(())
}

/// Whole numbers, unless the figure is so small that its fraction is the news.
fn figure(value: f64) -> String {
    if value < 10.0 {
        format!("{value:.3}")
    } else {
        format!("{value:.0}")
    }
}
