//! What a service is once it has started, and how it is served, watched and ended.

pub mod health;
mod observe;
mod pulse;
mod serve;
mod supervise;

pub use health::ops;
#[cfg(feature = "otel")]
pub(crate) use observe::method_name;
pub use observe::routed;
pub use serve::{DRAIN_LIMIT, ServeError, serve, serve_to};
pub use supervise::{TaskFailure, supervise};

use crate::error::{ApiError, BoxError};
use axum::Router;
use futures::future::BoxFuture;
use std::fmt;

/// A started service: routes to mount and tasks to supervise.
pub struct Service {
    /// Its name, as in `/health` and the logs.
    pub name: &'static str,
    /// Public routes, `/api/**`, without a version.
    pub router: Router,
    /// Internal routes, `/internal/**`, already guarded.
    pub internal: Router,
    /// What runs beside the requests.
    pub tasks: Vec<Task>,
}

impl Service {
    /// The routes of a process that runs this service alone: public, internal and ops, and a JSON
    /// body for what is not there.
    pub fn app(&self, ctx: &crate::Ctx) -> Router {
        Router::new()
            .merge(self.router.clone())
            .merge(self.internal.clone())
            .merge(ops(self.name, ctx))
            .fallback(not_found)
    }
}

/// The answer to a path nobody serves.
pub async fn not_found() -> ApiError {
    ApiError::not_found("Not found")
}

/// Something that runs as long as the process: a relay, a consumer, a sweep.
///
/// It ends with `Ok` only after the shutdown token was cancelled; ending earlier, or with `Err`,
/// ends the process, because a service without its sweeps looks healthy and is not.
pub struct Task {
    /// Its name, for the log.
    pub name: &'static str,
    /// The work.
    pub future: BoxFuture<'static, Result<(), BoxError>>,
}

impl Task {
    /// A task of that name.
    pub fn new(
        name: &'static str,
        future: impl Future<Output = Result<(), BoxError>> + Send + 'static,
    ) -> Self {
        Self {
            name,
            future: Box::pin(future),
        }
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
