//! The parts of the services' answers that a visitor reads (api-contract.md sections 5, 6, 9, 10).
//!
//! Lenient on purpose: unknown fields are ignored, as the web client does.

use serde::Deserialize;
use uuid::Uuid;

/// Answer to `POST /vwr-api/vwr/assign/{sale}`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Assigned {
    pub(crate) request_id: Uuid,
    pub(crate) position: u64,
    #[serde(default)]
    pub(crate) next_poll: Option<f64>,
    #[serde(default)]
    pub(crate) next_poll_ms: Option<u64>,
    /// Whether `position` is a place already; before a draw it is the worst one may get.
    #[serde(default = "placed")]
    pub(crate) placed: bool,
    #[serde(default)]
    pub(crate) estimated_wait: Option<u64>,
    #[serde(default)]
    pub(crate) eta_p50_s: Option<u64>,
}

/// Where places are not drawn, answers need not say so.
const fn placed() -> bool {
    true
}

/// Answer to `GET /vwr-api/vwr/check/{sale}/{request}`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Checked<'a> {
    pub(crate) admitted: bool,
    #[serde(borrow, default)]
    pub(crate) token: Option<std::borrow::Cow<'a, str>>,
    #[serde(default)]
    pub(crate) position: u64,
    #[serde(default = "placed")]
    pub(crate) placed: bool,
    #[serde(default)]
    pub(crate) estimated_wait: Option<u64>,
    #[serde(default)]
    pub(crate) eta_p50_s: Option<u64>,
    #[serde(default)]
    pub(crate) serving_counter: u64,
    #[serde(default)]
    pub(crate) total_in_queue: u64,
    #[serde(default)]
    pub(crate) epoch: Option<u32>,
    #[serde(default)]
    pub(crate) revision: Option<u64>,
    #[serde(default)]
    pub(crate) next_poll: Option<f64>,
    #[serde(default)]
    pub(crate) next_poll_ms: Option<u64>,
    #[serde(default)]
    pub(crate) sold_out: bool,
}

/// Answer to tier 2's check and status.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Queued {
    #[serde(default)]
    pub(crate) status: String,
    #[serde(default)]
    pub(crate) entry_token: Option<String>,
    #[serde(default)]
    pub(crate) next_poll: Option<f64>,
    #[serde(default)]
    pub(crate) next_poll_ms: Option<u64>,
    /// `open`, `notYet`, `paused`, `closed` or `soldOut`, where the queue tells it.
    #[serde(default)]
    pub(crate) sale_state: Option<String>,
}

/// What a press of the pay button was answered, beside the status.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Pressed {
    /// `processing` while another press of the same button is at work, or when the charge is made and
    /// booking has yet to say whether there is a ticket.
    #[serde(default)]
    pub(crate) status: Option<String>,
    /// The provider's reason, where it was the provider who refused.
    #[serde(default)]
    pub(crate) code: Option<serde_json::Value>,
}

/// Seconds after which a refusal says to come again; the contract has no header for it.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ComeAgain {
    #[serde(default)]
    pub(crate) retry_after: Option<u32>,
}

/// Answer to `POST /api/v1/seats/reserve`.
#[derive(Debug, Deserialize)]
pub(crate) struct Reserved {
    pub(crate) reservation: Reservation,
}

/// A reservation. Booking answers with the contract's both spellings at once, so an alias here
/// would be a duplicate field.
#[derive(Debug, Deserialize)]
pub(crate) struct Reservation {
    pub(crate) id: Uuid,
    #[serde(rename = "totalAmount")]
    pub(crate) total_amount: u64,
}

/// Answer to `POST /api/v1/payments/prepare`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Prepared {
    pub(crate) order_id: String,
}

/// Answer to register and login.
#[derive(Debug, Deserialize)]
pub(crate) struct LoggedIn {
    pub(crate) token: String,
    pub(crate) user: Account,
}

/// Whose account.
#[derive(Debug, Deserialize)]
pub(crate) struct Account {
    pub(crate) id: Uuid,
}

/// The next poll in ms, from whichever field says it; the contract's default otherwise.
#[must_use]
pub(crate) fn next_poll_ms(seconds: Option<f64>, ms: Option<u64>, default_s: f64) -> u64 {
    /// A server that says less would make every visitor a denial of service.
    const LEAST_MS: u64 = 100;
    /// The client clamps the seconds of the contract to a minute (api-contract.md section 6) ...
    const MOST_MS: u64 = 60_000;
    /// ... and obeys our milliseconds, which a budget may stretch, up to this.
    const MOST_TOLD_MS: u64 = 3_600_000;
    let told = ms.map(|ms| ms.min(MOST_TOLD_MS)).unwrap_or_else(|| {
        let seconds = seconds
            .filter(|s| s.is_finite() && *s >= 0.0)
            .unwrap_or(default_s);
        u64::try_from(std::time::Duration::from_secs_f64(seconds.min(60.0)).as_millis()).unwrap_or(MOST_MS)
    });
    told.max(LEAST_MS)
}
