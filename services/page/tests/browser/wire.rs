//! What caches and attackers see.

use crate::{
    tab::Person,
    world::{Plan, World},
};

#[tokio::test]
async fn the_page_is_the_same_for_everybody_and_made_for_caches() {
    // R-GW-13.
    let world = World::new(Plan::default()).await;
    let get = |url: String| world.http.get(url);
    let first = get(world.page()).send().await.unwrap();
    let header = |answer: &reqwest::Response, name: &str| {
        answer
            .headers()
            .get(name)
            .map(|value| value.to_str().unwrap().to_owned())
            .unwrap_or_default()
    };
    let etag = header(&first, "etag");
    assert!(etag.starts_with('"'), "a strong validator: {etag}");
    assert!(header(&first, "cache-control").contains("max-age=300"));
    assert_eq!(header(&first, "vary"), "accept-encoding");
    assert_eq!(header(&first, "set-cookie"), "");
    let policy = header(&first, "content-security-policy");
    assert!(
        policy.contains("default-src 'none'") && !policy.contains("unsafe"),
        "{policy}"
    );
    let body = first.text().await.unwrap();
    assert!(
        !body.contains("<script>") && !body.contains("style="),
        "nothing inline"
    );

    let dressed = get(format!("{}?return=%2Fshop&x=1", world.page()))
        .header("cookie", "urr-vwr-token=x")
        .header("accept-language", "ko")
        .send()
        .await
        .unwrap();
    assert_eq!(
        header(&dressed, "etag"),
        etag,
        "neither query nor cookie nor language matters"
    );
    let known = get(world.page())
        .header("if-none-match", &etag)
        .send()
        .await
        .unwrap();
    assert_eq!(known.status(), 304);
    let packed = get(world.page())
        .header("accept-encoding", "gzip")
        .send()
        .await
        .unwrap();
    assert_eq!(header(&packed, "content-encoding"), "gzip");

    let script = body.split('"').find(|part| part.ends_with(".js")).unwrap();
    let asset = get(format!("{}{script}", world.base)).send().await.unwrap();
    assert!(header(&asset, "cache-control").contains("immutable"));
    let older = get(format!("{}/vwr/assets/page-0000000000000000.js", world.base));
    let older = older.send().await.unwrap();
    assert_eq!(older.status(), 200, "a page from the last release still works");
    assert!(!header(&older, "cache-control").contains("immutable"));
    for nothing in ["/vwr/not-a-sale", "/vwr/assets/secret.txt", "/vwr/seats/x"] {
        let answer = get(format!("{}{nothing}", world.base)).send().await.unwrap();
        assert_eq!(answer.status(), 404, "{nothing}");
    }
}

#[tokio::test]
async fn seat_counts_cost_booking_one_question_in_two_seconds() {
    let world = World::new(Plan::default()).await;
    world.seats(10, 2, 88);
    let url = format!("{}/vwr/seats/{}", world.base, world.sale);
    for _ in 0..20 {
        let answer = world.http.get(&url).send().await.unwrap();
        assert!(
            answer.headers()["cache-control"]
                .to_str()
                .unwrap()
                .contains("max-age=3")
        );
        let counted: serde_json::Value = answer.json().await.unwrap();
        assert_eq!((&counted["left"], &counted["total"]), (&10.into(), &100.into()));
    }
    assert_eq!(world.summaries(), 1);
    world.clock().advance_ms(2000);
    world.http.get(&url).send().await.unwrap();
    assert_eq!(world.summaries(), 2);
    // Ids that nobody sells cost a few questions a second, however many are made up.
    for _ in 0..50 {
        let made_up = format!("{}/vwr/seats/{}", world.base, uuid::Uuid::new_v4());
        let answer: serde_json::Value = world
            .http
            .get(made_up)
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        assert_eq!(answer["left"], serde_json::Value::Null);
    }
    assert!(world.summaries() <= 2 + 5, "{}", world.summaries());
}

#[tokio::test]
async fn an_admitted_visitor_is_led_only_where_it_is_allowed() {
    let world = World::new(Plan {
        rate_per_s: 1000,
        ..Plan::default()
    })
    .await;
    world.run_clock();
    let home = format!("/queue/{}", world.sale);
    let evil = [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "\\\\evil.example",
        "%09//evil.example",
        "javascript:alert(1)",
        "data:text/html,x",
        "https:evil.example",
        "http://user@127.0.0.1/",
        "/vwr/x",
    ];
    let tab = Person::new("en").await.open("about:blank").await;
    for (wanted, led) in evil
        .into_iter()
        .map(|wanted| (wanted, home.as_str()))
        .chain([("/shop?a=1", "/shop?a=1"), ("", &home)])
    {
        let encoded = wanted
            .replace('\\', "%5C")
            .replace('/', "%2F")
            .replace('?', "%3F");
        tab.go(&format!("{}?return={encoded}", world.page())).await;
        tab.until("a way on", "!document.getElementById('go').hidden")
            .await;
        let way = tab.eval("document.getElementById('go').href").await;
        assert_eq!(way, format!("{}{led}", world.base), "{wanted}");
    }
}

#[tokio::test]
async fn a_shop_that_sends_everybody_back_is_not_tried_for_ever() {
    let world = World::new(Plan {
        rate_per_s: 1000,
        ..Plan::default()
    })
    .await;
    world.run_clock();
    let tab = Person::new("en").await.open("about:blank").await;
    for _ in 0..3 {
        tab.go(&world.page()).await;
        tab.until("the shop", "document.title === 'shop'").await;
    }
    tab.go(&world.page()).await;
    tab.until(
        "it stops",
        "document.getElementById('lead').textContent.includes('by hand')",
    )
    .await;
    let go = tab.eval("document.getElementById('go').href").await;
    assert!(go.as_str().unwrap().contains("/queue/"), "the way on is a link");
    tab.picture("stuck-en").await;
}
