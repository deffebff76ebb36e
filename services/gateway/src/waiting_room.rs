//! The waiting room's own door.
//!
//! A poll compares two numbers; identity, limits and routing by table cost several times as much.
//! Its paths need none of them: nobody is logged in there, and pacing is its limit. Only joins are
//! counted by address, for each can take a place. So where `vwr`
//! and its page run in this process their public paths are mounted beside the pipeline, as an
//! ingress sends them to `vwr` directly in a cluster. Only `/vwr-api/**` and `/vwr/**` go this way;
//! vwr's admin paths stay behind the pipeline, which is what strips forged identity.

use crate::{
    Backend, Backends, Config,
    bursts::{Bursts, is_join},
    caller::{self, Caller},
    layers,
    pipeline::too_many,
    routes::Room,
};
use axum::{
    Router,
    body::Body,
    extract::State,
    http::Request,
    response::{IntoResponse as _, Response},
};
use std::{net::IpAddr, sync::Arc};
use tower::ServiceExt;
use urr_kit::{SharedClock, StartError};

const DOORS: [(&str, Room); 2] = [("/vwr-api/", Room::Vwr), ("/vwr/", Room::Page)];

/// What joins are counted with.
pub(crate) struct Joins {
    pub(crate) bursts: Arc<Bursts>,
    pub(crate) trusted_proxies: Vec<IpAddr>,
    pub(crate) clock: SharedClock,
}

impl Joins {
    /// Whether the call is anything but one join too many from its address.
    fn allow(&self, request: &Request<Body>) -> bool {
        let (method, path) = (request.method(), request.uri().path());
        if !is_join(method, path) {
            return true;
        }
        let address = caller::address(request, &self.trusted_proxies);
        let now = self.clock.now();
        self.bursts
            .allows(method, path, Caller::Address(address), address, now)
    }
}

#[derive(Clone)]
struct Doors {
    /// In the order of [`DOORS`]; `None` where the service is elsewhere.
    beside: [Option<Router>; 2],
    pipeline: Router,
    joins: Arc<Joins>,
    /// Answers joins that are too many, with the headers that every answer of the room has.
    crowded: Router,
}

/// `pipeline` with the waiting room mounted beside it, if it is here.
///
/// Not a wildcard route: its parameter would be added to those of vwr's own routes.
pub(crate) fn mount(
    pipeline: Router,
    backends: &Backends,
    config: &Config,
    joins: Joins,
) -> Result<Router, StartError> {
    let mut beside = [None, None];
    for (door, (_, room)) in beside.iter_mut().zip(DOORS) {
        if let Some(Backend::Mounted(router)) = backends.get(&room) {
            *door = Some(layers::apply_to_waiting_room(router.clone(), config)?);
        }
    }
    if beside.iter().all(Option::is_none) {
        return Ok(pipeline);
    }
    let crowded = Router::new().fallback(|| async { too_many(1).into_response() });
    Ok(Router::new().fallback(enter).with_state(Doors {
        beside,
        pipeline,
        joins: Arc::new(joins),
        crowded: layers::apply_to_waiting_room(crowded, config)?,
    }))
}

async fn enter(State(doors): State<Doors>, request: Request<Body>) -> Response {
    let path = request.uri().path();
    let at = DOORS.iter().position(|(prefix, _)| path.starts_with(prefix));
    let door = match at.and_then(|at| doors.beside.into_iter().nth(at).flatten()) {
        Some(door) if doors.joins.allow(&request) => door,
        Some(_) => doors.crowded,
        None => doors.pipeline,
    };
    let Ok(response) = door.oneshot(request).await;
    response
}
