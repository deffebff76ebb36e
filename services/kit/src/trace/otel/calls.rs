//! Spans of calls to AWS, by a hook of the SDK.

use super::{Span, recorded};
use aws_sdk_dynamodb::config::interceptors::{
    BeforeSerializationInterceptorContextRef, FinalizerInterceptorContextRef,
};
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_types::config_bag::{Storable, StoreReplace};
use opentelemetry::KeyValue;
use opentelemetry::trace::{SpanBuilder, SpanKind, Status, TraceContextExt as _};

use crate::error::BoxError;

/// Makes a span of each call, with all of its attempts, inside a trace that is recorded.
#[derive(Debug)]
pub(crate) struct Calls;

/// The span of a call that is under way. A call that is given up drops it, which ends it.
#[derive(Debug)]
struct UnderWay(Span);

impl Storable for UnderWay {
    type Storer = StoreReplace<Self>;
}

impl Intercept for Calls {
    fn name(&self) -> &'static str {
        "Traces"
    }

    // Not `read_before_execution`: the call's name is not known there.
    fn read_before_serialization(
        &self,
        _: &BeforeSerializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some((tracer, parent)) = recorded() {
            let name = cfg.load::<Metadata>().map_or_else(
                || "AWS".to_owned(),
                |call| format!("{} {}", call.service(), call.name()),
            );
            let builder = SpanBuilder::from_name(name)
                .with_kind(SpanKind::Client)
                .with_attributes([KeyValue::new("rpc.system.name", "aws-api")]);
            let span = Span::begin(tracer, builder, &parent);
            cfg.interceptor_state().store_put(UnderWay(span));
        }
        Ok(())
    }

    fn read_after_execution(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(UnderWay(Span(call))) = cfg.load::<UnderWay>() {
            if context.output_or_error().is_some_and(|ended| ended.is_err()) {
                call.span().set_status(Status::error(""));
            }
            call.span().end();
        }
        Ok(())
    }
}
