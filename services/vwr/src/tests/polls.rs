//! Laws `free-poll` and `monotone-serving`: waiting costs no I/O, and the line only goes forward.

use super::{Door, OPENS_AT, Placed};
use ::http::StatusCode;
use urr_core::{room::Mode, sale::SaleId, token::tier1};
use uuid::Uuid;

const NO_PLACE: &str = "Position not found. Request a new position.";

#[tokio::test]
async fn a_poll_makes_no_store_call() {
    let (door, replica) = Door::new().await;
    let place = replica.join(door.sale, "kim").await;
    let before = replica.faults().calls();
    for i in 0..1000 {
        if i == 500 {
            door.clock().set(OPENS_AT.plus_s(1));
        }
        let (status, body) = replica.check(door.sale, &place, "kim").await;
        assert_eq!((status, &body["admitted"]), (StatusCode::OK, &(i >= 500).into()));
    }
    assert_eq!(replica.faults().calls(), before);
}

#[tokio::test]
async fn the_line_opens_by_the_replicas_own_clock_and_admits_in_order() {
    let (door, replica) = Door::new().await;
    let mut places = Vec::new();
    for i in 0..12 {
        places.push(replica.join(door.sale, &format!("v{i}")).await);
    }
    for (after_ms, served) in [(-1, 0), (0, 0), (100, 1), (550, 5), (1000, 10), (60_000, 12)] {
        door.clock().set(OPENS_AT.plus_ms(after_ms));
        for (i, place) in places.iter().enumerate() {
            let (_, body) = replica.check(door.sale, place, &format!("v{i}")).await;
            assert_eq!(body["admitted"], place.position <= served, "{after_ms}: {body}");
            assert_eq!(body["servingCounter"], served);
            assert_eq!(body["totalInQueue"], 12);
        }
    }
}

#[tokio::test]
async fn every_number_of_the_contract_is_there_and_polls_are_paced() {
    let (door, replica) = Door::new().await;
    for i in 0..30 {
        replica.join(door.sale, &format!("v{i}")).await;
    }
    let place = replica.join(door.sale, "last").await;
    let (_, body) = replica.check(door.sale, &place, "last").await;
    for field in [
        "position",
        "servingCounter",
        "totalInQueue",
        "ahead",
        "estimatedWait",
        "nextPoll",
        "nextPollMs",
    ] {
        assert!(body[field].is_u64(), "{field}: {body}");
    }
    // A minute to the opening, then the 31st at 10 a second.
    assert_eq!(body["estimatedWait"], 64);
    assert!(body["nextPollMs"].as_u64().unwrap() >= 1000);
    assert!(body.get("token").is_none());
    let (_, status) = replica.get(format!("/vwr-api/vwr/status/{}", door.sale)).await;
    assert_eq!(
        status,
        serde_json::json!({"eventId": door.sale, "isActive": true, "totalInQueue": 31,
                           "serving": 0, "waitingCount": 31, "epoch": 1, "voids": 0})
    );
}

#[tokio::test]
async fn the_token_of_an_admitted_visitor_opens_tier_2_of_this_sale_only() {
    let (door, replica) = Door::new().await;
    let place = replica.join(door.sale, "kim").await;
    let now = OPENS_AT.plus_s(1);
    door.clock().set(now);
    let (_, body) = replica.check(door.sale, &place, "kim").await;
    let keys = &door.bed.ctx().secrets.vwr_keys;
    let token = body["token"].as_str().unwrap();
    let claims = tier1::verify(keys, token, door.sale, now).unwrap();
    assert_eq!((claims.uid.as_str(), claims.pos, claims.epoch), ("kim", 1, 1));
    assert_eq!(claims.exp - claims.iat, 600);
    assert!(tier1::verify(keys, token, SaleId::new_v4(), now).is_err());
    assert!(tier1::verify(keys, token, door.sale, now.plus_s(601)).is_err());
}

#[tokio::test]
async fn an_id_that_is_not_the_visitors_own_is_no_place() {
    let (door, replica) = Door::new().await;
    let kim = replica.join(door.sale, "kim").await;
    let before = replica.faults().calls();
    let own = |request_id: &str| Placed {
        request_id: request_id.to_owned(),
        position: 0,
    };
    let mut flipped = kim.request_id.parse::<Uuid>().unwrap().into_bytes();
    flipped[15] ^= 1;
    let cases = [
        (door.sale, kim.clone(), "lee"),
        (door.sale, kim.clone(), "anonymous"),
        (door.sale, own(&Uuid::new_v4().to_string()), "kim"),
        (door.sale, own(&Uuid::from_bytes(flipped).to_string()), "kim"),
        (door.sale, own("junk"), "kim"),
        (Uuid::new_v4(), kim.clone(), "kim"),
    ];
    for (sale, place, visitor) in cases {
        let (status, body) = replica.check(sale, &place, visitor).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{place:?} {visitor}");
        assert_eq!(body["error"], NO_PLACE);
    }
    assert_eq!(replica.faults().calls(), before, "forged ids cost no I/O");
}

#[tokio::test]
async fn serving_never_goes_back_when_the_rate_changes_or_the_line_is_held() {
    let (door, replica) = Door::new().await;
    for i in 0..200 {
        replica.join(door.sale, &format!("v{i}")).await;
    }
    let mut now = OPENS_AT;
    let mut last = 0;
    for step in 0..60_u32 {
        now = now.plus_ms(137);
        door.clock().set(now);
        let seen = replica.stored(door.sale).await;
        let changed = match step % 6 {
            0 => Some(seen.with_rate(3, now)),
            1 => Some(seen.with_rate(40, now)),
            3 => Some(seen.paused(now)),
            5 => Some(seen.resumed(now)),
            _ => None,
        };
        if let Some(room) = changed {
            replica.control(door.sale, |_| room).await;
        }
        // The copy is told late, as in life.
        if step % 4 == 0 {
            replica.app.cache.refresh().await;
        }
        let (_, body) = replica.get(format!("/vwr-api/vwr/status/{}", door.sale)).await;
        let (serving, total) = (&body["serving"], &body["totalInQueue"]);
        let serving = serving.as_u64().unwrap();
        assert!(serving >= last, "step {step}: {last} -> {serving}");
        assert!(serving <= total.as_u64().unwrap());
        last = serving;
    }
    assert!(last > 0);
}

#[tokio::test]
async fn a_room_that_is_switched_off_lets_everybody_on_to_tier_2() {
    let (door, replica) = Door::new().await;
    let place = replica.join(door.sale, "kim").await;
    replica
        .control(door.sale, |seen| seen.deactivated(OPENS_AT))
        .await;
    assert_eq!(replica.refreshed(door.sale).await.mode, Mode::Inactive);
    let (_, body) = replica.check(door.sale, &place, "kim").await;
    assert_eq!(body["admitted"], true);
    assert!(body["token"].is_string());
    assert_eq!(replica.try_join(door.sale, "lee").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_draining_room_tells_known_visitors_their_place_and_takes_nobody_new() {
    let (door, replica) = Door::new().await;
    let place = replica.join(door.sale, "kim").await;
    replica.control(door.sale, |seen| seen.draining(OPENS_AT)).await;
    replica.app.cache.refresh().await;
    assert_eq!(replica.join(door.sale, "kim").await.position, place.position);
    assert_eq!(replica.try_join(door.sale, "lee").await.0, StatusCode::NOT_FOUND);
}

/// Law `fair-order`: were the front asleep while a line is held, those behind it would go in first
/// when it goes on, and the first would count as no-shows.
#[tokio::test]
async fn a_held_line_keeps_its_front_awake() {
    let (door, replica) = Door::new().await;
    let mut places = Vec::new();
    for i in 0..40 {
        places.push(replica.join(door.sale, &format!("v{i}")).await);
    }
    let next_ms = async |i: usize| {
        let (_, body) = replica.check(door.sale, &places[i], &format!("v{i}")).await;
        assert_eq!(body["admitted"], false, "{body}");
        body["nextPollMs"].as_u64().unwrap()
    };
    // Held before it opens: it may be let go before that, and then the first is served at T0.
    door.clock().set(OPENS_AT.plus_s(-20));
    replica
        .control(door.sale, |room| room.paused(OPENS_AT.plus_s(-20)))
        .await;
    replica.app.cache.refresh().await;
    assert!((20_000..=22_000).contains(&next_ms(0).await));
    // Held past the opening.
    door.clock().set(OPENS_AT.plus_s(5));
    assert!(next_ms(0).await <= 2000);
    assert!(
        next_ms(39).await >= 2000,
        "who is served four seconds after the hold need not ask each second"
    );
    // No rate at all, because nobody behind the door is ready: nobody knows for how long.
    replica
        .control(door.sale, |room| room.with_rate(0, OPENS_AT.plus_s(5)))
        .await;
    replica
        .control(door.sale, |room| room.resumed(OPENS_AT.plus_s(5)))
        .await;
    replica.app.cache.refresh().await;
    door.clock().set(OPENS_AT.plus_s(60));
    assert!(next_ms(0).await <= 2000);
}
