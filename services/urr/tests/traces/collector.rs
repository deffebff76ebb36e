//! A collector: takes OTLP over HTTP and remembers the spans.

use axum::{Router, body::Bytes, extract::State, routing::post};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{KeyValue, any_value::Value},
    trace::v1::span::SpanKind,
};
use prost::Message as _;
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::task::JoinSet;
use urr_kit::testing::eventually;

/// A span as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Span {
    pub(crate) service: String,
    pub(crate) name: String,
    pub(crate) kind: SpanKind,
    pub(crate) trace: String,
    pub(crate) id: String,
    /// Empty at the root.
    pub(crate) parent: String,
    /// Trace ids of its links.
    pub(crate) links: Vec<String>,
    pub(crate) store: Option<String>,
}

#[derive(Default)]
struct Arrived(Mutex<Vec<Span>>);

pub(crate) struct Collector {
    pub(crate) url: String,
    arrived: Arc<Arrived>,
    _serving: JoinSet<()>,
}

impl Collector {
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let arrived = Arc::new(Arrived::default());
        let router = Router::new()
            .route("/v1/traces", post(take))
            .with_state(Arc::clone(&arrived));
        let mut serving = JoinSet::new();
        serving.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            url,
            arrived,
            _serving: serving,
        }
    }

    pub(crate) fn spans(&self) -> Vec<Span> {
        self.arrived.0.lock().unwrap().clone()
    }

    /// The spans of the trace in which `is_it` is, once `is_whole` holds of them.
    pub(crate) async fn trace(
        &self,
        is_it: impl Fn(&Span) -> bool,
        is_whole: impl Fn(&[Span]) -> bool,
    ) -> Vec<Span> {
        let of_trace = || {
            let spans = self.spans();
            let trace = spans
                .iter()
                .find(|span| is_it(span))
                .map(|span| span.trace.clone());
            let trace = trace.unwrap_or_default();
            spans
                .into_iter()
                .filter(|span| span.trace == trace)
                .collect::<Vec<Span>>()
        };
        let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
        loop {
            let spans = of_trace();
            if is_whole(&spans) {
                return spans;
            }
            assert!(
                tokio::time::Instant::now() < deadline,
                "the trace is not whole; there is {:#?}\nof {} spans",
                spans,
                self.spans().len()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub(crate) async fn until(&self, what: &str, is_there: impl Fn(&[Span]) -> bool) {
        eventually(Duration::from_secs(60), what, async || is_there(&self.spans())).await;
    }
}

async fn take(State(arrived): State<Arc<Arrived>>, body: Bytes) -> Bytes {
    let request = ExportTraceServiceRequest::decode(body).expect("it is OTLP");
    let mut spans = arrived.0.lock().unwrap();
    for resource in request.resource_spans {
        let attributes = resource.resource.map(|resource| resource.attributes);
        let service = text(&attributes.unwrap_or_default(), "service.name").unwrap_or_default();
        for span in resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
            spans.push(Span {
                service: service.clone(),
                kind: span.kind(),
                store: text(&span.attributes, "db.system.name")
                    .or_else(|| text(&span.attributes, "rpc.system.name")),
                name: span.name,
                trace: hex(&span.trace_id),
                id: hex(&span.span_id),
                parent: hex(&span.parent_span_id),
                links: span.links.iter().map(|link| hex(&link.trace_id)).collect(),
            });
        }
    }
    // All of them were taken: nothing more to say.
    Bytes::new()
}

fn text(attributes: &[KeyValue], key: &str) -> Option<String> {
    let attribute = attributes.iter().find(|attribute| attribute.key == key)?;
    match attribute.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text.clone()),
        _ => None,
    }
}

fn hex(id: &[u8]) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}
