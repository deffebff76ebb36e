//! The outbox: an event becomes true in the transaction of its cause and is published afterwards,
//! as often as it takes (R-MSG-02, law `paid-means-ticket`).

use super::Envelope;
use super::bus::{BusError, EventBus, Message};
use super::purge::Purge;
use crate::clock::SharedClock;
use crate::error::chain;
use crate::service::Task;
use crate::trace;
use crate::wire::at as timestamp;
use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgPool};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// The oldest so many at a time (R-MSG-02): one round trip to the bus, locks held for milliseconds.
const BATCH: i64 = 100;
/// Nothing waits longer than this, whoever enqueued it (R-MSG-02).
const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// From enqueuing to commit takes a few milliseconds; looking earlier would find nothing.
const COMMIT_PAUSE: Duration = Duration::from_millis(5);
/// Under load a round carries what came in so long: a round costs five statements however many
/// events it carries, and nobody waits for an event while a person looks on.
const LINGER: Duration = Duration::from_millis(100);
/// How soon a bus that lost its memory is noticed. What it lost is published again, so this delays
/// and never loses.
const INCARNATION_MAX_AGE: Duration = Duration::from_secs(1);
/// Refusals of one event before it goes to the dead letters (R-MSG-02).
const REFUSALS_MAX: i32 = 3;
/// What the bus may have lost is at most this old: consumers keep up within seconds.
const REPUBLISH_WINDOW_MS: i64 = 15 * 60 * 1000;
/// Counts up with every event enqueued in this process, so that relays need not wait for their
/// poll. A static, because the writer holds only a connection. Not `NOTIFY`: it makes all commits
/// of the database stand in one line.
static ENQUEUED: LazyLock<watch::Sender<u64>> = LazyLock::new(|| watch::Sender::new(0));

/// Writes `event` for `topic` into the outbox of the service whose connection this is; it is
/// published if and when the transaction commits.
///
/// # Errors
/// When the database refuses.
pub async fn enqueue(conn: &mut PgConnection, topic: &str, event: &Envelope) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO outbox_events
             (id, topic, aggregate_type, aggregate_id, event_type, payload, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(event.event_id)
    .bind(topic)
    .bind(&event.aggregate_type)
    .bind(&event.aggregate_id)
    .bind(&event.kind)
    .bind(sqlx::types::Json(event))
    .bind(timestamp(event.time))
    .execute(conn)
    .await?;
    enqueued();
    Ok(())
}

/// Tells the relays of this process that a statement of a service's own has written into its outbox; for
/// those that write an event together with its cause.
pub fn enqueued() {
    ENQUEUED.send_modify(|count| *count = count.wrapping_add(1));
}

/// The task that publishes the outbox of `pool`. Any number of replicas may run.
pub fn relay(pool: PgPool, bus: Arc<dyn EventBus>, clock: SharedClock, shutdown: CancellationToken) -> Task {
    let published = Purge::of_published(pool.clone(), clock.clone());
    let relay = Relay { pool, bus, clock };
    Task::new("outbox-relay", async move {
        // Beside it: however much there is to delete, nobody waits for an event meanwhile.
        tokio::join!(relay.run(&shutdown), published.run(&shutdown));
        Ok(())
    })
}

struct Relay {
    pool: PgPool,
    bus: Arc<dyn EventBus>,
    clock: SharedClock,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    topic: String,
    aggregate_id: String,
    payload: sqlx::types::Json<Box<serde_json::value::RawValue>>,
    retry_count: i32,
}

#[derive(Debug, thiserror::Error)]
enum RelayError {
    #[error("the outbox cannot be read or written")]
    Database(#[from] sqlx::Error),
    #[error("the outbox cannot be published")]
    Bus(#[from] BusError),
}

impl Relay {
    async fn run(&self, shutdown: &CancellationToken) {
        let mut enqueued = ENQUEUED.subscribe();
        let mut failing = false;
        let mut life_checked: Option<Instant> = None;
        loop {
            let started = Instant::now();
            let round = self.round(&mut life_checked).await;
            match &round {
                Ok(_) => failing = false,
                // Once per outage, not once a second.
                Err(error) if !failing => {
                    failing = true;
                    tracing::warn!(error = chain(error), "events wait in the outbox");
                }
                Err(_) => {}
            }
            if shutdown.is_cancelled() {
                return;
            }
            if matches!(round, Ok(published) if published == BATCH) {
                continue;
            }
            tokio::select! {
                () = tokio::time::sleep(POLL_INTERVAL) => {}
                // While the bus is away new events are no reason to try earlier.
                Ok(()) = enqueued.changed(), if !failing => {
                    let linger = LINGER.saturating_sub(started.elapsed());
                    tokio::time::sleep(linger.max(COMMIT_PAUSE)).await;
                }
                // One more round: what was enqueued before the end goes out.
                () = shutdown.cancelled() => {}
            }
        }
    }

    async fn round(&self, life_checked: &mut Option<Instant>) -> Result<i64, RelayError> {
        if life_checked.is_none_or(|at| at.elapsed() >= INCARNATION_MAX_AGE) {
            self.republish_if_forgotten().await?;
            *life_checked = Some(Instant::now());
        }
        let published = self.publish_batch().await;
        if published.is_err() {
            // The bus was away: it may come back without its memory.
            *life_checked = None;
        }
        published
    }

    /// Publishes the oldest events nobody else is publishing; returns how many it took.
    async fn publish_batch(&self) -> Result<i64, RelayError> {
        let mut tx = self.pool.begin().await?;
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT id, topic, aggregate_id, payload, retry_count FROM outbox_events
             WHERE NOT published ORDER BY seq LIMIT $1 FOR UPDATE SKIP LOCKED",
        )
        .bind(BATCH)
        .fetch_all(&mut *tx)
        .await?;
        if rows.is_empty() {
            return Ok(0);
        }
        let messages: Vec<Message> = rows
            .iter()
            .map(|row| Message {
                topic: row.topic.clone(),
                event: row.payload.get().to_owned(),
                key: row.aggregate_id.clone(),
            })
            .collect();
        // Bus away: the rows stay as they are, and the transaction ends with `tx`.
        let published: Vec<trace::Span> = messages
            .iter()
            .filter_map(|message| trace::producer(&message.topic, &message.event))
            .collect();
        let answers = self.bus.publish(&messages).await?;
        drop(published);
        let now = timestamp(self.clock.now());
        let mut done = Vec::with_capacity(rows.len());
        for ((row, message), answer) in rows.iter().zip(&messages).zip(answers) {
            match answer {
                Ok(()) => done.push(row.id),
                Err(refusal) => self.refused(&mut tx, row, message, &refusal, now).await?,
            }
        }
        sqlx::query("UPDATE outbox_events SET published = true, published_at = $2 WHERE id = ANY($1)")
            .bind(&done)
            .bind(now)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        metrics::counter!("urr_events_published_total").increment(done.len() as u64);
        Ok(i64::try_from(rows.len()).unwrap_or(BATCH))
    }

    async fn refused(
        &self,
        tx: &mut PgConnection,
        row: &Row,
        message: &Message,
        refusal: &BusError,
        now: DateTime<Utc>,
    ) -> Result<(), RelayError> {
        let reason = chain(refusal);
        let dead = row.retry_count >= REFUSALS_MAX;
        if dead {
            self.bus.bury(message, &reason).await?;
        }
        sqlx::query(
            "UPDATE outbox_events SET retry_count = retry_count + 1, last_error = $2, dead = $3,
                 published = $3, published_at = CASE WHEN $3 THEN $4 END
             WHERE id = $1",
        )
        .bind(row.id)
        .bind(reason)
        .bind(dead)
        .bind(now)
        .execute(tx)
        .await?;
        Ok(())
    }

    /// When the bus has forgotten (a Redis was restarted, or a replica of it took over), what was
    /// published lately is published again; consumers skip what they have processed.
    async fn republish_if_forgotten(&self) -> Result<(), RelayError> {
        let incarnation = self.bus.incarnation().await?;
        let known: Option<String> = sqlx::query_scalar("SELECT incarnation FROM outbox_bus")
            .fetch_optional(&self.pool)
            .await?;
        if known.as_deref() == Some(incarnation.as_str()) {
            return Ok(());
        }
        let since = timestamp(self.clock.now().plus_ms(-REPUBLISH_WINDOW_MS));
        let mut tx = self.pool.begin().await?;
        let stored = sqlx::query(
            "INSERT INTO outbox_bus (incarnation) VALUES ($1)
             ON CONFLICT (one) DO UPDATE SET incarnation = $1
             WHERE outbox_bus.incarnation <> $1",
        )
        .bind(&incarnation)
        .execute(&mut *tx)
        .await?
        .rows_affected();
        // Another replica may have seen it first.
        if stored == 1 && known.is_some() {
            let again = sqlx::query(
                "UPDATE outbox_events SET published = false
                 WHERE published AND NOT dead AND published_at >= $1",
            )
            .bind(since)
            .execute(&mut *tx)
            .await?
            .rows_affected();
            tracing::warn!(
                again,
                "the event bus may have lost its memory: publishing lately sent events again"
            );
        }
        tx.commit().await?;
        Ok(())
    }
}

/// How many events of this outbox wait to be published.
///
/// # Errors
/// When the database cannot be read.
pub async fn waiting(pool: &PgPool) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("SELECT count(*) FROM outbox_events WHERE NOT published")
        .fetch_one(pool)
        .await
}
