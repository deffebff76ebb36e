//! The control API: routes and handlers. Wire format of `ticketctl`, the operator and drills.
//!
//! Everything under `/control/v1` asks for the bearer token `CONTROL_API_TOKEN`. Writes change the
//! sale's record, then take one step so that the answer can say whether the records the services
//! read are in place; what could not be done is named in `problems` and goes on being tried.

mod wire;

pub use wire::{Action, AuditLog, CapacityReport, Deletion, OverrideRequest, Putting, SaleList, SaleState};

use crate::pace;
use crate::reconcile::{Outcome, ReconcileError, Reconciler};
use crate::snapshot::{Snapshotter, Subject};
use crate::store::{NewAudit, SaleRecord, SalesStore, StoreError};
use crate::stream::Hub;
use crate::supervisor::{Problems, Waker};
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::sse::{KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use std::time::Duration;
use urr_core::change;
use urr_core::sale::{Problem, Sale, SaleId};
use urr_core::snapshot::Snapshot;
use urr_core::time::Millis;
use urr_kit::error::chain;
use urr_kit::extract::{Json, Path, Query};
use urr_kit::identity::InternalGuard;
use urr_kit::{ApiError, ApiResult};
use wire::{AuditQuery, Told, heed, said_by, tell_hand, terms, wanted};

/// A write that lost a race is made anew on the newer record; so many lost in a row are not a
/// race but a fault.
const RACES_MAX: u32 = 10;
/// A comment this often keeps proxies from closing a stream between pictures.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// Entries of the audit log in one answer.
const AUDIT_MAX: u16 = 500;
const AUDIT_DEFAULT: u16 = 100;
/// What handlers hold.
#[derive(Clone)]
pub(crate) struct Api {
    pub(crate) sales: SalesStore,
    pub(crate) reconciler: Reconciler,
    pub(crate) snapshotter: Snapshotter,
    pub(crate) hub: Hub,
    pub(crate) waker: Waker,
    pub(crate) problems: Problems,
}

/// The routes, guarded by `token`.
pub(crate) fn router(api: Api, token: &str) -> Router {
    Router::new()
        .route("/control/v1/sales", get(list))
        .route(
            "/control/v1/sales/{id}",
            put(put_sale).get(get_sale).delete(delete_sale),
        )
        .route("/control/v1/sales/{id}/capacity", put(report_capacity))
        .route("/control/v1/sales/{id}/overrides", post(override_sale))
        .route("/control/v1/sales/{id}/audit", get(audit))
        .route("/control/v1/sales/{id}/snapshot", get(snapshot))
        .route("/control/v1/sales/{id}/stream", get(stream))
        .layer(InternalGuard::with_token(token))
        .with_state(api)
}

async fn list(State(api): State<Api>) -> ApiResult<Json<SaleList>> {
    let mut records = api.sales.list().await.map_err(store_error)?;
    records.sort_by_key(|record| (record.sale.schedule.opens_at, record.sale.id));
    let sales = records.into_iter().map(|record| api.untouched(record)).collect();
    Ok(Json(SaleList {
        sales,
        version: Some(env!("CARGO_PKG_VERSION").to_owned()),
    }))
}

async fn get_sale(State(api): State<Api>, Path(id): Path<SaleId>) -> ApiResult<Json<Told>> {
    let record = api.known(id).await?;
    Ok(Json(Told::of(record, |record| api.untouched(record))))
}

async fn put_sale(
    State(api): State<Api>,
    Path(id): Path<SaleId>,
    Query(putting): Query<Putting>,
    Json(sale): Json<Sale>,
) -> ApiResult<Json<Told>> {
    let (actor, reason) = putting.said_by()?;
    if sale.id != id {
        let problem = Problem {
            field: "id".to_owned(),
            problem: format!("is {}, but the address says {id}", sale.id),
            remedy: "make both the event's id".to_owned(),
        };
        return Err(refused(http_400, &[problem]));
    }
    sale.validate().map_err(|problems| refused(http_400, &problems))?;
    api.change(id, Some(&sale), |record, now| {
        if record.retiring {
            return Err(ApiError::conflict(
                "The sale is being deleted. Put it again in a second.",
            ));
        }
        heed(record, putting.term)?;
        let from_operator = SaleRecord {
            ready_replicas: putting.ready_replicas.or(record.ready_replicas),
            held: match putting.term {
                0 => record.held.clone(),
                _ => putting.held.clone(),
            },
            operator_term: record.operator_term.max(putting.term),
            ..record.clone()
        };
        if record.revision > 0 {
            change::check(&record.sale, &sale, now)
                .map_err(|problems| refused(ApiError::conflict, &problems))?;
            if record.sale == sale {
                return Ok((from_operator != *record).then_some((from_operator, None)));
            }
        }
        let old = if record.revision == 0 {
            String::new()
        } else {
            terms(&record.sale)
        };
        let audit = NewAudit {
            actor: actor.clone(),
            action: "put",
            reason: reason.clone(),
            old,
            new: terms(&sale),
        };
        let next = SaleRecord {
            pace: pace::after_change(record, &sale),
            sale: sale.clone(),
            ..from_operator
        };
        Ok(Some((next, Some(audit))))
    })
    .await
}

async fn override_sale(
    State(api): State<Api>,
    Path(id): Path<SaleId>,
    Json(request): Json<OverrideRequest>,
) -> ApiResult<Json<Told>> {
    let wanted = wanted(&request)?;
    let (actor, reason) = said_by(&request.actor, &request.reason)?;
    api.change(id, None, |record, _| {
        let hand = wanted
            .apply(&record.sale, record.hand)
            .map_err(|problem| refused(ApiError::conflict, &[problem]))?;
        let audit = NewAudit {
            actor: actor.clone(),
            action: wanted.name(),
            reason: reason.clone(),
            old: tell_hand(&record.sale, record.hand),
            new: tell_hand(&record.sale, hand),
        };
        // An override without effect is still somebody's decision: it is logged.
        Ok(Some((
            SaleRecord {
                hand,
                ..record.clone()
            },
            Some(audit),
        )))
    })
    .await
}

async fn report_capacity(
    State(api): State<Api>,
    Path(id): Path<SaleId>,
    Json(report): Json<CapacityReport>,
) -> ApiResult<Json<Told>> {
    api.change(id, None, |record, _| {
        heed(record, report.term)?;
        let next = SaleRecord {
            ready_replicas: Some(report.ready_replicas),
            held: report.held.clone(),
            operator_term: record.operator_term.max(report.term),
            ..record.clone()
        };
        let tell = |held: &Option<String>| held.clone().unwrap_or_default();
        let audit = (next.held != record.held).then(|| NewAudit {
            actor: "operator".to_owned(),
            action: if next.held.is_some() { "hold" } else { "release" },
            reason: tell(&report.held),
            old: tell(&record.held),
            new: tell(&next.held),
        });
        Ok((next != *record).then_some((next, audit)))
    })
    .await
}

async fn delete_sale(
    State(api): State<Api>,
    Path(id): Path<SaleId>,
    Query(Deletion { actor, reason, term }): Query<Deletion>,
) -> ApiResult<Response> {
    let (actor, reason) = said_by(&actor, &reason)?;
    let deleted = api
        .change(id, None, |record, _| {
            heed(record, term)?;
            if record.retiring {
                return Ok(None);
            }
            let audit = NewAudit {
                actor: actor.clone(),
                action: "delete",
                reason: reason.clone(),
                old: terms(&record.sale),
                new: String::new(),
            };
            Ok(Some((
                SaleRecord {
                    retiring: true,
                    ..record.clone()
                },
                Some(audit),
            )))
        })
        .await;
    match deleted {
        // Not finished yet: the loop goes on with it.
        Ok(state) => Ok((StatusCode::ACCEPTED, state).into_response()),
        Err(error) if error.status() == StatusCode::NOT_FOUND => Ok(StatusCode::NO_CONTENT.into_response()),
        Err(error) => Err(error),
    }
}

async fn audit(
    State(api): State<Api>,
    Path(id): Path<SaleId>,
    Query(AuditQuery { limit }): Query<AuditQuery>,
) -> ApiResult<Json<AuditLog>> {
    // A deleted sale still has its log, so the sale itself is not asked for.
    let limit = limit.unwrap_or(AUDIT_DEFAULT).clamp(1, AUDIT_MAX);
    let entries = api.sales.audit(id, limit).await.map_err(store_error)?;
    if entries.is_empty() {
        return Err(no_such_sale());
    }
    Ok(Json(AuditLog { entries }))
}

async fn snapshot(State(api): State<Api>, Path(id): Path<SaleId>) -> ApiResult<Json<Snapshot>> {
    let subject = api.subject(id).await?;
    // It asks several services at once, a large future for a handler to carry about.
    Ok(Json(Box::pin(api.snapshotter.take(&subject, Vec::new())).await))
}

async fn stream(State(api): State<Api>, Path(id): Path<SaleId>) -> ApiResult<Response> {
    let subject = api.subject(id).await?;
    let events = api.hub.watch(subject, id);
    Ok(Sse::new(events)
        .keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
        .into_response())
}

/// What a handler wants written: the record and why, or nothing.
type Wanted = Option<(SaleRecord, Option<NewAudit>)>;

impl Api {
    /// Reads the record, has `decide` change it, writes it under its revision (again on the newer
    /// record when somebody was faster), then takes a step. A sale that is not there is 404, or
    /// begins as `new`.
    async fn change(
        &self,
        id: SaleId,
        new: Option<&Sale>,
        decide: impl Fn(&SaleRecord, Millis) -> ApiResult<Wanted>,
    ) -> ApiResult<Json<Told>> {
        let mut races = 0;
        let record = loop {
            let now = self.reconciler.clock.now();
            let record = match (self.sales.get(id).await.map_err(store_error)?, new) {
                (Some(record), _) => record,
                (None, Some(sale)) => SaleRecord::new(sale.clone(), now),
                (None, None) => return Err(no_such_sale()),
            };
            let Some((next, audit)) = decide(&record, now)? else {
                break record;
            };
            match self.sales.write(&next, audit, now).await {
                Ok(written) => break written,
                Err(StoreError::Fenced) if races < RACES_MAX => races += 1,
                Err(error) => return Err(store_error(error)),
            }
        };
        let stepped = self.reconciler.step(id).await;
        self.waker.wake(id);
        match stepped {
            Ok(Outcome::Applied(applied)) => {
                let record = applied.record.clone();
                Ok(Json(Told::of(record, |_| SaleState::of(*applied))))
            }
            Ok(Outcome::Gone) => Err(no_such_sale()),
            Err(error) => Ok(Json(Told::of(record, |record| not_applied(record, &error)))),
        }
    }

    async fn known(&self, id: SaleId) -> ApiResult<SaleRecord> {
        self.sales
            .get(id)
            .await
            .map_err(store_error)?
            .ok_or_else(no_such_sale)
    }

    async fn subject(&self, id: SaleId) -> ApiResult<Subject> {
        self.snapshotter
            .subject(id, None)
            .await
            .map_err(store_error)?
            .ok_or_else(no_such_sale)
    }

    /// A record as it is told without taking a step for it.
    fn untouched(&self, record: SaleRecord) -> SaleState {
        let problems = self.problems.of(record.sale.id);
        let plan = self.reconciler.plan_without_observing(&record);
        SaleState {
            phase: Some(plan.phase),
            plan: Some(plan),
            problems,
            ..SaleState::bare(record)
        }
    }
}

fn not_applied(record: SaleRecord, error: &ReconcileError) -> SaleState {
    tracing::warn!(sale = %record.sale.id, error = chain(error), "stored, but not applied yet");
    let problem = "stored, but not in force yet: a store did not answer; it is tried again every second";
    SaleState {
        problems: vec![problem.to_owned()],
        ..SaleState::bare(record)
    }
}

fn http_400(message: String) -> ApiError {
    ApiError::bad_request(message)
}

/// An error that names every problem: as a sentence, and as a list for programs.
fn refused(status: impl Fn(String) -> ApiError, problems: &[Problem]) -> ApiError {
    let sentence = problems
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("; ");
    let error = status(sentence);
    match serde_json::to_value(problems) {
        Ok(problems) => error.with_field("problems", problems),
        Err(_) => error,
    }
}

fn no_such_sale() -> ApiError {
    ApiError::not_found("There is no such sale")
}

fn store_error(error: StoreError) -> ApiError {
    match error {
        StoreError::Fenced => {
            ApiError::conflict("The sale is being changed by others. Please retry.").with_source(error)
        }
        StoreError::Engine { .. } => {
            ApiError::unavailable("The control plane's store does not answer. Please retry.")
                .with_source(error)
        }
        StoreError::Corrupt { .. } => ApiError::internal(error),
    }
}
