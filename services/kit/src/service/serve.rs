//! Serving a router: no Nagle delay, no lost panic, one log line per failure, a bounded drain.

use super::observe::Observe;
use crate::trace::Callers;
use axum::Router;
use axum::serve::ListenerExt as _;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// How long open calls may take to finish once the process is told to end (R-GW-10).
pub const DRAIN_LIMIT: Duration = Duration::from_secs(30);

/// The listener failed.
#[derive(Debug, thiserror::Error)]
#[error("the listener failed")]
pub struct ServeError(#[from] std::io::Error);

/// Serves `router` on `listener` until `shutdown`: then takes no new connection, lets open calls
/// finish for at most [`DRAIN_LIMIT`], and returns. Handlers may ask for
/// `ConnectInfo<SocketAddr>`. Callers are believed what they say of traces: where strangers call, it is
/// [`serve_to`].
///
/// # Errors
/// When the listener fails.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    shutdown: CancellationToken,
) -> Result<(), ServeError> {
    serve_to(Callers::Services, listener, router, shutdown).await
}

/// As [`serve`], to `callers`.
///
/// # Errors
/// When the listener fails.
pub async fn serve_to(
    callers: Callers,
    listener: TcpListener,
    router: Router,
    shutdown: CancellationToken,
) -> Result<(), ServeError> {
    let listener = listener.tap_io(|stream| {
        // Without it a small answer waits up to 40 ms for the client's delayed acknowledgement.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY was refused");
        }
    });
    // One stack: a router boxes every layer it is given by itself.
    let stack = tower::ServiceBuilder::new()
        .layer(Observe::new(callers))
        .map_response(|response: axum::http::Response<_>| response.map(axum::body::Body::new))
        .layer(tower_http::catch_panic::CatchPanicLayer::custom(panicked));
    let router = router.layer(stack);
    let server = axum::serve(
        listener,
        router.into_make_service_with_connect_info::<SocketAddr>(),
    )
    .with_graceful_shutdown(shutdown.clone().cancelled_owned());
    tokio::select! {
        ended = server => ended.map_err(ServeError),
        () = overdue(&shutdown) => {
            tracing::warn!(limit_s = DRAIN_LIMIT.as_secs(), "calls still open were cut off");
            Ok(())
        }
    }
}

async fn overdue(shutdown: &CancellationToken) {
    shutdown.cancelled().await;
    tokio::time::sleep(DRAIN_LIMIT).await;
}

/// A panic is a defect: the caller gets the plain 500, the log its text.
#[expect(clippy::needless_pass_by_value, reason = "the signature is the layer's")]
fn panicked(panic: Box<dyn std::any::Any + Send>) -> axum::response::Response {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("a panic without text");
    let error = crate::ApiError::internal(format!("panic: {text}"));
    axum::response::IntoResponse::into_response(error)
}
