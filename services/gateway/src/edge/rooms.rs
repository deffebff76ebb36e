//! Whether the waiting room answers, which sales' rooms are switched off, and which lines have ended.

use super::{Config, WhenDown, base_url, origin::Http, sales::ActiveSales};
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};
use tokio_util::sync::CancellationToken;
use urr_core::sale::SaleId;
use urr_kit::{StartError, Task};

/// Rounds without an answer until the room counts as down: a restart is shorter.
const SILENT_ROUNDS: u32 = 3;
/// Sales asked for in one round. Beyond it the rest are taken to be on, which holds people up and
/// lets nobody through.
const ASKED_MAX: usize = 64;
const STATUS_BYTES_MAX: usize = 64 * 1024;

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "camelCase")]
struct Status {
    is_active: bool,
    /// Passes of lines up to this one are nobody's; a room of an earlier release does not say.
    #[serde(default)]
    voids: u32,
}

pub(super) struct RoomWatch {
    base: String,
    when_down: WhenDown,
    every: Duration,
    silent: AtomicU32,
    heard: RwLock<BTreeMap<SaleId, Status>>,
}

impl RoomWatch {
    pub(super) fn new(config: &Config) -> Result<Self, StartError> {
        Ok(Self {
            base: base_url("--room (URR_EDGE_ROOM)", &config.edge_room)?,
            when_down: config.edge_when_room_is_down,
            every: Duration::from_millis(config.edge_room_refresh_ms.max(10)),
            silent: AtomicU32::new(0),
            heard: RwLock::default(),
        })
    }

    pub(super) fn is_down(&self) -> bool {
        self.silent.load(Ordering::Relaxed) >= SILENT_ROUNDS
    }

    /// Whether people without a pass go through just now.
    pub(super) fn fails_open(&self) -> bool {
        self.when_down == WhenDown::Pass && self.is_down()
    }

    /// Whether an operator has switched this sale's room off: then nobody waits (R-VWR-07). A room
    /// that is not there yet is not one that is off.
    pub(super) fn is_off(&self, sale: SaleId) -> bool {
        self.heard_of(sale).is_some_and(|status| !status.is_active)
    }

    /// Whether the line of this epoch was ended on purpose. A line that is not the present one but
    /// survived the loss of its record was not.
    pub(super) fn is_void(&self, sale: SaleId, epoch: u32) -> bool {
        self.heard_of(sale).is_some_and(|status| epoch <= status.voids)
    }

    fn heard_of(&self, sale: SaleId) -> Option<Status> {
        let heard = self.heard.read().unwrap_or_else(PoisonError::into_inner);
        heard.get(&sale).copied()
    }

    pub(super) fn task(
        self: &Arc<Self>,
        http: Http,
        sales: Arc<ActiveSales>,
        shutdown: CancellationToken,
    ) -> Task {
        let room = Arc::clone(self);
        Task::new("edge-rooms", async move {
            loop {
                room.look(&http, &sales).await;
                tokio::select! {
                    () = shutdown.cancelled() => return Ok(()),
                    () = tokio::time::sleep(room.every) => {}
                }
            }
        })
    }

    async fn look(&self, http: &Http, sales: &ActiveSales) {
        let asked = sales.all();
        // What was heard holds until something else is: of sales that are still in the list.
        let mut heard = {
            let before = self.heard.read().unwrap_or_else(PoisonError::into_inner);
            let listed = asked.iter().filter_map(|sale| Some((*sale, *before.get(sale)?)));
            listed.collect::<BTreeMap<_, _>>()
        };
        let mut answered = false;
        for sale in asked.iter().copied().take(ASKED_MAX) {
            let url = format!("{}/vwr-api/vwr/status/{sale}", self.base);
            match http.get(&url, STATUS_BYTES_MAX).await {
                Ok((status, bytes)) if !status.is_server_error() => {
                    answered = true;
                    match serde_json::from_slice::<Status>(&bytes) {
                        Ok(said) if status.is_success() => heard.insert(sale, said),
                        Ok(_) | Err(_) => heard.remove(&sale),
                    };
                }
                Ok(_) | Err(_) => break,
            }
        }
        if asked.is_empty() {
            let url = format!("{}/health", self.base);
            answered = matches!(http.get(&url, STATUS_BYTES_MAX).await, Ok((status, _)) if !status.is_server_error());
        }
        if answered {
            if self.is_down() {
                tracing::info!("the waiting room answers again");
            }
            self.silent.store(0, Ordering::Relaxed);
            *self.heard.write().unwrap_or_else(PoisonError::into_inner) = heard;
        } else {
            let silent = self.silent.fetch_add(1, Ordering::Relaxed).saturating_add(1);
            if silent == SILENT_ROUNDS {
                tracing::error!(
                    room = self.base,
                    fails_open = self.when_down == WhenDown::Pass,
                    "the waiting room does not answer"
                );
            }
        }
    }
}
