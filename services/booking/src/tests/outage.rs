//! Redis goes away in the middle of a sale (R-RES-04: slower, no seat wrong).

use super::World;
use crate::filter::Filter;
use crate::holds::{Defaults, Holds};
use futures::future::join_all;
use std::time::{Duration, Instant};
use urr_kit::Redis;
use urr_kit::clock::Clock as _;
use uuid::Uuid;

/// A Redis for this test alone, which it may kill.
struct OwnRedis {
    child: std::process::Child,
    _dir: tempfile::TempDir,
    url: String,
}

impl OwnRedis {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("r.sock");
        let child = std::process::Command::new("redis-server")
            .args(["--port", "0", "--save", "", "--appendonly", "no", "--unixsocket"])
            .arg(&socket)
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let url = format!("redis+unix://{}", socket.display());
        urr_kit::testing::eventually(Duration::from_secs(10), "redis", async || socket.exists()).await;
        Self {
            child,
            _dir: dir,
            url,
        }
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
    engine.child.kill().unwrap();
    engine.child.wait().unwrap();
    // The seat that was held stays held, though the filter has forgotten it.
    assert_eq!(race(world.seats[0]).await, 0);
    for seat in &world.seats[1..] {
        assert_eq!(race(*seat).await, 1);
    }
    assert_eq!(world.counts().await, (0, 8, 0));
    // Left alone for a second, Redis costs nothing at all; the clock stands, so it is left alone.
    let started = Instant::now();
    assert_eq!(race(world.seats[0]).await, 0);
    assert!(
        started.elapsed() < Duration::from_secs(2),
        "{:?} at {:?}",
        started.elapsed(),
        world.clock.now()
    );
}
