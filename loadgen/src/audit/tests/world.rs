//! A sale written into real engines by hand, as the services would have left it.

use crate::audit::Stores;
use axum::{Json, Router, routing::get};
use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::{PgPool, migrate::Migrator};
use urr_core::{
    admission::LogKind,
    audit::{Attempt, AttemptKind, JoinSeen, Observations, ReadySeen, ServingSeen},
    room::Room,
    sale::{AdmissionSettings, CapacitySettings, Sale, Schedule},
    time::Millis,
    visitor::VisitorKey,
};
use urr_kit::{
    Dynamo, Redis,
    state::rooms::{
        Rooms,
        ledger::{Block, Conditions, Entry},
    },
    testing::TestBed,
};
use uuid::Uuid;

/// The services' own migrations: a column renamed there fails the tests here.
static BOOKING: Migrator = sqlx::migrate!("../services/booking/migrations");
pub(super) static PAYMENT: Migrator = sqlx::migrate!("../services/payment/migrations");

const OPENS_AT: Millis = Millis(1_796_122_800_000);
const RATE_PER_S: u32 = 100;
/// Blocks small enough that a few thousand visitors are many of them.
const VISITORS_PER_BLOCK: usize = 100;
const PRICE: i64 = 50_000;
/// How long each visitor stays inside.
const STAY_MS: i64 = 400;

pub(super) struct World {
    pub(super) bed: TestBed,
    pub(super) sale: Sale,
    pub(super) stores: Stores,
    pub(super) booking: PgPool,
    pub(super) redis: Redis,
    dynamo: Dynamo,
    visitors: u32,
}

pub(super) fn user(number: u32) -> Uuid {
    Uuid::from_u128((0xbeef << 64) | u128::from(number))
}

pub(super) fn seat(number: u32) -> Uuid {
    Uuid::from_u128((0x5ea7 << 64) | u128::from(number))
}

pub(super) fn reservation(number: u32) -> Uuid {
    Uuid::from_u128((0xb00c << 64) | u128::from(number))
}

pub(super) fn order(number: u32) -> String {
    format!("ORD_{}", reservation(number))
}

fn instant(at: Millis) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(at.0).unwrap()
}

/// Visitor `number` is let in 10 ms after the one before, which is the whole rate.
fn admitted_at(number: u32) -> Millis {
    OPENS_AT.plus_ms(50 + i64::from(number) * 1000 / i64::from(RATE_PER_S))
}

impl World {
    /// Engines, tables and a sale with a seat for every tenth visitor; nothing in them yet.
    pub(super) async fn new(visitors: u32) -> Self {
        let bed = TestBed::new().await;
        let ctx = bed.ctx();
        let sale = Sale {
            id: Uuid::from_u128(0x5a1e),
            name: "Audited".into(),
            schedule: Schedule {
                pre_queue_at: OPENS_AT.plus_s(-300),
                opens_at: OPENS_AT,
                closes_at: OPENS_AT.plus_s(36_000),
            },
            ordering: urr_core::sale::Ordering::default(),
            seats: visitors / 10,
            expected_visitors: u64::from(visitors),
            admission: AdmissionSettings {
                rate_per_s: RATE_PER_S,
                cap: 50,
                burst: 10,
                ..AdmissionSettings::default()
            },
            capacity: CapacitySettings {
                rate_per_replica: 50,
                replicas: 2,
            },
        };
        let booking = ctx.postgres("booking", &BOOKING).await.unwrap();
        let _payment = ctx.postgres("payment", &PAYMENT).await.unwrap();
        let (redis, dynamo) = (ctx.redis().await.unwrap(), ctx.dynamo().await);
        Rooms::new(&dynamo).ensure_tables().await.unwrap();
        let mut stores = Stores::from_settings(&ctx.settings, Vec::new()).await.unwrap();
        stores.provider_url = bed.serve(ledger(sale.seats)).await;
        stores.metrics_urls = vec![bed.serve(metrics()).await];
        Self {
            bed,
            sale,
            stores,
            booking,
            redis,
            dynamo,
            visitors,
        }
    }

    /// As [`World::new`], with a whole sale in which every law held, and rows of another sale.
    pub(super) async fn sold(visitors: u32) -> Self {
        let world = Self::new(visitors).await;
        tokio::join!(
            world.fill_room(),
            world.fill_log(),
            world.fill_booking(),
            world.fill_payment()
        );
        world
    }

    pub(super) fn now(&self) -> Millis {
        admitted_at(self.visitors).plus_s(60)
    }

    /// What clients saw of it.
    pub(super) fn observed(&self) -> Observations {
        let mut room = Room::new(&self.sale, 1);
        room.issued = u64::from(self.visitors);
        Observations {
            joins: (0..self.visitors)
                .map(|number| JoinSeen {
                    visitor: format!("anon-{number}"),
                    sent_at: joined_at(number).plus_ms(-2),
                    answered_at: joined_at(number).plus_ms(20),
                    position: u64::from(number) + 1,
                    request_id: None,
                })
                .collect(),
            serving: (0..100)
                .map(|step| {
                    let at = OPENS_AT.plus_ms(step * 50);
                    ServingSeen {
                        sent_at: at,
                        answered_at: at.plus_ms(1),
                        serving: room.serving(at),
                        issued: room.issued,
                        epoch: Some(1),
                        revision: None,
                    }
                })
                .collect(),
            attempts: vec![Attempt {
                kind: AttemptKind::NoEntryToken,
                status: 403,
                got_in: false,
            }],
            ready: vec![ReadySeen {
                at: OPENS_AT.plus_s(-600),
                replicas: 2,
            }],
            ..Observations::default()
        }
    }

    async fn fill_room(&self) {
        let rooms = Rooms::new(&self.dynamo);
        let mut room = rooms.create(&Room::new(&self.sale, 1)).await.unwrap();
        let numbers: Vec<u32> = (0..self.visitors).collect();
        for numbers in numbers.chunks(VISITORS_PER_BLOCK) {
            let at = joined_at(numbers[0]);
            let entries = numbers.iter().map(|number| Entry {
                key: VisitorKey::of(self.sale.id, &format!("anon-{number}")),
                after_ms: u16::try_from(joined_at(*number).since(at)).unwrap(),
            });
            room = self.append(&rooms, &room, at, entries.collect()).await;
        }
        // Two people without a name.
        let nameless = [1, 2].map(|n| Entry {
            key: VisitorKey([n; 16]),
            after_ms: 0,
        });
        self.append(&rooms, &room, OPENS_AT, nameless.to_vec()).await;
        // Somebody of another sale with the same position.
        let mut other = self.sale.clone();
        other.id = Uuid::nil();
        let other = rooms.create(&Room::new(&other, 1)).await.unwrap();
        let stranger = Entry {
            key: VisitorKey::of(Uuid::nil(), "anon-0"),
            after_ms: 0,
        };
        self.append(&rooms, &other, OPENS_AT, vec![stranger]).await;
    }

    async fn append(&self, rooms: &Rooms, room: &Room, at: Millis, entries: Vec<Entry>) -> Room {
        let block = Block {
            sale: room.sale,
            epoch: room.epoch,
            number: room.blocks + 1,
            first: room.issued + 1,
            at,
            writer: 1,
            entries,
        };
        rooms.append(room, &block, None, Conditions::Kept).await.unwrap()
    }

    async fn fill_log(&self) {
        // (when, leaving before coming, who, what)
        let mut steps: Vec<(Millis, u8, u32, LogKind)> = (0..self.visitors)
            .flat_map(|number| {
                let at = admitted_at(number);
                [
                    (OPENS_AT.plus_ms(20), 0, number, LogKind::Enqueue),
                    (at, 2, number, LogKind::Admit),
                    (at.plus_ms(STAY_MS), 1, number, LogKind::Leave),
                ]
            })
            .collect();
        steps.sort_unstable_by_key(|(at, order, number, _)| (*at, *order, *number));
        let key = self.redis.key(&format!("{{{}}}:log", self.sale.id));
        let mut active = 0;
        let mut lines = vec![line(LogKind::Open, OPENS_AT.plus_ms(10), None, 0)];
        for (at, _, number, kind) in steps {
            active = match kind {
                LogKind::Admit => active + 1,
                LogKind::Leave => active - 1,
                _ => active,
            };
            lines.push(line(kind, at, Some(number), active));
        }
        // The shared connection answers within half a second or not at all.
        for lines in lines.chunks(500) {
            let mut pipe = redis::pipe();
            for fields in lines {
                pipe.xadd(&key, "*", fields).ignore();
            }
            pipe.query_async::<()>(&mut self.redis.conn()).await.unwrap();
        }
    }

    async fn fill_booking(&self) {
        let seats = self.sale.seats;
        let mut conn = self.booking.acquire().await.unwrap();
        for event in [self.sale.id, Uuid::nil()] {
            let layout = Uuid::from_u128(event.as_u128() + 1);
            sqlx::query("INSERT INTO seat_layouts VALUES ($1, $1::text, NULL, 1, '{}', now())")
                .bind(layout)
                .execute(&mut *conn)
                .await
                .unwrap();
            sqlx::query("INSERT INTO seatings VALUES ($1, $2, $2, 1, '{}', now())")
                .bind(event)
                .bind(layout)
                .execute(&mut *conn)
                .await
                .unwrap();
        }
        let numbers: Vec<u32> = (0..seats).collect();
        let ids = |of: fn(u32) -> Uuid| numbers.iter().map(|number| of(*number)).collect::<Vec<_>>();
        let made: Vec<_> = numbers
            .iter()
            .map(|number| instant(admitted_at(*number).plus_ms(100)))
            .collect();
        sqlx::query(
            "INSERT INTO seats (id, event_id, ordinal, section, row_number, seat_number, seat_label, price,
                                status, fencing_token, locked_by, updated_at)
             SELECT id, $1, n, 'A', 1, n, 'A-1-' || n, $4, 'reserved', 1, owner, now()
             FROM unnest($2::uuid[], $3::uuid[]) WITH ORDINALITY AS t (id, owner, n)",
        )
        .bind(self.sale.id)
        .bind(ids(seat))
        .bind(ids(user))
        .bind(PRICE)
        .execute(&mut *conn)
        .await
        .unwrap();
        sqlx::query(
            "INSERT INTO reservations (id, user_id, event_id, reservation_number, total_amount, status,
                                       payment_status, expires_at, operation, created_at, updated_at)
             SELECT id, owner, $1, 'TK' || n, $5, 'confirmed', 'completed', made, 'hold', made, made
             FROM unnest($2::uuid[], $3::uuid[], $4::timestamptz[]) WITH ORDINALITY AS t (id, owner, made, n)",
        )
        .bind(self.sale.id)
        .bind(ids(reservation))
        .bind(ids(user))
        .bind(made)
        .bind(PRICE)
        .execute(&mut *conn)
        .await
        .unwrap();
        sqlx::query(
            "INSERT INTO reservation_items (reservation_id, seat_id, quantity, unit_price, subtotal, label, fencing_token)
             SELECT id, seat, 1, $3, $3, 'A', 1 FROM unnest($1::uuid[], $2::uuid[]) AS t (id, seat)",
        )
        .bind(ids(reservation))
        .bind(ids(seat))
        .bind(PRICE)
        .execute(&mut *conn)
        .await
        .unwrap();
        sqlx::query(
            "INSERT INTO seats (id, event_id, ordinal, section, row_number, seat_number, seat_label, price, updated_at)
             VALUES (gen_random_uuid(), $1, 1, 'B', 1, 1, 'B-1-1', 1, now())",
        )
        .bind(Uuid::nil())
        .execute(&mut *conn)
        .await
        .unwrap();
    }

    async fn fill_payment(&self) {
        let pool = self.bed.ctx().postgres("payment", &PAYMENT).await.unwrap();
        let numbers: Vec<u32> = (0..self.sale.seats).collect();
        let orders: Vec<_> = numbers.iter().map(|number| order(*number)).collect();
        let targets: Vec<_> = numbers.iter().map(|number| reservation(*number)).collect();
        let payers: Vec<_> = numbers.iter().map(|number| user(*number)).collect();
        // Every other row does not say which event it is for: its reservation does.
        sqlx::query(
            "INSERT INTO payments (id, order_id, payment_type, reservation_id, user_id, event_id, amount, payment_key,
                                   status, created_at, updated_at)
             SELECT gen_random_uuid(), o, 'reservation', target, payer, CASE WHEN n % 2 = 0 THEN $1 END, $4, 'k' || n,
                    'confirmed', now(), now()
             FROM unnest($2::text[], $3::uuid[], $5::uuid[]) WITH ORDINALITY AS t (o, target, payer, n)",
        )
        .bind(self.sale.id)
        .bind(orders)
        .bind(targets)
        .bind(PRICE)
        .bind(payers)
        .execute(&pool)
        .await
        .unwrap();
        sqlx::query(
            "INSERT INTO payments (id, order_id, payment_type, reservation_id, user_id, event_id, amount, payment_key,
                                   status, created_at, updated_at)
             VALUES (gen_random_uuid(), 'ELSEWHERE', 'reservation', $1, $1, $1, 1, 'elsewhere', 'confirmed', now(), now())",
        )
        .bind(Uuid::nil())
        .execute(&pool)
        .await
        .unwrap();
    }
}

fn joined_at(number: u32) -> Millis {
    OPENS_AT.plus_ms(i64::from(number) / 10 - 60_000)
}

/// A line of the log as the queue's script writes it.
fn line(kind: LogKind, at: Millis, number: Option<u32>, active: u64) -> [(&'static str, String); 8] {
    let user = number.map(|number| user(number).to_string()).unwrap_or_default();
    let position = number.map(|number| (number + 1).to_string()).unwrap_or_default();
    [
        ("k", kind.name().to_owned()),
        ("t", at.0.to_string()),
        ("u", user),
        ("p", position),
        ("a", active.to_string()),
        ("c", "50".to_owned()),
        ("r", RATE_PER_S.to_string()),
        ("w", String::new()),
    ]
}

/// The provider's ledger: a charge for each seat, one of another sale, and a declined one.
fn ledger(seats: u32) -> Router {
    let entry = |order: String, amount: i64, status: &str| {
        json!({ "paymentKey": format!("key-{order}"), "orderId": order, "amount": amount, "status": status,
                "cancels": [], "approvedAt": null })
    };
    let entries: Vec<_> = (0..seats)
        .map(|number| entry(order(number), PRICE, "DONE"))
        .chain([
            entry("ELSEWHERE".into(), 1, "DONE"),
            entry(order(0), PRICE, "ABORTED"),
        ])
        .collect();
    Router::new().route("/ledger", get(move || std::future::ready(Json(entries.clone()))))
}

fn metrics() -> Router {
    let text = "urr_vwr_polls_total 90000\nurr_vwr_store_ops_total{op=\"room_read\"} 100\n";
    Router::new().route("/actuator/prometheus", get(move || std::future::ready(text)))
}
