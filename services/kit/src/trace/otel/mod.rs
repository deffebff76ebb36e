//! Traces by OpenTelemetry, without `tracing`'s spans in between: decision 0025.

mod calls;
mod export;
mod line;
mod statements;

pub(crate) use calls::Calls;
pub use export::Guard;
pub(crate) use export::begin;

use super::{Note, Work};
use crate::events::Envelope;
use futures::future::Either;
use http::{HeaderMap, Method};
use opentelemetry::context::{FutureExt as _, WithContext};
use opentelemetry::propagation::{Extractor, TextMapPropagator as _};
use opentelemetry::trace::{
    Link, SpanBuilder, SpanContext, SpanKind, Status, TraceContextExt as _, TraceFlags, TraceState,
    Tracer as _,
};
use opentelemetry::{Context, KeyValue, Value};
use opentelemetry_http::{HeaderExtractor, HeaderInjector};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracer;
use std::borrow::Cow;
use std::sync::OnceLock;

/// Makes the spans of this process. Not set: there are none.
static TRACER: OnceLock<SdkTracer> = OnceLock::new();

/// A span that has begun. It ends when the future that it is given to does, or is dropped.
#[derive(Debug)]
pub struct Span(Context);

impl Span {
    fn begin(tracer: &SdkTracer, builder: SpanBuilder, parent: &Context) -> Self {
        let span = tracer.build_with_context(builder, parent);
        Self(parent.with_span(span))
    }
}

pub(super) fn on() -> bool {
    TRACER.get().is_some()
}

pub(super) fn server(method: &Method, headers: &HeaderMap, is_believed: bool) -> Option<Span> {
    let tracer = TRACER.get()?;
    // Until the route is known the method alone: a path would be a name of its own for each id in it.
    let method = method_name(method);
    let mut builder = SpanBuilder::from_name(method)
        .with_kind(SpanKind::Server)
        .with_attributes([KeyValue::new("http.request.method", method)]);
    let theirs =
        TraceContextPropagator::new().extract_with_context(&Context::new(), &HeaderExtractor(headers));
    if is_believed {
        return Some(Span::begin(tracer, builder, &theirs));
    }
    let stranger = theirs.span().span_context().clone();
    if stranger.is_valid() {
        builder = builder.with_links(vec![Link::with_context(without_state(&stranger))]);
    }
    Some(Span::begin(tracer, builder, &Context::new()))
}

/// Only the ids: a stranger's state is text of a stranger's length.
fn without_state(context: &SpanContext) -> SpanContext {
    SpanContext::new(
        context.trace_id(),
        context.span_id(),
        TraceFlags::default(),
        true,
        TraceState::NONE,
    )
}

pub(super) fn consumer(group: &'static str, event: &Envelope) -> Option<Span> {
    let tracer = TRACER.get()?;
    let parent = parent(event.traceparent.as_deref()?)?;
    let builder = SpanBuilder::from_name(format!("process {}", event.kind))
        .with_kind(SpanKind::Consumer)
        .with_attributes([
            KeyValue::new("messaging.consumer.group.name", group),
            KeyValue::new("messaging.message.id", event.event_id.to_string()),
        ]);
    Some(Span::begin(tracer, builder, &parent))
}

pub(super) fn producer(topic: &str, event: &str) -> Option<Span> {
    #[derive(serde::Deserialize)]
    struct Carrier<'a> {
        #[serde(borrow)]
        traceparent: Option<Cow<'a, str>>,
    }
    let tracer = TRACER.get()?;
    let carrier: Carrier<'_> = serde_json::from_str(event).ok()?;
    let parent = parent(&carrier.traceparent?)?;
    let builder = SpanBuilder::from_name(format!("publish {topic}")).with_kind(SpanKind::Producer);
    Some(Span::begin(tracer, builder, &parent))
}

/// The context that `traceparent` says, if it says one.
fn parent(traceparent: &str) -> Option<Context> {
    struct Carrier<'a>(&'a str);
    impl Extractor for Carrier<'_> {
        fn get(&self, key: &str) -> Option<&str> {
            (key == "traceparent").then_some(self.0)
        }
        fn keys(&self) -> Vec<&str> {
            vec!["traceparent"]
        }
    }
    let parent = TraceContextPropagator::new().extract_with_context(&Context::new(), &Carrier(traceparent));
    parent.span().span_context().is_valid().then_some(parent)
}

pub(super) fn root(name: &'static str) -> Option<Span> {
    let tracer = TRACER.get()?;
    Some(Span::begin(tracer, SpanBuilder::from_name(name), &Context::new()))
}

pub(super) fn step(work: Work, name: impl FnOnce() -> String) -> Option<Span> {
    let (tracer, parent) = recorded()?;
    let kind = match work {
        Work::Here => SpanKind::Internal,
        Work::Elsewhere => SpanKind::Client,
    };
    let builder = SpanBuilder::from_name(name()).with_kind(kind);
    Some(Span::begin(tracer, builder, &parent))
}

/// The current context, if its trace is recorded.
fn recorded() -> Option<(&'static SdkTracer, Context)> {
    let tracer = TRACER.get()?;
    let parent = Context::map_current(|current| {
        current
            .span()
            .span_context()
            .is_sampled()
            .then(|| current.clone())
    })?;
    Some((tracer, parent))
}

fn is_recorded() -> bool {
    on() && Context::map_current(|current| current.span().span_context().is_sampled())
}

pub(super) fn within<F: Future>(
    span: Option<Span>,
    future: F,
) -> Either<WithContext<impl Future<Output = F::Output>>, F> {
    match span {
        None => Either::Right(future),
        Some(Span(context)) => {
            let ending = async move {
                let output = future.await;
                // Now, not when the last task that took the span along has ended.
                Context::map_current(|current| current.span().end());
                output
            };
            Either::Left(ending.with_context(context))
        }
    }
}

pub(super) fn carried<F: Future>(future: F) -> Either<WithContext<F>, F> {
    if on() {
        Either::Left(future.with_current_context())
    } else {
        Either::Right(future)
    }
}

pub(super) fn note(key: &'static str, value: Note) {
    if is_recorded() {
        let value = match value {
            Note::Name(name) => Value::from(name),
            Note::Text(text) => Value::from(text),
            Note::Number(number) => Value::from(number),
        };
        Context::map_current(|current| current.span().set_attribute(KeyValue::new(key, value)));
    }
}

pub(super) fn name(name: impl FnOnce() -> String) {
    if is_recorded() {
        Context::map_current(|current| current.span().update_name(name()));
    }
}

pub(super) fn failed() {
    if is_recorded() {
        Context::map_current(|current| current.span().set_status(Status::error("")));
    }
}

pub(super) fn inject(headers: &mut HeaderMap) {
    if on() {
        // Nothing is said when there is no current span.
        TraceContextPropagator::new().inject(&mut HeaderInjector(headers));
    }
}

pub(super) fn traceparent() -> Option<String> {
    if !on() {
        return None;
    }
    let context = current()?;
    Some(format!(
        "00-{}-{}-{:02x}",
        context.trace_id(),
        context.span_id(),
        context.trace_flags()
    ))
}

/// The ids of the current span, recorded or not.
fn current() -> Option<SpanContext> {
    Context::map_current(|current| {
        let span = current.span();
        let context = span.span_context();
        context.is_valid().then(|| context.clone())
    })
}

/// Names of methods that the standard knows: others would be as many as a stranger thinks of.
const fn method_name(method: &Method) -> &'static str {
    crate::service::method_name(method)
}
