//! The operator is killed at its k-th write, for every k of two whole sales and every deed of a third, after it
//! was carried out and before it arrives: what is there in the end, and what was written to workloads, to
//! finalizers and about the line, is as in a run in which nothing happens.

use crate::story::{STEP, Story, deed, play, play_with};
use crate::world::World;
use futures::{StreamExt as _, stream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use urr_testkit::proxy::Fault;

/// Runs at once: each waits most of its time.
const AT_ONCE: usize = 10;
/// How long a broken operator is waited for that never comes to the end of its story.
const BROKEN: Duration = Duration::from_secs(8);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_killed_at_any_of_its_writes_leaves_what_the_clean_run_leaves() {
    let (closes, is_aborted) = tokio::join!(
        Box::pin(play_with(Story::Closes, None)),
        Box::pin(play_with(Story::IsAborted, None))
    );
    let after = |story, writes: usize| (1..=writes as u64).map(move |k| (story, (k, Fault::CrashAfter)));
    let before = |story, writes: usize| (1..=writes as u64).map(move |k| (story, (k, Fault::CrashBefore)));
    for (clean, writes) in [&closes, &is_aborted] {
        let counts = &clean.done["booking"];
        assert_eq!(counts, &["2", "1"], "up once, down once: {clean:?}");
        assert!(*writes >= 10, "{writes} writes");
    }
    // Killed before a write is killed after the one before, but for what is on its way meanwhile: that is
    // looked at in the shorter one.
    let all = after(Story::IsAborted, is_aborted.1)
        .chain(after(Story::Closes, closes.1))
        .chain(before(Story::Closes, closes.1));
    let ends: Vec<_> = stream::iter(all)
        .map(|(story, point)| async move { (story, point, Box::pin(play_with(story, Some(point))).await.0) })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    let is_other = |(story, _, end): &&(Story, _, _)| match story {
        Story::Closes => *end != closes.0,
        _ => *end != is_aborted.0,
    };
    let other: Vec<_> = ends.iter().filter(is_other).collect();
    assert!(
        other.is_empty(),
        "clean: {:#?}\n{:#?}\nothers: {other:#?}",
        closes.0,
        is_aborted.0
    );
}

/// Killed after what it did to workloads and the line, and not after every report too: each of these plays
/// lasts half a minute, and the sweep above has the reports.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_killed_while_it_holds_places_and_the_rate_follows_leaves_the_same() {
    let story = Story::Reserves;
    let (clean, writes) = Box::pin(play(story, None, |_| {}, STEP)).await;
    for about in ["places for booking", "places for payment"] {
        assert_eq!(clean.done[about].len(), 2, "held once, let go once: {clean:#?}");
    }
    assert_eq!(clean.done["booking"], ["2", "1"], "{clean:#?}");
    let deeds: Vec<u64> = writes
        .iter()
        .filter(|write| deed(write).is_some())
        .map(|write| write.number)
        .collect();
    assert!(deeds.len() >= 8, "{deeds:?}");
    let ends: Vec<_> = stream::iter(deeds)
        .map(|k| async move {
            (
                k,
                Box::pin(play_with(story, Some((k, Fault::CrashAfter)))).await.0,
            )
        })
        .buffer_unordered(AT_ONCE / 2)
        .collect()
        .await;
    let other: Vec<_> = ends.iter().filter(|(_, end)| *end != clean).collect();
    assert!(other.is_empty(), "clean: {clean:#?}\nothers: {other:#?}");
}

/// Everything goes dark after the first write to booking was carried out.
fn after_the_first_count(world: &World) {
    let done = AtomicBool::new(false);
    world.faults.for_calls(move |call| {
        let is_count = call.writes() && call.path.contains("/deployments/");
        (is_count && !done.swap(true, Ordering::Relaxed)).then_some(Fault::CrashAfter)
    });
}

#[cfg_attr(not(feature = "sabotage"), ignore = "needs --features sabotage")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_that_writes_a_count_and_its_memory_apart_is_found_out() {
    let broken = Some("one-write");
    let (clean, crashed) = tokio::join!(
        Box::pin(play(Story::IsAborted, broken, |_| (), BROKEN)),
        Box::pin(play(Story::IsAborted, broken, after_the_first_count, BROKEN))
    );
    // Nobody sees it while nothing happens ...
    let (sound, _) = Box::pin(play_with(Story::IsAborted, None)).await;
    assert_eq!(clean.0.effects(), sound.clone().effects());
    // ... but killed between the two it never gives back what was there.
    assert_ne!(crashed.0.clone().effects(), sound.effects());
    assert_eq!(crashed.0.done["booking"].last().unwrap(), "2", "{:#?}", crashed.0);
}
