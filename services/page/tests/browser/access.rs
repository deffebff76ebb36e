//! Whoever cannot see it, hear it, or hold still in front of it.

use crate::{
    tab::{DESKTOP, PHONE, Person, Tab},
    world::{Plan, World},
};
use serde_json::json;

/// The contrast of every text with what is behind it (WCAG 2.2, 1.4.3), the worst first.
const CONTRAST: &str = r"(() => {
  const parse = (color) => { const m = color.match(/[\d.]+/g).map(Number); return m.length > 3 ? m : [...m, 1]; };
  const light = ([r, g, b]) => { const f = [r, g, b].map((v) => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }); return 0.2126 * f[0] + 0.7152 * f[1] + 0.0722 * f[2]; };
  const behind = (e) => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor); if (c[3] > 0.99) return c; } return [255, 255, 255, 1]; };
  const worst = [];
  for (const e of document.querySelectorAll('body *')) {
    const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || !e.checkVisibility()) continue;
    const [a, b] = [light(parse(getComputedStyle(e).color)), light(behind(e))];
    worst.push([(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), e.id || e.tagName]);
  }
  return worst.sort((x, y) => x[0] - y[0])[0];
})()";

async fn assert_contrast(tab: &Tab, what: &str) {
    let worst = tab.eval(CONTRAST).await;
    assert!(worst[0].as_f64().unwrap() >= 4.5, "{what}: {worst}");
}

#[tokio::test]
async fn text_stands_out_in_light_and_in_dark() {
    let world = World::new(Plan {
        ahead: 4,
        ..Plan::default()
    })
    .await;
    world.seats(1, 10, 989);
    let tab = Person::new("en").await.open_on(&world.page(), PHONE).await;
    tab.until("the odds", "!document.getElementById('odds').hidden")
        .await;
    for scheme in ["light", "dark"] {
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        tab.call("Emulation.setEmulatedMedia", features).await;
        assert_contrast(&tab, scheme).await;
        tab.picture(&format!("waiting-{scheme}-en")).await;
    }
    world.failing(true);
    tab.until("the notice", "!document.getElementById('notice').hidden")
        .await;
    assert_contrast(&tab, "the notice in the dark").await;
    tab.picture("trouble-dark-en").await;
}

#[tokio::test]
async fn a_screen_reader_hears_what_changed_and_not_every_poll() {
    let world = World::new(Plan {
        ahead: 8,
        ..Plan::default()
    })
    .await;
    let tab = Person::new("en").await.open(&world.page()).await;
    tab.until_state("waiting").await;
    let live = tab
        .eval("[...document.querySelectorAll('[aria-live], [role=status], [role=alert]')].map((e) => [e.id, e.getAttribute('aria-live'), e.getAttribute('role')])")
        .await;
    assert_eq!(
        live,
        json!([["say", "polite", "status"]]),
        "one voice on the page"
    );
    let said = tab.text("say").await;
    assert!(said.contains("Your place is kept"), "{said}");
    assert!(said.contains("8 people ahead of you"), "{said}");
    tab.eval(
        // What was said outlives the page, which goes on to the shop soon after the last word.
        "window.spoken = 0; new MutationObserver((m) => { window.spoken += m.length; sessionStorage.said = document.getElementById('say').textContent; }).observe(document.getElementById('say'), {childList: true, characterData: true, subtree: true})",
    )
    .await;
    let asked = world.asked("/check/");
    world.clock().advance_ms(2000);
    tab.until(
        "the line moved",
        "document.getElementById('value').textContent === '6'",
    )
    .await;
    assert!(world.asked("/check/") > asked);
    assert_eq!(tab.eval("window.spoken").await, 0, "a poll is not news");
    world.clock().advance_ms(60_000);
    tab.until("a turn is", "sessionStorage.said.includes('It is your turn')")
        .await;
}

#[tokio::test]
async fn everything_has_a_name_and_the_keyboard_reaches_it() {
    let world = World::new(Plan {
        ahead: 30,
        ..Plan::default()
    })
    .await;
    let tab = Person::new("en").await.open_on(&world.page(), DESKTOP).await;
    tab.until_state("waiting").await;
    // The tree a screen reader walks.
    let tree = tab.call("Accessibility.getFullAXTree", json!({})).await;
    let mut roles = Vec::new();
    for node in tree["nodes"].as_array().unwrap() {
        if node["ignored"] == true {
            continue;
        }
        let role = node["role"]["value"].as_str().unwrap_or_default().to_owned();
        let name = node["name"]["value"].as_str().unwrap_or_default().to_owned();
        if matches!(
            role.as_str(),
            "button" | "link" | "heading" | "progressbar" | "group"
        ) {
            assert!(!name.trim().is_empty(), "a {role} without a name");
        }
        roles.push(role);
    }
    for role in [
        "main",
        "heading",
        "progressbar",
        "status",
        "banner",
        "contentinfo",
    ] {
        assert!(roles.iter().any(|found| found == role), "no {role} in {roles:?}");
    }
    assert_eq!(
        tab.eval("document.querySelectorAll('h1').length").await,
        1,
        "one heading says where one is"
    );
    let ids = "(() => { const ids = [...document.querySelectorAll('[id]')].map((e) => e.id); return ids.length === new Set(ids).size; })()";
    assert_eq!(tab.eval(ids).await, true, "ids are unique");
    // Tab, tab, space: the Korean button.
    for key in ["Tab", "Tab"] {
        press(&tab, key, "").await;
    }
    assert_eq!(tab.eval("document.activeElement.dataset.lang").await, "ko");
    let outline = "getComputedStyle(document.activeElement).outlineStyle";
    assert_eq!(tab.eval(outline).await, "solid", "the focus can be seen");
    press(&tab, " ", " ").await;
    assert_eq!(tab.eval("document.documentElement.lang").await, "ko");
    // A finger finds it: WCAG 2.2, 2.5.8.
    let small = "[...document.querySelectorAll('button, a')].filter((e) => e.checkVisibility() && e.getBoundingClientRect().height < 24).length";
    assert_eq!(tab.eval(small).await, 0);
}

async fn press(tab: &Tab, key: &str, text: &str) {
    let code = if key == " " { 32 } else { 9 };
    for kind in ["keyDown", "keyUp"] {
        let mut event = json!({"type": kind, "key": key, "windowsVirtualKeyCode": code});
        if kind == "keyDown" && !text.is_empty() {
            event["text"] = json!(text);
        }
        tab.call("Input.dispatchKeyEvent", event).await;
    }
}

#[tokio::test]
async fn a_state_is_told_by_words_and_shape_and_nothing_moves_for_those_who_ask() {
    let world = World::new(Plan {
        ahead: 30,
        ..Plan::default()
    })
    .await;
    let tab = Person::new("en").await.open(&world.page()).await;
    tab.until_state("waiting").await;
    let shape = "(() => { const s = getComputedStyle(document.querySelector('.mark')); return [s.width, s.height, s.borderRadius, s.borderWidth, s.clipPath].join(); })()";
    let waiting = tab.eval(shape).await;
    tab.eval("document.body.dataset.state = 'paused'").await;
    assert_ne!(tab.eval(shape).await, waiting, "not by colour alone");
    let features = json!({"features": [{"name": "prefers-reduced-motion", "value": "reduce"}]});
    tab.call("Emulation.setEmulatedMedia", features).await;
    let moves = "getComputedStyle(document.querySelector('#way i')).transitionDuration";
    assert_eq!(tab.eval(moves).await, "0s");
    // At 320 px, which is 400 % zoom of a desktop, nothing scrolls sideways (WCAG 2.2, 1.4.10).
    let narrow = json!({"width": 320, "height": 640, "deviceScaleFactor": 1, "mobile": true});
    tab.call("Emulation.setDeviceMetricsOverride", narrow).await;
    assert_eq!(
        tab.eval("document.documentElement.scrollWidth <= window.innerWidth")
            .await,
        true
    );
    tab.picture("narrow-en").await;
}
