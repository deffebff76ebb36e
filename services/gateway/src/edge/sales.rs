//! Which sales are active: fetched, else as fetched last, else as configured (R-GW-12).
//!
//! The configured ones always count: an empty list must not open a door while a sale is on.

use super::{Config, base_url, origin::Http};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeSet,
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};
use tokio_util::sync::CancellationToken;
use urr_core::sale::SaleId;
use urr_kit::{StartError, Task};

const EVERY: Duration = Duration::from_secs(60);
/// 16,000 sales; a list that is longer is not ours.
const LIST_BYTES_MAX: usize = 1 << 20;

/// The list as object storage has it (api-contract.md section 5).
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct List {
    active_events: BTreeSet<SaleId>,
}

pub(super) struct ActiveSales {
    always: BTreeSet<SaleId>,
    url: Option<String>,
    file: Option<PathBuf>,
    /// `None`: no list was ever read.
    listed: RwLock<Option<BTreeSet<SaleId>>>,
}

impl ActiveSales {
    pub(super) fn new(config: &Config) -> Result<Self, StartError> {
        let url = config
            .edge_sales_url
            .as_deref()
            .map(|url| base_url("--sales-url (URR_EDGE_SALES_URL)", url))
            .transpose()?;
        let remembered = config
            .edge_sales_file
            .as_deref()
            .and_then(|file| std::fs::read(file).ok())
            .and_then(|bytes| serde_json::from_slice::<List>(&bytes).ok());
        Ok(Self {
            always: config.edge_sales.iter().copied().collect(),
            url,
            file: config.edge_sales_file.clone(),
            listed: RwLock::new(remembered.map(|list| list.active_events)),
        })
    }

    /// Whether `sale` is guarded. Where a list was announced and none was ever read, every id is:
    /// a door nobody can judge stays shut.
    pub(super) fn has(&self, sale: SaleId) -> bool {
        if self.always.contains(&sale) {
            return true;
        }
        let listed = self.listed.read().unwrap_or_else(PoisonError::into_inner);
        listed
            .as_ref()
            .map_or_else(|| self.url.is_some(), |listed| listed.contains(&sale))
    }

    pub(super) fn all(&self) -> BTreeSet<SaleId> {
        let listed = self.listed.read().unwrap_or_else(PoisonError::into_inner);
        listed.iter().flatten().chain(&self.always).copied().collect()
    }

    pub(super) fn count(&self) -> usize {
        self.all().len()
    }

    /// Reads the list now and every minute, if there is one.
    pub(super) fn task(self: &Arc<Self>, http: Http, shutdown: CancellationToken) -> Option<Task> {
        let url = self.url.clone()?;
        let sales = Arc::clone(self);
        Some(Task::new("edge-sales", async move {
            loop {
                sales.refresh(&http, &url).await;
                tokio::select! {
                    () = shutdown.cancelled() => return Ok(()),
                    () = tokio::time::sleep(EVERY) => {}
                }
            }
        }))
    }

    async fn refresh(&self, http: &Http, url: &str) {
        let bytes = match http.get(url, LIST_BYTES_MAX).await {
            Ok((status, bytes)) if status.is_success() => bytes,
            Ok((status, _)) => {
                tracing::warn!(%url, %status, "the list of active sales was refused; the last one counts");
                return;
            }
            Err(error) => {
                tracing::warn!(%url, error, "the list of active sales cannot be read; the last one counts");
                return;
            }
        };
        match serde_json::from_slice::<List>(&bytes) {
            Ok(list) => {
                self.remember(&list);
                *self.listed.write().unwrap_or_else(PoisonError::into_inner) = Some(list.active_events);
            }
            Err(error) => {
                tracing::warn!(%url, %error, "the list of active sales is malformed; the last one counts");
            }
        }
    }

    fn remember(&self, list: &List) {
        let Some(file) = &self.file else { return };
        let written = serde_json::to_vec(list)
            .map_err(std::io::Error::other)
            .and_then(|bytes| {
                // Never half a list: a crash in between leaves the last whole one.
                let new = file.with_extension("new");
                std::fs::write(&new, bytes)?;
                std::fs::rename(&new, file)
            });
        if let Err(error) = written {
            tracing::warn!(file = %file.display(), %error, "the list of active sales was not kept");
        }
    }
}
