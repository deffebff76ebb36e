//! Tier 2 as a subject: polls of people who wait, and how long one call holds Redis up while a
//! million wait, slots fall silent by the thousand and people join.

use crate::{get, load, load::MakeRequest, post, serve, table::Row};
use anyhow::{Context, ensure};
use axum::http::{HeaderValue, StatusCode};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use urr_core::{sale::SaleId, time::Millis};
use urr_kit::{
    Redis,
    ctx::Ctx,
    state::limits::{Limits, LimitsStore},
};
use uuid::Uuid;

/// People who wait and poll; joined one by one as visitors do.
const POLLERS: u64 = 1_000;
/// Members of the long line (issue 4).
const MEMBERS: u64 = 1_000_000;
/// Members written in one pipeline.
const CHUNK: u64 = 5_000;
/// Rounds, of which the middle one counts.
const BLOCK_ROUNDS: usize = 3;
/// What no call may take, ms.
const BLOCK_MS_MAX: f64 = 5.0;
/// Some 2,000 join a second meanwhile. With as many as the machine bears, the longest call is the
/// one in which Redis lost its core to us: 1.5 to 7.5 ms from run to run.
const JOINERS: usize = 8;
const JOIN_PAUSE: Duration = Duration::from_millis(4);
/// Calls longer than this are looked at; if there is none, this is what the longest took at most.
const LOGGED_US: u64 = 300;
/// Calls kept for looking at; Redis keeps the last so many.
const LOGGED_MAX: u64 = 20_000;

pub(crate) struct Queue {
    pub(crate) addr: SocketAddr,
    redis: Redis,
    sale: SaleId,
}

pub(crate) async fn open(ctx: &Ctx) -> anyhow::Result<Queue> {
    let config = urr_queue::Config {
        queue_line_max: u32::MAX,
        ..urr_queue::Config::default()
    };
    let service = urr_queue::start(ctx, config).await?;
    tokio::spawn(urr_kit::service::supervise(service.tasks, ctx.shutdown.clone()));
    Ok(Queue {
        addr: serve(ctx, service.router).await?,
        redis: ctx.redis().await?,
        sale: Uuid::new_v4(),
    })
}

impl Queue {
    async fn limit(&self, now: Millis, change: impl FnOnce(&mut Limits)) -> anyhow::Result<SaleId> {
        let mut limits = Limits {
            sale: self.sale,
            revision: 1,
            epoch: 1,
            rate_per_s: 100_000,
            cap: 0,
            burst: 100_000,
            opens_at: now.plus_s(-10),
            closes_at: now.plus_s(3600),
            silence_s: 600,
            active_ttl_s: 600,
            token_ttl_s: 600,
            paused: false,
            sold_out: false,
            require_place: false,
            one_line_per_user: false,
        };
        change(&mut limits);
        LimitsStore::new(self.redis.clone()).write(&limits).await?;
        Ok(limits.sale)
    }

    /// Polls of people far back in a line that stands.
    pub(crate) async fn polls(&self, ctx: &Ctx) -> anyhow::Result<MakeRequest> {
        self.limit(ctx.clock.now(), |_| {}).await?;
        let users: Vec<HeaderValue> = (0..POLLERS)
            .map(|n| HeaderValue::from_str(&user(n).to_string()))
            .collect::<Result<_, _>>()?;
        let (check, status) = (
            format!("/api/queue/check/{}", self.sale),
            format!("/api/queue/status/{}", self.sale),
        );
        let joining = users.clone();
        let joins: MakeRequest = Arc::new(move |n| {
            let mut request = post(&check, String::new());
            let at = usize::try_from(n % POLLERS).unwrap_or(0);
            request.headers_mut().insert("x-user-id", joining[at].clone());
            request
        });
        // Everybody several times, for joining again changes nothing, and for longer than the line
        // stays unsurveyed.
        load::requests_per_s(self.addr, 8, Duration::from_secs(1), StatusCode::OK, joins).await?;
        Ok(Arc::new(move |n| {
            let mut request = get(&status);
            let at = usize::try_from(n % POLLERS).unwrap_or(0);
            request.headers_mut().insert("x-user-id", users[at].clone());
            request
        }))
    }

    /// The longest call while a million people go in as fast as the script lets them, fall silent
    /// a second later, and others join: the median of three rounds. It is a maximum over thousands of
    /// calls by the wall clock, so one round in which the host took the core away would decide it.
    pub(crate) async fn longest_block(&self, ctx: &Ctx, span: Duration) -> anyhow::Result<Row> {
        let mut longest_us = Vec::with_capacity(BLOCK_ROUNDS);
        for _ in 0..BLOCK_ROUNDS {
            longest_us.push(self.longest_of_a_line_us(ctx, span).await?);
        }
        tracing::info!(?longest_us, "longest block, each round");
        longest_us.sort_unstable();
        let median_us = longest_us.get(BLOCK_ROUNDS / 2).copied().context("no rounds")?;
        #[expect(clippy::cast_precision_loss, reason = "microseconds of one call")]
        let median_ms = median_us as f64 / 1000.0;
        Ok(Row {
            name: "admit_max_block_ms",
            value: median_ms,
            unit: "ms",
            baseline_name: "what a call may take at a million members",
            baseline: BLOCK_MS_MAX,
        })
    }

    /// The longest call of one round, on a line of its own: no round finds it shorter than a million.
    async fn longest_of_a_line_us(&self, ctx: &Ctx, span: Duration) -> anyhow::Result<u64> {
        let long = Self {
            addr: self.addr,
            redis: self.redis.clone(),
            sale: Uuid::new_v4(),
        };
        long.fill(ctx.clock.now()).await?;
        note_slow_calls(&self.redis).await?;
        // Now the ticker learns of the line.
        long.limit(ctx.clock.now(), |limits| {
            limits.cap = 20_000;
            limits.silence_s = 1;
            limits.active_ttl_s = 2;
        })
        .await?;
        let path = format!("/api/queue/check/{}", long.sale);
        let joins: MakeRequest = Arc::new(move |n| {
            let mut request = post(&path, String::new());
            if let Ok(user) = HeaderValue::from_str(&user(MEMBERS + n).to_string()) {
                request.headers_mut().insert("x-user-id", user);
            }
            request
        });
        let joining = load::Paced {
            addr: self.addr,
            lanes: JOINERS,
            pause: JOIN_PAUSE,
        };
        let joins_per_s = load::paced(joining, span, StatusCode::OK, joins).await?;
        let calls = slow_calls_us(&self.redis).await?;
        let admitted = long.admitted().await?;
        tracing::info!(admitted, joins_per_s, calls = calls.len(), "longest block");
        ensure!(
            admitted > 10_000,
            "only {admitted} of a million were let in: nothing was measured"
        );
        long.close(ctx.clock.now()).await?;
        Ok(calls.into_iter().max().unwrap_or(LOGGED_US))
    }

    async fn admitted(&self) -> anyhow::Result<u64> {
        let admitted: Option<u64> = redis::cmd("HGET")
            .arg((self.key("state"), "admitted"))
            .query_async(&mut self.redis.conn())
            .await?;
        Ok(admitted.unwrap_or(0))
    }

    /// Ends a line and forgets it, so that the next round has Redis to itself.
    async fn close(&self, now: Millis) -> anyhow::Result<()> {
        self.limit(now, |limits| {
            limits.revision = 2;
            limits.paused = true;
        })
        .await?;
        let mut conn = self.redis.dedicated(Duration::from_secs(30)).await?;
        redis::cmd("UNLINK")
            .arg((self.key("queue"), self.key("seen")))
            .query_async::<()>(&mut conn)
            .await?;
        Ok(())
    }

    async fn fill(&self, now: Millis) -> anyhow::Result<()> {
        // A chunk takes longer than a visitor's call may.
        let mut conn = self.redis.dedicated(Duration::from_secs(30)).await?;
        for start in (0..MEMBERS).step_by(usize::try_from(CHUNK).unwrap_or(1)) {
            let mut pipe = redis::pipe();
            for (name, base) in [("queue", 1), ("seen", now.0)] {
                let add = pipe.cmd("ZADD").arg(self.key(name));
                for n in start..start + CHUNK {
                    let offset = if name == "queue" { i64::try_from(n)? } else { 0 };
                    add.arg(base + offset).arg(user(n).to_string());
                }
                pipe.ignore();
            }
            pipe.query_async::<()>(&mut conn)
                .await
                .context("filling the line")?;
        }
        Ok(())
    }

    fn key(&self, name: &str) -> String {
        self.redis.key(&format!("{{{}}}:{name}", self.sale))
    }
}

/// Spread like random ones, and always the same.
fn user(n: u64) -> Uuid {
    let low = n.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    Uuid::from_u64_pair(n.rotate_left(40), low)
}

/// From now on Redis notes every call that took longer than [`LOGGED_US`], with its time.
async fn note_slow_calls(redis: &Redis) -> anyhow::Result<()> {
    let mut conn = redis.conn();
    for (name, value) in [
        ("slowlog-log-slower-than", LOGGED_US),
        ("slowlog-max-len", LOGGED_MAX),
    ] {
        redis::cmd("CONFIG")
            .arg(("SET", name, value))
            .query_async::<()>(&mut conn)
            .await?;
    }
    redis::cmd("SLOWLOG")
        .arg("RESET")
        .query_async::<()>(&mut conn)
        .await?;
    Ok(())
}

/// Microseconds of every script run that Redis noted, as it measured them itself.
async fn slow_calls_us(redis: &Redis) -> anyhow::Result<Vec<u64>> {
    let mut conn = redis.dedicated(Duration::from_secs(30)).await?;
    let noted: Vec<Vec<redis::Value>> = redis::cmd("SLOWLOG")
        .arg(("GET", LOGGED_MAX))
        .query_async(&mut conn)
        .await?;
    noted
        .into_iter()
        .filter_map(|entry| {
            let command: Vec<String> = redis::FromRedisValue::from_redis_value(entry.get(3)?.clone()).ok()?;
            command
                .first()?
                .starts_with("EVAL")
                .then(|| entry.get(2).cloned())?
        })
        .map(|us| redis::FromRedisValue::from_redis_value(us).context("a strange slow log"))
        .collect()
}
