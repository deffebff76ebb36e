//! The ids of the current trace in each line of the log.

use super::current;
use opentelemetry::trace::SpanContext;
use std::fmt;
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// How a line ends, and with that where the ids go.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Line {
    /// `... trace_id=.. span_id=..`
    Plain,
    /// `{.., "trace_id":"..","span_id":".."}`
    Json,
}

/// Lines of `inner`, with the ids when there is a trace.
pub(crate) struct WithIds<E> {
    pub(crate) inner: E,
    pub(crate) line: Line,
}

impl<S, N, E> FormatEvent<S, N> for WithIds<E>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    E: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let Some(ids) = current() else {
            return self.inner.format_event(context, writer, event);
        };
        let mut line = String::new();
        self.inner.format_event(context, Writer::new(&mut line), event)?;
        writer.write_str(&self.line.with(line.trim_end(), &ids))
    }
}

impl Line {
    fn with(self, line: &str, ids: &SpanContext) -> String {
        let (trace, span) = (ids.trace_id(), ids.span_id());
        match (self, line.strip_suffix('}')) {
            (Self::Json, Some(open)) => {
                format!("{open},\"trace_id\":\"{trace}\",\"span_id\":\"{span}\"}}\n")
            }
            (Self::Json, None) | (Self::Plain, _) => format!("{line} trace_id={trace} span_id={span}\n"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry::trace::{SpanId, TraceFlags, TraceId, TraceState};

    #[test]
    fn a_line_keeps_its_form() {
        let ids = SpanContext::new(
            TraceId::from(1),
            SpanId::from(2),
            TraceFlags::SAMPLED,
            false,
            TraceState::NONE,
        );
        let line = Line::Json.with(r#"{"message":"a } b","n":1}"#, &ids);
        assert!(line.ends_with('\n'));
        let parsed: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(parsed["message"], "a } b");
        assert_eq!(parsed["trace_id"], format!("{:032x}", 1));
        assert_eq!(parsed["span_id"], format!("{:016x}", 2));
        let line = Line::Plain.with("INFO x: done", &ids);
        assert_eq!(
            line,
            format!("INFO x: done trace_id={:032x} span_id={:016x}\n", 1, 2)
        );
    }
}
