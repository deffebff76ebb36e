//! From ended spans to the collector: a bounded queue, a thread of its own, and every loss counted.
//!
//! What breaks if it changes: requests that wait for a collector, or memory that fills while it is away.

use super::TRACER;
use super::line::{Line, WithIds};
use super::statements::{OfRecorded, Statements};
use crate::start::StartError;
use crate::telemetry::{self, LogFormat, LogSettings};
use crate::trace::{SamplerName, TraceSettings};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{Protocol, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracerProvider, Span, SpanData, SpanExporter,
    SpanProcessor,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

/// Spans that are waiting or on their way: at some 700 bytes each six MiB, and a collector that is away for
/// seconds loses nothing of what a share of an opening makes. More are dropped and counted.
const WAITING_MAX: usize = 8192;
/// How long the end of a process waits for the last spans; a collector that is away must not keep it.
const FINISH_WITHIN: Duration = Duration::from_secs(3);

/// Keeps the exporter going.
#[derive(Debug)]
pub struct Guard(SdkTracerProvider);

impl Guard {
    /// Sends what is still waiting, for some seconds at most. Blocks; call it when the runtime has ended.
    pub fn finish(self) {
        if let Err(error) = self.0.shutdown_with_timeout(FINISH_WITHIN) {
            tracing::warn!(%error, "the last spans were not sent");
        }
    }
}

/// Starts the log with ids in its lines, and the traces of this process. Later calls do nothing.
///
/// # Errors
/// When the endpoint is no URL.
pub(crate) fn begin(
    log: &LogSettings,
    settings: &TraceSettings,
    service: &str,
    url: &str,
) -> Result<Option<Guard>, StartError> {
    let provider = provider(settings, service, url)?;
    let registry = tracing_subscriber::registry().with(Statements.with_filter(OfRecorded));
    let installed = match log.log_format {
        LogFormat::Plain => registry
            .with(
                telemetry::lines()
                    .map_event_format(|inner| WithIds {
                        inner,
                        line: Line::Plain,
                    })
                    .with_filter(log.filter()),
            )
            .try_init(),
        LogFormat::Json => registry
            .with(
                telemetry::lines()
                    .json()
                    .flatten_event(true)
                    .map_event_format(|inner| WithIds {
                        inner,
                        line: Line::Json,
                    })
                    .with_filter(log.filter()),
            )
            .try_init(),
    };
    if installed.is_err() || TRACER.set(provider.tracer("urr")).is_err() {
        return Ok(None);
    }
    Ok(Some(Guard(provider)))
}

fn provider(settings: &TraceSettings, service: &str, url: &str) -> Result<SdkTracerProvider, StartError> {
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(url)
        .build()
        .map_err(|error| StartError::BadSetting {
            variable: "OTEL_EXPORTER_OTLP_ENDPOINT",
            problem: error.to_string(),
        })?;
    let waiting = Arc::new(AtomicUsize::new(0));
    let batches = BatchSpanProcessor::builder(Counted {
        exporter,
        waiting: Arc::clone(&waiting),
        is_failing: AtomicBool::new(false),
    })
    // Delay and size of a batch as OTEL_BSP_* say; the queue is bounded before it.
    .with_batch_config(
        BatchConfigBuilder::default()
            .with_max_queue_size(WAITING_MAX)
            .build(),
    )
    .build();
    let name = settings
        .otel_service_name
        .as_deref()
        .filter(|name| !name.trim().is_empty())
        .unwrap_or(service);
    let resource = Resource::builder()
        .with_service_name(name.to_owned())
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build();
    Ok(SdkTracerProvider::builder()
        .with_span_processor(Bounded { batches, waiting })
        .with_sampler(sampler(settings))
        .with_resource(resource)
        .build())
}

fn sampler(settings: &TraceSettings) -> Sampler {
    let ratio = Sampler::TraceIdRatioBased(settings.traces_sampler_arg);
    match settings.traces_sampler {
        SamplerName::AlwaysOn => Sampler::AlwaysOn,
        SamplerName::AlwaysOff => Sampler::AlwaysOff,
        SamplerName::Ratio => ratio,
        SamplerName::ParentOrOn => Sampler::ParentBased(Box::new(Sampler::AlwaysOn)),
        SamplerName::ParentOrOff => Sampler::ParentBased(Box::new(Sampler::AlwaysOff)),
        SamplerName::ParentOrRatio => Sampler::ParentBased(Box::new(ratio)),
    }
}

fn count(outcome: &'static str, spans: usize) {
    metrics::counter!("urr_trace_spans_total", "outcome" => outcome).increment(spans as u64);
}

/// Takes ended spans while there is room. The SDK drops too, but tells nobody until the process ends.
#[derive(Debug)]
struct Bounded {
    batches: BatchSpanProcessor,
    /// Taken and neither sent nor lost.
    waiting: Arc<AtomicUsize>,
}

impl SpanProcessor for Bounded {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        if !span.span_context.is_sampled() {
            return;
        }
        if self.waiting.fetch_add(1, Ordering::Relaxed) < WAITING_MAX {
            self.batches.on_end(span);
        } else {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            count("dropped", 1);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.batches.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.batches.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.batches.set_resource(resource);
    }
}

/// Sends batches, on the processor's thread.
#[derive(Debug)]
struct Counted<E> {
    exporter: E,
    waiting: Arc<AtomicUsize>,
    is_failing: AtomicBool,
}

impl<E: SpanExporter> SpanExporter for Counted<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        let sent = self.exporter.export(batch).await;
        self.waiting.fetch_sub(spans, Ordering::Relaxed);
        count(if sent.is_ok() { "sent" } else { "failed" }, spans);
        // Once per outage.
        let was_failing = self.is_failing.swap(sent.is_err(), Ordering::Relaxed);
        match &sent {
            Err(error) if !was_failing => tracing::warn!(%error, "spans cannot be sent and are lost"),
            Ok(()) if was_failing => tracing::info!("spans are sent again"),
            _ => {}
        }
        sent
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry::trace::{Span as _, Tracer as _};
    use std::sync::mpsc;
    use std::sync::{Mutex, PoisonError};

    /// A collector that answers only when it is let.
    #[derive(Debug)]
    struct Hangs(Mutex<mpsc::Receiver<()>>, Arc<AtomicUsize>);

    impl SpanExporter for Hangs {
        async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
            // Ends when the test lets go.
            let _ = self.0.lock().unwrap_or_else(PoisonError::into_inner).recv();
            self.1.fetch_add(batch.len(), Ordering::SeqCst);
            Ok(())
        }
    }

    #[test]
    fn a_collector_that_hangs_costs_a_bounded_queue_and_nobodys_time() {
        let (go_on, hangs) = mpsc::channel();
        let (waiting, sent) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let counted = Counted {
            exporter: Hangs(Mutex::new(hangs), Arc::clone(&sent)),
            waiting: Arc::clone(&waiting),
            is_failing: AtomicBool::new(false),
        };
        let config = BatchConfigBuilder::default()
            .with_max_queue_size(WAITING_MAX)
            .build();
        let batches = BatchSpanProcessor::builder(counted)
            .with_batch_config(config)
            .build();
        let provider = SdkTracerProvider::builder()
            .with_span_processor(Bounded {
                batches,
                waiting: Arc::clone(&waiting),
            })
            .build();
        let tracer = provider.tracer("test");
        // Ends at all: whoever waited for the collector would wait for ever.
        for _ in 0..WAITING_MAX + 1000 {
            tracer.start("span").end();
        }
        assert_eq!(waiting.load(Ordering::SeqCst), WAITING_MAX, "1000 were dropped");
        drop(go_on);
        provider.shutdown_with_timeout(Duration::from_secs(60)).unwrap();
        assert_eq!(sent.load(Ordering::SeqCst), WAITING_MAX, "what was taken is sent");
        assert_eq!(waiting.load(Ordering::SeqCst), 0);
    }

    #[test]
    fn an_endpoint_that_is_no_url_is_refused_at_the_start() {
        let refused = provider(&TraceSettings::default(), "urr", "not a url").unwrap_err();
        assert!(
            refused.to_string().contains("OTEL_EXPORTER_OTLP_ENDPOINT"),
            "{refused}"
        );
    }
}
