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
use urr_kit::{ApiError, ApiResult, wire};
use uuid::Uuid;

use crate::figures::{Figures, Grouping, SortBy, Window};

/// A year: the longest window anybody looks at, and a bound for what a query scans.
const DAYS_MAX: i32 = 365;
const TRAFFIC_DAYS_MAX: i32 = 90;
const LIMIT_MAX: i64 = 100;
/// What "lately" is for the performance of the house.
const LATELY_DAYS: i32 = 7;

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
    event_id: Option<Uuid>,
}

impl App {
    fn now(&self) -> DateTime<Utc> {
        wire::at(self.clock.now())
    }

    /// The days that were asked for, within bounds.
    fn window(&self, ask: &Ask, default: i32, max: i32) -> Window {
        let days = ask.days.filter(|days| *days > 0).unwrap_or(default).min(max);
        Window {
            now: self.now(),
            days,
        }
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
        .route("/api/stats/users", get(users))
        .route("/api/stats/hourly-traffic", get(hourly_traffic))
        .route("/api/stats/conversion", get(conversion))
        .route("/api/stats/cancellations", get(cancellations))
        .route("/api/stats/realtime", get(realtime))
        .route("/api/stats/seat-preferences", get(seat_preferences))
        .route("/api/stats/user-behavior", get(user_behavior))
        .route("/api/stats/performance", get(performance))
        .with_state(App { figures, clock })
}

fn data(data: impl Serialize) -> ApiResult<Body<Value>> {
    let data = serde_json::to_value(data).map_err(ApiError::internal)?;
    Ok(Body(json!({ "success": true, "data": data })))
}

async fn overview(_: Admin, State(app): State<App>) -> ApiResult<Body<Value>> {
    data(app.figures.overview(app.now()).await?)
}

async fn daily(_: Admin, State(app): State<App>, Query(ask): Query<Ask>) -> ApiResult<Body<Value>> {
    data(app.figures.daily(app.window(&ask, 30, DAYS_MAX)).await?)
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
    let window = app.window(&ask, 30, DAYS_MAX);
    data(app.figures.revenue(window, grouping).await?)
}

async fn hourly_traffic(_: Admin, State(app): State<App>, Query(ask): Query<Ask>) -> ApiResult<Body<Value>> {
    let window = app.window(&ask, 7, TRAFFIC_DAYS_MAX);
    let hourly = app.figures.hours(window).await?;
    let peak = hourly.iter().max_by_key(|hour| hour.reservations);
    data(json!({
        "peakHour": peak.map(|hour| json!({ "hour": hour.hour, "reservations": hour.reservations })),
        "weekdayComparison": app.figures.day_types(window).await?,
        "hourly": hourly,
    }))
}

async fn conversion(_: Admin, State(app): State<App>, Query(ask): Query<Ask>) -> ApiResult<Body<Value>> {
    let window = app.window(&ask, 30, DAYS_MAX);
    let (funnel, rates) = app.figures.funnel(window).await?;
    let trend = app.figures.conversion_days(window).await?;
    data(json!({ "funnel": funnel, "rates": rates, "dailyTrend": trend }))
}

async fn cancellations(_: Admin, State(app): State<App>, Query(ask): Query<Ask>) -> ApiResult<Body<Value>> {
    let window = app.window(&ask, 30, DAYS_MAX);
    data(json!({
        "overview": app.figures.cancelled(window).await?,
        "hourlyPattern": app.figures.hours(window).await?,
        "byEvent": app.figures.cancelled_events(window).await?,
        "dailyTrend": app.figures.cancelled_days(window).await?,
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

async fn users(_: Admin, State(app): State<App>, Query(ask): Query<Ask>) -> ApiResult<Body<Value>> {
    let window = app.window(&ask, 30, DAYS_MAX);
    data(json!({
        "daily": app.figures.users_by_day(window).await?,
        "byRole": app.figures.users_by_role().await?,
    }))
}

async fn seat_preferences(
    _: Admin,
    State(app): State<App>,
    Query(ask): Query<Ask>,
) -> ApiResult<Body<Value>> {
    data(json!({
        "bySection": app.figures.sections(ask.event_id).await?,
        "byPriceTier": app.figures.price_tiers(ask.event_id).await?,
        "topRows": app.figures.top_rows(ask.event_id).await?,
    }))
}

async fn user_behavior(_: Admin, State(app): State<App>, Query(ask): Query<Ask>) -> ApiResult<Body<Value>> {
    let window = app.window(&ask, 30, DAYS_MAX);
    data(json!({
        "userTypes": app.figures.user_types(window).await?,
        "averageMetrics": app.figures.average_user(window).await?,
        "spendingDistribution": app.figures.spending(window).await?,
        "avgTimeToPayment": two_decimals(app.figures.minutes_to_payment(window).await?),
        "weekdayActivity": app.figures.weekdays(window).await?,
    }))
}

async fn performance(_: Admin, State(app): State<App>) -> ApiResult<Body<Value>> {
    let lately = Window {
        now: app.now(),
        days: LATELY_DAYS,
    };
    let recent = app.figures.recent(lately).await?;
    let pattern = app.figures.hours(lately).await?;
    let load: Vec<Value> = pattern
        .iter()
        .map(|hour| {
            json!({
                "hour": hour.hour,
                "request_count": hour.reservations,
                "avg_per_day": per_day(hour.reservations, LATELY_DAYS),
            })
        })
        .collect();
    data(json!({
        "database": app.figures.database().await?,
        "recentPerformance": { "successRate": recent.success_rate, "totalRequests": recent.requests },
        "metrics": {
            "avgSeatLockSeconds": two_decimals(recent.lock_s),
            "paymentFailureRate": recent.failure_rate,
        },
        "loadPattern": load,
    }))
}

/// A text, as the contract has it for these.
fn two_decimals(figure: f64) -> String {
    format!("{figure:.2}")
}

/// The mean, to two decimals.
fn per_day(count: i64, days: i32) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "counts of a week are far below 2^52")]
    let mean = count as f64 / f64::from(days);
    (mean * 100.0).round() / 100.0
}
