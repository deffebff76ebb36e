//! The DynamoDB emulator, in this process on a thread and runtime of its own: it outlives the
//! runtime that asked for it, as tests that share it need.

use super::EngineError;
use dynoxide::Database;
use std::io;
use std::net::TcpListener;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The emulator forgets expired items only when told to. TTL is housekeeping, never correctness
/// (AWS takes up to days), so this may be slow.
const SWEEP_INTERVAL: Duration = Duration::from_secs(30);

/// A running DynamoDB emulator.
pub struct DynamoEngine {
    endpoint: String,
    database: Database,
    shutdown: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl DynamoEngine {
    /// Starts one on this loopback port, or any free one.
    ///
    /// # Errors
    /// When the port is in use.
    pub fn start(port: Option<u16>) -> Result<Self, EngineError> {
        let failed = |problem: String| EngineError::Dynamo { problem };
        let listener = bind(port)?;
        let address = listener.local_addr().map_err(|error| failed(error.to_string()))?;
        let database = Database::memory().map_err(|error| failed(error.to_string()))?;
        let shutdown = CancellationToken::new();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| failed(error.to_string()))?;
        let (serving, ending) = (database.clone(), shutdown.clone());
        let thread = std::thread::Builder::new()
            .name("dynamodb".to_owned())
            .spawn(move || runtime.block_on(run(listener, serving, ending)))
            .map_err(|error| failed(error.to_string()))?;
        Ok(Self {
            endpoint: format!("http://{address}"),
            database,
            shutdown,
            thread: Some(thread),
        })
    }

    /// `DYNAMODB_ENDPOINT` of this emulator.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Forgets expired items now.
    ///
    /// # Errors
    /// When its store fails.
    pub fn sweep_ttl(&self) -> Result<usize, EngineError> {
        self.database.sweep_ttl().map_err(|error| EngineError::Dynamo {
            problem: error.to_string(),
        })
    }
}

fn bind(port: Option<u16>) -> Result<TcpListener, EngineError> {
    let bound = TcpListener::bind(("127.0.0.1", port.unwrap_or(0)))
        .and_then(|listener| listener.set_nonblocking(true).map(|()| listener));
    bound.map_err(|error| match (error.kind(), port) {
        (io::ErrorKind::AddrInUse, Some(port)) => EngineError::PortInUse {
            engine: "DynamoDB",
            port,
        },
        _ => EngineError::io("listen on 127.0.0.1", error),
    })
}

async fn run(listener: TcpListener, database: Database, shutdown: CancellationToken) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(%error, "the DynamoDB emulator cannot listen"),
    };
    let swept = database.clone();
    let sweeping = async {
        let mut tick = tokio::time::interval(SWEEP_INTERVAL);
        loop {
            tick.tick().await;
            if let Err(error) = swept.sweep_ttl() {
                tracing::warn!(%error, "expired items stay for now");
            }
        }
    };
    let ended = shutdown.clone().cancelled_owned();
    tokio::select! {
        served = dynoxide::server::serve_with_shutdown(listener, database, ended) => {
            if let Err(error) = served {
                tracing::error!(error, "the DynamoDB emulator ended");
            }
        }
        () = sweeping => {}
        // Connections that stay open must not hold up the end: the data is thrown away anyway.
        () = async { shutdown.cancelled().await; tokio::time::sleep(Duration::from_millis(200)).await } => {}
    }
}

impl Drop for DynamoEngine {
    fn drop(&mut self) {
        self.shutdown.cancel();
        if let Some(thread) = self.thread.take() {
            // A panic in there was reported when it happened.
            let _ = thread.join();
        }
    }
}
