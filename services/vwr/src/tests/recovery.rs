//! Law `one-place` after the loss of everything but the keys: who holds a place shows it, and the
//! line goes on behind.

use super::{Door, OPENS_AT, Placed, Replica};
use ::http::StatusCode;
use urr_core::{room::Room, token::tier1};

/// The control plane makes the record anew, after a loss: nothing is known but the sale.
async fn lose_the_record(door: &Door, replica: &Replica, epoch: u32) {
    let client = door.bed.ctx().dynamo().await;
    let key = aws_sdk_dynamodb::types::AttributeValue::S(door.sale.to_string());
    client
        .client
        .delete_item()
        .table_name(client.table("counters"))
        .key("eventId", key)
        .send()
        .await
        .unwrap();
    let room = Room { epoch, ..door.room() };
    replica.app.shared.store.create_room(&room).await.unwrap();
}

async fn line_of(door: &Door, replica: &Replica, n: usize) -> Vec<Placed> {
    let mut places = Vec::new();
    for i in 0..n {
        places.push(replica.join(door.sale, &format!("v{i}")).await);
    }
    places
}

#[tokio::test]
async fn a_restart_of_everything_keeps_every_place() {
    let (door, replica) = Door::new().await;
    let places = line_of(&door, &replica, 5).await;
    drop(replica);
    let restarted = door.replica().await;
    door.clock().set(OPENS_AT.plus_ms(300));
    for (i, place) in places.iter().enumerate() {
        let name = format!("v{i}");
        let (status, body) = restarted.check(door.sale, place, &name).await;
        assert_eq!(
            (status, &body["position"]),
            (StatusCode::OK, &place.position.into())
        );
        assert_eq!(body["admitted"], place.position <= 3);
        assert_eq!(restarted.join(door.sale, &name).await.position, place.position);
    }
}

#[tokio::test]
async fn places_survive_the_loss_of_the_record_and_its_ledger() {
    let (door, replica) = Door::new().await;
    let places = line_of(&door, &replica, 8).await;
    drop(replica);
    let restarted = door.replica().await;
    lose_the_record(&door, &restarted, 2).await;
    // The last in line shows the place first.
    let (status, body) = restarted.check(door.sale, &places[7], "v7").await;
    assert_eq!((status, &body["position"]), (StatusCode::OK, &8.into()));
    let restored = restarted.refreshed(door.sale).await;
    assert_eq!(restored.issued, 8);
    // Nobody new is numbered while people still show what they hold; then they stand behind.
    restarted.app.cache.refresh().await;
    let (status, body) = restarted.try_join(door.sale, "new").await;
    assert_eq!(
        (status, &body["retryAfter"]),
        (StatusCode::SERVICE_UNAVAILABLE, &5.into())
    );
    door.clock().set(OPENS_AT.plus_s(10));
    restarted.app.cache.refresh().await;
    assert_eq!(restarted.join(door.sale, "new").await.position, 9);
    // Everybody is served in the old order, with tokens that tier 2 takes for this line.
    let keys = &door.bed.ctx().secrets.vwr_keys;
    for (i, place) in places.iter().enumerate() {
        let (_, body) = restarted.check(door.sale, place, &format!("v{i}")).await;
        assert_eq!(
            (&body["admitted"], &body["position"]),
            (&true.into(), &place.position.into())
        );
        let token = body["token"].as_str().unwrap();
        let claims = tier1::verify(keys, token, door.sale, OPENS_AT.plus_s(10)).unwrap();
        assert_eq!((claims.pos, claims.epoch), (place.position, 2));
    }
}

#[tokio::test]
async fn a_client_that_joins_again_with_its_request_id_keeps_its_place_though_the_ledger_is_lost() {
    let (door, replica) = Door::new().await;
    let places = line_of(&door, &replica, 3).await;
    drop(replica);
    let restarted = door.replica().await;
    lose_the_record(&door, &restarted, 2).await;
    let body = format!(r#"{{"userId":"v2","requestId":"{}"}}"#, places[2].request_id);
    let path = format!("/vwr-api/vwr/assign/{}", door.sale);
    let (status, body) = restarted.post(path.clone(), body).await;
    assert_eq!((status, &body["position"]), (StatusCode::OK, &3.into()));
    // Somebody else's id is worth nothing.
    let stolen = format!(r#"{{"userId":"thief","requestId":"{}"}}"#, places[2].request_id);
    let (_, body) = restarted.post(path, stolen).await;
    assert_ne!(body["requestId"], places[2].request_id.as_str());
}

/// The guard is the memory that a line was ended on purpose; without a loss old places are void.
#[tokio::test]
async fn a_line_that_was_ended_on_purpose_does_not_come_back() {
    let (door, replica) = Door::new().await;
    let places = line_of(&door, &replica, 3).await;
    replica
        .control(door.sale, |room| room.deactivated(OPENS_AT))
        .await;
    let ended = replica.stored(door.sale).await;
    let next = Room {
        epoch: ended.epoch + 1,
        voids: ended.epoch,
        ..door.room()
    };
    replica.app.shared.store.create_room(&next).await.unwrap();
    replica.refreshed(door.sale).await;
    let (status, _) = replica.check(door.sale, &places[0], "v0").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn while_the_record_is_gone_the_line_goes_on_by_the_last_copy() {
    let (door, replica) = Door::new().await;
    let places = line_of(&door, &replica, 3).await;
    let client = door.bed.ctx().dynamo().await;
    let key = aws_sdk_dynamodb::types::AttributeValue::S(door.sale.to_string());
    let delete = client.client.delete_item().table_name(client.table("counters"));
    delete.key("eventId", key).send().await.unwrap();
    replica.app.cache.refresh().await;
    door.clock().set(OPENS_AT.plus_ms(200));
    let (status, body) = replica.check(door.sale, &places[1], "v1").await;
    assert_eq!((status, &body["admitted"]), (StatusCode::OK, &true.into()));
}
