//! One request's way through the gateway, step by step.

use crate::{
    Config, caller, gate, identity, layers,
    limiter::{Caller, Category, Limiter},
    proxy::Proxy,
    routes::{Backend, Backends, room_of, under},
    waiting_room,
};
use axum::{
    Router,
    body::Body,
    extract::State,
    http::{Request, Response, StatusCode, Uri, uri::PathAndQuery},
    response::IntoResponse,
};
use serde_json::json;
use std::{net::IpAddr, sync::Arc, time::Duration};
use tower::ServiceExt;
use urr_kit::{
    StartError,
    clock::SharedClock,
    ctx::Ctx,
    error::ApiError,
    identity::{AccessTokens, Identity, Role},
    secrets::Secrets,
    service::Service,
};

struct Gateway {
    backends: Backends,
    proxy: Proxy,
    tokens: AccessTokens,
    secrets: Arc<Secrets>,
    clock: SharedClock,
    deadline: Duration,
    limiter: Limiter,
    trusted_proxies: Vec<IpAddr>,
}

/// Builds the gateway in front of `backends`.
///
/// # Errors
/// When an allowed origin is not a valid header value or Redis is not configured.
pub async fn start(ctx: &Ctx, config: &Config, backends: Backends) -> Result<Service, StartError> {
    let direct = backends.clone();
    let gateway = Arc::new(Gateway {
        backends,
        proxy: Proxy::new(),
        tokens: AccessTokens::new(&ctx.secrets),
        secrets: Arc::clone(&ctx.secrets),
        clock: Arc::clone(&ctx.clock),
        deadline: Duration::from_secs(config.deadline_s),
        limiter: Limiter::new(ctx.redis().await?, config.clone()),
        trusted_proxies: config.trusted_proxies.clone(),
    });
    let router = Router::new().fallback(handle).with_state(gateway);
    let router = waiting_room::mount(layers::apply(router, config)?, &direct, config)?;
    Ok(Service {
        name: "gateway",
        router,
        internal: Router::new(),
        tasks: Vec::new(),
    })
}

async fn handle(State(gateway): State<Arc<Gateway>>, request: Request<Body>) -> Response<Body> {
    match gateway.route(request).await {
        Ok(response) => response,
        Err(error) => error.into_response(),
    }
}

impl Gateway {
    async fn route(&self, mut request: Request<Body>) -> Result<Response<Body>, ApiError> {
        unversion(request.uri_mut());
        let now = self.clock.now();
        let caller = identity::establish(request.headers_mut(), &self.tokens, now);
        let path = request.uri().path();
        if let Some(category) = Category::of(request.method(), path) {
            let who = caller.as_ref().map_or_else(
                || Caller::Address(caller::address(&request, &self.trusted_proxies)),
                |identity| Caller::User(identity.user_id),
            );
            if !self.limiter.allows(category, who, now).await {
                return Err(
                    ApiError::too_many_requests("Rate limit exceeded").with_field("retryAfter", json!(60))
                );
            }
        }
        if gate::guards(request.method(), path) {
            gate::check(request.headers(), caller.as_ref(), &self.secrets.entry_keys, now)?;
        }
        if under(path, "/api/admin") {
            require_admin(caller.as_ref())?;
        }
        let room = room_of(path).ok_or_else(|| ApiError::not_found("Not found"))?;
        let backend = self
            .backends
            .get(&room)
            .ok_or_else(|| ApiError::not_found("Not found"))?;
        // A payment waits for the provider's ten seconds and more (R-GW-08, R-PAY-08).
        let deadline = if under(path, "/api/payments") {
            self.deadline * 2
        } else {
            self.deadline
        };
        let answer = async {
            match backend {
                Backend::Mounted(router) => {
                    let Ok(response) = router.clone().oneshot(request).await;
                    response
                }
                Backend::Remote(base) => self.proxy.send(room.name(), base, request).await,
            }
        };
        tokio::time::timeout(deadline, answer).await.map_err(|_elapsed| {
            tracing::warn!(
                service = room.name(),
                deadline_s = deadline.as_secs(),
                "call exceeded its deadline"
            );
            ApiError::with_status(
                StatusCode::GATEWAY_TIMEOUT,
                "The service took too long. Please retry.",
            )
        })
    }
}

fn require_admin(caller: Option<&Identity>) -> Result<(), ApiError> {
    match caller {
        None => Err(ApiError::unauthorized("Authentication required")),
        Some(identity) if identity.role != Role::Admin => Err(ApiError::forbidden("Admin role required")),
        Some(_) => Ok(()),
    }
}

/// `/api/v1/X` is `/api/X` (R-GW-11). How a v2 would come: its own prefix here, routed to the
/// same rooms with a header that names the version, until no client sends v1.
fn unversion(uri: &mut Uri) {
    let Some(rest) = uri.path().strip_prefix("/api/v1") else {
        return;
    };
    if !rest.starts_with('/') {
        return;
    }
    let rewritten = match uri.query() {
        Some(query) => format!("/api{rest}?{query}"),
        None => format!("/api{rest}"),
    };
    if let Ok(path_and_query) = PathAndQuery::try_from(rewritten) {
        let mut parts = std::mem::take(uri).into_parts();
        parts.path_and_query = Some(path_and_query);
        if let Ok(changed) = Uri::from_parts(parts) {
            *uri = changed;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versioned_and_unversioned_paths_are_the_same() {
        for (from, to) in [
            ("/api/v1/events?page=2", "/api/events?page=2"),
            ("/api/events", "/api/events"),
            ("/api/v1x/events", "/api/v1x/events"),
            ("/api/v1", "/api/v1"),
            ("http://h:1/api/v1/time", "http://h:1/api/time"),
        ] {
            let mut uri: Uri = from.parse().unwrap();
            unversion(&mut uri);
            assert_eq!(uri.to_string(), to);
        }
    }
}
