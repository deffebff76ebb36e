//! A waiting room that is down or switched off, and a list of sales that is away.

use crate::world::{Front, HTML};
use reqwest::StatusCode;
use std::time::Duration;
use urr_gateway::edge::WhenDown;
use urr_kit::testing::eventually;
use uuid::Uuid;

#[tokio::test]
async fn while_the_waiting_room_is_down_people_wait_unless_the_operator_said_pass() {
    for (when_down, status) in [
        (WhenDown::Wait, StatusCode::FOUND),
        (WhenDown::Pass, StatusCode::OK),
    ] {
        let front = Front::new(|config| {
            config.edge_when_room_is_down = when_down;
            config.edge_protect.insert(0, "/checkout/{sale}=entry".to_owned());
        })
        .await;
        let path = format!("/shop/{}", front.sale);
        assert_eq!(
            front.get(&path, &[HTML]).await.status(),
            StatusCode::FOUND,
            "it is up"
        );
        front.room.down(true);
        front.until_health("waitingRoom", "down").await;
        assert_eq!(front.get(&path, &[HTML]).await.status(), status, "{when_down:?}");
        let checkout = format!("/checkout/{}", front.sale);
        assert_eq!(
            front.get(&checkout, &[]).await.status(),
            StatusCode::FORBIDDEN,
            "seats stay shut (no-back-door)"
        );
        // The page is there all the same, and says that the room does not answer.
        assert_eq!(
            front.get(&format!("/vwr/{}", front.sale), &[HTML]).await.status(),
            StatusCode::OK
        );
        let assign = front.url(&format!("/vwr-api/vwr/assign/{}", front.sale));
        let joined = front.http.post(assign).send().await.unwrap();
        assert!(joined.status().is_server_error());
        front.room.down(false);
        front.until_health("waitingRoom", "ok").await;
        assert_eq!(front.get(&path, &[HTML]).await.status(), StatusCode::FOUND);
    }
}

#[tokio::test]
async fn a_room_that_is_switched_off_holds_nobody_up() {
    // R-VWR-07.
    let front = Front::new(|_| {}).await;
    let path = format!("/shop/{}", front.sale);
    front.room.active(false);
    front.until(&path, StatusCode::OK).await;
    front.room.active(true);
    front.until(&path, StatusCode::FOUND).await;
}

/// Else who was let in before would stay in, with passes renewed for two hours, beside the line
/// that began anew.
#[tokio::test]
async fn passes_of_a_line_that_was_ended_let_nobody_in_and_are_not_renewed() {
    let front = Front::new(|_| {}).await;
    let path = format!("/shop/{}", front.sale);
    // Half of it is over, so it is renewed.
    let old = format!("urr-vwr-token={}", front.pass_of_line(7, front.sale, 200));
    let of_old = [HTML, ("cookie", old.as_str())];
    let answer = front.get(&path, &of_old).await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(answer.headers().contains_key("set-cookie"));
    front.room.ends_lines_up_to(7);
    eventually(Duration::from_secs(30), "the edge hears of it", async || {
        front.get(&path, &of_old).await.status() == StatusCode::FOUND
    })
    .await;
    let answer = front.get(&path, &of_old).await;
    let renewed = answer
        .headers()
        .get_all("set-cookie")
        .iter()
        .any(|cookie| cookie.to_str().unwrap().starts_with("urr-vwr-token=ey"));
    assert!(!renewed, "{:?}", answer.headers());
    // A pass of the line that followed is good, also beside the old one.
    let both = format!("{old}; urr-vwr-token={}", front.pass_of_line(8, front.sale, 500));
    assert_eq!(
        front.get(&path, &[HTML, ("cookie", &both)]).await.status(),
        StatusCode::OK
    );
}

#[tokio::test]
async fn the_list_of_sales_is_fetched_else_remembered_else_everything_is_guarded() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("sales.json");
    let sale = Uuid::new_v4();
    let path = format!("/shop/{sale}");
    let listed = Front::new(|config| {
        config.edge_sales = Vec::new();
        config.edge_sales_file = Some(file.clone());
        config.edge_sales_url = Some(
            format!("{}/sales.json?", config.edge_room)
                .trim_end_matches('?')
                .to_owned(),
        );
    })
    .await;
    // Nothing was read yet: every id is guarded, also this unknown one.
    listed.room.list(&[listed.sale]);
    listed.until(&path, StatusCode::OK).await;
    assert_eq!(
        listed
            .get(&format!("/shop/{}", listed.sale), &[HTML])
            .await
            .status(),
        StatusCode::FOUND
    );
    // The next process starts while the list is away.
    let again = Front::new(|config| {
        config.edge_sales = Vec::new();
        config.edge_sales_file = Some(file.clone());
        config.edge_sales_url = Some("http://127.0.0.1:9/sales.json".to_owned());
    })
    .await;
    assert_eq!(again.get(&path, &[HTML]).await.status(), StatusCode::OK);
    assert_eq!(
        again
            .get(&format!("/shop/{}", listed.sale), &[HTML])
            .await
            .status(),
        StatusCode::FOUND
    );
    // And one that never had any.
    let blind = Front::new(|config| {
        config.edge_sales = Vec::new();
        config.edge_sales_url = Some("http://127.0.0.1:9/sales.json".to_owned());
    })
    .await;
    assert_eq!(blind.get(&path, &[HTML]).await.status(), StatusCode::FOUND);
}
