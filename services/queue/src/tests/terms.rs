//! Who is turned away at the door by booking's terms (R-BOOK-14), and who is not.

use super::{OPENS_AT, on_one_server::Sale};
use crate::{Config, store::Guards};
use axum::{
    Json, Router,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse as _, Response},
    routing::get,
};
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use urr_core::{
    presale::{Presale, Tier},
    terms::{Fan, Terms},
    time::Millis,
};
use urr_kit::{
    state::limits::Limits,
    testing::{TestBed, eventually},
};
use uuid::Uuid;

/// Booking's side of the two questions.
#[derive(Default)]
struct Booking {
    terms: Mutex<Option<Terms>>,
    tiers: Mutex<HashMap<Uuid, Tier>>,
    asked_for_terms: AtomicU64,
    asked_for_tiers: AtomicU64,
}

impl Booking {
    fn router(self: &Arc<Self>) -> Router {
        async fn terms(State(booking): State<Arc<Booking>>) -> Response {
            booking.asked_for_terms.fetch_add(1, Ordering::SeqCst);
            match *booking.terms.lock().unwrap() {
                Some(terms) => Json(terms).into_response(),
                None => StatusCode::NOT_FOUND.into_response(),
            }
        }
        async fn tier(State(booking): State<Arc<Booking>>, Path((_, user)): Path<(Uuid, Uuid)>) -> Json<Fan> {
            booking.asked_for_tiers.fetch_add(1, Ordering::SeqCst);
            let tier = booking.tiers.lock().unwrap().get(&user).copied();
            Json(Fan {
                tier: tier.unwrap_or(Tier::Bronze),
            })
        }
        Router::new()
            .route("/internal/sales/{sale}/terms", get(terms))
            .route("/internal/sales/{sale}/tiers/{user}", get(tier))
            .with_state(Arc::clone(self))
    }

    fn say(&self, terms: Terms) {
        *self.terms.lock().unwrap() = Some(terms);
    }

    fn fan(&self, tier: Tier) -> Uuid {
        let user = Uuid::new_v4();
        self.tiers.lock().unwrap().insert(user, tier);
        user
    }

    fn asked(&self) -> (u64, u64) {
        (
            self.asked_for_terms.load(Ordering::SeqCst),
            self.asked_for_tiers.load(Ordering::SeqCst),
        )
    }
}

/// A queue whose joins wait for booking as long as it takes.
async fn queue(router: Router) -> Sale {
    waiting(router, 60_000).await
}

async fn waiting(router: Router, queue_booking_wait_ms: u64) -> Sale {
    let bed = TestBed::at(OPENS_AT).await;
    let booking = bed.serve(router).await;
    let ctx = bed
        .ctx()
        .with_settings(|settings| settings.urls.booking = booking);
    let config = Config {
        queue_booking_wait_ms,
        ..Config::default()
    };
    Sale::of(bed, ctx, &config, Guards::default()).await
}

/// An artist's sale that opens to his first fans at [`OPENS_AT`] and closes after a month.
fn presale(declared: bool) -> Terms {
    Terms {
        opens_at: Some(OPENS_AT),
        closes_at: Some(hour(30 * 24)),
        declared,
        presale: Presale::of_sale(OPENS_AT, None),
        ..Terms::default()
    }
}

fn hour(hours: i64) -> Millis {
    OPENS_AT.plus_s(hours * 3600)
}

impl Sale {
    async fn check(&self, user: Uuid, position: u64) -> (StatusCode, Value) {
        let path = format!("/api/queue/check/{}", self.id);
        self.call(
            "POST",
            &path,
            Some((user, "user")),
            Some(self.place_token(position)),
        )
        .await
    }
}

#[tokio::test]
async fn r_book_14_before_his_hour_a_fan_takes_neither_place_nor_slot_and_hears_when_it_is() {
    let booking = Arc::new(Booking::default());
    booking.say(presale(true));
    let sale = queue(booking.router()).await;
    sale.limit(Limits {
        cap: 1,
        closes_at: hour(30 * 24),
        silence_s: 600,
        ..sale.limits()
    })
    .await;
    let (diamond, bronze) = (booking.fan(Tier::Diamond), booking.fan(Tier::Bronze));
    let (status, body) = sale.check(diamond, 2).await;
    assert_eq!((status, &body["status"]), (StatusCode::OK, &json!("active")));

    let (status, body) = sale.check(bronze, 1).await;
    assert_eq!(status, StatusCode::CONFLICT, "{body}");
    let message = "The sale is not open to BRONZE yet: members of the artist come first, by tier";
    let at = "2027-01-17T08:00:00.000+00:00";
    assert_eq!(
        body,
        json!({"error": message, "message": message, "code": "PRESALE", "tier": "BRONZE", "opensAt": at,
            "redirectTo": format!("/vwr/{}?opensAt={}", sale.id, hour(48).0)})
    );
    // Nothing of him is anywhere, so his place is still his.
    let log = sale.log().await;
    assert!(log.iter().all(|entry| entry.user != Some(bronze)), "{log:?}");
    let silver = booking.fan(Tier::Silver);
    sale.bed.clock().set(hour(48).plus_ms(-1));
    assert_eq!(sale.check(silver, 3).await.0, StatusCode::OK);
    let lee = Uuid::new_v4();
    assert_eq!(
        sale.check(lee, 4).await.1["code"],
        "PRESALE",
        "a millisecond early"
    );
    sale.bed.clock().set(hour(48));
    let gold = booking.fan(Tier::Gold);
    for (user, position, ahead) in [(gold, 5, 0), (bronze, 1, 0), (lee, 4, 1)] {
        let (status, body) = sale.check(user, position).await;
        assert_eq!(
            (status, &body["peopleAhead"]),
            (StatusCode::OK, &json!(ahead)),
            "{body}"
        );
    }
    let asked = booking.asked().1;
    assert_eq!(asked, 4, "and since everybody may come, nobody is asked about");
}

#[tokio::test]
async fn r_book_14_who_is_in_line_or_inside_was_asked_about_once() {
    let booking = Arc::new(Booking::default());
    booking.say(presale(true));
    let sale = queue(booking.router()).await;
    sale.limit(Limits {
        cap: 1,
        ..sale.limits()
    })
    .await;
    let fans = [(); 2].map(|()| booking.fan(Tier::Diamond));
    for _ in 0..3 {
        for (fan, position) in fans.iter().zip(1..) {
            assert_eq!(sale.check(*fan, position).await.0, StatusCode::OK);
            let status = format!("/api/queue/status/{}", sale.id);
            sale.call("GET", &status, Some((*fan, "user")), None).await;
        }
        // The line is not known here for sure any more.
        sale.bed.clock().advance_ms(2000);
    }
    assert_eq!(booking.asked(), (1, 2));
    // Whoever only looks is told how he stands.
    let path = format!("/api/queue/status/{}", sale.id);
    let (_, body) = sale
        .call(
            "GET",
            &path,
            Some((Uuid::new_v4(), "user")),
            Some(sale.place_token(9)),
        )
        .await;
    assert_eq!(body["status"], "not_in_queue");
    assert_eq!(booking.asked(), (1, 2));
}

#[tokio::test]
async fn r_book_14_without_a_presale_nobody_is_asked_about_and_a_join_is_one_call() {
    let booking = Arc::new(Booking::default());
    let sale = queue(booking.router()).await;
    sale.limit(sale.limits()).await;
    let general = Terms {
        presale: Presale::of_sale(hour(-48), None),
        ..presale(true)
    };
    let none = Terms {
        presale: None,
        ..general
    };
    let mut position = 0;
    for terms in [None, Some(none), Some(general)] {
        *booking.terms.lock().unwrap() = terms;
        sale.bed.clock().advance_ms(11_000);
        // The first brings the news; what is known until then serves him.
        let before = booking.asked().0;
        position += 1;
        sale.check(Uuid::new_v4(), position).await;
        eventually(Duration::from_secs(60), "the terms", async || {
            let told = sale.app.booking.known(sale.id);
            (booking.asked().0 > before && told == Some(terms)).then_some(())
        })
        .await;
        for _ in 0..20 {
            let before = sale.app.store.calls();
            position += 1;
            assert_eq!(sale.check(Uuid::new_v4(), position).await.0, StatusCode::OK);
            assert_eq!(sale.app.store.calls() - before, 1);
        }
    }
    assert_eq!(booking.asked(), (3, 0));
}

#[tokio::test]
async fn r_book_14_an_event_nobody_declared_a_sale_for_keeps_catalogs_window() {
    let booking = Arc::new(Booking::default());
    let sale = queue(booking.router()).await;
    let window = Terms {
        presale: None,
        closes_at: Some(hour(1)),
        ..presale(false)
    };
    booking.say(window);
    let (kim, lee) = (Uuid::new_v4(), Uuid::new_v4());
    sale.bed.clock().set(OPENS_AT.plus_ms(-1));
    let (status, body) = sale.check(kim, 1).await;
    assert_eq!(
        (status, &body["code"], &body["opensAt"]),
        (
            StatusCode::CONFLICT,
            &json!("SALE_NOT_OPEN"),
            &json!("2027-01-15T08:00:00.000+00:00")
        )
    );
    assert!(
        sale.app.store.listed(16).await.unwrap().is_empty(),
        "no line was made"
    );
    sale.bed.clock().set(OPENS_AT);
    assert_eq!(sale.check(kim, 1).await.1["status"], "active");
    sale.bed.clock().set(hour(1).plus_ms(-1));
    assert_eq!(sale.check(kim, 1).await.1["status"], "active", "comes again");
    sale.bed.clock().set(hour(1));
    assert_eq!(sale.check(lee, 2).await.1["code"], "SALE_CLOSED");
    assert_eq!(
        sale.check(kim, 1).await.1["status"],
        "active",
        "who is in stays in"
    );
}

#[tokio::test]
async fn r_book_14_a_called_off_show_takes_nobody_in_and_a_declared_sale_is_waited_for() {
    let booking = Arc::new(Booking::default());
    let sale = queue(booking.router()).await;
    sale.bed.clock().set(hour(-1));
    sale.limit(Limits {
        cap: 1,
        ..sale.limits()
    })
    .await;
    booking.say(presale(true));
    let (diamond, gold) = (booking.fan(Tier::Diamond), booking.fan(Tier::Gold));
    let (_, body) = sale.check(diamond, 1).await;
    assert_eq!(
        (&body["status"], &body["saleState"]),
        (&json!("queued"), &json!("notYet"))
    );
    assert_eq!(sale.check(gold, 2).await.1["code"], "PRESALE");
    booking.say(Terms {
        cancelled: true,
        ..presale(true)
    });
    sale.bed.clock().set(hour(24));
    let mut position = 2;
    eventually(Duration::from_secs(60), "the news", async || {
        position += 1;
        let (status, body) = sale.check(booking.fan(Tier::Silver), position).await;
        (status == StatusCode::CONFLICT && body["code"] == "EVENT_CANCELLED").then_some(())
    })
    .await;
}

#[tokio::test]
async fn r_book_14_while_booking_does_not_answer_the_line_goes_on() {
    // It answers 503; it answers nothing at all; it answers of the event, and nothing of the fan.
    let away = Router::new().fallback(|| async { StatusCode::SERVICE_UNAVAILABLE });
    let stuck = Router::new().fallback(|| async { std::future::pending::<StatusCode>().await });
    let half = stuck.clone().route(
        "/internal/sales/{sale}/terms",
        get(|| async { Json(presale(true)) }),
    );
    for (router, wait_ms) in [(away, 60_000), (stuck, 50), (half, 1000)] {
        let sale = waiting(router, wait_ms).await;
        sale.limit(sale.limits()).await;
        for position in 1..=3 {
            let (status, body) = sale.check(Uuid::new_v4(), position).await;
            assert_eq!(
                (status, &body["status"]),
                (StatusCode::OK, &json!("active")),
                "{body}"
            );
        }
    }
}
