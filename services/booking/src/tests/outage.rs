//! Redis goes away in the middle of a sale (R-RES-04: slower, no seat wrong).

use super::World;
use crate::filter::Filter;
use crate::holds::{Defaults, Holds};
use futures::future::join_all;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use urr_kit::Redis;
use uuid::Uuid;

/// A Redis for this test alone, which it may kill.
struct OwnRedis {
    child: Child,
    dir: tempfile::TempDir,
    url: String,
}

impl OwnRedis {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let child = Self::spawn(&dir.path().join("r.sock")).await;
        let url = format!("redis+unix://{}", dir.path().join("r.sock").display());
        Self { child, dir, url }
    }

    async fn spawn(socket: &Path) -> Child {
        let child = Command::new("redis-server")
            .args(["--port", "0", "--save", "", "--appendonly", "no", "--unixsocket"])
            .arg(socket)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        urr_kit::testing::eventually(Duration::from_secs(10), "redis", async || {
            UnixStream::connect(socket).is_ok()
        })
        .await;
        child
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Up again at the same address, empty.
    async fn revive(&mut self) {
        self.child = Self::spawn(&self.dir.path().join("r.sock")).await;
    }

    /// Whether a script was asked for since it is up.
    async fn was_asked(&self) -> bool {
        let mut conn = redis::Client::open(self.url.as_str())
            .unwrap()
            .get_multiplexed_async_connection()
            .await
            .unwrap();
        let calls: String = redis::cmd("INFO")
            .arg("commandstats")
            .query_async(&mut conn)
            .await
            .unwrap();
        calls.contains("cmdstat_eval")
    }
}

impl Drop for OwnRedis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn losing_redis_costs_speed_and_never_a_seat() {
    let world = World::new(8, 1, false).await;
    let mut engine = OwnRedis::start().await;
    let redis = Redis::connect(&engine.url, "").await.unwrap();
    let filter = Filter::new(Some(redis), world.clock.clone());
    let defaults = Defaults {
        hold_ttl_s: 300,
        seats_per_booking: 1,
    };
    let holds = Holds::new(world.pool.clone(), filter, world.clock.clone(), defaults);
    let race = async |seat: Uuid| {
        let tries = (0..20).map(|_| {
            let (holds, event) = (&holds, world.event);
            async move { holds.hold(Uuid::new_v4(), event, &[seat], None).await.is_ok() }
        });
        join_all(tries).await.into_iter().filter(|won| *won).count()
    };
    assert_eq!(race(world.seats[0]).await, 1);
    engine.kill();
    // The seat that was held stays held, though the filter has forgotten it.
    assert_eq!(race(world.seats[0]).await, 0);
    for seat in &world.seats[1..] {
        assert_eq!(race(*seat).await, 1);
    }
    assert_eq!(world.counts().await, (0, 8, 0));
    // Left alone for a second, Redis costs nothing at all, also where it is back: the clock stands.
    engine.revive().await;
    assert_eq!(race(world.seats[0]).await, 0);
    assert!(!engine.was_asked().await);
    // Then it is asked again, and once its connection is found again it filters.
    urr_kit::testing::eventually(Duration::from_secs(20), "the filter", async || {
        world.clock.advance_ms(1001);
        assert_eq!(race(world.seats[0]).await, 0);
        engine.was_asked().await
    })
    .await;
}
