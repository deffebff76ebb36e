//! A look at reservations, and ending one. They are booking's; here they get the dashboard's frame.

use super::act::Act;
use crate::App;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};
use urr_kit::{
    ApiError, ApiResult,
    extract::{Json, Path, Query},
    identity::Admin,
};
use uuid::Uuid;

/// What a reservation may be filtered by (api-contract.md section 13).
const STATUSES: [&str; 4] = ["pending", "confirmed", "cancelled", "expired"];

pub(super) async fn dashboard(State(app): State<App>, Admin(_admin): Admin) -> ApiResult<Json<Value>> {
    let (stats, recent) =
        tokio::try_join!(app.booking.reservation_stats(), app.booking.recent_reservations())?;
    let events = app.store.count_events().await?;
    Ok(Json(json!({
        "stats": {
            "totalEvents": events,
            "totalReservations": stats.total_reservations,
            "totalRevenue": stats.total_revenue,
            "todayReservations": stats.today_reservations,
        },
        "recentReservations": recent.get("reservations").cloned().unwrap_or(recent),
    })))
}

#[derive(Debug, Deserialize)]
pub(super) struct Wanted {
    page: Option<i64>,
    limit: Option<i64>,
    status: Option<String>,
}

pub(super) async fn list(
    State(app): State<App>,
    Admin(_admin): Admin,
    Query(wanted): Query<Wanted>,
) -> ApiResult<Json<Value>> {
    let page = wanted.page.unwrap_or(1).clamp(1, 10_000);
    let limit = wanted.limit.unwrap_or(20).clamp(1, 100);
    let mut query = format!("page={page}&limit={limit}");
    if let Some(status) = wanted.status.as_deref().filter(|status| !status.is_empty()) {
        if !STATUSES.contains(&status) {
            return Err(ApiError::bad_request(format!(
                "status must be one of {}",
                STATUSES.join(", ")
            )));
        }
        query.push_str("&status=");
        query.push_str(status);
    }
    Ok(Json(app.booking.reservations(&query).await?))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NewStatus {
    status: Option<String>,
    payment_status: Option<String>,
}

/// Booking decides what of it may be (quirk 14), and does it before the audit's row is written: if booking
/// is away nothing is, and if our commit fails, a repeat finds it done and is audited.
pub(super) async fn set_status(
    State(app): State<App>,
    Admin(admin): Admin,
    Path(id): Path<Uuid>,
    Json(wanted): Json<NewStatus>,
) -> ApiResult<Json<Value>> {
    if wanted.status.is_none() && wanted.payment_status.is_none() {
        return Err(ApiError::bad_request("status or paymentStatus is required"));
    }
    let wanted = json!({"status": wanted.status, "paymentStatus": wanted.payment_status});
    let act = Act::begin(&app, &admin).await?;
    let done = app.booking.set_status(id, &wanted).await?;
    act.commit("RESERVATION_STATUS", id, &wanted).await?;
    Ok(Json(done))
}
