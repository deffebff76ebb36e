//! What each state says, in both languages, on a phone and on a desktop.

use crate::{
    tab::{DESKTOP, PHONE, Person},
    world::{Plan, World},
};
use urr_core::sale::Ordering;

#[tokio::test]
async fn the_browsers_language_is_spoken_and_the_switch_is_remembered() {
    let world = World::new(Plan {
        ahead: 30,
        ..Plan::default()
    })
    .await;
    let person = Person::new("ko-KR,ko,en").await;
    let tab = person.open(&world.page()).await;
    tab.until_state("waiting").await;
    assert_eq!(tab.eval("document.documentElement.lang").await, "ko");
    assert_eq!(tab.text("head").await, "순번이 보관되어 있습니다");
    assert_eq!(tab.text("label").await, "내 앞 대기 인원");
    tab.click("button[data-lang=en]").await;
    assert_eq!(tab.eval("document.documentElement.lang").await, "en");
    assert_eq!(tab.text("head").await, "Your place is kept");
    assert_eq!(
        tab.eval("document.querySelector('button[data-lang=en]').getAttribute('aria-pressed')")
            .await,
        "true"
    );
    tab.reload().await;
    tab.until_state("waiting").await;
    assert_eq!(tab.text("head").await, "Your place is kept");
    let stranger = Person::new("fr-FR").await;
    let tab = stranger.open(&world.page()).await;
    tab.until_state("waiting").await;
    assert_eq!(
        tab.text("head").await,
        "Your place is kept",
        "a language we do not speak"
    );
}

#[tokio::test]
async fn seats_left_are_shown_with_honest_odds() {
    let world = World::new(Plan {
        ahead: 30,
        ..Plan::default()
    })
    .await;
    world.seats(200, 10, 790);
    let person = Person::new("en").await;
    let tab = person.open_on(&world.page(), PHONE).await;
    tab.until(
        "the seats",
        "document.getElementById('facts').innerText.includes('200 of 1,000')",
    )
    .await;
    assert!(
        tab.text("odds")
            .await
            .contains("more seats left than people ahead")
    );
    assert!(tab.text("facts").await.contains("Expected wait"));
    tab.picture("waiting-phone-en").await;
    tab.click("button[data-lang=ko]").await;
    tab.picture("waiting-phone-ko").await;
    for (free, words) in [(10, "more people ahead of you than seats"), (3, "unlikely")] {
        world.seats(free, 10, 990 - free);
        world.clock().advance_ms(2500);
        let other = Person::new("en").await.open_on(&world.page(), DESKTOP).await;
        other
            .until(
                "the odds",
                &format!("document.getElementById('odds').textContent.includes('{words}')"),
            )
            .await;
        other.picture(&format!("waiting-{free}-left-en")).await;
    }
}

#[tokio::test]
async fn a_paused_line_a_sold_out_sale_and_a_closed_one_say_so() {
    let world = World::new(Plan {
        ahead: 30,
        ..Plan::default()
    })
    .await;
    world.seats(100, 0, 900);
    let tab = Person::new("en").await.open(&world.page()).await;
    tab.until_state("waiting").await;
    world.change(|room, now| room.paused(now)).await;
    world.until_phase("paused").await;
    tab.reload().await;
    tab.until_state("paused").await;
    assert!(tab.text("lead").await.contains("Your place is kept"));
    tab.picture("paused-en").await;
    tab.click("button[data-lang=ko]").await;
    tab.picture("paused-ko").await;

    world.change(|room, now| room.resumed(now)).await;
    world.until_phase("open").await;
    world.seats(0, 0, 1000);
    world.clock().advance_ms(2000);
    let tab = Person::new("ko").await.open_on(&world.page(), PHONE).await;
    tab.until_state("soldout").await;
    assert_eq!(tab.text("badge").await, "매진");
    tab.picture("soldout-phone-ko").await;

    world.clock().advance_ms(86_400_000);
    let tab = Person::new("en").await.open(&world.page()).await;
    tab.until_state("closed").await;
    tab.picture("closed-en").await;
}

#[tokio::test]
async fn a_room_that_is_switched_off_holds_nobody_up() {
    // R-VWR-07.
    let world = World::new(Plan::default()).await;
    world.change(|room, now| room.deactivated(now)).await;
    world.until_phase("inactive").await;
    let tab = Person::new("en").await.open(&world.page()).await;
    tab.until("the shop", "document.title === 'shop'").await;
}

#[tokio::test]
async fn every_state_has_its_words_in_both_languages() {
    let world = World::new(Plan {
        opens_in_s: 600,
        ordering: Ordering::Shuffle,
        ahead: 3,
        ..Plan::default()
    })
    .await;
    world.seats(60_000, 0, 0);
    for (language, screen) in [("en", DESKTOP), ("ko", PHONE)] {
        let tab = Person::new(language).await.open_on(&world.page(), screen).await;
        tab.until_state("before").await;
        tab.until(
            "the seats",
            "document.getElementById('facts').innerText.includes('60,000')",
        )
        .await;
        let shown = tab.eval("document.body.innerText").await;
        let shown = shown.as_str().unwrap();
        for wrong in ["undefined", "null", "NaN", "{n}", "[object"] {
            assert!(!shown.contains(wrong), "{language}: {wrong} in {shown}");
        }
        tab.picture(&format!("before-{language}")).await;
    }
}
