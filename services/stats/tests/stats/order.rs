//! Figures that were always there: order and repetition do not matter, and everything answers an empty house.

use crate::world::{History, SOON, get};
use axum::http::StatusCode;
use serde_json::json;
use urr_kit::{
    clock::Clock,
    events::{CATALOG_EVENTS, EVENT_CHANGED, EventChanged},
    identity::Role,
    testing::{TestBed, eventually},
};
use uuid::Uuid;

#[tokio::test]
async fn figures_do_not_depend_on_order_or_repetition() {
    let bed = TestBed::new().await;
    let ctx = bed.ctx();
    let service = urr_stats::start(&ctx, urr_stats::Config::default())
        .await
        .unwrap();
    let router = service.router;
    bed.run(service.tasks);

    let mut history = History {
        now: bed.clock().now(),
        event: Uuid::new_v4(),
        all: Vec::new(),
    };
    let event = history.event;
    let changed = EventChanged {
        event_id: event,
        title: "Night".to_owned(),
        venue: "Club".to_owned(),
        address: None,
        event_date: history.now.plus_s(86_400),
        sale_start_date: None,
        sale_end_date: None,
        status: "on_sale".to_owned(),
        artist_id: None,
        artist_name: None,
        seat_layout_id: None,
        poster_image_url: None,
    };
    history.add(CATALOG_EVENTS, EVENT_CHANGED, &changed);
    for _ in 0..3 {
        history.reservation(true, false);
        history.payment(false);
    }
    history.reservation(true, true);
    history.payment(true);
    history.reservation(false, true);
    history.reservation(false, false);

    history.tell(&bed).await;
    let path = format!("/api/stats/events/{event}");
    let expected = json!({"total_reservations": 6, "confirmed_reservations": 3, "cancelled_reservations": 2,
        "pending_reservations": 1, "total_revenue": 150_000, "sold_seats": 3});
    eventually(SOON, "all events counted", async || {
        let (_, body) = get(&router, &path, Role::Admin).await;
        let overview = &body["data"]["overview"];
        expected
            .as_object()
            .unwrap()
            .iter()
            .all(|(key, value)| &overview[key] == value)
    })
    .await;
    eventually(SOON, "all payments counted", async || {
        let (_, body) = get(&router, "/api/stats/overview", Role::Admin).await;
        body["data"]["completed_payments"] == 3 && body["data"]["payment_revenue"] == 150_000
    })
    .await;
    let (_, body) = get(&router, "/api/stats/conversion", Role::Admin).await;
    assert_eq!(
        body["data"]["funnel"],
        json!({"total_started": 6, "completed": 4, "cancelled": 1, "pending": 1})
    );
    assert_eq!(body["data"]["rates"]["conversion_rate"], 66.67);
}

#[tokio::test]
async fn every_figure_answers_an_empty_house_and_only_admins() {
    let bed = TestBed::new().await;
    let router = urr_stats::start(&bed.ctx(), urr_stats::Config::default())
        .await
        .unwrap()
        .router;
    for path in [
        "overview",
        "daily?days=7",
        "events?sortBy=occupancy&limit=0",
        "payments",
        "revenue?period=weekly",
        "hourly-traffic",
        "conversion",
        "cancellations?days=-3",
        "realtime",
        "users",
        "seat-preferences",
        "user-behavior?days=1000",
        "performance",
    ] {
        let path = format!("/api/stats/{path}");
        let (status, body) = get(&router, &path, Role::Admin).await;
        assert_eq!(
            (status, &body["success"]),
            (StatusCode::OK, &json!(true)),
            "{path}: {body}"
        );
        assert_eq!(
            get(&router, &path, Role::User).await.0,
            StatusCode::FORBIDDEN,
            "{path}"
        );
    }
    assert_eq!(
        get(&router, "/api/stats/revenue?period=hourly", Role::Admin)
            .await
            .0,
        StatusCode::BAD_REQUEST
    );
    assert_eq!(
        get(
            &router,
            &format!("/api/stats/events/{}", Uuid::new_v4()),
            Role::Admin
        )
        .await
        .0,
        StatusCode::NOT_FOUND
    );
}
