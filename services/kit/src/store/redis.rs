//! Redis: one multiplexed connection per handle, short timeouts, a prefix for every key.

use crate::start::StartError;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use std::sync::Arc;
use std::time::Duration;

/// Redis answers in well under a millisecond; what takes longer than this, even on a machine that is
/// busy with an opening, is down, and the caller has a fallback (quirk 21: upstream waited and tripped
/// its limiter).
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(1);
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(2);
/// One retry inside a call, then the call fails; the next call reconnects again.
const RECONNECTS_PER_CALL: usize = 1;

/// A handle on Redis. Cheap to clone; clones share one multiplexed connection, which coalesces
/// concurrent commands by itself (reference/measured-limits.md section 2).
#[derive(Clone)]
pub struct Redis {
    client: redis::Client,
    manager: ConnectionManager,
    prefix: Arc<str>,
}

impl Redis {
    /// Connects to `url`; every key gets `prefix`.
    ///
    /// # Errors
    /// When the URL is wrong or nobody answers there.
    pub async fn connect(url: &str, prefix: &str) -> Result<Self, StartError> {
        let client = redis::Client::open(url).map_err(StartError::Redis)?;
        let manager = manager(&client, Some(RESPONSE_TIMEOUT))
            .await
            .map_err(StartError::Redis)?;
        Ok(Self {
            client,
            manager,
            prefix: prefix.into(),
        })
    }

    /// The shared connection. It reconnects by itself.
    #[must_use]
    pub fn conn(&self) -> ConnectionManager {
        self.manager.clone()
    }

    /// A connection of its own, for commands that block: they would hold up everybody on the
    /// shared one. `response_timeout` must be longer than the longest block.
    ///
    /// # Errors
    /// When Redis cannot be reached.
    pub async fn dedicated(
        &self,
        response_timeout: Duration,
    ) -> Result<ConnectionManager, redis::RedisError> {
        manager(&self.client, Some(response_timeout)).await
    }

    /// The client, for what neither connection does (subscriptions).
    #[must_use]
    pub const fn client(&self) -> &redis::Client {
        &self.client
    }

    /// `name` with this installation's prefix.
    #[must_use]
    pub fn key(&self, name: &str) -> String {
        [self.prefix.as_ref(), name].concat()
    }

    /// The prefix of every key.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }
}

async fn manager(
    client: &redis::Client,
    response_timeout: Option<Duration>,
) -> Result<ConnectionManager, redis::RedisError> {
    let config = ConnectionManagerConfig::new()
        .set_response_timeout(response_timeout)
        .set_connection_timeout(Some(CONNECTION_TIMEOUT))
        .set_number_of_retries(RECONNECTS_PER_CALL)
        .set_min_delay(Duration::from_millis(50))
        .set_max_delay(Duration::from_millis(500));
    ConnectionManager::new_with_config(client.clone(), config).await
}
