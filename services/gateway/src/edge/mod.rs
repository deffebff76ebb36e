//! `urr edge`: a waiting room in front of any origin (R-GW-12).
//!
//! A stand-alone reverse proxy that knows nothing of the origin but its address: whoever comes to a
//! protected path without the waiting room's pass is sent to the waiting page, which it serves
//! itself, and comes back with the pass when it is their turn. The check is the gateway's own layer
//! (`guard`); it asks nobody, so it costs a MAC per call and holds while everything else is down.
//!
//! What it is not: an admission control. It bounds how many come *per second*; how many are inside
//! at once is tier 2's business, and only an origin that asks for entry tokens has that cap.
//! Decision 0011 says why it fails closed unless told otherwise.

mod config;
mod origin;
mod paths;
mod policy;
mod rooms;
mod rules;
mod sales;
mod waiting;

pub use config::{Config, WhenDown};

use crate::{
    guard::{GuardLayer, Keys},
    innermost::Innermost,
};
use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::{any, get},
};
use policy::EdgePolicy;
use rooms::RoomWatch;
use sales::ActiveSales;
use serde_json::json;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use tower::Layer as _;
use urr_kit::{SharedClock, StartError, Task, secrets::TokenKeys, telemetry};

/// A running edge's parts.
pub struct Edge {
    /// What the public reaches.
    pub router: Router,
    /// Health and numbers, for an address that is not public: `/health` of the origin is the origin's.
    pub ops: Router,
    /// What runs beside the requests.
    pub tasks: Vec<Task>,
}

/// Builds the edge; nothing is asked yet. It is given the tokens' keys and no other secret of the
/// house: passes are verified and renewed, entry tokens verified.
///
/// # Errors
/// When a setting is wrong; it is named.
pub fn start(
    keys: TokenKeys,
    config: &Config,
    clock: SharedClock,
    shutdown: CancellationToken,
) -> Result<Edge, StartError> {
    let rules = rules::parse(&config.edge_protect, &config.edge_sales)?;
    if keys.entry.is_none() && rules.iter().any(rules::Rule::asks_for_entry) {
        return Err(StartError::MissingSetting {
            variable: "QUEUE_ENTRY_TOKEN_SECRET",
            purpose: "a rule of --protect asks for entry tokens; it is the queue's own secret",
        });
    }
    let client = origin::client()?;
    let sales = Arc::new(ActiveSales::new(config)?);
    let room = Arc::new(RoomWatch::new(config)?);
    let policy = Arc::new(EdgePolicy::new(
        rules,
        Arc::clone(&sales),
        Arc::clone(&room),
        keys.vwr.clone(),
        config,
    ));
    let guard_keys = Keys {
        pass: Some(keys.vwr),
        entry: keys.entry,
    };
    let origin = origin::Origin::new(client.clone(), config)?;
    let guarded = GuardLayer::new(policy, guard_keys, clock).layer(Innermost::new(origin));
    let waiting = waiting::Waiting::new(client.clone(), &config.edge_room)?;
    let waiting = Router::new()
        .route("/vwr/seats/{event}", get(waiting::seats))
        .route("/vwr-api/vwr/", any(waiting::api))
        .route("/vwr-api/vwr/{*rest}", any(waiting::api))
        .with_state(waiting);
    let page = urr_page::router(&config.page, urr_page::Seats::Elsewhere)?;
    let router = page.merge(waiting).fallback_service(guarded);
    let ops = ops(Arc::clone(&room), Arc::clone(&sales), shutdown.clone());
    tracing::info!(
        origin = config.edge_origin,
        room = config.edge_room,
        protected = config.edge_protect.join(" "),
        sales = sales.count(),
        when_room_is_down = ?config.edge_when_room_is_down,
        "guarding"
    );
    let mut tasks = vec![room.task(client.clone(), Arc::clone(&sales), shutdown.clone())];
    tasks.extend(sales.task(client, shutdown));
    Ok(Edge { router, ops, tasks })
}

#[derive(Clone)]
struct Ops {
    room: Arc<RoomWatch>,
    sales: Arc<ActiveSales>,
    shutdown: CancellationToken,
}

fn ops(room: Arc<RoomWatch>, sales: Arc<ActiveSales>, shutdown: CancellationToken) -> Router {
    Router::new()
        .route("/health", get(health))
        .route("/actuator/prometheus", get(prometheus))
        .with_state(Ops {
            room,
            sales,
            shutdown,
        })
}

/// The edge is well as long as it answers: what is down behind it is what it is there for.
async fn health(State(ops): State<Ops>) -> Response {
    let draining = ops.shutdown.is_cancelled();
    let status = if draining {
        StatusCode::SERVICE_UNAVAILABLE
    } else {
        StatusCode::OK
    };
    let body = json!({
        "service": "edge",
        "status": if draining { "draining" } else { "ok" },
        "waitingRoom": if ops.room.is_down() { "down" } else { "ok" },
        "failsOpen": ops.room.fails_open(),
        "sales": ops.sales.count(),
    });
    (status, Json(body)).into_response()
}

async fn prometheus() -> Response {
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    (kind, telemetry::metrics_text()).into_response()
}

/// `base` as a URL without a slash at the end, or the setting's problem.
fn base_url(variable: &'static str, base: &str) -> Result<String, StartError> {
    let problem = |problem: &str| StartError::BadSetting {
        variable,
        problem: format!("`{base}` {problem}"),
    };
    let uri: axum::http::Uri = base.parse().map_err(|_| problem("is no URL"))?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) || uri.host().is_none() {
        return Err(problem("is no http(s) URL such as http://127.0.0.1:8080"));
    }
    if uri.query().is_some() {
        return Err(problem(
            "has a query; only a scheme, a host and a path are possible",
        ));
    }
    Ok(base.trim_end_matches('/').to_owned())
}
