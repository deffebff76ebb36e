//! Access tokens that were given up by logging out (R-GW-02, R-AUTH-06).
//!
//! Asked for at the same time as the limiter, so a call waits for one answer of Redis and not two.

use std::time::Duration;
use urr_kit::{Redis, identity::denied_token_key};

/// A Redis that does not answer within this is treated as down: the caller is waiting.
const REDIS_PATIENCE: Duration = Duration::from_millis(250);

#[derive(Clone)]
pub(crate) struct Denylist {
    redis: Redis,
}

impl Denylist {
    pub(crate) const fn new(redis: Redis) -> Self {
        Self { redis }
    }

    /// Whether this token was given up. Without Redis it counts as good, as auth has it: its
    /// signature and expiry hold, and locking everybody out would be worse.
    pub(crate) async fn denies(&self, token: &str) -> bool {
        let key = self.redis.key(&denied_token_key(token));
        let mut connection = self.redis.conn();
        let mut command = redis::cmd("EXISTS");
        let asked = command.arg(key).query_async::<bool>(&mut connection);
        match tokio::time::timeout(REDIS_PATIENCE, asked).await {
            Ok(Ok(denied)) => denied,
            Ok(Err(error)) => {
                tracing::debug!(%error, "denylist without Redis");
                false
            }
            Err(_elapsed) => false,
        }
    }
}
