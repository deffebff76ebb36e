//! Being one of a group of consumers: joining it, how far it is behind, who of it is gone, leaving it.

use crate::store::RedisConn;
use redis::RedisError;
use redis::streams::{StreamInfoConsumersReply, StreamInfoGroupsReply};
use std::time::Duration;

/// A consumer that is silent for so long and holds nothing is gone for good.
const FORGET_CONSUMER_AFTER: Duration = Duration::from_hours(1);

/// One consumer of a group.
pub(super) struct Member {
    pub(super) group: &'static str,
    /// This consumer within its group.
    pub(super) name: String,
}

impl Member {
    /// Groups read from the earliest entry: an event from before the group is news to it.
    pub(super) async fn make_groups(&self, conn: &mut RedisConn, keys: &[String]) -> Result<(), RedisError> {
        for key in keys {
            let made: Result<(), RedisError> = redis::cmd("XGROUP")
                .arg(("CREATE", key, self.group, "0", "MKSTREAM"))
                .query_async(conn)
                .await;
            match made {
                Err(error) if error.code() != Some("BUSYGROUP") => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// How far this group is behind (R-OBS-01).
    pub(super) async fn measure_lag(
        &self,
        conn: &mut RedisConn,
        topic: &'static str,
        key: &str,
    ) -> Result<(), RedisError> {
        let info: StreamInfoGroupsReply = redis::cmd("XINFO").arg(("GROUPS", key)).query_async(conn).await?;
        let group = self.group;
        if let Some(lag) = info
            .groups
            .iter()
            .find(|info| info.name == group)
            .and_then(|info| info.lag)
        {
            let lag = u32::try_from(lag).unwrap_or(u32::MAX);
            metrics::gauge!("urr_events_lag", "group" => group, "topic" => topic).set(lag);
        }
        Ok(())
    }

    /// Forgets consumers of this group that are gone.
    pub(super) async fn forget_others(&self, conn: &mut RedisConn, key: &str) -> Result<(), RedisError> {
        let info: StreamInfoConsumersReply = redis::cmd("XINFO")
            .arg(("CONSUMERS", key, self.group))
            .query_async(conn)
            .await?;
        let long_ms = FORGET_CONSUMER_AFTER.as_millis();
        for gone in info.consumers {
            if gone.pending == 0 && gone.idle as u128 > long_ms && gone.name != self.name {
                redis::cmd("XGROUP")
                    .arg(("DELCONSUMER", key, self.group, &gone.name))
                    .query_async::<()>(conn)
                    .await?;
            }
        }
        Ok(())
    }

    /// At a graceful end: a consumer that holds nothing need not be remembered.
    pub(super) async fn leave(&self, conn: &mut RedisConn, keys: &[String]) {
        for key in keys {
            let info: Result<StreamInfoConsumersReply, _> = redis::cmd("XINFO")
                .arg(("CONSUMERS", key, self.group))
                .query_async(conn)
                .await;
            let holds_nothing = info.is_ok_and(|info| {
                info.consumers
                    .iter()
                    .any(|me| me.name == self.name && me.pending == 0)
            });
            if holds_nothing {
                // Best effort: it would be forgotten after a while anyway.
                let _: Result<(), RedisError> = redis::cmd("XGROUP")
                    .arg(("DELCONSUMER", key, self.group, &self.name))
                    .query_async(conn)
                    .await;
            }
        }
    }
}
