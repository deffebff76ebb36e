//! Access tokens that were given up before their time (R-AUTH-06).

use urr_core::time::Millis;
use urr_kit::Redis;

use crate::sessions::hash;

/// The Redis key that denies an access token while it exists (without the installation's prefix).
/// The token itself stays out of Redis; whoever verifies tokens asks `EXISTS` for this.
#[must_use]
pub fn denied_token_key(token: &str) -> String {
    format!("token:denied:{}", hash(token))
}

#[derive(Clone)]
pub(crate) struct Denylist {
    redis: Redis,
}

impl Denylist {
    pub(crate) const fn new(redis: Redis) -> Self {
        Self { redis }
    }

    /// Denies a token until it expires by itself.
    pub(crate) async fn deny(&self, token: &str, expires_at: Millis, now: Millis) -> redis::RedisResult<()> {
        redis::cmd("SET")
            .arg(self.redis.key(&denied_token_key(token)))
            .arg(1)
            .arg("PX")
            .arg(expires_at.since(now).max(1))
            .query_async(&mut self.redis.conn())
            .await
    }

    pub(crate) async fn denies(&self, token: &str) -> redis::RedisResult<bool> {
        redis::cmd("EXISTS")
            .arg(self.redis.key(&denied_token_key(token)))
            .query_async(&mut self.redis.conn())
            .await
    }
}
