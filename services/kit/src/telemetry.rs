//! Logs, metrics and traces of a process. All are installed once; later calls do nothing.

use crate::start::StartError;
use crate::trace::{self, TraceSettings};
use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};
use std::io::{IsTerminal as _, Stderr};
use std::sync::OnceLock;
use std::time::Duration;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::Layer;
use tracing_subscriber::fmt::format::{DefaultFields, Format, Full};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

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

impl LogSettings {
    pub(crate) fn filter(&self) -> EnvFilter {
        EnvFilter::try_new(&self.log_filter).unwrap_or_else(|_| EnvFilter::new("info"))
    }
}

/// Starts the log (on stderr) and the metrics of this process. Later calls do nothing.
pub fn init(settings: &LogSettings) {
    init_log(settings);
    let _ = recorder();
}

fn init_log(settings: &LogSettings) {
    // An error means that a subscriber is installed already: keep it.
    let _ = match settings.log_format {
        LogFormat::Plain => tracing_subscriber::registry()
            .with(settings.filter())
            .with(lines())
            .try_init(),
        LogFormat::Json => tracing_subscriber::registry()
            .with(settings.filter())
            .with(lines().json().flatten_event(true))
            .try_init(),
    };
}

/// Starts log, metrics and, where an endpoint is set, the traces of this process, which is called `service`
/// there unless the settings say otherwise. The guard is to be finished when the process ends.
///
/// # Errors
/// When the endpoint of traces is no URL.
pub fn start(
    log: &LogSettings,
    traces: &TraceSettings,
    service: &str,
) -> Result<Option<trace::Guard>, StartError> {
    let guard = start_log(log, traces, service)?;
    let _ = recorder();
    Ok(guard)
}

/// As [`start`], without metrics: for a process that records its own.
///
/// # Errors
/// When the endpoint of traces is no URL.
pub fn start_log(
    log: &LogSettings,
    traces: &TraceSettings,
    service: &str,
) -> Result<Option<trace::Guard>, StartError> {
    let guard = traces_if_asked_for(log, traces, service)?;
    init_log(log);
    Ok(guard)
}

#[cfg(feature = "otel")]
fn traces_if_asked_for(
    log: &LogSettings,
    traces: &TraceSettings,
    service: &str,
) -> Result<Option<trace::Guard>, StartError> {
    match traces.url() {
        Some(url) => trace::begin(log, traces, service, &url),
        None => Ok(None),
    }
}

#[cfg(not(feature = "otel"))]
fn traces_if_asked_for(
    log: &LogSettings,
    traces: &TraceSettings,
    service: &str,
) -> Result<Option<trace::Guard>, StartError> {
    if traces.url().is_some() {
        init_log(log);
        tracing::warn!(
            service,
            "an endpoint of traces is set, and this program was built without them"
        );
    }
    Ok(None)
}

/// Lines of the log, on stderr.
pub(crate) fn lines<S>() -> Layer<S, DefaultFields, Format<Full>, fn() -> Stderr> {
    tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr as fn() -> Stderr)
        // Files and collectors want text.
        .with_ansi(
            std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|no| no.is_empty()),
        )
        .with_target(true)
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
    use tracing::level_filters::LevelFilter;

    #[test]
    fn log_and_metrics_are_installed_once() {
        // Errors only, so that the other tests of this process stay quiet.
        let settings = LogSettings {
            log_filter: "error".to_owned(),
            ..LogSettings::default()
        };
        init(&settings);
        init(&settings);
        // What is below the filter is not even asked about: an opening says much at `debug`.
        assert_eq!(LevelFilter::current(), LevelFilter::ERROR);
        metrics::counter!("urr_test_total").increment(3);
        assert!(metrics_text().contains("urr_test_total 3"));
    }
}
