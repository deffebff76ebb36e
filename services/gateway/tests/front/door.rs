//! Who is let through: by which pass, on which paths, and what the others are told.

use crate::world::{Front, HTML, location};
use reqwest::{StatusCode, header};
use serde_json::{Value, json};
use urr_core::token::{entry, tier1};
use urr_kit::clock::Clock as _;
use uuid::Uuid;

#[tokio::test]
async fn who_has_no_pass_is_sent_to_the_page_and_comes_back_with_one() {
    let front = Front::with_real_room(|_| {}).await;
    let sale = front.sale;
    let shop = format!("/shop/{sale}/seats?row=7&x=a%20b");
    let sent = front.get(&shop, &[HTML]).await;
    assert_eq!(sent.status(), StatusCode::FOUND);
    assert_eq!(sent.headers()[header::CACHE_CONTROL], "no-store");
    let to = location(&sent);
    assert_eq!(
        to,
        format!("/vwr/{sale}?return=/shop/{sale}/seats%3Frow%3D7%26x%3Da%2520b")
    );
    // The page is the edge's own; joining and polling go through it.
    let page = front.get(&to, &[HTML]).await;
    assert_eq!(page.status(), StatusCode::OK);
    assert!(page.text().await.unwrap().contains("/vwr/assets/page-"));
    let joined = front
        .http
        .post(front.url(&format!("/vwr-api/vwr/assign/{sale}")))
        .json(&json!({"userId": "anon-1"}))
        .send()
        .await
        .unwrap();
    assert_eq!(joined.status(), StatusCode::OK);
    let joined: Value = joined.json().await.unwrap();
    front.bed.clock().advance_ms(5000);
    let id = joined["requestId"].as_str().unwrap();
    let check = format!("/vwr-api/vwr/check/{sale}/{id}?userId=anon-1");
    let checked: Value = front.get(&check, &[]).await.json().await.unwrap();
    assert_eq!(checked["admitted"], true, "{checked}");
    let pass = format!("urr-vwr-token={}", checked["token"].as_str().unwrap());
    let bought = front.get(&shop, &[HTML, ("cookie", &pass)]).await;
    assert_eq!(bought.status(), StatusCode::OK);
    let seen: Value = bought.json().await.unwrap();
    assert_eq!(seen["uri"], shop, "the origin sees the address as it was typed");
}

#[tokio::test]
async fn only_this_sales_pass_opens_this_sales_door() {
    let front = Front::new(|_| {}).await;
    let path = format!("/shop/{}", front.sale);
    let try_with = async |token: String| {
        let cookie = format!("a=b; urr-vwr-token={token}");
        front.get(&path, &[HTML, ("cookie", &cookie)]).await.status()
    };
    assert_eq!(try_with(front.pass(front.sale, 600)).await, StatusCode::OK);
    assert_eq!(try_with(front.pass(Uuid::new_v4(), 600)).await, StatusCode::FOUND);
    assert_eq!(try_with(front.pass(front.sale, -1)).await, StatusCode::FOUND);
    assert_eq!(try_with("x.y.z".to_owned()).await, StatusCode::FOUND);
    let mut forged = front.pass(front.sale, 600);
    forged.pop();
    assert_eq!(try_with(forged).await, StatusCode::FOUND);
    // A stale cookie of a parent domain beside the good one does no harm.
    let two = format!(
        "{}; urr-vwr-token={}",
        front.pass(front.sale, -1),
        front.pass(front.sale, 600)
    );
    assert_eq!(try_with(two).await, StatusCode::OK);
    assert_eq!(
        front.get("/about", &[HTML]).await.status(),
        StatusCode::OK,
        "not protected"
    );
    let header = front.pass(front.sale, 600);
    assert_eq!(
        front.get(&path, &[("x-vwr-token", &header)]).await.status(),
        StatusCode::OK,
        "apps send a header"
    );
}

#[tokio::test]
async fn no_spelling_of_a_protected_path_goes_round_the_guard() {
    let front = Front::new(|_| {}).await;
    let sale = front.sale.to_string();
    for path in [
        format!("//shop/{sale}"),
        format!("/%73hop/{sale}"),
        format!("/SHOP/{}", sale.to_uppercase()),
        format!("/shop;jsessionid=1/{sale}"),
        format!("/shop//{sale}/"),
        format!("/shop/{}", sale.replace('-', "%2D")),
    ] {
        let status = front.raw(&path).await;
        assert_eq!(status, 403, "{path}");
    }
    for path in [
        format!("/about/../shop/{sale}"),
        format!("/about/%2e%2e/shop/{sale}"),
        format!("/about%2f..%2fshop/{sale}"),
        format!("/shop%5c{sale}"),
        format!("/%2573hop/{sale}"),
    ] {
        assert_eq!(front.raw(&path).await, 400, "{path}");
    }
    assert_eq!(front.origin_calls(), 0);
}

#[tokio::test]
async fn a_program_is_told_and_not_redirected() {
    // Quirk 31.
    let front = Front::new(|_| {}).await;
    let path = format!("/shop/{}", front.sale);
    for headers in [
        &[("accept", "application/json")][..],
        &[("sec-fetch-mode", "cors"), HTML][..],
    ] {
        let told = front.get(&path, headers).await;
        assert_eq!(told.status(), StatusCode::FORBIDDEN);
        let body: Value = told.json().await.unwrap();
        assert_eq!(body["redirectTo"], format!("/vwr/{}", front.sale));
    }
    let posted = front
        .http
        .post(front.url(&path))
        .header("accept", "text/html")
        .send()
        .await
        .unwrap();
    assert_eq!(
        posted.status(),
        StatusCode::FORBIDDEN,
        "a form's content would be lost in a redirect"
    );
}

#[tokio::test]
async fn entry_tokens_are_asked_for_where_the_operator_says() {
    let front = Front::new(|config| {
        config.edge_protect = vec!["/checkout/{sale}=entry".to_owned(), "/shop/{sale}".to_owned()];
    })
    .await;
    let path = format!("/checkout/{}", front.sale);
    let now_s = front.bed.clock().now().0 / 1000;
    let token = |sale| {
        let claims = entry::Claims {
            sub: sale,
            uid: Uuid::new_v4(),
            iat: now_s,
            exp: now_s + 600,
        };
        entry::issue(&front.bed.ctx().secrets.entry_keys, &claims)
    };
    let pass = format!("urr-vwr-token={}", front.pass(front.sale, 600));
    assert_eq!(
        front.get(&path, &[("cookie", &pass)]).await.status(),
        StatusCode::FORBIDDEN,
        "a pass is no entry token"
    );
    for (sale, status) in [
        (Uuid::new_v4(), StatusCode::FORBIDDEN),
        (front.sale, StatusCode::OK),
    ] {
        let cookie = format!("urr-entry-token={}", token(sale));
        assert_eq!(front.get(&path, &[("cookie", &cookie)]).await.status(), status);
    }
}

#[tokio::test]
async fn a_visitor_at_work_keeps_the_pass_but_not_for_ever() {
    let front = Front::new(|config| config.edge_session_max_s = 1500).await;
    let path = format!("/shop/{}", front.sale);
    let mut pass = front.pass(front.sale, 600);
    let first = front.claims(&pass);
    let mut renewals = 0;
    for minute in 0..60 {
        let cookie = format!("urr-vwr-token={pass}");
        let answer = front.get(&path, &[HTML, ("cookie", &cookie)]).await;
        if answer.status() == StatusCode::FOUND {
            assert_eq!(minute, 25, "1,500 s are 25 minutes");
            assert_eq!(renewals, 3);
            return;
        }
        if let Some(renewed) = answer.headers().get(header::SET_COOKIE) {
            let renewed = renewed.to_str().unwrap();
            assert!(
                renewed.contains("SameSite=Strict") && renewed.contains("; Secure"),
                "{renewed}"
            );
            pass = renewed.split(['=', ';']).nth(1).unwrap().to_owned();
            let claims = front.claims(&pass);
            assert_eq!(
                (claims.pos, claims.uid, claims.iat),
                (first.pos, first.uid.clone(), first.iat)
            );
            renewals += 1;
        }
        front.bed.clock().advance_ms(60_000);
    }
    panic!("the pass never ended");
}

#[tokio::test]
async fn operators_paths_do_not_go_through_the_edges_side_door() {
    let front = Front::new(|_| {}).await;
    for path in [
        "/vwr-api/vwr/activate/x",
        "/vwr-api/vwr/",
        "/vwr-api/vwr/status/../x",
    ] {
        assert!(front.raw(path).await >= 400, "{path}");
    }
    assert_eq!(front.room.calls_to("activate"), 0);
    let claims: Result<tier1::Claims, _> = tier1::verify(
        &front.bed.ctx().secrets.vwr_keys,
        &front.pass(front.sale, 600),
        front.sale,
        front.bed.clock().now(),
    );
    assert!(claims.is_ok(), "the passes of these tests are genuine");
}
