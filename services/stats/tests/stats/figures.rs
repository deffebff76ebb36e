//! Accounts, seats, fans and the house, each figure worked out by hand.

use crate::story::story;
use crate::world::{SOON, get};
use serde_json::{Value, json};
use urr_kit::{
    clock::Clock,
    identity::Role,
    testing::{TestBed, eventually},
};

#[tokio::test]
async fn r_stat_01_accounts_seats_fans_and_the_house_are_counted_from_events() {
    let bed = TestBed::new().await;
    let service = urr_stats::start(&bed.ctx(), urr_stats::Config::default())
        .await
        .unwrap();
    let router = service.router;
    bed.run(service.tasks);
    let history = story(bed.clock().now());
    history.tell(&bed).await;
    let settles = async |path: &str, pointer: &str, expected: Value| {
        let path = format!("/api/stats/{path}");
        let what = format!("{path} {pointer}");
        eventually(SOON, &what, async || {
            let (_, body) = get(&router, &path, Role::Admin).await;
            body["data"].pointer(pointer) == Some(&expected)
        })
        .await;
    };
    let seats = format!("seat-preferences?eventId={}", history.event);
    let sold = |total: i64, reserved: i64, rate: f64| json!({"total_seats": total, "reserved_seats": reserved, "reservation_rate": rate});
    let with = |mut figures: Value, more: Value| {
        let rest = more.as_object().unwrap().clone();
        figures.as_object_mut().unwrap().extend(rest);
        figures
    };
    let sections = json!([
        with(sold(4, 1, 25.0), json!({"section": "A"})),
        with(sold(4, 1, 25.0), json!({"section": "VIP"})),
    ]);
    settles(&seats, "/bySection", sections.clone()).await;
    // All events together: only one has a hall that is known.
    settles("seat-preferences", "/bySection", sections).await;
    let tier = |name: &str, price: i64| json!({"price_tier": name, "tier": name, "avg_price": price});
    let tiers = json!([
        with(sold(4, 1, 25.0), tier("standard", 90_000)),
        with(sold(4, 1, 25.0), tier("vip", 150_000)),
    ]);
    settles(&seats, "/byPriceTier", tiers).await;
    let row = |section: &str, number: i64| json!({"section": section, "row_number": number});
    let rows = json!([
        with(sold(2, 1, 50.0), row("VIP", 1)),
        with(sold(4, 1, 25.0), row("A", 1)),
        with(sold(2, 0, 0.0), row("VIP", 2)),
    ]);
    settles(&seats, "/topRows", rows).await;
    let event = format!("events/{}", history.event);
    settles(&event, "/overview/total_seats", json!(8)).await;
    settles(&event, "/overview/available_seats", json!(6)).await;
    settles(&event, "/overview/occupancy_rate", json!(25.0)).await;

    let kind = |name: &str, users: i64, reservations: i64| json!({"user_type": name, "user_count": users, "total_reservations": reservations});
    let types = json!([kind("new", 1, 2), kind("returning", 1, 1), kind("loyal", 0, 0)]);
    settles("user-behavior", "/userTypes", types).await;
    let average = json!({"avg_reservations": 1.5, "max_reservations": 2, "median_reservations": 1.5, "avg_spending": 120_000});
    settles("user-behavior", "/averageMetrics", average).await;
    settles("user-behavior", "/avgTimeToPayment", json!("3.00")).await;
    let (_, body) = get(&router, "/api/stats/user-behavior", Role::Admin).await;
    let spenders = |row: &Value| (row["tier"].clone(), row["user_count"].clone());
    let spending: Vec<_> = body["data"]["spendingDistribution"]
        .as_array()
        .unwrap()
        .iter()
        .map(spenders)
        .collect();
    assert_eq!(
        json!(spending),
        json!([["none", 0], ["low", 1], ["medium", 1], ["high", 0]])
    );
    let week = body["data"]["weekdayActivity"].as_array().unwrap();
    let made: i64 = week.iter().map(|day| day["reservations"].as_i64().unwrap()).sum();
    assert_eq!((week.len(), made, &week[0]["day_name"]), (7, 3, &json!("Sunday")));

    settles(
        "performance",
        "/database/tableCounts",
        json!({"users": 3, "events": 0, "reservations": 4, "seats": 8, "payments": 1}),
    )
    .await;
    settles(
        "performance",
        "/recentPerformance",
        json!({"successRate": 66.67, "totalRequests": 3}),
    )
    .await;
    settles(
        "performance",
        "/metrics",
        json!({"avgSeatLockSeconds": "140.00", "paymentFailureRate": 50.0}),
    )
    .await;
    let (_, body) = get(&router, "/api/stats/performance", Role::Admin).await;
    assert!(body["data"]["database"]["sizeBytes"].as_i64().unwrap() > 0);
    let load = body["data"]["loadPattern"].as_array().unwrap();
    let made: i64 = load
        .iter()
        .map(|hour| hour["request_count"].as_i64().unwrap())
        .sum();
    assert_eq!((load.len(), made), (24, 3));

    settles(
        "users",
        "/byRole",
        json!([{"role": "user", "count": 2}, {"role": "admin", "count": 1}]),
    )
    .await;
    let (_, body) = get(&router, "/api/stats/users?days=30", Role::Admin).await;
    let days = body["data"]["daily"].as_array().unwrap();
    let figures = |day: &Value| (day["new_users"].clone(), day["cumulative_users"].clone());
    assert_eq!(days.len(), 30);
    assert_eq!(figures(&days[0]), (json!(2), json!(3)));
    assert_eq!(figures(&days[29]), (json!(0), json!(1)));
    settles("overview", "/total_users", json!(3)).await;
    settles("overview", "/active_memberships", json!(1)).await;
}
