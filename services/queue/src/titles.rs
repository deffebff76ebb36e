//! The event's name for the waiting page, from catalog. Nice to have: it never fails a call and
//! never holds one up for long.

use serde::{Deserialize, Serialize};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use urr_core::{sale::SaleId, time::Millis};
use urr_kit::{SharedClock, internal::InternalClient};

/// What a visitor sees of the event.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub(crate) struct EventInfo {
    pub(crate) title: String,
    pub(crate) artist: Option<String>,
}

impl EventInfo {
    fn unknown() -> Self {
        Self {
            title: "Unknown".to_owned(),
            artist: Some("Unknown".to_owned()),
        }
    }
}

/// A title changes seldom, and news may be minutes late here.
const KEPT_MS: i64 = 60_000;
/// How soon catalog is asked again after it did not answer.
const RETRY_MS: i64 = 10_000;
/// The first visitors wait this long for a title, the others not at all.
const WAIT: Duration = Duration::from_millis(300);
/// Events remembered; forgotten as a whole when full.
const EVENTS_MAX: usize = 1024;

struct Known {
    info: EventInfo,
    until: Millis,
}

/// Titles by event.
pub(crate) struct Titles {
    client: InternalClient,
    catalog_url: String,
    clock: SharedClock,
    known: Mutex<HashMap<SaleId, Known>>,
}

impl Titles {
    pub(crate) fn new(client: InternalClient, catalog_url: &str, clock: SharedClock) -> Self {
        let catalog_url = catalog_url.trim_end_matches('/').to_owned();
        Self {
            client,
            catalog_url,
            clock,
            known: Mutex::default(),
        }
    }

    /// The event's title and artist, or `Unknown`.
    pub(crate) async fn of(self: &Arc<Self>, sale: SaleId) -> EventInfo {
        let (info, stale) = self.recall(sale);
        if !stale {
            return info;
        }
        let titles = Arc::clone(self);
        let fetch = tokio::spawn(async move { titles.fetch(sale).await });
        match tokio::time::timeout(WAIT, fetch).await {
            Ok(Ok(Some(fresh))) => fresh,
            _ => info,
        }
    }

    /// What is known, and whether this caller is the one to ask catalog: the entry is renewed at
    /// once, so a crowd asks once.
    fn recall(&self, sale: SaleId) -> (EventInfo, bool) {
        let now = self.clock.now();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= EVENTS_MAX && !known.contains_key(&sale) {
            known.clear();
        }
        let until = now.plus_ms(RETRY_MS);
        match known.get_mut(&sale) {
            Some(entry) if entry.until > now => (entry.info.clone(), false),
            Some(entry) => {
                entry.until = until;
                (entry.info.clone(), true)
            }
            None => {
                known.insert(
                    sale,
                    Known {
                        info: EventInfo::unknown(),
                        until,
                    },
                );
                (EventInfo::unknown(), true)
            }
        }
    }

    async fn fetch(&self, sale: SaleId) -> Option<EventInfo> {
        let url = format!("{}/internal/events/{sale}/queue-info", self.catalog_url);
        match self.client.get_json::<EventInfo>(&url).await {
            Ok(info) => {
                let until = self.clock.now().plus_ms(KEPT_MS);
                let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
                known.insert(
                    sale,
                    Known {
                        info: info.clone(),
                        until,
                    },
                );
                Some(info)
            }
            Err(error) => {
                tracing::debug!(%sale, error = urr_kit::error::chain(&error), "no title");
                None
            }
        }
    }
}
