//! An event's status follows its sale window by the service's own clock (R-CAT-03).
//!
//! Readers always get the derived status; the stored one is only kept in step for filters.

use crate::App;
use chrono::{DateTime, Utc};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use urr_kit::{error::BoxError, wire};

/// What an event's stored `status` and dates mean at `now`. Cancelled stays cancelled.
pub(crate) fn derived(
    stored: &str,
    sale_start: Option<DateTime<Utc>>,
    sale_end: Option<DateTime<Utc>>,
    event_date: DateTime<Utc>,
    now: DateTime<Utc>,
) -> &'static str {
    if stored == "cancelled" {
        "cancelled"
    } else if now >= event_date || sale_end.is_some_and(|end| now >= end) {
        "ended"
    } else if sale_start.is_some_and(|start| now < start) {
        "upcoming"
    } else {
        "on_sale"
    }
}

/// Brings stored statuses in step every `every`, until shutdown. Safe with many replicas: the
/// statement is idempotent.
pub(crate) async fn keep_in_step(
    app: App,
    every: Duration,
    shutdown: CancellationToken,
) -> Result<(), BoxError> {
    let mut tick = tokio::time::interval(every);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            _ = tick.tick() => {}
        }
        let now = wire::at(app.clock.now());
        match app.store.follow_sale_windows(now).await {
            Ok(0) => {}
            Ok(changed) => tracing::info!(changed, "events followed their sale windows"),
            // The next tick tries again; readers derive the status themselves meanwhile.
            Err(error) => tracing::warn!(%error, "event statuses not updated"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_is_a_function_of_the_window() {
        let t = |s| DateTime::from_timestamp(s, 0).unwrap();
        let at = |stored, now| derived(stored, Some(t(100)), Some(t(200)), t(300), t(now));
        assert_eq!(at("upcoming", 99), "upcoming");
        assert_eq!(at("upcoming", 100), "on_sale");
        assert_eq!(at("on_sale", 199), "on_sale");
        assert_eq!(at("on_sale", 200), "ended");
        assert_eq!(at("cancelled", 150), "cancelled");
        assert_eq!(derived("on_sale", None, None, t(300), t(299)), "on_sale");
        assert_eq!(derived("on_sale", None, None, t(300), t(300)), "ended");
    }
}
