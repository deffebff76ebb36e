//! What else may go wrong between an operator and its cluster: answers from the past, events that never
//! come or come late, an API server that sheds load or is killed, a lease that is lost. In the end there
//! is what the clean run leaves, and nothing was done that the clean run does not do.

use crate::common::installed_on;
use crate::story::{End, Story, act, announce, await_writes, clear, end, play_with, set_up};
use crate::world::World;
use http::StatusCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use urr_testkit::proxy::{Fault, WatchFault, Write};
use urr_testkit::{Cluster, Scope, eventually};

/// For the end of a story.
const END: Duration = Duration::from_secs(120);

fn counts_booking(write: &Write) -> bool {
    write.call.path.contains("/deployments/") && write.status.is_some_and(|status| status.is_success())
}

/// What goes wrong, until it is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    StaleReads,
    EventsDropped,
    EventsDelayed,
    WritesRefused,
    AnswersLost,
    LeaseLost,
    ApiServerRestarted,
}

impl Trouble {
    /// Makes it happen to `world`, whose operator has not started yet.
    fn begin(self, world: &World) {
        let every_other = AtomicU32::new(0);
        let every_other = move || every_other.fetch_add(1, Ordering::Relaxed) % 2 == 1;
        match self {
            Self::StaleReads => world.faults.record_reads(),
            // Of workloads nothing is heard at all: their Pods come up unseen.
            Self::EventsDropped => world.faults.for_watch_events(move |event| {
                let is_workload = event.object_kind != "TicketSale";
                let is_lost = is_workload || event.kind == "MODIFIED" && every_other();
                (is_lost && event.kind != "BOOKMARK").then_some(WatchFault::Drop)
            }),
            Self::EventsDelayed => world.faults.for_watch_events(move |event| {
                let by = WatchFault::Delay(Duration::from_millis(400));
                (event.kind != "BOOKMARK" && every_other()).then_some(by)
            }),
            Self::WritesRefused => world.faults.for_calls(move |call| {
                let refused = Fault::Refuse(StatusCode::SERVICE_UNAVAILABLE);
                (call.writes() && !call.is_lease() && every_other()).then_some(refused)
            }),
            Self::AnswersLost => world.faults.for_calls(move |call| {
                (call.writes() && !call.is_lease() && every_other()).then_some(Fault::DropAnswer)
            }),
            Self::LeaseLost | Self::ApiServerRestarted => {}
        }
    }

    /// What happens beside the story.
    async fn go_on(self, world: &World) {
        let scaled = |writes: &[Write]| writes.iter().any(counts_booking);
        match self {
            Self::StaleReads => {
                await_writes(world, "booking is scaled up", scaled).await;
                // From here on booking looks as it did before, and so does the control plane.
                world.faults.go_stale();
                let before = world.faults.write_count();
                await_writes(world, "looks at the past", |writes| writes.len() > before).await;
                world.faults.heal();
            }
            Self::LeaseLost => {
                await_writes(world, "booking is scaled up", scaled).await;
                let (cut, counter) = (Arc::new(AtomicU32::new(0)), AtomicU32::new(0));
                let cuts = Arc::clone(&cut);
                world.faults.for_calls(move |call| {
                    // Long enough for the claim to run out, and for the first tries of who follows.
                    let is_cut = call.is_lease() && counter.fetch_add(1, Ordering::Relaxed) < 8;
                    is_cut.then(|| {
                        cuts.fetch_add(1, Ordering::Relaxed);
                        Fault::Cut
                    })
                });
                eventually(END, "the lease was lost", async || {
                    let cuts = cut.load(Ordering::Relaxed);
                    (cuts >= 8).then_some(()).ok_or_else(|| format!("{cuts} cuts"))
                })
                .await
                .unwrap();
            }
            Self::ApiServerRestarted => {
                await_writes(world, "booking is scaled up", scaled).await;
                world.scope.cluster().restart_api_server().await.unwrap();
            }
            // Somebody else touches the sale now and then: an event that comes brings what was missed.
            Self::EventsDropped => loop {
                tokio::time::sleep(Duration::from_secs(2)).await;
                let annotate = ["annotate", "ts", "--all", "--overwrite"];
                let touched = format!("touched={}", world.faults.call_count());
                let args = [&annotate[..], &[touched.as_str()]].concat();
                world.scope.kubectl(&args).await.unwrap();
            },
            Self::EventsDelayed | Self::WritesRefused | Self::AnswersLost => {}
        }
    }
}

async fn live_through(trouble: Trouble, scope: Scope) -> End {
    let mut world = World::within(scope, true).await;
    world.kill_operator().await;
    world.lease_seconds = 3;
    set_up(&world.scope).await;
    trouble.begin(&world);
    world.start_operator();
    let event = announce(&world, Story::IsAborted).await;
    let acting = Box::pin(act(world.scope.clone(), Story::IsAborted, END));
    let beside = async {
        trouble.go_on(&world).await;
        std::future::pending::<()>().await;
    };
    let ended = tokio::select! {
        ended = acting => ended,
        () = beside => false,
    };
    assert!(ended, "{trouble:?}: the story did not come to its end");
    let end = end(&world, event).await;
    clear(&world.scope).await;
    end
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_goes_wrong_on_the_way_the_end_is_the_clean_runs() {
    let shared = crate::common::cluster().await;
    let troubles = [
        Trouble::StaleReads,
        Trouble::EventsDropped,
        Trouble::EventsDelayed,
        Trouble::WritesRefused,
        Trouble::AnswersLost,
        Trouble::LeaseLost,
    ];
    let (clean, _) = Box::pin(play_with(Story::IsAborted, None)).await;
    let ends = troubles.map(|trouble| {
        let shared = Arc::clone(&shared);
        async move {
            let scope = shared.scope("trouble").await.unwrap();
            (trouble, Box::pin(live_through(trouble, scope)).await)
        }
    });
    for (trouble, end) in futures::future::join_all(ends).await {
        // What was carried out although nobody heard of it, or looked as if it had not been, may be said
        // again; it must be the same words.
        assert_eq!(end.effects(), clean.clone().effects(), "{trouble:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_api_server_that_is_killed_in_mid_sale_changes_nothing_in_the_end() {
    // One of its own: the others' must live.
    let cluster = Arc::new(Cluster::start().await.unwrap());
    installed_on(&cluster).await;
    let scope = cluster.scope("restarted").await.unwrap();
    let (clean, _) = Box::pin(play_with(Story::IsAborted, None)).await;
    let end = Box::pin(live_through(Trouble::ApiServerRestarted, scope)).await;
    assert_eq!(end.effects(), clean.effects());
}
