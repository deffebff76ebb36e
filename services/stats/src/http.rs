//! The admin API of C§11: `{success: true, data}`.

use axum::extract::State;
use axum::routing::get;
use axum::{Json as Body, Router};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use urr_kit::clock::SharedClock;
use urr_kit::extract::{Path, Query};
use urr_kit::identity::Admin;
use urr_kit::{ApiError, ApiResult};
use uuid::Uuid;

use crate::figures::{Figures, Grouping, SortBy};

/// A year: the longest window anybody looks at, and a bound for what a query scans.
const DAYS_MAX: i32 = 365;
const TRAFFIC_DAYS_MAX: i32 = 90;
const LIMIT_MAX: i64 = 100;

#[derive(Clone)]
struct App {
    figures: Figures,
    clock: SharedClock,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Ask {
    days: Option<i32>,
    limit: Option<i64>,
    sort_by: Option<String>,
    period: Option<String>,
}

impl Ask {
    fn days(&self, default: i32, max: i32) -> i32 {
        self.days.filter(|days| *days > 0).unwrap_or(default).min(max)
    }
}

impl App {
    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.clock.now().0).unwrap_or_default()
    }
}

pub(crate) fn router(figures: Figures, clock: SharedClock) -> Router {
    Router::new()
        .route("/api/stats/overview", get(overview))
        .route("/api/stats/daily", get(daily))
        .route("/api/stats/events", get(events))
        .route("/api/stats/events/{event_id}", get(event))
        .route("/api/stats/payments", get(payments))
        .route("/api/stats/revenue", get(revenue))
        .route("/api/stats/hourly-traffic", get(hourly_traffic))
        .route("/api/stats/conversion", get(conversion))
        .route("/api/stats/cancellations", get(cancellations))
        .route("/api/stats/realtime", get(realtime))
        .with_state(App { figures, clock })
}

fn data(data: impl Serialize) -> ApiResult<Body<Value>> {
    let data = serde_json::to_value(data).map_err(ApiError::internal)?;
    Ok(Body(json!({ "success": true, "data": data })))
}

async fn overview(_: Admin, State(app): State<App>) -> ApiResult<Body<Value>> {
    data(app.figures.overview().await?)
}

async fn daily(_: Admin, State(app): State<App>, Query(ask): Query<Ask>) -> ApiResult<Body<Value>> {
    data(app.figures.daily(app.now(), ask.days(30, DAYS_MAX)).await?)
}

async fn events(_: Admin, State(app): State<App>, Query(ask): Query<Ask>) -> ApiResult<Body<Value>> {
    let sort = match ask.sort_by.as_deref() {
        None | Some("revenue") => SortBy::Revenue,
        Some("reservations") => SortBy::Reservations,
        Some("occupancy") => SortBy::Occupancy,
        Some(_) => {
            return Err(ApiError::bad_request(
                "sortBy must be revenue, reservations or occupancy",
            ));
        }
    };
    let limit = ask.limit.filter(|limit| *limit > 0).unwrap_or(10).min(LIMIT_MAX);
    data(app.figures.events(sort, limit).await?)
}

async fn event(_: Admin, State(app): State<App>, Path(id): Path<Uuid>) -> ApiResult<Body<Value>> {
    let found = app.figures.event(id).await?;
    let found = found.ok_or_else(|| ApiError::not_found("Event not found"))?;
    data(json!({ "overview": found }))
}

async fn payments(_: Admin, State(app): State<App>) -> ApiResult<Body<Value>> {
    data(app.figures.payments().await?)
}

async fn revenue(_: Admin, State(app): State<App>, Query(ask): Query<Ask>) -> ApiResult<Body<Value>> {
    let grouping = match ask.period.as_deref() {
        None | Some("daily") => Grouping::Day,
        Some("weekly") => Grouping::Week,
        Some("monthly") => Grouping::Month,
        Some(_) => return Err(ApiError::bad_request("period must be daily, weekly or monthly")),
    };
    data(
        app.figures
            .revenue(app.now(), ask.days(30, DAYS_MAX), grouping)
            .await?,
    )
}

async fn hourly_traffic(_: Admin, State(app): State<App>, Query(ask): Query<Ask>) -> ApiResult<Body<Value>> {
    let (now, days) = (app.now(), ask.days(7, TRAFFIC_DAYS_MAX));
    let hourly = app.figures.hours(now, days).await?;
    let peak = hourly.iter().max_by_key(|hour| hour.reservations);
    data(json!({
        "peakHour": peak.map(|hour| json!({ "hour": hour.hour, "reservations": hour.reservations })),
        "weekdayComparison": app.figures.day_types(now, days).await?,
        "hourly": hourly,
    }))
}

async fn conversion(_: Admin, State(app): State<App>, Query(ask): Query<Ask>) -> ApiResult<Body<Value>> {
    let (now, days) = (app.now(), ask.days(30, DAYS_MAX));
    let (funnel, rates) = app.figures.funnel(now, days).await?;
    let trend = app.figures.conversion_days(now, days).await?;
    data(json!({ "funnel": funnel, "rates": rates, "dailyTrend": trend }))
}

async fn cancellations(_: Admin, State(app): State<App>, Query(ask): Query<Ask>) -> ApiResult<Body<Value>> {
    let (now, days) = (app.now(), ask.days(30, DAYS_MAX));
    data(json!({
        "overview": app.figures.cancelled(now, days).await?,
        "hourlyPattern": app.figures.hours(now, days).await?,
        "byEvent": app.figures.cancelled_events(now, days).await?,
        "dailyTrend": app.figures.cancelled_days(now, days).await?,
    }))
}

async fn realtime(_: Admin, State(app): State<App>) -> ApiResult<Body<Value>> {
    let now = app.now();
    data(json!({
        "current": app.figures.current(now).await?,
        "lastHour": app.figures.last_hour(now).await?,
        "recentActivity": [],
        "trendingEvents": app.figures.trending(now).await?,
    }))
}
