//! Logs and metrics of a process. Both are installed once; later calls do nothing.

use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};
use std::io::IsTerminal as _;
use std::sync::OnceLock;
use std::time::Duration;
use tracing_subscriber::EnvFilter;

/// Latency buckets in seconds: the targets of design.md section 5 (50, 100, 200, 300 ms, 1 s, 3 s)
/// are bucket edges, so that a target can be read off exactly.
const LATENCY_BUCKETS_S: [f64; 13] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 3.0, 10.0,
];
/// Recorded values pile up until somebody drains them; without this a process nobody scrapes
/// would grow.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Plain,
    /// For machines: one JSON document a line.
    Json,
}

/// Settings of the log.
#[derive(clap::Args, Debug, Clone, Default)]
pub struct LogSettings {
    /// How log lines look.
    #[arg(long, env = "LOG_FORMAT", value_enum, default_value_t)]
    pub log_format: LogFormat,
    /// What is logged, for example `info,urr_booking=debug`. Hot paths log nothing at `info`.
    #[arg(long, env = "RUST_LOG", default_value = "info")]
    pub log_filter: String,
}

/// Starts the log (on stderr) and the metrics of this process. Later calls do nothing.
pub fn init(settings: &LogSettings) {
    let filter = EnvFilter::try_new(&settings.log_filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        // Files and collectors want text.
        .with_ansi(
            std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|no| no.is_empty()),
        )
        .with_target(true);
    // An error means that a subscriber is installed already: keep it.
    let _ = match settings.log_format {
        LogFormat::Plain => builder.try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    let _ = recorder();
}

/// All metrics of this process in Prometheus' text format.
#[must_use]
pub fn metrics_text() -> String {
    recorder().map(PrometheusHandle::render).unwrap_or_default()
}

/// The recorder, installed at the first call. `None` if another one was installed before.
fn recorder() -> Option<&'static PrometheusHandle> {
    static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
    RECORDER
        .get_or_init(|| {
            let handle = install()
                .inspect_err(|error| tracing::warn!(%error, "metrics are not recorded"))
                .ok()?;
            let upkeep = handle.clone();
            let spawned = std::thread::Builder::new()
                .name("metrics-upkeep".to_owned())
                .spawn(move || {
                    loop {
                        std::thread::sleep(UPKEEP_INTERVAL);
                        upkeep.run_upkeep();
                    }
                });
            if let Err(error) = spawned {
                tracing::warn!(%error, "metrics are drained only when they are read");
            }
            Some(handle)
        })
        .as_ref()
}

fn install() -> Result<PrometheusHandle, BuildError> {
    PrometheusBuilder::new()
        .set_buckets(&LATENCY_BUCKETS_S)?
        .install_recorder()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_rendered_and_installed_once() {
        init(&LogSettings::default());
        init(&LogSettings::default());
        metrics::counter!("urr_test_total").increment(3);
        assert!(metrics_text().contains("urr_test_total 3"));
    }
}
