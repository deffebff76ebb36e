//! The last step inside: which service, whether it is well, how long it may take.

use crate::{
    innermost::Answers,
    proxy::Proxy,
    routes::{Backend, Backends, Room, room_of, under},
};
use axum::{
    body::Body,
    http::{Request, Response, StatusCode},
    response::IntoResponse,
};
use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};
use tower::ServiceExt;
use urr_core::time::Millis;
use urr_kit::{
    SharedClock,
    error::ApiError,
    identity::{Identity, Role, read_headers},
    internal::breaker::{self, Breaker, Outcome},
    trace::{self, Work},
};

/// 100 calls, half of them failures, 10 trials (R-RES-01). It rests for 2 s at first and at most 10:
/// the 60 s of S4 are longer than the rush of an opening, and a service restarts within a few.
fn limits(deadline: Duration) -> breaker::Limits {
    breaker::Limits {
        calls: 100,
        failures: 50,
        // Payments wait for a provider: slow is not failing here, the deadline is.
        slow_calls: 100,
        slow: deadline * 2,
        open: Duration::from_secs(2),
        open_max: Duration::from_secs(10),
        trials: 10,
    }
}

/// Hands a call on to its service.
pub(crate) struct Dispatch {
    backends: Backends,
    breakers: BTreeMap<Room, Mutex<Breaker>>,
    proxy: Proxy,
    deadline: Duration,
    clock: SharedClock,
    /// An instant and what the clock showed then: breakers count in instants.
    started: (Instant, Millis),
}

impl Dispatch {
    pub(crate) fn new(backends: Backends, proxy: Proxy, deadline: Duration, clock: SharedClock) -> Self {
        let breakers = Room::ALL
            .into_iter()
            .map(|room| (room, Mutex::new(Breaker::new(limits(deadline)))))
            .collect();
        let started = (Instant::now(), clock.now());
        Self {
            backends,
            breakers,
            proxy,
            deadline,
            clock,
            started,
        }
    }
}

impl Answers for Dispatch {
    async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let handed_on = self.hand_on(request).await;
        handed_on.unwrap_or_else(IntoResponse::into_response)
    }
}

impl Dispatch {
    async fn hand_on(&self, request: Request<Body>) -> Result<Response<Body>, ApiError> {
        let path = request.uri().path();
        if under(path, "/api/admin") {
            require_admin(read_headers(request.headers()).as_ref())?;
        }
        let unknown = || ApiError::not_found("Not found");
        let room = room_of(path).ok_or_else(unknown)?;
        let backend = self.backends.get(&room).ok_or_else(unknown)?;
        // A payment waits for the provider's ten seconds and more (R-GW-08, R-PAY-08).
        let deadline = if under(path, "/api/payments") {
            self.deadline * 2
        } else {
            self.deadline
        };
        let started = self.instant();
        if !self.with(room, |breaker| breaker.admits(started)) {
            return Err(resting());
        }
        let work = match backend {
            Backend::Mounted(_) => Work::Here,
            Backend::Remote(_) => Work::Elsewhere,
        };
        let span = trace::step(work, || room.name().to_owned());
        let answer = trace::within(span, async {
            match backend {
                Backend::Mounted(router) => {
                    let Ok(response) = router.clone().oneshot(request).await;
                    // It shares our process: an error it answers with was worth asking for.
                    (response, Outcome::Answered)
                }
                Backend::Remote(base) => self.proxy.send(room.name(), base, request).await,
            }
        });
        let answer = tokio::time::timeout(deadline, answer).await;
        let outcome = answer.as_ref().map_or(Outcome::Failed, |(_, outcome)| *outcome);
        let now = self.instant();
        self.with(room, |breaker| breaker.record(outcome, now - started, now));
        match answer {
            Ok((response, _)) => Ok(response),
            Err(_elapsed) => {
                tracing::warn!(
                    service = room.name(),
                    deadline_s = deadline.as_secs(),
                    "call exceeded its deadline"
                );
                Err(ApiError::with_status(
                    StatusCode::GATEWAY_TIMEOUT,
                    "The service took too long. Please retry.",
                ))
            }
        }
    }

    fn with<T>(&self, room: Room, act: impl FnOnce(&mut Breaker) -> T) -> T
    where
        T: Default,
    {
        self.breakers
            .get(&room)
            .map(|breaker| act(&mut breaker.lock().unwrap_or_else(PoisonError::into_inner)))
            .unwrap_or_default()
    }

    fn instant(&self) -> Instant {
        let (instant, then) = self.started;
        let ms = self.clock.now().since(then).max(0);
        instant + Duration::from_millis(ms.unsigned_abs())
    }
}

fn resting() -> ApiError {
    ApiError::unavailable("Service temporarily unavailable. Please retry.").with_field("retryAfter", 2)
}

fn require_admin(caller: Option<&Identity>) -> Result<(), ApiError> {
    match caller {
        None => Err(ApiError::unauthorized("Authentication required")),
        Some(identity) if identity.role != Role::Admin => Err(ApiError::forbidden("Admin role required")),
        Some(_) => Ok(()),
    }
}
