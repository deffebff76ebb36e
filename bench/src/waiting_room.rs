//! Tier 1 as a subject: a room that is open, joined and polled.

use crate::{get, load::MakeRequest, post, serve};
use anyhow::{Context, ensure};
use axum::body::Body;
use std::{net::SocketAddr, sync::Arc};
use urr_core::{
    room::Room,
    sale::{AdmissionSettings, CapacitySettings, Sale, SaleId, Schedule},
    token::place::{self, Place},
};
use urr_kit::{ctx::Ctx, secrets::Secrets, state::rooms::Rooms};
use uuid::Uuid;

/// Polled places; more than a cache line of them, few enough to be made at once.
const PLACES: u64 = 1_000;
/// Far enough back that nobody is served during the run.
const FIRST_PLACE: u64 = 1_000_000;

pub(crate) struct WaitingRoom {
    pub(crate) addr: SocketAddr,
    sale: SaleId,
    secrets: Arc<Secrets>,
}

/// A sale that opened a moment ago and stays open for the whole run.
pub(crate) fn sale(now: urr_core::time::Millis) -> Sale {
    Sale {
        id: Uuid::new_v4(),
        name: "bench".to_owned(),
        schedule: Schedule {
            pre_queue_at: now.plus_s(-20),
            opens_at: now.plus_s(-10),
            closes_at: now.plus_s(3600),
        },
        ordering: urr_core::sale::Ordering::default(),
        seats: 60_000,
        expected_visitors: 1_000_000,
        admission: AdmissionSettings::default(),
        capacity: CapacitySettings {
            rate_per_replica: 10,
            replicas: 1,
        },
    }
}

pub(crate) async fn open(ctx: &Ctx) -> anyhow::Result<WaitingRoom> {
    let service = urr_vwr::start(ctx, urr_vwr::Config::default()).await?;
    let sale = sale(ctx.clock.now());
    let rooms = Rooms::new(&ctx.dynamo().await);
    rooms
        .ensure_tables()
        .await
        .context("creating the waiting room's tables")?;
    // The polled places have been given out; one beyond them would be taken for a lost record.
    let room = Room {
        issued: FIRST_PLACE + PLACES,
        ..Room::new(&sale, 1)
    };
    rooms.create(&room).await.context("opening the waiting room")?;
    tokio::spawn(urr_kit::service::supervise(service.tasks, ctx.shutdown.clone()));
    let addr = serve(ctx, service.router).await?;
    Ok(WaitingRoom {
        addr,
        sale: sale.id,
        secrets: Arc::clone(&ctx.secrets),
    })
}

impl WaitingRoom {
    /// Every request is another visitor's join.
    pub(crate) fn joins(&self) -> MakeRequest {
        let path = format!("/vwr-api/vwr/assign/{}", self.sale);
        Arc::new(move |n| post(&path, format!(r#"{{"userId":"bench-{n}"}}"#)))
    }

    /// Polls of places far back in the line, each verified like a stranger's.
    pub(crate) async fn polls(&self) -> anyhow::Result<MakeRequest> {
        let paths: Vec<String> = (0..PLACES)
            .map(|n| {
                let visitor = format!("poller-{n}");
                let place = Place {
                    sale: self.sale,
                    epoch: 1,
                    position: FIRST_PLACE + n,
                };
                let id = place::issue(&self.secrets.vwr_keys, &place, &visitor);
                format!("/vwr-api/vwr/check/{}/{id}?userId={visitor}", self.sale)
            })
            .collect();
        ensure!(!paths.is_empty(), "no places to poll");
        Ok(Arc::new(move |n| -> axum::http::Request<Body> {
            let at = usize::try_from(n % PLACES).unwrap_or(0);
            get(&paths[at])
        }))
    }
}
