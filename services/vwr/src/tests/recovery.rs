//! Law `one-place` after the loss of everything but the keys: who holds a place shows it, and the
//! line goes on behind.

use super::{Door, OPENS_AT, Placed, Replica};
use ::http::StatusCode;
use urr_core::{room::Room, token::tier1};

/// The line is ended and another begun, in which no place of it counts.
async fn begin_next_line(door: &Door, replica: &Replica) {
    let ended = replica
        .control(door.sale, |room| room.deactivated(OPENS_AT))
        .await;
    let next = Room {
        epoch: ended.epoch + 1,
        voids: ended.epoch,
        ..door.room()
    };
    replica.app.shared.store.create_room(&next).await.unwrap();
}

/// The store loses the record, and nothing else.
async fn drop_the_record(door: &Door) {
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
}

/// The control plane makes the record anew, after a loss: nothing is known but the sale.
async fn lose_the_record(door: &Door, replica: &Replica, epoch: u32) {
    drop_the_record(door).await;
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
    begin_next_line(&door, &replica).await;
    replica.refreshed(door.sale).await;
    let (status, _) = replica.check(door.sale, &places[0], "v0").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn while_the_record_is_gone_the_line_goes_on_by_the_last_copy() {
    let (door, replica) = Door::new().await;
    let places = line_of(&door, &replica, 3).await;
    drop_the_record(&door).await;
    replica.app.cache.refresh().await;
    door.clock().set(OPENS_AT.plus_ms(200));
    let (status, body) = replica.check(door.sale, &places[1], "v1").await;
    assert_eq!((status, &body["admitted"]), (StatusCode::OK, &true.into()));
}

/// A replica whose copy is a second old hears of numbers that it does not know; of the line that
/// follows they say nothing. Else that line would begin at the old one's end and take nobody for
/// a minute.
#[tokio::test]
async fn a_number_that_a_copy_did_not_know_is_no_loss_of_the_next_line() {
    let (door, replica) = Door::new().await;
    let behind = door.replica().await;
    behind.watch(door.sale).await;
    let places = line_of(&door, &replica, 5).await;
    let (status, _) = behind.check(door.sale, &places[4], "v4").await;
    assert_eq!(
        status,
        StatusCode::OK,
        "a genuine place counts before the copy knows it"
    );
    begin_next_line(&door, &replica).await;
    let after = behind.refreshed(door.sale).await;
    assert_eq!((after.issued, after.restoring_until), (0, None));
    assert_eq!(behind.join(door.sale, "new").await.position, 1);
}

/// What is counted as lost is what a write brought back, once, however many replicas heard of it.
#[tokio::test]
async fn a_record_is_restored_by_one_replica_and_the_others_hear_that_nothing_is_lost() {
    let (door, replica) = Door::new().await;
    let places = line_of(&door, &replica, 4).await;
    let others = [door.replica().await, door.replica().await];
    lose_the_record(&door, &others[0], 2).await;
    let mut watched = Vec::new();
    for other in &others {
        other.check(door.sale, &places[3], "v3").await;
        watched.push(other.app.cache.get(door.sale).await.unwrap().unwrap());
    }
    let seen = others[0].stored(door.sale).await;
    let mut restored = Vec::new();
    for (other, watched) in others.iter().zip(&watched) {
        let done = watched.restore(&other.app.shared, &seen, 4, OPENS_AT).await;
        restored.push(done.unwrap());
    }
    assert_eq!(restored, [true, false]);
    assert_eq!(watched[1].known().room.issued, 4);
}

/// A 404 would have the visitor throw the only proof of his place away.
#[tokio::test]
async fn while_nobody_knows_the_room_a_genuine_place_is_asked_to_wait_and_not_denied() {
    let (door, replica) = Door::new().await;
    let places = line_of(&door, &replica, 2).await;
    drop_the_record(&door).await;
    let restarted = door.replica().await;
    let (status, body) = restarted.check(door.sale, &places[1], "v1").await;
    assert_eq!(
        (status, &body["retryAfter"]),
        (StatusCode::SERVICE_UNAVAILABLE, &2.into())
    );
    let path = format!("/vwr-api/vwr/assign/{}", door.sale);
    let mine = format!(r#"{{"userId":"v1","requestId":"{}"}}"#, places[1].request_id);
    assert_eq!(
        restarted.post(path.clone(), mine.clone()).await.0,
        StatusCode::SERVICE_UNAVAILABLE
    );
    // Who has none is told that there is nothing to wait for (R-VWR-07), and so is a forger.
    assert_eq!(
        restarted.try_join(door.sale, "new").await.0,
        StatusCode::NOT_FOUND
    );
    let forged = mine.replace("\"v1\"", "\"thief\"");
    assert_eq!(
        restarted.post(path.clone(), forged).await.0,
        StatusCode::NOT_FOUND
    );
    // The record is there again, and the place counts.
    lose_the_record(&door, &restarted, 2).await;
    door.clock().advance_ms(2000);
    let (status, body) = restarted.post(path, mine).await;
    assert_eq!((status, &body["position"]), (StatusCode::OK, &2.into()));
}

/// A replica that has not heard of the new line yet.
#[tokio::test]
async fn a_copy_that_is_older_than_the_place_denies_nobody_his_place() {
    let (door, replica) = Door::new().await;
    let behind = door.replica().await;
    behind.watch(door.sale).await;
    begin_next_line(&door, &replica).await;
    replica.app.cache.refresh().await;
    let place = replica.join(door.sale, "kim").await;
    assert_eq!(
        behind.check(door.sale, &place, "kim").await.0,
        StatusCode::SERVICE_UNAVAILABLE
    );
    behind.app.cache.refresh().await;
    let (status, body) = behind.check(door.sale, &place, "kim").await;
    assert_eq!((status, &body["position"]), (StatusCode::OK, &1.into()));
}
