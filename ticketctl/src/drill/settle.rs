//! Waits until nothing is under way any more: outboxes published, events consumed, payments
//! finished, holds ended. An audit of a house in motion would report motion as damage.
//!
//! Bounded: what is still open at the deadline is named, in the summary and to the auditor, who
//! judges it all the same.

use crate::{picture::Board, text::grouped};
use anyhow::Context as _;
use redis::streams::StreamInfoGroupsReply;
use sqlx::{Connection as _, PgConnection};
use std::{collections::BTreeMap, time::Duration};
use tokio::time::{Instant, sleep};
use urr_core::{sale::SaleId, snapshot::SeatsView};
use urr_kit::{Secrets, events::TOPICS};

use super::services::Services;

/// Between two looks.
const EVERY: Duration = Duration::from_millis(250);
/// What takes longest by design is a hold; everything else gets this much on top: a killed
/// consumer's events are claimed by others only after a pause, refunds are retried.
const BESIDES_HOLDS_S: u64 = 25;
/// However long holds are, a rehearsal ends.
const AT_MOST_S: u64 = 360;

/// Who is asked.
pub(super) struct Quiet<'a> {
    pub(super) services: &'a Services,
    pub(super) secrets: &'a Secrets,
    pub(super) sales: Vec<SaleId>,
    pub(super) hold_ttl_s: u32,
}

impl Quiet<'_> {
    /// Waits; returns what is still open at the deadline, as sentences.
    pub(super) async fn wait(&self, board: &Board) -> anyhow::Result<Vec<String>> {
        let most_s = (u64::from(self.hold_ttl_s) + BESIDES_HOLDS_S).min(AT_MOST_S);
        let until = Instant::now() + Duration::from_secs(most_s);
        loop {
            let open = self.look().await?;
            if open.is_empty() {
                return Ok(open);
            }
            if Instant::now() >= until {
                tracing::warn!(?open, "not everything settled");
                return Ok(open);
            }
            board.doing(open.join(", "));
            sleep(EVERY).await;
        }
    }

    async fn look(&self) -> anyhow::Result<Vec<String>> {
        let mut open = self.databases().await.context("asking PostgreSQL")?;
        open.extend(self.events().await.context("asking Redis")?);
        open.extend(self.holds().await);
        Ok(open)
    }

    async fn databases(&self) -> anyhow::Result<Vec<String>> {
        let url = self
            .services
            .settings
            .database_admin_url
            .as_deref()
            .context("the engines' admin URL is not known")?;
        let mut db = PgConnection::connect(url).await?;
        let mut open = Vec::new();
        for schema in schemas_with(&mut db, "outbox_events", "published").await? {
            let sql = format!(
                "SELECT count(*) FROM {}.outbox_events WHERE NOT published AND NOT dead",
                quoted(&schema)
            );
            say(
                &mut open,
                count(&mut db, sql).await?,
                &format!("events unpublished in {schema}"),
            );
        }
        // `next_check_at` is payment's own note that something is owed (its migration says so);
        // other services keep tables of the same name.
        for schema in schemas_with(&mut db, "payments", "next_check_at").await? {
            let sql = format!(
                "SELECT count(*) FROM {}.payments WHERE next_check_at IS NOT NULL",
                quoted(&schema)
            );
            say(&mut open, count(&mut db, sql).await?, "payments unfinished");
        }
        db.close().await?;
        Ok(open)
    }

    async fn events(&self) -> anyhow::Result<Vec<String>> {
        let client = redis::Client::open(self.services.settings.redis_url.as_str())?;
        let mut redis = client.get_multiplexed_async_connection().await?;
        let mut behind: BTreeMap<String, usize> = BTreeMap::new();
        for topic in TOPICS {
            let key = format!("{}{{events}}:{topic}", self.services.settings.key_prefix);
            let exists: bool = redis::cmd("EXISTS").arg(&key).query_async(&mut redis).await?;
            if !exists {
                continue;
            }
            let groups: StreamInfoGroupsReply = redis::cmd("XINFO")
                .arg("GROUPS")
                .arg(&key)
                .query_async(&mut redis)
                .await?;
            for group in groups.groups {
                *behind.entry(group.name).or_default() += group.pending + group.lag.unwrap_or(0);
            }
        }
        let mut open = Vec::new();
        for (group, events) in behind {
            say(
                &mut open,
                events as u64,
                &format!("events not yet consumed by {group}"),
            );
        }
        Ok(open)
    }

    /// Booking itself says what is held; a booking that does not answer is open, not an error.
    async fn holds(&self) -> Option<String> {
        let mut held = 0;
        for sale in &self.sales {
            match self.held(*sale).await {
                Ok(seats) => held += seats,
                Err(error) => {
                    tracing::warn!(%error, %sale, "booking was asked for held seats");
                    return Some("booking does not say what is held".to_owned());
                }
            }
        }
        (held > 0).then(|| format!("{} seats held", grouped(held)))
    }

    async fn held(&self, sale: SaleId) -> reqwest::Result<u64> {
        let url = format!(
            "{}/internal/seats/summary/{sale}",
            self.services.settings.urls.booking
        );
        let answer = reqwest::Client::new()
            .get(url)
            .bearer_auth(&self.secrets.internal_api_token)
            .timeout(Duration::from_secs(5))
            .send()
            .await?
            .error_for_status()?;
        Ok(answer.json::<SeatsView>().await?.held)
    }
}

fn say(open: &mut Vec<String>, n: u64, what: &str) {
    if n > 0 {
        open.push(format!("{} {what}", grouped(n)));
    }
}

async fn schemas_with(db: &mut PgConnection, table: &str, column: &str) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar(
        "SELECT table_schema::text FROM information_schema.columns
         WHERE table_name = $1 AND column_name = $2 ORDER BY 1",
    )
    .bind(table)
    .bind(column)
    .fetch_all(db)
    .await
}

async fn count(db: &mut PgConnection, sql: String) -> sqlx::Result<u64> {
    let n: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(db).await?;
    Ok(n.unsigned_abs())
}

/// An identifier that came out of the catalogue, as SQL.
fn quoted(identifier: &str) -> String {
    format!("\"{}\"", identifier.replace('"', "\"\""))
}
