//! One request's way through the gateway, step by step.

use crate::{
    Config,
    bursts::{Bursts, is_join},
    caller::{self, Caller},
    denylist::Denylist,
    dispatch::Dispatch,
    gate::Gate,
    guard::{GuardLayer, Guarded, Keys},
    identity,
    innermost::Innermost,
    layers,
    limiter::{Category, Limiter},
    proxy::Proxy,
    routes::Backends,
    waiting_room,
};
use axum::{
    Router,
    body::Body,
    extract::State,
    http::{Request, Response, Uri, uri::PathAndQuery},
    response::IntoResponse,
};
use serde_json::json;
use std::{net::IpAddr, sync::Arc, time::Duration};
use tower::{Layer, ServiceExt};
use urr_core::time::Millis;
use urr_kit::{
    StartError,
    clock::SharedClock,
    ctx::Ctx,
    error::ApiError,
    identity::{AccessTokens, strip_headers},
    service::Service,
};

struct Gateway {
    tokens: AccessTokens,
    denylist: Denylist,
    bursts: Arc<Bursts>,
    limiter: Limiter,
    trusted_proxies: Vec<IpAddr>,
    clock: SharedClock,
    /// The entry gate, and the services behind it.
    inside: Guarded<Innermost<Dispatch>, Gate>,
}

/// Builds the gateway in front of `backends`.
///
/// # Errors
/// When an allowed origin is not a valid header value or Redis is not configured.
pub async fn start(ctx: &Ctx, config: &Config, backends: Backends) -> Result<Service, StartError> {
    let direct = backends.clone();
    let redis = ctx.redis().await?;
    let clock = Arc::clone(&ctx.clock);
    let deadline = Duration::from_secs(config.deadline_s);
    let keys = Keys {
        // Nobody shows a pass here: the queue takes it and verifies it.
        pass: None,
        entry: Some(ctx.secrets.entry_keys.clone()),
    };
    let gate = GuardLayer::new(Arc::new(Gate), keys, Arc::clone(&clock));
    let inside = Dispatch::new(backends, Proxy::new(), deadline, Arc::clone(&clock));
    let bursts = Arc::new(Bursts::new(config.clone()));
    let joins = waiting_room::Joins {
        bursts: Arc::clone(&bursts),
        trusted_proxies: config.trusted_proxies.clone(),
        clock: Arc::clone(&clock),
    };
    let gateway = Arc::new(Gateway {
        tokens: AccessTokens::new(&ctx.secrets),
        denylist: Denylist::new(redis.clone()),
        bursts,
        limiter: Limiter::new(redis, config.clone()),
        trusted_proxies: config.trusted_proxies.clone(),
        clock,
        inside: gate.layer(Innermost::new(inside)),
    });
    let router = Router::new().fallback(handle).with_state(gateway);
    let router = waiting_room::mount(layers::apply(router, config)?, &direct, config, joins)?;
    // Whether load may be sent here is asked of the front door.
    let router = match urr_kit::load_consent::from_env()? {
        Some(consent) => router.merge(consent),
        None => router,
    };
    Ok(Service {
        name: "gateway",
        router,
        internal: Router::new(),
        tasks: Vec::new(),
    })
}

async fn handle(State(gateway): State<Arc<Gateway>>, request: Request<Body>) -> Response<Body> {
    match gateway.admit(request).await {
        Ok(request) => {
            let Ok(response) = gateway.inside.clone().oneshot(request).await;
            response
        }
        Err(refusal) => refusal.into_response(),
    }
}

impl Gateway {
    /// Everything before the entry gate: the version, who calls, and how often.
    async fn admit(&self, mut request: Request<Body>) -> Result<Request<Body>, ApiError> {
        unversion(request.uri_mut());
        let now = self.clock.now();
        let known = identity::establish(request.headers_mut(), &self.tokens, now);
        let (method, path) = (request.method(), request.uri().path());
        let address = caller::address(&request, &self.trusted_proxies);
        let caller = known.as_ref().map_or(Caller::Address(address), |known| {
            Caller::User(known.identity.user_id)
        });
        let limited = Category::of(method, path);
        let is_counted = limited.is_some() || is_join(method, path);
        if is_counted && !self.bursts.allows(method, path, caller, address, now) {
            return Err(too_many(1));
        }
        let (allowed, denied) = tokio::join!(self.allows(limited, caller, now), async {
            match &known {
                Some(known) => self.denylist.denies(&known.token).await,
                None => false,
            }
        });
        if !allowed {
            return Err(too_many(60));
        }
        if denied {
            // As with a token that has expired, the call goes on as nobody's.
            strip_headers(request.headers_mut());
        }
        Ok(request)
    }

    async fn allows(&self, category: Option<Category>, caller: Caller, now: Millis) -> bool {
        match category {
            Some(category) => self.limiter.allows(category, caller, now).await,
            None => true,
        }
    }
}

pub(crate) fn too_many(retry_after_s: u32) -> ApiError {
    ApiError::too_many_requests("Rate limit exceeded").with_field("retryAfter", json!(retry_after_s))
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
