//! Booking on real Postgres and Redis. In the crate, because some tests take a guard out.

mod anything;
mod api;
mod changing;
mod fans;
mod free;
mod heard;
mod map;
mod members;
mod one_payment;
mod outage;
mod owed;
mod races;
mod resold;
mod served;
mod settling;

use crate::filter::Filter;
use crate::holds::{Defaults, HoldError, Holds, Refusal};
use crate::map::SeatMaps;
use crate::store::hold::Hold;
use crate::store::sales::{self, EventCopy};
use crate::store::seating;
use crate::store::settle::{self, Cancel, Fencing, Paid, SettleError, Settled};
use sqlx::PgPool;
use std::sync::Arc;
use urr_core::seating::{Hall, Section};
use urr_core::time::Millis;
use urr_kit::clock::{Clock as _, ManualClock};
use urr_kit::testing::TestBed;
use urr_kit::wire;
use uuid::Uuid;

/// Length of a hold in these tests, milliseconds.
pub(crate) const HOLD_MS: i64 = 300_000;

/// One event with seats, and everything that acts on it.
pub(crate) struct World {
    pub(crate) bed: TestBed,
    pub(crate) pool: PgPool,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) filter: Filter,
    pub(crate) holds: Holds,
    pub(crate) maps: SeatMaps,
    pub(crate) event: Uuid,
    /// In the hall's order.
    pub(crate) seats: Vec<Uuid>,
}

impl World {
    /// An event with `seats` seats in two sections; holds of up to `per_booking` of them.
    pub(crate) async fn new(seats: u32, per_booking: i32, with_redis: bool) -> Self {
        let bed = TestBed::new().await;
        let ctx = bed.ctx();
        let pool = ctx.postgres("booking", &crate::store::MIGRATOR).await.unwrap();
        let redis = if with_redis {
            Some(ctx.redis().await.unwrap())
        } else {
            None
        };
        let clock = bed.clock();
        let filter = Filter::new(redis, clock.clone());
        let defaults = Defaults {
            hold_ttl_s: HOLD_MS / 1000,
            seats_per_booking: per_booking,
        };
        let holds = Holds::new(pool.clone(), filter.clone(), clock.clone(), defaults);
        let maps = SeatMaps::new(pool.clone(), clock.clone());
        let event = Uuid::new_v4();
        let now = wire::at(clock.now());
        sales::put_event(&pool, event, &show(clock.now()), now)
            .await
            .unwrap();
        let hall = hall(seats);
        let layout = seating::create_layout(&pool, "Hall", None, &hall, now)
            .await
            .unwrap();
        seating::generate(&pool, event, layout.id, now).await.unwrap();
        let seats = sqlx::query_scalar("SELECT id FROM seats WHERE event_id = $1 ORDER BY ordinal")
            .bind(event)
            .fetch_all(&pool)
            .await
            .unwrap();
        Self {
            bed,
            pool,
            clock,
            filter,
            holds,
            maps,
            event,
            seats,
        }
    }

    pub(crate) fn now(&self) -> Millis {
        self.clock.now()
    }

    pub(crate) async fn hold(&self, user: Uuid, seats: &[Uuid]) -> Result<Hold, Refusal> {
        self.hold_keyed(user, seats, None).await
    }

    pub(crate) async fn hold_keyed(
        &self,
        user: Uuid,
        seats: &[Uuid],
        key: Option<&str>,
    ) -> Result<Hold, Refusal> {
        match self.holds.hold(user, self.event, seats, key).await {
            Ok((hold, _)) => Ok(hold),
            Err(HoldError::Refused(refusal)) => Err(refusal),
            Err(HoldError::Store(error)) => panic!("{error}"),
        }
    }

    pub(crate) async fn confirm(&self, id: Uuid, fencing: Fencing) -> Result<Settled, SettleError> {
        let mut tx = self.pool.begin().await.unwrap();
        let paid = Paid {
            payment: None,
            payer: None,
            amount: None,
            method: "toss",
        };
        let settled = settle::confirm(&mut tx, id, paid, fencing, wire::at(self.now())).await?;
        tx.commit().await.unwrap();
        crate::consumer::forget_keys(&self.filter, &settled, "test").await;
        Ok(settled)
    }

    pub(crate) async fn cancel(&self, id: Uuid, how: Cancel) -> Result<Settled, SettleError> {
        let mut tx = self.pool.begin().await.unwrap();
        let settled = settle::cancel(&mut tx, id, how, wire::at(self.now())).await?;
        tx.commit().await.unwrap();
        crate::consumer::forget_keys(&self.filter, &settled, "test").await;
        Ok(settled)
    }

    pub(crate) async fn sweep(&self) -> usize {
        crate::expiry::sweep(&self.pool, &self.filter, None, self.now())
            .await
            .unwrap()
    }

    /// Seats by status: available, locked, reserved.
    pub(crate) async fn counts(&self) -> (i64, i64, i64) {
        sqlx::query_as(
            "SELECT count(*) FILTER (WHERE status = 'available'), count(*) FILTER (WHERE status = 'locked'),
                    count(*) FILTER (WHERE status = 'reserved') FROM seats WHERE event_id = $1",
        )
        .bind(self.event)
        .fetch_one(&self.pool)
        .await
        .unwrap()
    }

    /// Seats that more than one confirmed reservation claims: law `no-oversell` says none.
    pub(crate) async fn sold_twice(&self) -> i64 {
        sqlx::query_scalar(
            "SELECT count(*) FROM (SELECT i.seat_id FROM reservation_items i
                 JOIN reservations r ON r.id = i.reservation_id AND r.status = 'confirmed'
                 WHERE i.seat_id IS NOT NULL GROUP BY i.seat_id HAVING count(*) > 1) twice",
        )
        .fetch_one(&self.pool)
        .await
        .unwrap()
    }

    pub(crate) async fn outbox(&self, kind: &str) -> Vec<serde_json::Value> {
        sqlx::query_scalar("SELECT payload FROM outbox_events WHERE event_type = $1 ORDER BY seq")
            .bind(kind)
            .fetch_all(&self.pool)
            .await
            .unwrap()
    }

    pub(crate) async fn status(&self, reservation: Uuid) -> String {
        sqlx::query_scalar("SELECT status FROM reservations WHERE id = $1")
            .bind(reservation)
            .fetch_one(&self.pool)
            .await
            .unwrap()
    }
}

/// A show in a month that is on sale for an hour from now on.
pub(crate) fn show(now: Millis) -> EventCopy {
    EventCopy {
        title: "Opening night".into(),
        venue: "Hall".into(),
        address: None,
        event_date: Some(wire::at(now.plus_s(30 * 24 * 3600))),
        sale_start_date: Some(wire::at(now)),
        sale_end_date: Some(wire::at(now.plus_s(3600 * 24))),
        status: "on_sale".into(),
        artist_id: None,
        artist_name: None,
        seat_layout_id: None,
        poster_image_url: None,
    }
}

/// `seats` seats: an odd one more in the first of two sections.
pub(crate) fn hall(seats: u32) -> Hall {
    let section = |name: &str, seats_per_row, price_krw| Section {
        name: name.into(),
        rows: 1,
        seats_per_row,
        price_krw,
        start_row: 1,
        grade: None,
    };
    let half = seats / 2;
    let mut sections = vec![section("VIP", seats - half, 150_000)];
    if half > 0 {
        sections.push(section("A", half, 90_000));
    }
    Hall { sections }
}
