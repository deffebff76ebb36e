//! The crowd's own thread: a single-threaded runtime with everything a visitor's request needs.
//!
//! On two shared cores one thread carries a quarter more requests than two that hand work to each
//! other (docs/decisions/0009); a machine with more cores runs more workers.

use super::health::{self, Diary};
use super::judgement::sum_up;
use super::street::Street;
use crate::crowd::Comer;
use crate::http::{Http, Pooled};
use crate::journey::{RealAccount, World, register, watch_draw};
use crate::result::Generator;
use crate::segments::Segment;
use futures::StreamExt as _;
use futures::stream::FuturesOrdered;
use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Longest wait, after the run is over, for requests that are still out.
const LAST_ANSWERS_WITHIN: Duration = Duration::from_secs(20);

/// What the crowd's thread is to do for one sale.
pub(super) struct Plan {
    pub(super) world: Arc<World>,
    pub(super) base: reqwest::Url,
    pub(super) comers: Vec<Comer>,
    pub(super) connections: u32,
    pub(super) slot_wait: Duration,
    /// Accounts of the whole scenario to register for real.
    pub(super) registrations: u32,
    /// Visitors of the whole scenario.
    pub(super) crowd: u32,
    pub(super) segment: Segment,
}

/// The running crowd.
pub(super) struct CrowdThread {
    /// One for each sale, in their order.
    streets: Vec<Arc<Street>>,
    done: oneshot::Receiver<Vec<Generator>>,
    thread: std::thread::JoinHandle<()>,
}

impl CrowdThread {
    /// Starts it, with a crowd for each sale. Crowds share the thread and nothing else: each has
    /// its own shelf, lanes and connections, so none waits for another's.
    ///
    /// # Errors
    /// When the system gives no thread, no runtime, or no address for the target.
    pub(super) fn start(plans: Vec<Plan>) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let entered = runtime.enter();
        let crowds = plans.into_iter().map(Crowd::of).collect::<io::Result<Vec<_>>>()?;
        drop(entered);
        let streets = crowds.iter().map(|crowd| Arc::clone(&crowd.street)).collect();
        let (tell, done) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name("urr-crowd".to_owned())
            .spawn(move || {
                // In order, and each polled only when it is woken.
                let lives: FuturesOrdered<_> = crowds.into_iter().map(live_through).collect();
                let generators = runtime.block_on(lives.collect());
                // Nobody listens any more when the run itself was dropped.
                let _ = tell.send(generators);
            })?;
        Ok(Self {
            streets,
            done,
            thread,
        })
    }

    /// Whether everybody of the sale number `nth` has come and gone.
    pub(super) fn is_empty(&self, nth: usize) -> bool {
        self.streets.get(nth).is_none_or(|street| street.is_empty())
    }

    /// Whether the thread ended though nobody asked it to.
    pub(super) fn is_lost(&self) -> bool {
        self.thread.is_finished()
    }

    /// Waits for the thread to end after the run is over; what it cost, by sale.
    pub(super) async fn finish(self) -> Option<Vec<Generator>> {
        self.done.await.ok()
    }
}

/// The people of one sale and what they need.
struct Crowd {
    world: Arc<World>,
    street: Arc<Street>,
    pool: Pooled,
    registering: TaskTracker,
}

impl Crowd {
    /// Within the runtime: registrations begin at once.
    fn of(plan: Plan) -> io::Result<Self> {
        let world = Arc::clone(&plan.world);
        let pool = Pooled::new(
            &plan.base,
            plan.connections,
            plan.slot_wait,
            Arc::clone(&world.live),
        )?;
        let registering = TaskTracker::new();
        let http: Arc<dyn Http> = Arc::new(pool.clone());
        let accounts = registrations(&plan, &http, &registering);
        let street = Arc::new(Street::new(
            Arc::clone(&world),
            http,
            plan.comers,
            accounts,
            plan.connections,
            plan.slot_wait,
        ));
        Ok(Self {
            world,
            street,
            pool,
            registering,
        })
    }
}

/// The whole run of one sale, on the crowd's thread.
async fn live_through(crowd: Crowd) -> Generator {
    let Crowd {
        world,
        street,
        pool,
        registering,
    } = crowd;
    let watched = CancellationToken::new();
    let watch = tokio::spawn(health::watch(
        Arc::clone(&street),
        pool.clone(),
        Arc::clone(&world.live),
        watched.clone(),
    ));
    if world.drawn {
        tokio::spawn(watch_draw(Arc::clone(&world), Arc::new(pool.clone())));
    }
    street.direct().await;
    registering.close();
    street.inside.close();
    let last = async {
        while street.is_acting() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        street.inside.wait().await;
        registering.wait().await;
    };
    if tokio::time::timeout(LAST_ANSWERS_WITHIN, last).await.is_err() {
        tracing::warn!("some visitors did not end with the run");
    }
    street.clear();
    watched.cancel();
    // An error here could only be a panic, which tests forbid.
    let diary: Diary = watch.await.unwrap_or_default();
    let census = street.census();
    let funnel = world.live.counters.funnel();
    sum_up(&diary, &funnel, pool.dialled(), census.waiting_most, census.bytes)
}

/// Starts the real registrations, spread evenly over the time before the opening.
fn registrations(plan: &Plan, http: &Arc<dyn Http>, registering: &TaskTracker) -> HashMap<u64, RealAccount> {
    let world = &plan.world;
    let count = plan.registrations;
    let before_opening = world.clock.from_opening(0) - world.clock.start();
    // The last fifth stays free, so that the opening itself finds nobody hashing passwords.
    let window = before_opening.mul_f64(0.8);
    (0..count)
        .map(|nth| {
            let index = u64::from(nth) * u64::from(plan.crowd) / u64::from(count);
            (nth, index)
        })
        .filter(|(_, index)| plan.segment.has(*index))
        .map(|(nth, index)| {
            let due = world.clock.start() + window.mul_f64(f64::from(nth) / f64::from(count));
            let (done, account) = oneshot::channel();
            registering.spawn(register(Arc::clone(world), Arc::clone(http), index, due, done));
            (index, account)
        })
        .collect()
}
