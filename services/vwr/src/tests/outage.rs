//! Law `on-time` without a store: the line goes on by the last copy and the replica's own clock.

use super::{Door, OPENS_AT, replica_of};
use crate::{Config, line::Guards};
use ::http::StatusCode;
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use urr_kit::state::rooms::ledger::Conditions;

/// A wire to the emulator that can be cut.
struct Wire {
    endpoint: String,
    traffic: JoinSet<()>,
}

impl Wire {
    async fn to(endpoint: &str) -> Self {
        let target = endpoint
            .trim_start_matches("http://")
            .trim_end_matches('/')
            .to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let mut traffic = JoinSet::new();
        traffic.spawn(async move {
            // Dropped with this task, and with it every connection.
            let mut connections = JoinSet::new();
            while let Ok((mut near, _)) = listener.accept().await {
                let target = target.clone();
                connections.spawn(async move {
                    if let Ok(mut far) = TcpStream::connect(target).await {
                        let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
                    }
                });
            }
        });
        Self { endpoint, traffic }
    }

    async fn cut(mut self) {
        self.traffic.shutdown().await;
    }
}

#[tokio::test]
async fn without_dynamodb_the_line_opens_moves_and_takes_nobody_new() {
    let (door, _) = Door::new().await;
    let ctx = door.bed.ctx();
    let wire = Wire::to(ctx.settings.dynamodb_endpoint.as_deref().unwrap()).await;
    let endpoint = wire.endpoint.clone();
    let ctx = ctx.with_settings(|settings| settings.dynamodb_endpoint = Some(endpoint));
    let replica = replica_of(&ctx, &Config::default(), Conditions::Kept, Guards::ON).await;
    let mut places = Vec::new();
    for i in 0..5 {
        places.push(replica.join(door.sale, &format!("v{i}")).await);
    }

    wire.cut().await;
    replica.app.cache.refresh().await;
    for (after_ms, served) in [(-1, 0), (300, 3), (5000, 5)] {
        door.clock().set(OPENS_AT.plus_ms(after_ms));
        for (i, place) in places.iter().enumerate() {
            let (status, body) = replica.check(door.sale, place, &format!("v{i}")).await;
            assert_eq!(status, StatusCode::OK);
            assert_eq!(body["admitted"], place.position <= served);
            assert_eq!(
                body["servingCounter"], served,
                "never beyond what is known to be issued"
            );
        }
    }
    let (status, body) = replica.try_join(door.sale, "late").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(
        body["error"],
        "Waiting room temporarily unavailable. Please retry."
    );
    // Who has a place is told it, store or no store.
    let again = replica.join(door.sale, "v3").await;
    assert_eq!(again.position, places[3].position);
    // Nothing is stuck: another replica, whose wire is whole, takes the same visitor.
    assert_eq!(door.replica().await.join(door.sale, "late").await.position, 6);
}
