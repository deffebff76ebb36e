//! The guard as a tower layer.

use super::{Keys, Policy, Verdict, Waived, judge};
use axum::{
    body::Body,
    http::{HeaderValue, Request, Response, header},
};
use futures::future::{Either, Ready, ready};
use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tower::{Layer, Service};
use urr_kit::SharedClock;

/// Puts a guard in front of a service.
pub(crate) struct GuardLayer<P> {
    policy: Arc<P>,
    keys: Keys,
    clock: SharedClock,
}

impl<P> GuardLayer<P> {
    pub(crate) const fn new(policy: Arc<P>, keys: Keys, clock: SharedClock) -> Self {
        Self { policy, keys, clock }
    }
}

impl<S, P> Layer<S> for GuardLayer<P> {
    type Service = Guarded<S, P>;

    fn layer(&self, inner: S) -> Self::Service {
        Guarded {
            inner,
            policy: Arc::clone(&self.policy),
            keys: self.keys.clone(),
            clock: Arc::clone(&self.clock),
        }
    }
}

/// A service with a guard in front.
pub(crate) struct Guarded<S, P> {
    inner: S,
    policy: Arc<P>,
    keys: Keys,
    clock: SharedClock,
}

impl<S: Clone, P> Clone for Guarded<S, P> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            policy: Arc::clone(&self.policy),
            keys: self.keys.clone(),
            clock: Arc::clone(&self.clock),
        }
    }
}

type Answer = Result<Response<Body>, Infallible>;
type Going = Pin<Box<dyn Future<Output = Answer> + Send>>;

impl<S, P> Service<Request<Body>> for Guarded<S, P>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
    P: Policy,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Either<Ready<Answer>, Either<S::Future, Going>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let verdict = judge(&*self.policy, &self.keys, &request, self.clock.now());
        metrics::counter!("urr_guard_total", "verdict" => name(&verdict)).increment(1);
        match verdict {
            Verdict::Refused(answer) => Either::Left(ready(Ok(*answer))),
            Verdict::Open | Verdict::Waived(_) | Verdict::Shown { renewed: None } => {
                Either::Right(Either::Left(self.inner.call(request)))
            }
            Verdict::Shown {
                renewed: Some(cookie),
            } => {
                let going = self.inner.call(request);
                Either::Right(Either::Right(Box::pin(async move {
                    let mut response = going.await?;
                    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
                        response.headers_mut().append(header::SET_COOKIE, cookie);
                    }
                    Ok(response)
                })))
            }
        }
    }
}

const fn name(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Open => "open",
        Verdict::Shown { .. } => "shown",
        Verdict::Waived(Waived::RoomOff) => "room_off",
        Verdict::Waived(Waived::FailOpen) => "failed_open",
        Verdict::Refused(_) => "refused",
    }
}
