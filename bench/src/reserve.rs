//! Holding a seat as a subject: the whole request (entry token, Redis filter, one statement),
//! against pgbench writing the same rows in one statement without asking anything, by turns.

use crate::{
    load::{self, MakeRequest},
    post, serve,
    table::Row,
    waiting_room,
};
use anyhow::{Context, ensure};
use axum::http::{HeaderValue, StatusCode};
use serde_json::{Value, json};
use sqlx::PgPool;
use std::{
    io::Write,
    net::SocketAddr,
    path::PathBuf,
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use urr_core::{sale::SaleId, token::entry};
use urr_kit::{clock::SharedClock, ctx::Ctx, secrets::Secrets};
use uuid::Uuid;

/// Its name in the table.
pub(crate) const KEY: &str = "reserve_vs_bare";
/// Connections, as many as pgbench gets: Postgres is the scarce part.
const LANES: usize = 16;

/// What a hold writes, without its questions: seat, quota, reservation, item, outbox row.
const BARE: &str = r"\set n random(1, :seats)
WITH taken AS (
    UPDATE seats SET status = 'locked', locked_by = gen_random_uuid(), lock_expires_at = now() + interval '5 minutes',
        fencing_token = fencing_token + 1, version = version + 1, updated_at = now()
    WHERE id = (SELECT id FROM bench_seats WHERE n = :n) RETURNING id, event_id, locked_by, price, seat_label, grade, fencing_token
), quota AS (
    INSERT INTO ticket_quotas (user_id, event_id, tickets) SELECT locked_by, event_id, 1 FROM taken
), booked AS (
    INSERT INTO reservations (id, user_id, event_id, reservation_number, total_amount, status, expires_at, operation,
        idempotency_key, created_at, updated_at)
    SELECT gen_random_uuid(), locked_by, event_id, gen_random_uuid()::text, price, 'pending', now() + interval '5 minutes',
        'hold', gen_random_uuid()::text, now(), now() FROM taken RETURNING id
), listed AS (
    INSERT INTO reservation_items (reservation_id, seat_id, quantity, unit_price, subtotal, label, grade, fencing_token)
    SELECT booked.id, taken.id, 1, price, price, seat_label, grade, fencing_token FROM booked, taken
), told AS (
    INSERT INTO outbox_events (id, topic, aggregate_type, aggregate_id, event_type, payload, created_at)
    SELECT gen_random_uuid(), 'bench', 'reservation', id::text, 'RESERVATION_CREATED', '{}', now() FROM booked
)
SELECT 1;
";

pub(crate) struct Booking {
    addr: SocketAddr,
    sale: SaleId,
    seats: Arc<Vec<Uuid>>,
    secrets: Arc<Secrets>,
    clock: SharedClock,
    database_url: String,
    /// The same database.
    pool: PgPool,
}

/// A sale of 60,000 seats that is open. Its tasks do not run: expiry and relay are other work.
pub(crate) async fn open(ctx: &Ctx) -> anyhow::Result<Booking> {
    let service = urr_booking::start(ctx, urr_booking::Config::default()).await?;
    let addr = serve(ctx, service.app(ctx)).await?;
    let sale = waiting_room::sale(ctx.clock.now());
    let (base, internal) = (format!("http://{addr}/internal"), ctx.internal());
    let sections: Vec<Value> = (0..20)
        .map(|n| json!({"name": format!("S{n}"), "rows": 50, "seatsPerRow": 60, "price": 99_000, "startRow": 1}))
        .collect();
    let layout: Value = internal
        .post_json(
            &format!("{base}/seat-layouts"),
            &json!({"name": "bench", "layout_config": {"sections": sections}}),
        )
        .await
        .context("making the hall")?;
    let layout = layout["layout"]["id"]
        .as_str()
        .or_else(|| layout["id"].as_str())
        .context("a layout without id")?;
    let _made: Value = internal
        .post_json(
            &format!("{base}/seats/generate/{}/{layout}", sale.id),
            &Value::Null,
        )
        .await
        .context("making the seats")?;
    let _known: Value = internal
        .put_json(&format!("{base}/sales/{}", sale.id), &sale)
        .await
        .context("announcing the sale")?;
    let database_url = ctx.settings.database_url_of("booking")?;
    let pool = PgPool::connect(&database_url).await?;
    let seats: Vec<Uuid> = sqlx::query_scalar("SELECT id FROM seats WHERE event_id = $1 ORDER BY random()")
        .bind(sale.id)
        .fetch_all(&pool)
        .await?;
    sqlx::raw_sql(
        "CREATE TABLE bench_seats AS SELECT row_number() OVER () AS n, id FROM seats;
         CREATE UNIQUE INDEX ON bench_seats (n); ANALYZE;",
    )
    .execute(&pool)
    .await?;
    Ok(Booking {
        addr,
        sale: sale.id,
        seats: Arc::new(seats),
        secrets: Arc::clone(&ctx.secrets),
        clock: Arc::clone(&ctx.clock),
        database_url,
        pool,
    })
}

impl Booking {
    /// Holds a second beside [`BARE`], each on a hall that is free.
    pub(crate) async fn against_bare(&self) -> anyhow::Result<Row> {
        let reservations = self.reservations();
        let holds = async |span| {
            self.free_all().await?;
            load::requests_per_s(self.addr, LANES, span, StatusCode::OK, Arc::clone(&reservations)).await
        };
        let bare = async |span| {
            self.free_all().await?;
            self.pgbench(span).await
        };
        let (value, baseline) = load::by_turns(holds, bare).await?;
        Ok(Row {
            name: KEY,
            value,
            unit: "req/s",
            baseline_name: "pgbench, the same rows in one statement",
            baseline,
        })
    }

    /// Every request is another user holding another seat, over all rounds: Redis remembers the seats of
    /// those before. There are enough for 6,000 holds a second; beyond that holds are refused, and so is the run.
    fn reservations(&self) -> MakeRequest {
        let asked = AtomicUsize::new(0);
        let (sale, seats, secrets, clock) = (
            self.sale,
            Arc::clone(&self.seats),
            Arc::clone(&self.secrets),
            Arc::clone(&self.clock),
        );
        Arc::new(move |_| {
            let user = Uuid::new_v4();
            let now_s = clock.now().0 / 1000;
            let claims = entry::Claims {
                sub: sale,
                uid: user,
                iat: now_s,
                exp: now_s + 600,
            };
            let token = entry::issue(&secrets.entry_keys, &claims);
            let seat = seats[asked.fetch_add(1, Ordering::Relaxed) % seats.len()];
            let mut request = post(
                "/api/seats/reserve",
                json!({"eventId": sale, "seatIds": [seat], "idempotencyKey": user}).to_string(),
            );
            for (name, value) in [
                ("x-user-id", user.to_string()),
                ("x-user-email", "bench@example.com".to_owned()),
                ("x-user-role", "user".to_owned()),
                ("x-queue-entry-token", token),
            ] {
                if let Ok(value) = HeaderValue::from_str(&value) {
                    request.headers_mut().insert(name, value);
                }
            }
            request
        })
    }

    /// Forgets every hold, so that each turn begins where the other did.
    async fn free_all(&self) -> anyhow::Result<()> {
        sqlx::raw_sql(
            "TRUNCATE reservation_items, reservations, ticket_quotas, outbox_events CASCADE;
             UPDATE seats SET status = 'available', locked_by = NULL, lock_expires_at = NULL
             WHERE status <> 'available';",
        )
        .execute(&self.pool)
        .await?;
        sqlx::raw_sql("VACUUM ANALYZE seats").execute(&self.pool).await?;
        Ok(())
    }

    /// Transactions per second of [`BARE`], over `span` in whole seconds.
    async fn pgbench(&self, span: Duration) -> anyhow::Result<f64> {
        let mut script = tempfile::NamedTempFile::new()?;
        script.write_all(BARE.as_bytes())?;
        let span_s = span.as_millis().div_ceil(1000);
        let output = tokio::process::Command::new(pgbench_program()?)
            .args(["-n", "-M", "prepared", "-j", "1"])
            .args(["-c", &LANES.to_string(), "-T", &span_s.to_string()])
            .arg(format!("-Dseats={}", self.seats.len()))
            .arg("-f")
            .arg(script.path())
            .arg(&self.database_url)
            .stdin(Stdio::null())
            .output()
            .await
            .context("running pgbench")?;
        let text = String::from_utf8_lossy(&output.stdout);
        ensure!(
            output.status.success(),
            "pgbench failed: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        text.lines()
            .find_map(|line| {
                line.strip_prefix("tps = ")?
                    .split_whitespace()
                    .next()?
                    .parse()
                    .ok()
            })
            .with_context(|| format!("no figure in pgbench's output: {text}"))
    }
}

/// pgbench lies beside the server's programs.
fn pgbench_program() -> anyhow::Result<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|version| version.path().join("bin/pgbench"))
        .filter(|path| path.exists())
        .collect();
    found.sort();
    found
        .pop()
        .or_else(|| which("pgbench"))
        .context("pgbench is missing: apt-get install postgresql")
}

fn which(program: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|dir| dir.join(program))
        .find(|path| path.exists())
}
