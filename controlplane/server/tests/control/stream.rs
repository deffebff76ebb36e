//! Live pictures.

use crate::world::{Control, SOON, World};
use futures::StreamExt as _;
use reqwest::Method;
use serde_json::json;
use urr_core::sale::{Phase, Sale};
use urr_core::snapshot::{QueueView, Snapshot};

#[tokio::test]
async fn a_picture_shows_all_parts_and_says_what_cannot_be_read() {
    let world = World::new().await;
    let control = world.control().await;
    let sale = world.sale();
    control.put(&sale).await;
    world.services.set_seats(60, 10, 30);
    let (status, body) = control.get(&format!("/{}/snapshot", sale.id)).await;
    assert_eq!(status, 200);
    let picture: Snapshot = serde_json::from_value(body).unwrap();
    assert_eq!(
        (picture.phase, picture.opens_at),
        (Phase::Scheduled, sale.schedule.opens_at)
    );
    assert_eq!(picture.room.unwrap().issued, 0);
    assert_eq!(picture.seats.unwrap().held, 10);
    assert_eq!(picture.queue, None);
    assert!(
        picture
            .warnings
            .iter()
            .any(|warning| warning.contains("the queue")),
        "{:?}",
        picture.warnings
    );
    assert!(
        picture.events.iter().any(|event| event.text.contains("put")),
        "{:?}",
        picture.events
    );

    *world.services.queue.lock().unwrap() = Some(QueueView {
        waiting: 4,
        active: 3,
        cap: 50,
        rate_per_s: 20,
        admitted_total: 9,
        paused: false,
    });
    let (_, body) = control.get(&format!("/{}/snapshot", sale.id)).await;
    assert_eq!(
        (&body["queue"]["active"], &body["warnings"]),
        (&json!(3), &json!([]))
    );
    assert_eq!(
        control
            .get(&format!("/{}/snapshot", uuid::Uuid::new_v4()))
            .await
            .0,
        404
    );
}

async fn watch(control: &Control, sale: &Sale) -> reqwest::Response {
    let path = format!("/{}/stream", sale.id);
    control.request(Method::GET, &path).send().await.unwrap()
}

#[tokio::test]
async fn watchers_get_numbered_pictures_that_show_an_override() {
    let world = World::new().await;
    let control = world.control().await;
    let sale = world.sale();
    control.put(&sale).await;
    let response = watch(&control, &sale).await;
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut bytes = response.bytes_stream();

    let mut text = String::new();
    let mut overridden = false;
    let seen = tokio::time::timeout(SOON, async {
        let mut last_id = 0;
        loop {
            text.push_str(std::str::from_utf8(&bytes.next().await.unwrap().unwrap()).unwrap());
            while let Some((event, rest)) = text.split_once("\n\n") {
                let field = |name| event.lines().find_map(|line| line.strip_prefix(name));
                if let (Some(id), Some(data)) = (field("id: "), field("data: ")) {
                    let id: u64 = id.parse().unwrap();
                    assert!(id > last_id, "numbers rise");
                    last_id = id;
                    let picture: Snapshot = serde_json::from_str(data).unwrap();
                    if picture.events.iter().any(|event| event.actor == "mina") {
                        return picture;
                    }
                }
                text = rest.to_owned();
            }
            if !overridden {
                overridden = true;
                let body = json!({"action": "pause", "actor": "mina", "reason": "look"});
                assert_eq!(control.override_sale(sale.id, body).await.0, 200);
            }
        }
    });
    let picture = seen
        .await
        .expect("a picture with the override within the deadline");
    assert!(picture.events.iter().any(|event| event.text.contains("look")));
}

#[tokio::test]
async fn a_watcher_is_let_go_when_the_sale_is_deleted() {
    let world = World::new().await;
    let control = world.control().await;
    let sale = world.sale();
    control.put(&sale).await;
    let response = watch(&control, &sale).await;
    let path = format!("/{}?actor=a&reason=r", sale.id);
    control.request(Method::DELETE, &path).send().await.unwrap();
    let end = tokio::time::timeout(SOON, response.bytes())
        .await
        .expect("the stream ends");
    assert!(end.is_ok());
}
