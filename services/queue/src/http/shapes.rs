//! The bodies of api-contract.md section 6. `saleState` is ours; the rest is the contract's.

use crate::{store::View, titles::EventInfo};
use serde::Serialize;
use urr_core::pacing;

/// Poll spacing of who does not wait, seconds.
const NEXT_POLL_S: u32 = 3;

/// Under this much measurement the forecast goes by the rate that is set.
const MEASURED_MS_MIN: u64 = 5_000;
/// Shortest forecast without a measurement, seconds.
const WAIT_MIN_S: u64 = 5;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Waiting {
    queued: bool,
    status: &'static str,
    position: u64,
    people_ahead: u64,
    people_behind: u64,
    estimated_wait: u64,
    next_poll: u32,
    current_users: u64,
    sale_state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) queue_size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) threshold: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) event_info: Option<EventInfo>,
}

impl Waiting {
    pub(super) fn of(view: &View, ahead: u64) -> Self {
        let position = ahead + 1;
        Self {
            queued: true,
            status: "queued",
            position,
            people_ahead: ahead,
            people_behind: view.waiting.saturating_sub(position),
            estimated_wait: estimated_wait_s(view, position),
            next_poll: next_poll_s(view, position),
            current_users: view.active,
            sale_state: view.gate.name(),
            queue_size: None,
            threshold: None,
            event_info: None,
        }
    }
}

/// Who does not wait: inside, with an entry token, or nowhere.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Settled {
    queued: bool,
    status: &'static str,
    current_users: u64,
    next_poll: u32,
    sale_state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    entry_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) message: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) threshold: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) event_info: Option<EventInfo>,
}

impl Settled {
    /// Inside with this token, or outside without one.
    pub(super) const fn of(view: &View, entry_token: Option<String>) -> Self {
        Self {
            queued: false,
            status: if entry_token.is_some() {
                "active"
            } else {
                "not_in_queue"
            },
            current_users: view.active,
            next_poll: NEXT_POLL_S,
            sale_state: view.gate.name(),
            entry_token,
            message: None,
            threshold: None,
            event_info: None,
        }
    }
}

/// From measured throughput where there is any (R-QUE-08), else from the rate that is set.
fn estimated_wait_s(view: &View, position: u64) -> u64 {
    if view.window_ms >= MEASURED_MS_MIN && view.window_admitted > 0 {
        return (position.saturating_mul(view.window_ms)).div_ceil(view.window_admitted * 1000);
    }
    pacing::estimated_wait_s(position, view.rate_per_s).max(WAIT_MIN_S)
}

/// The contract's spacing, but never so long that a visitor sleeps through the turn: who is let in
/// unawares loses the slot to silence, and after a loss of Redis everybody must have come back
/// before those behind him are let in (`HOLD_MS` of the script).
fn next_poll_s(view: &View, position: u64) -> u32 {
    let turn_s = position / u64::from(view.rate_per_s.max(1));
    let half_way_s = u32::try_from(turn_s / 2).unwrap_or(u32::MAX).max(1);
    pacing::tier2_next_poll_s(position).min(half_way_s)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::idle_view;

    #[test]
    fn the_forecast_goes_by_what_was_measured() {
        let measured = View {
            window_ms: 10_000,
            window_admitted: 50,
            ..idle_view()
        };
        assert_eq!(estimated_wait_s(&measured, 100), 20);
        assert_eq!(estimated_wait_s(&idle_view(), 100), 10);
        assert_eq!(estimated_wait_s(&idle_view(), 1), 5);
        let young = View {
            window_ms: 4_999,
            window_admitted: 50,
            ..idle_view()
        };
        assert_eq!(estimated_wait_s(&young, 100), 10);
    }

    #[test]
    fn nobody_is_told_to_sleep_through_the_turn() {
        assert_eq!(next_poll_s(&idle_view(), 1), 1);
        assert_eq!(next_poll_s(&idle_view(), 3000), 5);
        assert_eq!(next_poll_s(&idle_view(), 20_000), 30);
        let fast = View {
            rate_per_s: 5000,
            ..idle_view()
        };
        assert_eq!(next_poll_s(&fast, 20_000), 2);
    }
}
