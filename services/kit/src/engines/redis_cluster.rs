//! A private Redis Cluster of three nodes, for tests: what works on one server by luck (keys of
//! one script on several nodes, pipelines across slots) fails here as it would in production.
//!
//! Nodes of a cluster speak TCP only, so this one engine listens on loopback ports.

use super::find::RedisPrograms;
use super::lair::Lair;
use super::redis::Node;
use super::{EngineError, EngineOptions};
use std::net::TcpListener;
use std::time::{Duration, Instant};

const NODES: u16 = 3;
const SLOTS: u16 = 16_384;
/// Nodes that have just started refuse to serve for 2 s, whatever they know of each other.
const AGREE_LIMIT: Duration = Duration::from_secs(30);

/// A running cluster. Dropping it ends it.
// Fields drop in this order: the processes end before their directory is removed.
pub struct RedisCluster {
    _nodes: Vec<Node>,
    ports: Vec<u16>,
    _dir: Lair,
}

impl RedisCluster {
    /// Starts the nodes, divides the slots among them and waits until all agree.
    ///
    /// # Errors
    /// A missing program, no free ports, or nodes that do not come up or agree.
    pub async fn start() -> Result<Self, EngineError> {
        let starting = tokio::task::spawn_blocking(spawn_nodes);
        let (nodes, ports, dir) = starting
            .await
            .map_err(|error| EngineError::io("run the starter of a Redis Cluster", error.into()))??;
        let first = nodes.first().zip(ports.first());
        for (node, port) in nodes.iter().zip(&ports) {
            node.ready(&url(port.client)).await?;
        }
        let joined = join(&ports).await;
        if let (Err(error), Some((node, _))) = (joined, first) {
            return Err(node.failed(error.to_string()));
        }
        Ok(Self {
            _nodes: nodes,
            ports: ports.iter().map(|port| port.client).collect(),
            _dir: dir,
        })
    }

    /// `REDIS_URL` of this cluster.
    #[must_use]
    pub fn url(&self) -> String {
        let nodes: Vec<String> = self
            .ports
            .iter()
            .map(|port| format!("127.0.0.1:{port}"))
            .collect();
        format!("redis+cluster://{}", nodes.join(","))
    }
}

/// Where a node listens.
struct Ports {
    client: u16,
    bus: u16,
}

fn url(port: u16) -> String {
    format!("redis://127.0.0.1:{port}")
}

fn spawn_nodes() -> Result<(Vec<Node>, Vec<Ports>, Lair), EngineError> {
    let options = EngineOptions::default();
    let programs = RedisPrograms::find(&options)?;
    let dir = Lair::make(&options)?;
    let ports = free_ports()?;
    let mut nodes = Vec::new();
    for (number, port) in ports.iter().enumerate() {
        let (client, bus) = (port.client.to_string(), port.bus.to_string());
        let memory = format!("nodes-{number}.conf");
        let args = [
            "--port",
            client.as_str(),
            "--cluster-enabled",
            "yes",
            "--cluster-port",
            bus.as_str(),
            "--cluster-config-file",
            memory.as_str(),
            // A machine busy with a test suite pauses processes for longer than it seems.
            "--cluster-node-timeout",
            "15000",
        ];
        let log = dir.path().join(format!("redis-{number}.log"));
        nodes.push(Node::start(&programs, dir.path(), log, &args)?);
    }
    Ok((nodes, ports, dir))
}

/// All are bound before the first is given back, so that they differ.
fn free_ports() -> Result<Vec<Ports>, EngineError> {
    let binding = |source| EngineError::io("listen on a loopback port", source);
    let mut held = Vec::new();
    for _ in 0..2 * NODES {
        held.push(TcpListener::bind(("127.0.0.1", 0)).map_err(binding)?);
    }
    let mut ports = Vec::new();
    for pair in held.chunks_exact(2) {
        ports.push(Ports {
            client: pair[0].local_addr().map_err(binding)?.port(),
            bus: pair[1].local_addr().map_err(binding)?.port(),
        });
    }
    Ok(ports)
}

async fn join(ports: &[Ports]) -> Result<(), redis::RedisError> {
    // The client's own 500 ms are too short for a machine that is busy with a test suite.
    let patient = redis::AsyncConnectionConfig::new()
        .set_connection_timeout(Some(AGREE_LIMIT))
        .set_response_timeout(Some(AGREE_LIMIT));
    let mut conns = Vec::new();
    for port in ports {
        let client = redis::Client::open(url(port.client))?;
        let conn = client.get_multiplexed_async_connection_with_config(&patient);
        conns.push(conn.await?);
    }
    for (number, conn) in (0_u16..).zip(&mut conns) {
        // Nodes of one epoch would have to settle first whose slots are whose.
        redis::cmd("CLUSTER")
            .arg(("SET-CONFIG-EPOCH", number + 1))
            .query_async::<()>(conn)
            .await?;
        let start_of = |number: u16| SLOTS / NODES * number;
        let end = if number + 1 == NODES {
            SLOTS
        } else {
            start_of(number + 1)
        };
        let slots: Vec<u16> = (start_of(number)..end).collect();
        redis::cmd("CLUSTER")
            .arg("ADDSLOTS")
            .arg(slots)
            .query_async::<()>(conn)
            .await?;
    }
    if let Some(first) = conns.first_mut() {
        for port in ports.iter().skip(1) {
            redis::cmd("CLUSTER")
                .arg(("MEET", "127.0.0.1", port.client, port.bus))
                .query_async::<()>(first)
                .await?;
        }
    }
    let deadline = Instant::now() + AGREE_LIMIT;
    for conn in &mut conns {
        loop {
            let info: String = redis::cmd("CLUSTER").arg("INFO").query_async(conn).await?;
            let agreed = ["cluster_state:ok", "cluster_known_nodes:3", "cluster_size:3"];
            if agreed.iter().all(|line| info.contains(line)) {
                break;
            }
            if Instant::now() > deadline {
                let problem = (
                    redis::ErrorKind::Io,
                    "the nodes of the cluster do not agree",
                    info,
                );
                return Err(problem.into());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    Ok(())
}
