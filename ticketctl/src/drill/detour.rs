//! The way of a service to its database when a scenario makes it slow: every byte through this process,
//! and what the service says is passed on late while the fault lasts.
//!
//! A delay and not a stopped or a starved engine, because it is a known one: a service that waits 700 ms
//! longer for each statement does so on every machine, and the other services notice nothing.

use anyhow::Context as _;
use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{UnixListener, UnixStream},
    time::sleep,
};
use tokio_util::sync::{CancellationToken, DropGuard};

/// What PostgreSQL and its clients call the socket in a directory.
const SOCKET: &str = ".s.PGSQL.5432";
/// What is passed on at once; a statement and its parameters fit.
const PIECE_BYTES: usize = 16 * 1024;

/// A detour; it is closed when this is dropped.
#[derive(Debug)]
pub(crate) struct Detour {
    /// A directory beside the engine's socket, which goes with the engine.
    name: &'static str,
    late_ms: Arc<AtomicU32>,
    _open: DropGuard,
}

impl Detour {
    /// Opens a detour for the process called `name` to the socket of `database_url`.
    pub(crate) fn open(name: &'static str, database_url: &str) -> anyhow::Result<Self> {
        let directory =
            directory_of(database_url).context("the database is behind no socket of this machine")?;
        let own = directory.join(name);
        std::fs::create_dir(&own).context("making a place for a detour to the database")?;
        let listener = UnixListener::bind(own.join(SOCKET)).context("opening a detour to the database")?;
        let late_ms = Arc::new(AtomicU32::new(0));
        let closed = CancellationToken::new();
        let detour = Self {
            name,
            late_ms: Arc::clone(&late_ms),
            _open: closed.clone().drop_guard(),
        };
        let database = directory.join(SOCKET);
        tokio::spawn(closed.clone().run_until_cancelled_owned(async move {
            // As many at once as the service's pool has connections.
            while let Ok((service, _)) = listener.accept().await {
                let way = pass(service, database.clone(), Arc::clone(&late_ms));
                tokio::spawn(closed.clone().run_until_cancelled_owned(async move {
                    if let Err(error) = way.await {
                        tracing::debug!(%error, "a way to the database ended");
                    }
                }));
            }
        }));
        Ok(detour)
    }

    /// `database_url` by this way.
    pub(crate) fn of(&self, database_url: &str) -> Option<String> {
        let (before, behind) = database_url.split_once("host=")?;
        let (directory, rest) = behind.split_at(behind.find('&').unwrap_or(behind.len()));
        Some(format!("{before}host={directory}%2F{}{rest}", self.name))
    }

    /// From now on what the service says is passed on so much later.
    pub(crate) fn slow_by(&self, ms: u32) {
        self.late_ms.store(ms, Ordering::Relaxed);
    }
}

/// Both directions, until one side has had enough.
async fn pass(mut service: UnixStream, database: PathBuf, late_ms: Arc<AtomicU32>) -> io::Result<()> {
    let mut database = UnixStream::connect(database).await?;
    let (mut asks, mut hears) = service.split();
    let (mut answers, mut takes) = database.split();
    let there = async {
        let mut piece = vec![0; PIECE_BYTES];
        loop {
            let n = asks.read(&mut piece).await?;
            if n == 0 {
                return Ok(());
            }
            match late_ms.load(Ordering::Relaxed) {
                0 => {}
                ms => sleep(Duration::from_millis(u64::from(ms))).await,
            }
            takes.write_all(&piece[..n]).await?;
        }
    };
    tokio::select! {
        over = there => over,
        over = tokio::io::copy(&mut answers, &mut hears) => over.map(drop),
    }
}

/// Where the engine's socket is.
fn directory_of(url: &str) -> Option<PathBuf> {
    let url = reqwest::Url::parse(url).ok()?;
    let (_, directory) = url.query_pairs().find(|(name, _)| name == "host")?;
    let directory = Path::new(directory.as_ref());
    directory.is_absolute().then(|| directory.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    /// An engine that says what it hears.
    fn echo(directory: &Path) {
        let listener = UnixListener::bind(directory.join(SOCKET)).unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut from, mut to) = stream.split();
                    let _ = tokio::io::copy(&mut from, &mut to).await;
                });
            }
        });
    }

    #[tokio::test]
    async fn everything_arrives_and_later_only_while_it_is_to_be_slow() {
        let engine = tempfile::tempdir().unwrap();
        echo(engine.path());
        let encoded = engine.path().display().to_string().replace('/', "%2F");
        let url = |host: &str| format!("postgres://urr_{{service}}:secret@localhost/urr?host={host}&a=b");
        let detour = Detour::open("booking", &url(&encoded)).unwrap();
        let through = detour.of(&url(&encoded)).unwrap();
        assert_eq!(through, url(&format!("{encoded}%2Fbooking")));
        let socket = directory_of(&through).unwrap().join(SOCKET);
        let mut stream = UnixStream::connect(socket).await.unwrap();
        let mut said = async |text: &[u8]| {
            let began = Instant::now();
            stream.write_all(text).await.unwrap();
            let mut heard = vec![0; text.len()];
            stream.read_exact(&mut heard).await.unwrap();
            assert_eq!(heard, text);
            began.elapsed()
        };
        said(b"select 1").await;
        detour.slow_by(300);
        assert!(said(b"select 2").await >= Duration::from_millis(300));
        detour.slow_by(0);
        said(b"select 3").await;
        // Whoever closes it leaves nobody waiting.
        drop(detour);
        assert_eq!(stream.read(&mut [0; 8]).await.unwrap_or(0), 0);
    }

    #[test]
    fn a_database_elsewhere_has_no_socket_here() {
        assert_eq!(directory_of("postgres://a:b@db.example:5432/urr"), None);
        assert_eq!(directory_of("postgres://a:b@db.example/urr?host=10.0.0.7"), None);
    }
}
