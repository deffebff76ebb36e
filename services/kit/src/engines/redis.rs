//! A private Redis. It keeps nothing on disk: a kill loses all of it, which is what drills of a
//! lost Redis need (R-RES-04).

use super::child::{Child, Program};
use super::find::{Programs, RedisPrograms};
use super::lair::{Lair, register};
use super::postgres::engine_failed;
use super::{EngineError, EngineOptions};
use rustix::process::Signal;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

const ENGINE: &str = "Redis";
const START_LIMIT: Duration = Duration::from_secs(30);
const STOP_LIMIT: Duration = Duration::from_secs(5);

/// What every Redis of ours is started with.
const COMMON_ARGS: [&str; 14] = [
    "--bind",
    "127.0.0.1",
    "--save",
    "",
    "--appendonly",
    "no",
    "--daemonize",
    "no",
    // The keys of a sale that is over are large; their memory is given back beside the calls.
    "--lazyfree-lazy-expire",
    "yes",
    // A drill of a million visitors stays far below; a leak must not take the machine.
    "--maxmemory",
    "2gb",
    "--maxmemory-policy",
    "noeviction",
];

/// A running Redis.
// Fields drop in this order: the process ends before its directory is removed.
pub struct RedisEngine {
    node: Node,
    url: String,
    _own_dir: Option<Lair>,
}

impl RedisEngine {
    pub(super) fn start(
        programs: &Programs,
        lair: &Lair,
        options: &EngineOptions,
    ) -> Result<Self, EngineError> {
        Self::start_in(&programs.into(), lair.path(), options.redis_port, None)
    }

    /// A Redis by itself, in a directory of its own: for tests that kill it.
    ///
    /// # Errors
    /// A missing program, or when it does not come up.
    pub async fn alone() -> Result<Self, EngineError> {
        let options = EngineOptions::default();
        let starting = tokio::task::spawn_blocking(move || {
            let programs = RedisPrograms::find(&options)?;
            let lair = Lair::make(&options)?;
            let dir = lair.path().to_owned();
            Self::start_in(&programs, &dir, None, Some(lair))
        });
        let engine = starting
            .await
            .map_err(|error| EngineError::io("run the starter of Redis", error.into()))??;
        engine.ready().await?;
        Ok(engine)
    }

    fn start_in(
        programs: &RedisPrograms,
        dir: &Path,
        port: Option<u16>,
        own_dir: Option<Lair>,
    ) -> Result<Self, EngineError> {
        if let Some(port) = port {
            super::check_port(ENGINE, port)?;
        }
        let socket = dir.join("redis.sock").display().to_string();
        let port = port.unwrap_or(0).to_string();
        let args = [
            "--port",
            port.as_str(),
            "--unixsocket",
            socket.as_str(),
            "--unixsocketperm",
            "700",
            "--maxclients",
            "4000",
        ];
        Ok(Self {
            node: Node::start(programs, dir, dir.join("redis.log"), &args)?,
            url: format!("redis+unix://{socket}"),
            _own_dir: own_dir,
        })
    }

    /// Waits until it answers.
    pub(super) async fn ready(&self) -> Result<(), EngineError> {
        self.node.ready(&self.url).await
    }

    /// `REDIS_URL` of this Redis.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The process id, while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.node.pid()
    }

    /// Kills it, for a drill: everything it held is gone.
    pub fn kill(&self) {
        self.node.end(Signal::KILL);
    }

    /// Stops it in its tracks (`SIGSTOP`), for a drill: it answers nobody and forgets nothing.
    pub fn freeze(&self) {
        self.node.signal(Signal::STOP);
    }

    /// Lets it go on after [`RedisEngine::freeze`].
    pub fn thaw(&self) {
        self.node.signal(Signal::CONT);
    }

    /// Starts it again at the same address after [`RedisEngine::kill`], empty.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn restart(&self) -> Result<(), EngineError> {
        self.kill();
        self.node.start_again()?;
        self.ready().await
    }
}

/// One Redis process, and what it takes to start it again.
pub(super) struct Node {
    child: Mutex<Child>,
    recipe: Recipe,
}

struct Recipe {
    setpriv: PathBuf,
    server: PathBuf,
    dir: PathBuf,
    log: PathBuf,
    args: Vec<String>,
}

impl Recipe {
    fn spawn(&self) -> Result<Child, EngineError> {
        Program {
            engine: ENGINE,
            setpriv: &self.setpriv,
            path: &self.server,
            args: self.args.clone(),
            dir: &self.dir,
            log: &self.log,
            run_as: None,
            death_signal: "KILL",
        }
        .spawn()
        .and_then(|child| register(&self.dir, child.pid()).map(|()| child))
    }
}

impl Node {
    pub(super) fn start(
        programs: &RedisPrograms,
        dir: &Path,
        log: PathBuf,
        args: &[&str],
    ) -> Result<Self, EngineError> {
        let recipe = Recipe {
            setpriv: programs.setpriv.clone(),
            server: programs.server.clone(),
            dir: dir.to_owned(),
            log,
            args: [args, COMMON_ARGS.as_slice()]
                .concat()
                .into_iter()
                .map(str::to_owned)
                .collect(),
        };
        let child = recipe.spawn()?;
        Ok(Self {
            child: Mutex::new(child),
            recipe,
        })
    }

    /// Waits until it answers at `url`.
    pub(super) async fn ready(&self, url: &str) -> Result<(), EngineError> {
        let client = redis::Client::open(url).map_err(|error| EngineError::BadName {
            what: "the Redis URL",
            problem: error.to_string(),
        })?;
        let deadline = Instant::now() + START_LIMIT;
        loop {
            let answer = async {
                let mut conn = client.get_multiplexed_async_connection().await?;
                redis::cmd("PING").query_async::<()>(&mut conn).await
            };
            let Err(error) = answer.await else { return Ok(()) };
            if let Some(ended) = self.lock().ended() {
                return Err(self.failed(ended));
            }
            if Instant::now() > deadline {
                return Err(self.failed(error.to_string()));
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub(super) fn failed(&self, why: impl Into<String>) -> EngineError {
        engine_failed(ENGINE, why.into(), &self.recipe.log)
    }

    fn pid(&self) -> Option<u32> {
        let child = self.lock();
        child.ended().is_none().then(|| child.pid())
    }

    fn signal(&self, signal: Signal) {
        self.lock().signal(signal);
    }

    fn end(&self, signal: Signal) {
        self.lock().end(signal, STOP_LIMIT);
    }

    fn start_again(&self) -> Result<(), EngineError> {
        let child = self.recipe.spawn()?;
        *self.lock() = child;
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Child> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.end(Signal::TERM);
    }
}
