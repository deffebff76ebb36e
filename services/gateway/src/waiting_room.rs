//! The waiting room's own door.
//!
//! A poll compares two numbers; identity, limits and routing by table cost several times as much.
//! Its paths need none of them: nobody is logged in there, and pacing is its limit. So where `vwr`
//! runs in this process its public paths are mounted beside the pipeline, as an ingress sends them
//! to `vwr` directly in a cluster. Only `/vwr-api/**` goes this way; vwr's admin paths stay behind
//! the pipeline, which is what strips forged identity.

use crate::{Backend, Backends, Config, layers, routes::Room};
use axum::{Router, body::Body, extract::State, http::Request, response::Response};
use tower::ServiceExt;
use urr_kit::StartError;

const PREFIX: &str = "/vwr-api/";

#[derive(Clone)]
struct Doors {
    waiting_room: Router,
    pipeline: Router,
}

/// `pipeline` with the waiting room mounted beside it, if it is here.
///
/// Not a wildcard route: its parameter would be added to those of vwr's own routes.
pub(crate) fn mount(pipeline: Router, backends: &Backends, config: &Config) -> Result<Router, StartError> {
    let Some(Backend::Mounted(vwr)) = backends.get(&Room::Vwr) else {
        return Ok(pipeline);
    };
    let waiting_room = layers::apply_to_waiting_room(vwr.clone(), config)?;
    Ok(Router::new().fallback(enter).with_state(Doors {
        waiting_room,
        pipeline,
    }))
}

async fn enter(State(doors): State<Doors>, request: Request<Body>) -> Response {
    let door = if request.uri().path().starts_with(PREFIX) {
        doors.waiting_room
    } else {
        doors.pipeline
    };
    let Ok(response) = door.oneshot(request).await;
    response
}
