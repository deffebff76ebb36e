//! Redis: one multiplexed connection per handle, short timeouts, a prefix for every key; a single
//! server or a cluster, by the URL.
//!
//! Services do not know which of the two they speak to. What they must keep to for that: the keys
//! of one script, pipeline or multi-key command share a hash tag (R-QUE-14); a cluster refuses
//! anything else, a single server would hide the mistake.

use crate::start::StartError;
use crate::trace::{self, Work};
use futures::FutureExt as _;
use redis::aio::{ConnectionLike, ConnectionManager, ConnectionManagerConfig};
use redis::cluster::{ClusterClient, ClusterConfig};
use redis::cluster_async::ClusterConnection;
use redis::{Cmd, ErrorKind, Pipeline, RedisError, RedisFuture, Value};
use std::sync::Arc;
use std::time::Duration;

/// Redis answers in well under a millisecond; what takes longer than this, even on a machine that is
/// busy with an opening, is down, and the caller has a fallback (quirk 21: upstream waited and tripped
/// its limiter).
pub(crate) const RESPONSE_TIMEOUT: Duration = Duration::from_secs(1);
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(2);
/// One retry inside a call, then the call fails; the next call reconnects again.
const RECONNECTS_PER_CALL: usize = 1;
/// A cluster call may be sent on (MOVED, ASK) and may meet a node that has just failed over.
const CLUSTER_RETRIES: u32 = 2;

/// Schemes of a cluster's URL, and what each of its nodes is reached by.
const CLUSTER_SCHEMES: [(&str, &str); 2] = [
    ("redis+cluster://", "redis://"),
    ("rediss+cluster://", "rediss://"),
];

/// A handle on Redis. Cheap to clone; clones share one multiplexed connection (one per node of a
/// cluster), which coalesces concurrent commands by itself (reference/measured-limits.md section 2).
#[derive(Clone)]
pub struct Redis {
    client: Arc<Client>,
    conn: RedisConn,
    prefix: Arc<str>,
}

/// Who is spoken to.
enum Client {
    Single(redis::Client),
    Cluster(Box<ClusterClient>),
}

/// A connection, to a single server or to all nodes of a cluster. It reconnects by itself.
#[derive(Clone)]
pub enum RedisConn {
    /// One server.
    Single(ConnectionManager),
    /// A cluster; each command goes to the node that holds its keys.
    Cluster(ClusterConnection),
}

impl Redis {
    /// Connects to `url`; every key gets `prefix`.
    ///
    /// `redis://host:port` and `redis+unix:///path` are a single server;
    /// `redis+cluster://user:password@host:port,host:port` is a cluster, of which any nodes may be
    /// named.
    ///
    /// # Errors
    /// When the URL is wrong or nobody answers there.
    pub async fn connect(url: &str, prefix: &str) -> Result<Self, StartError> {
        Self::connect_with(url, prefix, RESPONSE_TIMEOUT).await
    }

    /// The same with another time that an answer may take.
    pub(crate) async fn connect_with(
        url: &str,
        prefix: &str,
        response_timeout: Duration,
    ) -> Result<Self, StartError> {
        let client = Client::open(url).map_err(StartError::Redis)?;
        let conn = client
            .connect(response_timeout)
            .await
            .map_err(StartError::Redis)?;
        Ok(Self {
            client: Arc::new(client),
            conn,
            prefix: prefix.into(),
        })
    }

    /// The shared connection. It reconnects by itself.
    #[must_use]
    pub fn conn(&self) -> RedisConn {
        self.conn.clone()
    }

    /// A connection of its own, for commands that block: they would hold up everybody on the
    /// shared one. `response_timeout` must be longer than the longest block.
    ///
    /// # Errors
    /// When Redis cannot be reached.
    pub async fn dedicated(&self, response_timeout: Duration) -> Result<RedisConn, RedisError> {
        self.client.connect(response_timeout).await
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

impl Client {
    fn open(url: &str) -> Result<Self, RedisError> {
        match cluster_nodes(url) {
            None => redis::Client::open(url).map(Self::Single),
            Some(nodes) if nodes.is_empty() => {
                Err((ErrorKind::InvalidClientConfig, "a cluster URL names no node").into())
            }
            Some(nodes) => ClusterClient::builder(nodes)
                .retries(CLUSTER_RETRIES)
                .connection_timeout(CONNECTION_TIMEOUT)
                .build()
                .map(|client| Self::Cluster(Box::new(client))),
        }
    }

    async fn connect(&self, response_timeout: Duration) -> Result<RedisConn, RedisError> {
        match self {
            Self::Single(client) => {
                let config = ConnectionManagerConfig::new()
                    .set_response_timeout(Some(response_timeout))
                    .set_connection_timeout(Some(CONNECTION_TIMEOUT))
                    .set_number_of_retries(RECONNECTS_PER_CALL)
                    .set_min_delay(Duration::from_millis(50))
                    .set_max_delay(Duration::from_millis(500));
                ConnectionManager::new_with_config(client.clone(), config)
                    .await
                    .map(RedisConn::Single)
            }
            Self::Cluster(client) => {
                let config = ClusterConfig::new()
                    .set_connection_timeout(CONNECTION_TIMEOUT)
                    .set_response_timeout(response_timeout);
                client
                    .get_async_connection_with_config(config)
                    .await
                    .map(RedisConn::Cluster)
            }
        }
    }
}

/// The nodes that a cluster's URL names, `None` for the URL of a single server. Credentials stand
/// before the first node and hold for all.
fn cluster_nodes(url: &str) -> Option<Vec<String>> {
    let (rest, scheme) = CLUSTER_SCHEMES
        .iter()
        .find_map(|(cluster, node)| Some((url.strip_prefix(cluster)?, node)))?;
    let (credentials, hosts) = match rest.rsplit_once('@') {
        Some((credentials, hosts)) => (format!("{credentials}@"), hosts),
        None => (String::new(), rest),
    };
    let hosts = hosts.trim_end_matches('/').split(',').map(str::trim);
    Some(
        hosts
            .filter(|host| !host.is_empty())
            .map(|host| format!("{scheme}{credentials}{host}"))
            .collect(),
    )
}

impl ConnectionLike for RedisConn {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        let span = trace::step(Work::Elsewhere, || name_of(cmd));
        let answer = match self {
            Self::Single(conn) => conn.req_packed_command(cmd),
            Self::Cluster(conn) => conn.req_packed_command(cmd).boxed(),
        };
        traced(span, answer)
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        let span = trace::step(Work::Elsewhere, || "PIPELINE".to_owned());
        let answer = match self {
            Self::Single(conn) => conn.req_packed_commands(pipeline, offset, count),
            Self::Cluster(conn) => conn.req_packed_commands(pipeline, offset, count),
        };
        traced(span, answer)
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::Single(conn) => conn.get_db(),
            // A cluster has only the one.
            Self::Cluster(_) => 0,
        }
    }
}

/// `answer` within `span`; as it came where there is none.
fn traced<T: Send + 'static>(span: Option<trace::Span>, answer: RedisFuture<'_, T>) -> RedisFuture<'_, T> {
    if span.is_none() {
        return answer;
    }
    trace::within(span, async {
        trace::note("db.system.name", "redis");
        let answer = answer.await;
        if answer.is_err() {
            trace::failed();
        }
        answer
    })
    .boxed()
}

/// What a command is called: its first word. The others are keys and values.
fn name_of(command: &Cmd) -> String {
    match command.args_iter().next() {
        Some(redis::Arg::Simple(name)) => String::from_utf8_lossy(name).into_owned(),
        _ => "redis".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::cluster_nodes;

    #[test]
    fn a_cluster_is_told_from_a_single_server_by_its_scheme() {
        assert_eq!(cluster_nodes("redis://h:6379"), None);
        assert_eq!(cluster_nodes("redis+unix:///run/redis.sock"), None);
        assert_eq!(
            cluster_nodes("redis+cluster://a:1,b:2, c:3/").unwrap(),
            ["redis://a:1", "redis://b:2", "redis://c:3"]
        );
        assert_eq!(
            cluster_nodes("rediss+cluster://u:p@ss@a:1,b:2").unwrap(),
            ["rediss://u:p@ss@a:1", "rediss://u:p@ss@b:2"]
        );
        assert_eq!(cluster_nodes("redis+cluster://"), Some(Vec::new()));
    }
}
