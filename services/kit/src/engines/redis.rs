//! A private Redis. It keeps nothing on disk: a kill loses all of it, which is what drills of a
//! lost Redis need (R-RES-04).

use super::child::{Child, Program};
use super::find::Programs;
use super::lair::{Lair, register};
use super::postgres::engine_failed;
use super::{EngineError, EngineOptions};
use rustix::process::Signal;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

const ENGINE: &str = "Redis";
const START_LIMIT: Duration = Duration::from_secs(30);
const STOP_LIMIT: Duration = Duration::from_secs(5);

/// A running Redis.
pub struct RedisEngine {
    child: Mutex<Child>,
    recipe: Recipe,
    url: String,
}

/// What it takes to start it again.
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

impl RedisEngine {
    pub(super) fn start(
        programs: &Programs,
        lair: &Lair,
        options: &EngineOptions,
    ) -> Result<Self, EngineError> {
        if let Some(port) = options.redis_port {
            super::check_port(ENGINE, port)?;
        }
        let socket = lair.path().join("redis.sock").display().to_string();
        let port = options.redis_port.unwrap_or(0).to_string();
        let args = [
            "--port",
            port.as_str(),
            "--bind",
            "127.0.0.1",
            "--unixsocket",
            socket.as_str(),
            "--unixsocketperm",
            "700",
            "--save",
            "",
            "--appendonly",
            "no",
            "--daemonize",
            "no",
            "--maxclients",
            "4000",
            // A drill of a million visitors stays far below; a leak must not take the machine.
            "--maxmemory",
            "2gb",
            "--maxmemory-policy",
            "noeviction",
        ]
        .map(str::to_owned)
        .to_vec();
        let recipe = Recipe {
            setpriv: programs.setpriv.clone(),
            server: programs.redis_server.clone(),
            dir: lair.path().to_owned(),
            log: lair.path().join("redis.log"),
            args,
        };
        let child = recipe.spawn()?;
        Ok(Self {
            child: Mutex::new(child),
            recipe,
            url: format!("redis+unix://{socket}"),
        })
    }

    /// Waits until it answers.
    pub(super) async fn ready(&self) -> Result<(), EngineError> {
        let client = redis::Client::open(self.url.as_str()).map_err(|error| EngineError::BadName {
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
                return Err(engine_failed(ENGINE, ended, &self.recipe.log));
            }
            if Instant::now() > deadline {
                return Err(engine_failed(ENGINE, error.to_string(), &self.recipe.log));
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// `REDIS_URL` of this Redis.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The process id, while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        let child = self.lock();
        child.ended().is_none().then(|| child.pid())
    }

    /// Kills it, for a drill: everything it held is gone.
    pub fn kill(&self) {
        self.lock().end(Signal::KILL, STOP_LIMIT);
    }

    /// Starts it again at the same address after [`RedisEngine::kill`], empty.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn restart(&self) -> Result<(), EngineError> {
        self.kill();
        let child = self.recipe.spawn()?;
        *self.lock() = child;
        self.ready().await
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Child> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for RedisEngine {
    fn drop(&mut self) {
        self.lock().end(Signal::TERM, STOP_LIMIT);
    }
}
