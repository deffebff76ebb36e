//! The only place that speaks to catalog's schema, beside the listener of `members`, which writes its own table.

mod artists;

use crate::event::Event;
use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{PgConnection, PgPool, Postgres, Transaction};
use uuid::Uuid;

pub(crate) struct Store {
    pool: PgPool,
}

/// What an admin may write about an event, checked.
#[derive(Debug, Clone)]
pub(crate) struct EventDraft {
    pub(crate) title: String,
    pub(crate) description: Option<String>,
    pub(crate) venue: String,
    pub(crate) address: Option<String>,
    pub(crate) event_date: DateTime<Utc>,
    pub(crate) sale_start_date: DateTime<Utc>,
    pub(crate) sale_end_date: DateTime<Utc>,
    pub(crate) poster_image_url: Option<String>,
    pub(crate) artist_name: Option<String>,
}

/// What lists show of an event's tickets.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Prices {
    pub(crate) ticket_type_count: i64,
    pub(crate) min: Option<i64>,
    pub(crate) max: Option<i64>,
}

impl Store {
    pub(crate) const fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    pub(crate) async fn begin(&self) -> sqlx::Result<Transaction<'static, Postgres>> {
        self.pool.begin().await
    }

    /// A page of events by sale start, and how many there are. `text` is matched anywhere in
    /// title, artist, venue or address; `status` as derived at `now`.
    pub(crate) async fn events(
        &self,
        text: Option<&str>,
        status: Option<&str>,
        now: DateTime<Utc>,
        limit: i64,
        offset: i64,
    ) -> sqlx::Result<(Vec<Event>, i64)> {
        const WHERE: &str = "WHERE ($1::text IS NULL
                OR title ILIKE $1 OR artist_name ILIKE $1 OR venue ILIKE $1 OR address ILIKE $1)
            AND ($2::text IS NULL OR $2 = CASE
                WHEN status = 'cancelled' THEN 'cancelled'
                WHEN event_date <= $3 OR sale_end_date <= $3 THEN 'ended'
                WHEN sale_start_date > $3 THEN 'upcoming'
                ELSE 'on_sale' END)";
        let pattern = text.map(|text| format!("%{}%", escaped(text)));
        let page = format!("SELECT * FROM events {WHERE} ORDER BY sale_start_date, id LIMIT $4 OFFSET $5");
        let rows = sqlx::query_as(sqlx::AssertSqlSafe(page))
            .bind(&pattern)
            .bind(status)
            .bind(now)
            .bind(limit)
            .bind(offset)
            .fetch_all(&self.pool)
            .await?;
        let total = sqlx::query_scalar(sqlx::AssertSqlSafe(format!(
            "SELECT count(*) FROM events {WHERE}"
        )))
        .bind(&pattern)
        .bind(status)
        .bind(now)
        .fetch_one(&self.pool)
        .await?;
        Ok((rows, total))
    }

    pub(crate) async fn event(&self, id: Uuid) -> sqlx::Result<Option<Event>> {
        sqlx::query_as("SELECT * FROM events WHERE id = $1")
            .bind(id)
            .fetch_optional(&self.pool)
            .await
    }

    pub(crate) async fn count_events(&self) -> sqlx::Result<i64> {
        sqlx::query_scalar("SELECT count(*) FROM events")
            .fetch_one(&self.pool)
            .await
    }

    pub(crate) async fn events_of(&self, artist: Uuid) -> sqlx::Result<Vec<Event>> {
        // An artist's page shows what a person scrolls through.
        sqlx::query_as("SELECT * FROM events WHERE artist_id = $1 ORDER BY event_date DESC, id LIMIT 100")
            .bind(artist)
            .fetch_all(&self.pool)
            .await
    }

    /// Stores the status that the sale windows mean at `now` where it differs; how many did.
    pub(crate) async fn follow_sale_windows(&self, now: DateTime<Utc>) -> sqlx::Result<u64> {
        let done = sqlx::query(
            "UPDATE events SET status = due.status, updated_at = $1 FROM
               (SELECT id, CASE WHEN event_date <= $1 OR sale_end_date <= $1 THEN 'ended'
                                WHEN sale_start_date > $1 THEN 'upcoming' ELSE 'on_sale' END AS status
                FROM events WHERE status <> 'cancelled') AS due
             WHERE events.id = due.id AND events.status <> due.status",
        )
        .bind(now)
        .execute(&self.pool)
        .await?;
        Ok(done.rows_affected())
    }

    /// Writes a new event.
    pub(crate) async fn insert_event(tx: &mut PgConnection, event: &Event) -> sqlx::Result<()> {
        sqlx::query(
            "INSERT INTO events (id, title, description, venue, address, event_date, sale_start_date, sale_end_date,
               status, seat_layout_id, artist_id, artist_name, poster_image_url, ticket_type_count, min_price,
               max_price, created_by, created_at, updated_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $18)",
        )
        .bind(event.id)
        .bind(&event.title)
        .bind(&event.description)
        .bind(&event.venue)
        .bind(&event.address)
        .bind(event.event_date)
        .bind(event.sale_start_date)
        .bind(event.sale_end_date)
        .bind(&event.status)
        .bind(event.seat_layout_id)
        .bind(event.artist_id)
        .bind(&event.artist_name)
        .bind(&event.poster_image_url)
        .bind(event.ticket_type_count)
        .bind(event.min_price)
        .bind(event.max_price)
        .bind(event.created_by)
        .bind(event.created_at)
        .execute(tx)
        .await?;
        Ok(())
    }

    /// Rewrites what an admin may change; `None` if there is no such event.
    pub(crate) async fn update_event(
        tx: &mut PgConnection,
        id: Uuid,
        draft: &EventDraft,
        artist: Option<Uuid>,
        now: DateTime<Utc>,
    ) -> sqlx::Result<Option<Event>> {
        sqlx::query_as(
            "UPDATE events SET title = $2, description = $3, venue = $4, address = $5, event_date = $6,
               sale_start_date = $7, sale_end_date = $8, poster_image_url = $9, artist_name = $10, artist_id = $11,
               updated_at = $12
             WHERE id = $1 RETURNING *",
        )
        .bind(id)
        .bind(&draft.title)
        .bind(&draft.description)
        .bind(&draft.venue)
        .bind(&draft.address)
        .bind(draft.event_date)
        .bind(draft.sale_start_date)
        .bind(draft.sale_end_date)
        .bind(&draft.poster_image_url)
        .bind(&draft.artist_name)
        .bind(artist)
        .bind(now)
        .fetch_optional(tx)
        .await
    }

    /// Cancels an event that is not cancelled yet; `None` if there is none such.
    pub(crate) async fn cancel_event(
        tx: &mut PgConnection,
        id: Uuid,
        now: DateTime<Utc>,
    ) -> sqlx::Result<Option<Event>> {
        sqlx::query_as(
            "UPDATE events SET status = 'cancelled', updated_at = $2 WHERE id = $1 AND status <> 'cancelled' RETURNING *",
        )
        .bind(id)
        .bind(now)
        .fetch_optional(tx)
        .await
    }

    /// Answers the event as it was.
    pub(crate) async fn delete_event(tx: &mut PgConnection, id: Uuid) -> sqlx::Result<Option<Event>> {
        sqlx::query_as("DELETE FROM events WHERE id = $1 RETURNING *")
            .bind(id)
            .fetch_optional(tx)
            .await
    }

    pub(crate) async fn set_prices(tx: &mut PgConnection, id: Uuid, prices: Prices) -> sqlx::Result<()> {
        sqlx::query("UPDATE events SET ticket_type_count = $2, min_price = $3, max_price = $4 WHERE id = $1")
            .bind(id)
            .bind(prices.ticket_type_count)
            .bind(prices.min)
            .bind(prices.max)
            .execute(tx)
            .await?;
        Ok(())
    }

    /// Who changed what (R-ADM-02).
    pub(crate) async fn audit(
        tx: &mut PgConnection,
        admin: Uuid,
        action: &'static str,
        target: Uuid,
        detail: &Value,
        now: DateTime<Utc>,
    ) -> sqlx::Result<()> {
        sqlx::query(
            "INSERT INTO admin_audit_logs (id, admin_id, action, target_id, detail, created_at) VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(Uuid::new_v4())
        .bind(admin)
        .bind(action)
        .bind(target)
        .bind(detail)
        .bind(now)
        .execute(tx)
        .await?;
        Ok(())
    }
}

/// A text to be found literally by LIKE.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '%' | '_' | '\\') {
            out.push('\\');
        }
        out.push(character);
    }
    out
}
