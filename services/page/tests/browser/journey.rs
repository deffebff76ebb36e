//! From the door to the shop, with everything that can happen on the way.

use crate::{
    tab::{Person, somebody_waits},
    world::{Plan, World},
};
use urr_core::sale::Ordering;

#[tokio::test]
async fn a_visitor_joins_waits_is_admitted_and_led_to_the_shop() {
    let (world, _person, tab) = somebody_waits(5).await;
    assert_eq!(tab.text("value").await, "5");
    assert_eq!(tab.text("label").await, "People ahead of you");
    assert!(
        tab.text("facts").await.contains("Your place\n6"),
        "{}",
        tab.text("facts").await
    );
    assert!(world.pass_shown().is_none());
    world.clock().advance_ms(3000);
    tab.until(
        "three were served",
        "document.getElementById('value').textContent === '2'",
    )
    .await;
    world.clock().advance_ms(3000);
    tab.until_state("admitted").await;
    tab.until("the shop", "document.title === 'shop'").await;
    assert!(
        tab.eval("location.pathname").await.as_str().unwrap() == format!("/queue/{}", world.sale),
        "led to the shop's own page"
    );
    let pass = world.pass_shown().expect("the shop is shown a pass");
    assert_eq!(pass.pos, 6);
    assert_eq!(
        tab.complaints(),
        [] as [String; 0],
        "no error and nothing refused by the policy"
    );
}

#[tokio::test]
async fn a_reload_and_a_closed_tab_keep_the_place() {
    let (world, person, tab) = somebody_waits(3).await;
    // Somebody else comes; whoever had to join again would stand behind him.
    world.join("somebody-else").await;
    tab.reload().await;
    tab.until(
        "still fourth",
        "document.getElementById('facts').innerText.includes('Your place\\n4')",
    )
    .await;
    tab.close().await;
    let again = person.open(&world.page()).await;
    again
        .until(
            "still fourth",
            "document.getElementById('facts').innerText.includes('Your place\\n4')",
        )
        .await;
    let stored = again
        .eval(&format!("localStorage.getItem('urr-vwr-{}')", world.sale))
        .await;
    assert!(
        stored.as_str().unwrap().contains("requestId"),
        "the contract's name and form"
    );
    // A stranger's browser is another visitor.
    let stranger = Person::new("en").await;
    let other = stranger.open(&world.page()).await;
    other
        .until(
            "behind them",
            "document.getElementById('facts').innerText.includes('Your place\\n6')",
        )
        .await;
}

#[tokio::test]
async fn offline_keeps_the_place_says_so_and_goes_on_by_itself() {
    let (world, _person, tab) = somebody_waits(4).await;
    tab.offline(true).await;
    tab.until(
        "it says so",
        "document.getElementById('notice').textContent.includes('offline')",
    )
    .await;
    assert_eq!(tab.text("value").await, "4", "the place is still shown");
    tab.picture("offline-en").await;
    let asked = world.asked("/check/");
    world.clock().advance_ms(2000);
    tab.offline(false).await;
    tab.until(
        "it went on",
        "document.getElementById('value').textContent === '2'",
    )
    .await;
    assert_eq!(tab.text("notice").await, "");
    assert!(
        world.asked("/check/") - asked <= 3,
        "coming back is one question, not a storm"
    );
}

#[tokio::test]
async fn a_waiting_room_that_fails_is_asked_ever_more_rarely() {
    let (world, _person, tab) = somebody_waits(4).await;
    world.failing(true);
    tab.until(
        "it says so",
        "document.getElementById('notice').textContent.includes('does not answer')",
    )
    .await;
    let asked = world.asked("/check/");
    tokio::time::sleep(std::time::Duration::from_secs(4)).await;
    let tries = world.asked("/check/") - asked;
    assert!((1..=3).contains(&tries), "{tries} tries in four seconds");
    world.failing(false);
    tab.until("it went on", "document.getElementById('notice').hidden")
        .await;
    assert!(tab.text("facts").await.contains("Your place\n5"));
}

/// The request id is the only proof of a place that survives the loss of a ledger: it is shown
/// again, and kept until another was given.
#[tokio::test]
async fn a_place_that_a_replica_denies_is_shown_again_and_not_thrown_away() {
    let (world, _person, tab) = somebody_waits(4).await;
    let stored = format!(
        "JSON.parse(localStorage.getItem('urr-vwr-{}')).requestId",
        world.sale
    );
    let id = tab.eval(&stored).await.as_str().unwrap().to_owned();
    let joins = world.joins().len();
    world.denying(true);
    urr_kit::testing::eventually(std::time::Duration::from_secs(60), "it joins again", async || {
        world.joins().len() > joins
    })
    .await;
    assert!(world.joins()[joins].contains(&id), "{:?}", world.joins()[joins]);
    assert_eq!(
        tab.eval(&stored).await.as_str(),
        Some(&*id),
        "it is kept meanwhile"
    );
    // Somebody else comes; whoever had to join anew would stand behind him.
    world.denying(false);
    world.join("somebody-else").await;
    // Longer than the longest pause between two tries: on a slow machine it failed more than once.
    let fifth = "document.getElementById('facts').innerText.includes('Your place\\n5') && document.getElementById('notice').hidden";
    urr_kit::testing::eventually(std::time::Duration::from_secs(100), "still fifth", async || {
        tab.eval(fifth).await == true
    })
    .await;
    assert_eq!(tab.eval(&stored).await.as_str(), Some(&*id));
}

#[tokio::test]
async fn waking_from_sleep_asks_once() {
    let (world, _person, tab) = somebody_waits(40).await;
    tab.until("it was asked", "document.getElementById('checked').textContent")
        .await;
    // What a device that slept for an hour sees: every timer is overdue, and the events of waking
    // come all at once. Time stands still for nobody else, so the page's own is moved.
    let asked = world.asked("/check/");
    tab.eval(
        "(() => { const real = Date.now; Date.now = () => real() + 3600e3; \
          for (let i = 0; i < 5; i++) { document.dispatchEvent(new Event('visibilitychange')); \
          window.dispatchEvent(new Event('online')); window.dispatchEvent(new Event('pageshow')); \
          document.dispatchEvent(new Event('resume')); } })()",
    )
    .await;
    tokio::time::sleep(std::time::Duration::from_millis(900)).await;
    assert_eq!(world.asked("/check/") - asked, 1, "twenty events, one question");
}

#[tokio::test]
async fn before_the_opening_a_countdown_by_the_servers_clock() {
    let world = World::new(Plan {
        opens_in_s: 90,
        ordering: Ordering::Shuffle,
        ..Plan::default()
    })
    .await;
    // The server's clock is far from this machine's: only its word can be what is shown.
    let person = Person::new("en").await;
    let tab = person.open(&world.page()).await;
    tab.until_state("before").await;
    let shown = tab.text("value").await;
    assert!(shown.starts_with("01:"), "{shown}");
    assert!(tab.text("lead").await.contains("same chance"));
    assert!(
        !tab.text("facts").await.contains("Your place"),
        "nobody has a place before the draw"
    );
    tab.picture("before-shuffle-en").await;
}

#[tokio::test]
async fn the_countdown_is_right_on_a_device_whose_clock_is_wrong() {
    let world = World::new(Plan {
        opens_in_s: 90,
        ..Plan::default()
    })
    .await;
    let person = Person::new("en").await;
    let tab = person.open("about:blank").await;
    // Two hours fast, from before the page's first line.
    tab.call(
        "Page.addScriptToEvaluateOnNewDocument",
        serde_json::json!({"source": "{ const real = Date.now; Date.now = () => real() + 7200e3; }"}),
    )
    .await;
    tab.go(&world.page()).await;
    tab.until_state("before").await;
    let shown = tab.text("value").await;
    assert!(shown.starts_with("01:"), "{shown}");
}

#[tokio::test]
async fn who_comes_too_early_joins_by_himself_when_the_room_opens() {
    let world = World::new(Plan {
        pre_queue_in_s: 3600,
        opens_in_s: 7200,
        ..Plan::default()
    })
    .await;
    let person = Person::new("ko").await;
    let tab = person.open(&world.page()).await;
    tab.until_state("early").await;
    let shown = tab.text("value").await;
    assert!(shown.starts_with("59:") || shown.starts_with("1:00:"), "{shown}");
    tab.picture("early-ko").await;
    world.clock().advance_ms(3_601_000);
    tab.reload().await;
    tab.until_state("before").await;
}
