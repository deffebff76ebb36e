//! Spans of statements, from the events that sqlx tells of each of them anyway.
//!
//! Services hand pools and transactions around; a wrapper around those would be in every signature. sqlx tells
//! at `debug` what a statement took, once it has ended, in the task that waited for it. Told only in a trace
//! that is recorded: elsewhere sqlx asks and is refused before it makes anything.

use super::{is_recorded, recorded};
use opentelemetry::KeyValue;
use opentelemetry::trace::{Span as _, SpanBuilder, SpanKind, Tracer as _};
use std::fmt::Debug;
use std::time::{Duration, SystemTime};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Metadata, Subscriber, subscriber::Interest};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, Filter};

/// Where sqlx tells of statements.
const TARGET: &str = "sqlx::query";

/// Makes a span of each statement's event.
pub(super) struct Statements;

impl<S: Subscriber> Layer<S> for Statements {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let Some((tracer, parent)) = recorded() else {
            return;
        };
        let mut told = Told::default();
        event.record(&mut told);
        let end = SystemTime::now();
        let start = end.checked_sub(told.took).unwrap_or(end);
        let builder = SpanBuilder::from_name(told.summary)
            .with_kind(SpanKind::Client)
            .with_start_time(start)
            .with_attributes([
                KeyValue::new("db.system.name", "postgresql"),
                KeyValue::new("db.response.returned_rows", told.rows),
            ]);
        tracer
            .build_with_context(builder, &parent)
            .end_with_timestamp(end);
    }
}

/// What sqlx says of a statement: its first words, never a value.
#[derive(Default)]
struct Told {
    summary: String,
    took: Duration,
    rows: i64,
}

impl Visit for Told {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "summary" {
            value.clone_into(&mut self.summary);
        }
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        if field.name() == "elapsed_secs" {
            self.took = Duration::try_from_secs_f64(value).unwrap_or_default();
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "rows_returned" {
            self.rows = i64::try_from(value).unwrap_or(i64::MAX);
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn Debug) {}
}

/// Lets through what sqlx tells within a trace that is recorded, and nothing else.
pub(super) struct OfRecorded;

impl<S> Filter<S> for OfRecorded {
    fn enabled(&self, meta: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        meta.target() == TARGET && is_recorded()
    }

    fn callsite_enabled(&self, meta: &'static Metadata<'static>) -> Interest {
        if meta.target() == TARGET {
            Interest::sometimes()
        } else {
            Interest::never()
        }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::DEBUG)
    }
}
