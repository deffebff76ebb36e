//! Which seats are wanted: by section, by price and by row, over the halls booking told of.
//!
//! A seat that was sold before events told which one it was is not among them; such an event shows fewer seats here
//! than in its own row.

use super::Figures;
use serde::Serialize;
use sqlx::FromRow;
use uuid::Uuid;

#[derive(Serialize, FromRow)]
pub(crate) struct Section {
    section: String,
    total_seats: i64,
    reserved_seats: i64,
    reservation_rate: f64,
}

#[derive(Serialize, FromRow)]
pub(crate) struct PriceTier {
    price_tier: String,
    /// As the UI reads it.
    tier: String,
    total_seats: i64,
    reserved_seats: i64,
    reservation_rate: f64,
    /// Of its seats, sold or not; KRW.
    avg_price: i64,
}

#[derive(Serialize, FromRow)]
pub(crate) struct Row {
    section: String,
    row_number: i32,
    total_seats: i64,
    reserved_seats: i64,
    reservation_rate: f64,
}

/// What a group of seats comes to.
const COUNTED: &str = "sum(total)::bigint AS total_seats, sum(sold)::bigint AS reserved_seats, \
    percent(sum(sold), sum(total)) AS reservation_rate";

impl Figures {
    /// The hundred largest: of one event, or of sections of the same name in all.
    pub(crate) async fn sections(&self, event: Option<Uuid>) -> sqlx::Result<Vec<Section>> {
        let shown = format!("section, {COUNTED}");
        self.seats(&shown, "section", "total_seats DESC, section LIMIT 100", event)
            .await
    }

    pub(crate) async fn price_tiers(&self, event: Option<Uuid>) -> sqlx::Result<Vec<PriceTier>> {
        let shown = format!(
            "price_tier(price), price_tier(price) AS tier, {COUNTED}, \
             COALESCE(round(sum(price * total) / NULLIF(sum(total), 0)), 0)::bigint AS avg_price"
        );
        self.seats(&shown, "price_tier(price)", "avg_price", event).await
    }

    /// The ten rows that sell best.
    pub(crate) async fn top_rows(&self, event: Option<Uuid>) -> sqlx::Result<Vec<Row>> {
        let shown = format!("section, row_number, {COUNTED}");
        let best = "reservation_rate DESC, reserved_seats DESC, section, row_number LIMIT 10";
        self.seats(&shown, "section, row_number", best, event).await
    }

    async fn seats<T>(
        &self,
        shown: &str,
        group: &str,
        order: &str,
        event: Option<Uuid>,
    ) -> sqlx::Result<Vec<T>>
    where
        T: for<'r> FromRow<'r, sqlx::postgres::PgRow> + Send + Unpin,
    {
        sqlx::query_as(sqlx::AssertSqlSafe(format!(
            "SELECT {shown} FROM seat_figures WHERE $1::uuid IS NULL OR event_id = $1 \
             GROUP BY {group} ORDER BY {order}"
        )))
        .bind(event)
        .fetch_all(&self.pool)
        .await
    }
}
