//! The door of `/internal/**`: services prove themselves with a bearer token.
//!
//! 401 without one, 403 with a wrong one. The comparison takes the same time wherever the first
//! difference is.

use crate::error::ApiError;
use crate::secrets::Secrets;
use axum::response::{IntoResponse as _, Response};
use futures::future::{Either, Ready, ready};
use http::{HeaderMap, Request, header};
use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};
use subtle::ConstantTimeEq as _;
use tower::{Layer, Service};

/// A layer that lets only calls with the internal token through.
#[derive(Clone)]
pub struct InternalGuard {
    token: Arc<str>,
}

/// The guard for a router of internal routes: `router.layer(require_internal(&ctx.secrets))`.
#[must_use]
pub fn require_internal(secrets: &Secrets) -> InternalGuard {
    InternalGuard {
        token: secrets.internal_api_token.as_str().into(),
    }
}

impl InternalGuard {
    /// Another token than the internal one, for example the control API's.
    #[must_use]
    pub fn with_token(token: &str) -> Self {
        Self { token: token.into() }
    }

    fn check(&self, headers: &HeaderMap) -> Result<(), ApiError> {
        let bearer = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Bearer "))
            // What upstream's auth service takes instead.
            .or_else(|| {
                headers
                    .get("x-internal-token")
                    .and_then(|value| value.to_str().ok())
            })
            .ok_or_else(|| ApiError::unauthorized("Internal token required"))?;
        if bool::from(bearer.trim().as_bytes().ct_eq(self.token.as_bytes())) {
            Ok(())
        } else {
            Err(ApiError::forbidden("Invalid internal token"))
        }
    }
}

impl<S> Layer<S> for InternalGuard {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Guarded<S> {
        Guarded {
            guard: self.clone(),
            inner,
        }
    }
}

/// A service behind an [`InternalGuard`].
#[derive(Clone)]
pub struct Guarded<S> {
    guard: InternalGuard,
    inner: S,
}

impl<S, B> Service<Request<B>> for Guarded<S>
where
    S: Service<Request<B>, Response = Response, Error = Infallible>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Either<S::Future, Ready<Result<Response, Infallible>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        match self.guard.check(request.headers()) {
            Ok(()) => Either::Left(self.inner.call(request)),
            Err(refusal) => Either::Right(ready(Ok(refusal.into_response()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::{Router, body::Body, routing::get};
    use tower::ServiceExt as _;

    async fn status(header: Option<(&str, &str)>) -> u16 {
        let app = Router::new()
            .route("/internal/x", get(|| async { "in" }))
            .layer(InternalGuard::with_token("the-right-token"));
        let mut request = Request::get("/internal/x");
        if let Some((name, value)) = header {
            request = request.header(name, value);
        }
        app.oneshot(request.body(Body::empty()).unwrap())
            .await
            .unwrap()
            .status()
            .as_u16()
    }

    #[tokio::test]
    async fn only_the_internal_token_opens_internal_routes() {
        // R-SEC-01, api-contract section 13.
        assert_eq!(status(None).await, 401);
        assert_eq!(status(Some(("authorization", "Bearer wrong"))).await, 403);
        assert_eq!(
            status(Some(("authorization", "Bearer the-right-token"))).await,
            200
        );
        assert_eq!(
            status(Some(("authorization", "Basic the-right-token"))).await,
            401
        );
        assert_eq!(status(Some(("x-internal-token", "the-right-token"))).await, 200);
    }
}
