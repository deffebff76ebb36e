//! The bottom of a pipeline: a service that answers whatever comes down to it, be it with a refusal.

use axum::{
    body::Body,
    http::{Request, Response},
};
use futures::future::BoxFuture;
use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
};

/// What stands behind all layers.
pub(crate) trait Answers: Send + Sync + 'static {
    /// The answer, which always is one.
    fn answer(&self, request: Request<Body>) -> impl Future<Output = Response<Body>> + Send;
}

/// That as a service for layers to stand on. Cheap to clone.
pub(crate) struct Innermost<T>(Arc<T>);

impl<T> Innermost<T> {
    pub(crate) fn new(inner: T) -> Self {
        Self(Arc::new(inner))
    }
}

impl<T> Clone for Innermost<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: Answers> tower::Service<Request<Body>> for Innermost<T> {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let inner = Arc::clone(&self.0);
        Box::pin(async move { Ok(inner.answer(request).await) })
    }
}
