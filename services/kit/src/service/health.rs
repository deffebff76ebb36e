//! `/health` and `/actuator/**`: whether this process can do its work, and its numbers.

use crate::ctx::Ctx;
use crate::store::Redis;
use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{StatusCode, header};
use serde_json::{Map, Value, json};
use sqlx::PgPool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use urr_core::pulse::Pulse;

/// A probe is worth an answer within this; an orchestrator gives up soon after.
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);

/// A dependency that can be asked whether it lives.
#[derive(Clone)]
pub(crate) enum Probe {
    Postgres(PgPool),
    Redis(Redis),
}

impl Probe {
    const fn name(&self) -> &'static str {
        match self {
            Self::Postgres(_) => "postgresql",
            Self::Redis(_) => "redis",
        }
    }

    /// `ok`, or what to tell an operator without telling a stranger anything.
    async fn ask(&self) -> Result<(), &'static str> {
        let asked = tokio::time::timeout(PROBE_TIMEOUT, async {
            match self {
                Self::Postgres(pool) => sqlx::query("SELECT 1")
                    .execute(pool)
                    .await
                    .map(drop)
                    .map_err(|_| "no answer"),
                Self::Redis(redis) => redis::cmd("PING")
                    .query_async::<()>(&mut redis.conn())
                    .await
                    .map_err(|_| "no answer"),
            }
        });
        asked.await.unwrap_or(Err("too slow"))
    }
}

/// The dependencies of a process. Shared by the clones of a [`Ctx`].
#[derive(Clone, Default)]
pub struct Health {
    probes: Arc<Mutex<Vec<Probe>>>,
}

impl Health {
    pub(crate) fn watch(&self, probe: Probe) {
        self.probes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(probe);
    }

    /// Each kind of dependency and `ok` or `error: ..`; the second part says whether all are well.
    pub async fn report(&self) -> (Map<String, Value>, bool) {
        let probes = self.probes.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let answers = futures::future::join_all(
            probes
                .iter()
                .map(|probe| async { (probe.name(), probe.ask().await) }),
        )
        .await;
        let mut dependencies = Map::new();
        let mut well = true;
        for (name, answer) in answers {
            match answer {
                // Several pools of one kind: one that fails speaks for all.
                Ok(()) => drop(dependencies.entry(name).or_insert_with(|| json!("ok"))),
                Err(problem) => {
                    well = false;
                    dependencies.insert(name.to_owned(), json!(format!("error: {problem}")));
                }
            }
        }
        (dependencies, well)
    }
}

impl Health {
    /// Sets the gauges of the pools (R-OBS-01); they are read, not counted.
    fn measure(&self) {
        let (mut used, mut idle) = (0, 0);
        for probe in self.probes.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            if let Probe::Postgres(pool) = probe {
                let pool_idle = u32::try_from(pool.num_idle()).unwrap_or(u32::MAX);
                idle += pool_idle;
                used += pool.size().saturating_sub(pool_idle);
            }
        }
        metrics::gauge!("urr_db_connections", "state" => "used").set(used);
        metrics::gauge!("urr_db_connections", "state" => "idle").set(idle);
    }
}

impl Health {
    /// The pulse of this process with the fullest of its pools.
    fn pulse(&self) -> Pulse {
        let probes = self.probes.lock().unwrap_or_else(PoisonError::into_inner);
        let pools = probes.iter().filter_map(|probe| match probe {
            Probe::Postgres(pool) => {
                let idle = u32::try_from(pool.num_idle()).unwrap_or(u32::MAX);
                let max = pool.options().get_max_connections();
                Some((pool.size().saturating_sub(idle), max.max(1)))
            }
            Probe::Redis(_) => None,
        });
        let fullest = pools.max_by_key(|(used, max)| u64::from(*used) * 1000 / u64::from(*max));
        let (pool_used, pool_max) = fullest.unwrap_or_default();
        Pulse {
            pool_used,
            pool_max,
            ..super::pulse::pulse()
        }
    }
}

#[derive(Clone)]
struct Ops {
    service: &'static str,
    health: Health,
    shutdown: CancellationToken,
}

/// The operational routes of a process that calls itself `service`.
pub fn ops(service: &'static str, ctx: &Ctx) -> Router {
    let state = Ops {
        service,
        health: ctx.health().clone(),
        shutdown: ctx.shutdown.clone(),
    };
    Router::new()
        .route("/health", get(health))
        .route("/actuator/health", get(actuator_health))
        .route("/actuator/info", get(info))
        .route("/actuator/prometheus", get(prometheus))
        .route("/actuator/pulse", get(pulse))
        .with_state(state)
}

async fn health(State(ops): State<Ops>) -> Response {
    let (dependencies, well) = ops.health.report().await;
    let draining = ops.shutdown.is_cancelled();
    let (status, word) = match (well, draining) {
        (true, false) => (StatusCode::OK, "ok"),
        (_, true) => (StatusCode::SERVICE_UNAVAILABLE, "draining"),
        (false, false) => (StatusCode::SERVICE_UNAVAILABLE, "degraded"),
    };
    let body = json!({"service": ops.service, "status": word, "dependencies": dependencies});
    (status, Json(body)).into_response()
}

async fn actuator_health(State(ops): State<Ops>) -> Response {
    let (_, well) = ops.health.report().await;
    if well && !ops.shutdown.is_cancelled() {
        Json(json!({"status": "UP"})).into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, Json(json!({"status": "DOWN"}))).into_response()
    }
}

async fn info(State(ops): State<Ops>) -> Json<Value> {
    Json(json!({"app": {"name": ops.service, "version": env!("CARGO_PKG_VERSION")}}))
}

async fn pulse(State(ops): State<Ops>) -> Json<Pulse> {
    Json(ops.health.pulse())
}

async fn prometheus(State(ops): State<Ops>) -> Response {
    ops.health.measure();
    let text = crate::telemetry::metrics_text();
    (
        [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
        text,
    )
        .into_response()
}
