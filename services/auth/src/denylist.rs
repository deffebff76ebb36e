//! Access tokens that were given up before their time (R-AUTH-06).

use urr_core::time::Millis;
use urr_kit::{Redis, identity::denied_token_key};

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
