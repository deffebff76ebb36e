//! A look at reservations. They are booking's; here they get the dashboard's frame.

use super::refused_by_booking;
use crate::App;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};
use urr_kit::{
    ApiError, ApiResult,
    extract::{Json, Query},
    identity::Admin,
};

/// What a reservation may be filtered by (api-contract.md section 13).
const STATUSES: [&str; 4] = ["pending", "confirmed", "cancelled", "expired"];

pub(super) async fn dashboard(State(app): State<App>, Admin(_admin): Admin) -> ApiResult<Json<Value>> {
    let (stats, recent) =
        tokio::try_join!(app.booking.reservation_stats(), app.booking.recent_reservations())
            .map_err(refused_by_booking)?;
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
    Ok(Json(
        app.booking
            .reservations(&query)
            .await
            .map_err(refused_by_booking)?,
    ))
}
