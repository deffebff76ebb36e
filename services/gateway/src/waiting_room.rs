//! The waiting room's own door.
//!
//! A poll compares two numbers; identity, limits and routing by table cost several times as much.
//! Its paths need none of them: nobody is logged in there, and pacing is its limit. So where `vwr`
//! and its page run in this process their public paths are mounted beside the pipeline, as an
//! ingress sends them to `vwr` directly in a cluster. Only `/vwr-api/**` and `/vwr/**` go this way;
//! vwr's admin paths stay behind the pipeline, which is what strips forged identity.

use crate::{Backend, Backends, Config, layers, routes::Room};
use axum::{Router, body::Body, extract::State, http::Request, response::Response};
use tower::ServiceExt;
use urr_kit::StartError;

const DOORS: [(&str, Room); 2] = [("/vwr-api/", Room::Vwr), ("/vwr/", Room::Page)];

#[derive(Clone)]
struct Doors {
    /// In the order of [`DOORS`]; `None` where the service is elsewhere.
    beside: [Option<Router>; 2],
    pipeline: Router,
}

/// `pipeline` with the waiting room mounted beside it, if it is here.
///
/// Not a wildcard route: its parameter would be added to those of vwr's own routes.
pub(crate) fn mount(pipeline: Router, backends: &Backends, config: &Config) -> Result<Router, StartError> {
    let mut beside = [None, None];
    for (door, (_, room)) in beside.iter_mut().zip(DOORS) {
        if let Some(Backend::Mounted(router)) = backends.get(&room) {
            *door = Some(layers::apply_to_waiting_room(router.clone(), config)?);
        }
    }
    if beside.iter().all(Option::is_none) {
        return Ok(pipeline);
    }
    Ok(Router::new()
        .fallback(enter)
        .with_state(Doors { beside, pipeline }))
}

async fn enter(State(doors): State<Doors>, request: Request<Body>) -> Response {
    let path = request.uri().path();
    let at = DOORS.iter().position(|(prefix, _)| path.starts_with(prefix));
    let door = at
        .and_then(|at| doors.beside.into_iter().nth(at).flatten())
        .unwrap_or(doors.pipeline);
    let Ok(response) = door.oneshot(request).await;
    response
}
