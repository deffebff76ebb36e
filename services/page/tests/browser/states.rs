//! What each state says, in both languages, on a phone and on a desktop.

use crate::{
    tab::{DESKTOP, PHONE, Person},
    world::{Plan, World},
};
use urr_core::sale::Ordering;
use urr_kit::clock::Clock as _;

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
async fn r_book_14_who_came_back_before_his_hour_waits_for_it_with_his_place() {
    let world = World::new(Plan::default()).await;
    let hour = world.clock().now().plus_s(3600);
    let person = Person::new("en").await;
    let page = format!("{}?opensAt={}", world.page(), hour.0);
    let tab = person.open_on(&page, PHONE).await;
    tab.until_state("waiting").await;
    world.clock().advance_ms(5000);
    tab.until_state("before").await;
    assert_eq!(tab.text("label").await, "The sale opens in");
    assert!(tab.text("facts").await.contains("Your place\n1"));
    let face = tab.text("value").await;
    assert!(face.starts_with("59:"), "{face}");
    // In words too, by the visitor's own calendar.
    let local = |lang: &str| {
        let said = "{dateStyle: 'long', timeStyle: 'short'}";
        format!("new Date({}).toLocaleString('{lang}', {said})", hour.0)
    };
    for (lang, head) in [
        ("ko", "멤버십 회원이 먼저 예매합니다"),
        ("en", "Members of the artist come first"),
    ] {
        tab.click(&format!("button[data-lang={lang}]")).await;
        assert_eq!(tab.text("head").await, head);
        let at = tab.eval(&local(lang)).await;
        let lead = tab.text("lead").await;
        assert!(lead.contains(at.as_str().unwrap()), "{at} in {lead}");
        tab.picture(&format!("presale-phone-{lang}")).await;
    }
    assert_eq!(tab.text("go").await, "", "the shop would only send him back");
    assert!(world.pass_shown().is_none());
    // Others came meanwhile; an hour later his place still gives a pass, for the machine's clock and the server's.
    world.join("somebody-else").await;
    world.clock().advance_ms(3_600_000);
    tab.eval("(() => { const real = Date.now; Date.now = () => real() + 3600e3; })()")
        .await;
    tab.until("the shop", "document.title === 'shop'").await;
    assert_eq!(world.pass_shown().expect("a pass that is still good").pos, 1);
    assert_eq!(tab.complaints(), [] as [String; 0]);
    // What no presale can mean holds nobody up.
    for other in [
        "NaN".to_owned(),
        world.clock().now().plus_s(50 * 3600).0.to_string(),
    ] {
        let tab = person.open(&format!("{}?opensAt={other}", world.page())).await;
        tab.until("the shop", "document.title === 'shop'").await;
    }
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
