//! The Redis filter: turns the losers of a race for a seat away before they cost Postgres anything.
//!
//! It decides nothing. A key that says "taken" spares a row lock; everything it lets through is
//! decided by Postgres, and without Redis everything is let through (R-RES-04: slower, no seat
//! wrong). Keys outlive the hold (R-BOOK-03) but carry its end, and past its end count as free.

use redis::Script;
use std::sync::Arc;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use urr_core::time::Millis;
use urr_kit::{Redis, SharedClock, store::RedisConn};
use uuid::Uuid;

static HOLD: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("hold.lua")));
static RELEASE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("release.lua")));

/// A healthy Redis answers in under a millisecond; past this the filter costs more than it saves.
const PATIENCE: Duration = Duration::from_millis(100);
/// After a failure Redis is left alone this long, so that not every hold waits for [`PATIENCE`].
const LEAVE_ALONE_MS: i64 = 1000;
/// Keys released in one script call.
const RELEASE_BATCH: usize = 500;

/// What the filter says about a hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Go on to Postgres; these seats' keys are new and go again if Postgres refuses.
    Pass(Vec<Uuid>),
    /// Somebody else holds one of them.
    Taken,
}

/// The filter of this process. Cheap to clone.
#[derive(Clone)]
pub struct Filter {
    redis: Option<Redis>,
    clock: SharedClock,
    skip_until: Arc<AtomicI64>,
}

impl Filter {
    /// A filter on `redis`; without one it lets everything pass.
    #[must_use]
    pub fn new(redis: Option<Redis>, clock: SharedClock) -> Self {
        Self {
            redis,
            clock,
            skip_until: Arc::new(AtomicI64::new(i64::MIN)),
        }
    }

    /// Claims all seats for `user` until `expires_at`, or finds that one is taken.
    pub async fn claim(
        &self,
        event: Uuid,
        user: Uuid,
        seats: &[Uuid],
        now: Millis,
        expires_at: Millis,
    ) -> Verdict {
        let Some((redis, mut conn)) = self.reach() else {
            return Verdict::Pass(Vec::new());
        };
        let mut call = HOLD.prepare_invoke();
        for seat in seats {
            call.key(key(redis, event, *seat));
        }
        call.arg(user.to_string())
            .arg(format!("{user}::{}", expires_at.0))
            .arg(now.0)
            // R-BOOK-03: 420 s for a hold of 300 s.
            .arg(expires_at.since(now).max(1).saturating_mul(7) / 5);
        let answer = self.patiently(call.invoke_async::<Vec<usize>>(&mut conn)).await;
        match answer.as_deref() {
            Some([0, fresh @ ..]) => Verdict::Pass(
                fresh
                    .iter()
                    .filter_map(|at| seats.get(at.checked_sub(1)?))
                    .copied()
                    .collect(),
            ),
            Some([_, ..]) => Verdict::Taken,
            Some([]) | None => Verdict::Pass(Vec::new()),
        }
    }

    /// Gives up `user`'s keys for these seats. Losing this costs speed until the key's end only.
    pub async fn release(&self, event: Uuid, user: Uuid, seats: &[Uuid]) {
        for batch in seats.chunks(RELEASE_BATCH) {
            let Some((redis, mut conn)) = self.reach() else {
                return;
            };
            let mut call = RELEASE.prepare_invoke();
            for seat in batch {
                call.key(key(redis, event, *seat));
            }
            call.arg(user.to_string());
            self.patiently(call.invoke_async::<i64>(&mut conn)).await;
        }
    }

    fn reach(&self) -> Option<(&Redis, RedisConn)> {
        let redis = self.redis.as_ref()?;
        (self.clock.now().0 >= self.skip_until.load(Ordering::Relaxed)).then(|| (redis, redis.conn()))
    }

    async fn patiently<T>(&self, call: impl Future<Output = redis::RedisResult<T>>) -> Option<T> {
        let problem = match tokio::time::timeout(PATIENCE, call).await {
            Ok(Ok(answer)) => return Some(answer),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer in time".to_owned(),
        };
        let until = self.clock.now().0.saturating_add(LEAVE_ALONE_MS);
        self.skip_until.store(until, Ordering::Relaxed);
        metrics::counter!("urr_booking_filter_skipped_total").increment(1);
        tracing::warn!(
            problem,
            "seat filter: Redis left alone for a second; Postgres alone decides"
        );
        None
    }
}

/// The braces are the cluster's hash tag: all seats of an event live on one node.
fn key(redis: &Redis, event: Uuid, seat: Uuid) -> String {
    redis.key(&format!("seat:{{{event}}}:{seat}"))
}
