//! Several tabs are one person: one place, one poller.

use crate::tab::somebody_waits;
use std::time::Duration;

#[tokio::test]
async fn two_tabs_hold_one_place_and_one_of_them_asks() {
    let (world, person, first) = somebody_waits(6).await;
    let second = person.open(&world.page()).await;
    second.until_state("waiting").await;
    assert_eq!(world.asked("/assign/"), 6 + 1, "one join for both");
    for tab in [&first, &second] {
        assert!(tab.text("facts").await.contains("Your place\n7"));
    }
    let asked = world.asked("/check/");
    tokio::time::sleep(Duration::from_millis(3500)).await;
    let polls = world.asked("/check/") - asked;
    // Six seconds from the front a poll comes every two to four seconds.
    assert!(polls <= 3, "{polls} polls of two tabs in 3.5 s");
    // What one hears both show.
    world.clock().advance_ms(4000);
    for tab in [&first, &second] {
        tab.until(
            "the line moved",
            "document.getElementById('value').textContent === '2'",
        )
        .await;
    }
}

#[tokio::test]
async fn when_the_asking_tab_is_closed_another_takes_over() {
    let (world, person, first) = somebody_waits(6).await;
    let second = person.open(&world.page()).await;
    second.until_state("waiting").await;
    first.close().await;
    world.clock().advance_ms(4000);
    second
        .until(
            "the second asks now",
            "document.getElementById('value').textContent === '2'",
        )
        .await;
    assert_eq!(world.asked("/assign/"), 6 + 1);
}
