//! What only the SQS queue has: the contract's message, its deduplication, requests for several lines.

use super::{
    all_is_told,
    emulator::Fault,
    open_sale, publisher,
    stages::{OnSqs, Stage as _},
};
use crate::{
    Config,
    admissions::Sqs,
    store::{Act, Place},
    tests::on_one_server::{Sale, is_active},
};
use redis::AsyncCommands as _;
use serde_json::{Value, json};
use std::sync::Arc;
use urr_core::{sale::SaleId, token::entry};
use urr_kit::{
    error::chain,
    state::{
        limits::{Limits, LimitsStore},
        rooms::Rooms,
    },
    testing::TestBed,
};
use uuid::Uuid;

#[tokio::test]
async fn the_message_is_the_contracts_and_its_token_opens_the_sale_no_longer_than_the_slot() {
    // api-contract.md section 13.
    let (sale, stage) = (open_sale().await, OnSqs::new().await);
    sale.limit(Limits {
        token_ttl_s: 600,
        active_ttl_s: 300,
        ..sale.limits()
    })
    .await;
    let user = Uuid::new_v4();
    let let_in_at = sale.now();
    assert!(is_active(sale.join(user, 1).await));
    sale.bed.clock().advance_ms(7_000);
    all_is_told(&publisher(&sale, &stage).await).await;
    let cursor = sale
        .redis
        .key(&format!("{{{}}}:published:{}", sale.id, Sqs::NAME));
    let left_s: i64 = sale.redis.conn().ttl(cursor).await.unwrap();
    assert!(
        left_s > 7 * 24 * 3600,
        "a cursor outlives the log, but not for ever: {left_s}"
    );
    let received = stage.sqs.receive_all().await;
    let [message] = &received[..] else {
        panic!("{received:?}")
    };
    let mut body: Value = serde_json::from_str(message.body.as_ref().unwrap()).unwrap();
    let token = body["entryToken"].take();
    assert_eq!(
        body,
        json!({"action": "admitted", "eventId": sale.id, "userId": user, "entryToken": null, "timestamp": let_in_at.0})
    );
    let token = token.as_str().unwrap();
    let claims = entry::verify(&sale.app.entry_keys, token, sale.id, user, sale.now()).unwrap();
    assert_eq!(claims.exp, let_in_at.0 / 1000 + 300);
    assert_eq!(message.attributes["MessageGroupId"], sale.id.to_string());
    assert_eq!(
        message.attributes["MessageDeduplicationId"],
        format!("{user}:{}", sale.id)
    );
}

#[tokio::test]
async fn a_second_admission_within_five_minutes_is_told_to_sqs_and_dropped_there() {
    // What the contract's deduplication id means (docs/decisions/0023).
    let (sale, stage) = (open_sale().await, OnSqs::new().await);
    let publisher = publisher(&sale, &stage).await;
    let [kim, lee] = [Uuid::new_v4(), Uuid::new_v4()];
    for (user, position) in [(kim, 1), (lee, 2), (kim, 1)] {
        assert!(is_active(sale.join(user, position).await));
        sale.act(Act::Leave(user)).await;
    }
    all_is_told(&publisher).await;
    assert_eq!(sale.admitted().await, [kim, lee, kim]);
    assert_eq!(stage.sqs.requests().len(), 3);
    assert_eq!(stage.heard(sale.id).await, [kim, lee]);
}

/// Opens another line beside the sale's, and lets people in to it.
async fn another_line(sale: &Sale, users: &[Uuid]) -> SaleId {
    let id = Uuid::new_v4();
    let limits = Limits {
        sale: id,
        revision: 1,
        cap: 1000,
        rate_per_s: 1000,
        burst: 100,
        ..sale.limits()
    };
    LimitsStore::new(sale.redis.clone()).write(&limits).await.unwrap();
    for (user, position) in users.iter().zip(1..) {
        let join = Act::Join(*user, Some(Place { position, epoch: 1 }));
        let view = sale.app.store.act(id, join, sale.now()).await.unwrap();
        assert!(is_active(view.standing));
    }
    id
}

#[tokio::test]
async fn an_entry_that_fails_by_itself_holds_up_its_own_line_only_and_keeps_its_order() {
    let (sale, stage) = (open_sale().await, OnSqs::new().await);
    let publisher = publisher(&sale, &stage).await;
    let people: Vec<Vec<Uuid>> = (0..12)
        .map(|_| (0..4).map(|_| Uuid::new_v4()).collect())
        .collect();
    let mut lines = Vec::new();
    for users in &people {
        lines.push(another_line(&sale, users).await);
    }
    stage.sqs.fail(people[3][1], Some(Fault::NotNow));
    let round = publisher.round().await;
    assert!(round.failure.is_some());
    // Twelve lines are two requests; each time round one of each line.
    assert_eq!(stage.sqs.requests().len(), 8);
    assert_eq!(stage.sqs.requests()[0].len(), 10);
    for (at, line) in lines.iter().enumerate() {
        let told = if at == 3 {
            &people[at][..1]
        } else {
            &people[at][..]
        };
        assert_eq!(stage.heard(*line).await, told, "line {at}");
    }
    stage.sqs.fail(people[3][1], None);
    all_is_told(&publisher).await;
    assert_eq!(stage.heard(lines[3]).await, people[3]);
}

#[tokio::test]
async fn a_queue_that_keeps_no_order_is_refused_at_the_start() {
    let bed = TestBed::new().await;
    let config = Config {
        queue_admission_sqs_url: Some("https://sqs.eu-west-1.amazonaws.com/1/admissions".to_owned()),
        ..Config::default()
    };
    let Err(error) = crate::start(&bed.ctx(), config).await else {
        panic!("it started");
    };
    let says = chain(&error);
    assert!(
        says.contains("QUEUE_ADMISSION_SQS_URL") && says.contains(".fifo"),
        "{says}"
    );
}

#[tokio::test]
async fn what_is_set_is_told_while_the_service_runs() {
    let stage = OnSqs::new().await;
    let bed = Arc::new(TestBed::at(super::super::OPENS_AT).await);
    let config = Config {
        queue_admission_sqs_url: Some(stage.sqs.url.clone()),
        sqs_endpoint: Some(stage.sqs.endpoint.clone()),
        ..Config::default()
    };
    let rooms = Rooms::new(&bed.ctx().dynamo().await);
    rooms.ensure_tables().await.unwrap();
    let service = crate::start(&bed.ctx(), config).await.unwrap();
    bed.run(service.tasks);
    let url = bed.serve(service.router).await;
    let (event, user) = (Uuid::new_v4(), Uuid::new_v4());
    let joined = bed
        .ctx()
        .http()
        .post(format!("{url}/api/queue/check/{event}"))
        .header("x-user-id", user.to_string())
        .send()
        .await
        .unwrap();
    assert!(joined.status().is_success());
    urr_kit::testing::eventually(super::SOON, "SQS hears of it", async || {
        stage.heard(event).await == [user]
    })
    .await;
}
