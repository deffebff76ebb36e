//! Tells others who was let in (R-QUE-16): each admission of the log becomes an event of the topic
//! `admissions`, in the order of the line. Off by default.
//!
//! The log is the outbox: the script writes it in the step in which it acts. Replicas share the work
//! by a lease that is only for economy. Order needs none: whoever publishes starts where the
//! cursor stands, in order, and the cursor moves only past what was published; so a publisher that
//! was thought dead can only repeat what came before, under the same event ids. What was not
//! published when Redis was lost is lost with the log.

use crate::store::{Store, StoreError, key};
use redis::{Script, aio::ConnectionLike};
use std::{
    str::FromStr,
    sync::{Arc, LazyLock},
    time::Duration,
};
use tokio_util::sync::CancellationToken;
use urr_core::{admission::LogKind, sale::SaleId, time::Millis};
use urr_kit::{
    Redis,
    error::{BoxError, chain},
    events::{ADMISSION_EVENTS, Envelope, EventBus, USER_ADMITTED, UserAdmitted, bus::Message},
};
use uuid::Uuid;

/// How often the logs are looked at.
const EVERY: Duration = Duration::from_millis(200);
/// Entries taken at a time: some 0.5 ms of Redis.
const BATCH: usize = 500;
/// A publisher that has not come again for so long is replaced.
const LEASE_MS: u64 = 2000;

/// KEYS: lease. ARGV: who, ms. Answers whether the lease is ours.
static LEASE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
",
    )
});

/// KEYS: cursor. ARGV: from, to. Moves only forward, and only from where the publisher began.
static ADVANCE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
if (redis.call('GET', KEYS[1]) or '0-0') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
return 1
",
    )
});

/// Publishes the logs of all lines this replica knows.
pub(crate) struct Admissions {
    store: Arc<Store>,
    redis: Redis,
    bus: Arc<dyn EventBus>,
    name: String,
}

/// An entry as Redis sends it: id, then names and values in turn.
type Raw = (String, Vec<String>);

impl Admissions {
    pub(crate) fn new(store: Arc<Store>, redis: Redis, bus: Arc<dyn EventBus>) -> Self {
        Self {
            store,
            redis,
            bus,
            name: Uuid::new_v4().to_string(),
        }
    }

    /// Publishes until `shutdown`.
    pub(crate) async fn run(self, shutdown: CancellationToken) {
        let mut failing = false;
        while tokio::time::timeout(EVERY, shutdown.cancelled()).await.is_err() {
            match self.round().await {
                Ok(()) => failing = false,
                // Once per outage.
                Err(error) if !failing => {
                    failing = true;
                    tracing::warn!(error = chain(error.as_ref()), "admissions wait to be published");
                }
                Err(_) => {}
            }
        }
    }

    /// Publishes what is new in each line, at most a batch of each.
    pub(crate) async fn round(&self) -> Result<(), BoxError> {
        for sale in self.store.lines.all() {
            self.publish(sale).await?;
        }
        Ok(())
    }

    async fn publish(&self, sale: SaleId) -> Result<(), BoxError> {
        let mut conn = self.redis.conn();
        let mine: bool = LEASE
            .key(key(&self.redis, sale, "publisher"))
            .arg(&self.name)
            .arg(LEASE_MS)
            .invoke_async(&mut conn)
            .await?;
        if !mine {
            return Ok(());
        }
        let cursor_key = key(&self.redis, sale, "published");
        let cursor: Option<String> = redis::cmd("GET").arg(&cursor_key).query_async(&mut conn).await?;
        let cursor = cursor.unwrap_or_else(|| "0-0".to_owned());
        let entries = self.after(&mut conn, sale, &cursor).await?;
        let Some((last, _)) = entries.last() else {
            return Ok(());
        };
        let messages = entries
            .iter()
            .filter_map(|entry| event(sale, entry))
            .map(|event| Message::new(ADMISSION_EVENTS, &event))
            .collect::<Result<Vec<_>, _>>()?;
        if !messages.is_empty() {
            // An event the bus refuses would hold up all behind it; the bus has counted it.
            for refusal in self
                .bus
                .publish(&messages)
                .await?
                .into_iter()
                .filter_map(Result::err)
            {
                tracing::error!(%sale, error = chain(&refusal), "an admission was not published");
            }
        }
        ADVANCE
            .key(cursor_key)
            .arg(&cursor)
            .arg(last)
            .invoke_async::<bool>(&mut conn)
            .await?;
        metrics::counter!("urr_queue_admissions_published_total").increment(messages.len() as u64);
        Ok(())
    }

    async fn after(
        &self,
        conn: &mut (impl ConnectionLike + Send),
        sale: SaleId,
        cursor: &str,
    ) -> Result<Vec<Raw>, StoreError> {
        redis::cmd("XRANGE")
            .arg(key(&self.redis, sale, "log"))
            .arg(format!("({cursor}"))
            .arg(("+", "COUNT", BATCH))
            .query_async(conn)
            .await
            .map_err(StoreError::from)
    }
}

/// The event of an admission; other entries are none of others' business.
fn event(sale: SaleId, (id, fields): &Raw) -> Option<Envelope> {
    if field::<String>(fields, "k")? != LogKind::Admit.name() {
        return None;
    }
    let user: Uuid = field(fields, "u")?;
    let admitted = UserAdmitted {
        action: "admitted".to_owned(),
        event_id: sale,
        user_id: user,
        position: field(fields, "p"),
    };
    let at = Millis(field(fields, "t")?);
    let event = Envelope::new(USER_ADMITTED, "sale", sale, at, &admitted).ok()?;
    Some(
        Envelope {
            event_id: event_id(sale, id)?,
            ..event
        }
        .by(user),
    )
}

fn field<T: FromStr>(fields: &[String], name: &str) -> Option<T> {
    let mut pairs = fields.chunks_exact(2);
    pairs.find(|pair| pair[0] == name)?[1].parse().ok()
}

/// The same for the same entry, whoever publishes it.
fn event_id(sale: SaleId, entry: &str) -> Option<Uuid> {
    let (ms, seq) = entry.split_once('-')?;
    let (ms, seq): (u128, u128) = (ms.parse().ok()?, seq.parse().ok()?);
    // The time into the first 48 bits, the number within it into the last 32.
    let mixed = sale.as_u128() ^ (ms << 80) ^ seq;
    Some(uuid::Builder::from_custom_bytes(mixed.to_be_bytes()).into_uuid())
}
