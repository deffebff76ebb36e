//! The edge's settings, each with its environment variable and default.

use clap::{Args, ValueEnum};
use std::{net::IpAddr, path::PathBuf};
use urr_core::sale::SaleId;

/// What happens to people without a pass while the waiting room does not answer.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenDown {
    /// They wait (fail closed): the origin is what has to survive.
    Wait,
    /// They pass (fail open). Paths that ask for entry tokens stay shut.
    Pass,
}

/// Settings of the stand-alone edge.
#[derive(Args, Clone, Debug)]
#[group(skip)]
pub struct Config {
    /// The origin behind this edge, http or https.
    #[arg(long = "origin", value_name = "URL", env = "URR_EDGE_ORIGIN")]
    pub edge_origin: String,

    /// The waiting room's service (vwr), or a gateway in front of it.
    #[arg(
        long = "room",
        value_name = "URL",
        env = "URR_EDGE_ROOM",
        default_value = "http://127.0.0.1:3006"
    )]
    pub edge_room: String,

    /// A protected path, repeated or comma-separated: `PATH[=tier1|entry][@SALE]`. `{sale}` in PATH is a
    /// sale's id, guarded while that sale is active; otherwise @SALE names it, or the only one of
    /// --sales is meant. Examples: /events/{sale}  /shop=tier1  /checkout=entry@0b1c...
    #[arg(
        long = "protect",
        value_name = "RULE",
        env = "URR_EDGE_PROTECT",
        value_delimiter = ',',
        required = true
    )]
    pub edge_protect: Vec<String>,

    /// Sales that are active whatever a list says.
    #[arg(long = "sales", value_name = "SALE", env = "URR_EDGE_SALES", value_delimiter = ',', value_parser = sale)]
    pub edge_sales: Vec<SaleId>,

    /// Where the list of active sales is read every 60 s: {"activeEvents":["uuid"]}.
    #[arg(long = "sales-url", value_name = "URL", env = "URR_EDGE_SALES_URL")]
    pub edge_sales_url: Option<String>,

    /// Where the last list that was read is kept for the next start.
    #[arg(long = "sales-file", value_name = "FILE", env = "URR_EDGE_SALES_FILE")]
    pub edge_sales_file: Option<PathBuf>,

    /// Who has no pass while the waiting room does not answer: they wait, or they pass.
    #[arg(long = "when-room-is-down", env = "URR_EDGE_WHEN_ROOM_IS_DOWN", value_enum, default_value_t = WhenDown::Wait)]
    pub edge_when_room_is_down: WhenDown,

    /// How often the waiting room is asked whether it is there and which rooms are switched off, ms.
    /// It counts as down after three rounds without an answer.
    #[arg(
        long = "room-refresh-ms",
        value_name = "MS",
        env = "URR_EDGE_ROOM_REFRESH_MS",
        default_value_t = 5000
    )]
    pub edge_room_refresh_ms: u64,

    /// A visitor at work keeps the pass at most this long, seconds; it is renewed on the way.
    #[arg(
        long = "session-max-s",
        value_name = "SECONDS",
        env = "URR_EDGE_SESSION_MAX_S",
        default_value_t = 7200
    )]
    pub edge_session_max_s: u32,

    /// Whether renewed passes are cookies for https only.
    #[arg(long = "secure-cookies", env = "COOKIE_SECURE", default_value_t = true, action = clap::ArgAction::Set)]
    pub edge_secure_cookies: bool,

    /// Calls under way at once; more get 503 at once. Each holds a connection to the origin.
    #[arg(
        long = "in-flight-max",
        value_name = "CALLS",
        env = "URR_EDGE_IN_FLIGHT_MAX",
        default_value_t = 10_000
    )]
    pub edge_in_flight_max: usize,

    /// Largest request body passed on, bytes.
    #[arg(long = "body-bytes-max", value_name = "BYTES", env = "URR_EDGE_BODY_BYTES_MAX", default_value_t = 64 * 1024 * 1024)]
    pub edge_body_bytes_max: usize,

    /// Seconds until the origin must begin to answer.
    #[arg(
        long = "answer-timeout-s",
        value_name = "SECONDS",
        env = "URR_EDGE_ANSWER_TIMEOUT_S",
        default_value_t = 30
    )]
    pub edge_answer_timeout_s: u64,

    /// Seconds a body may stand still, either way. A stream that keeps moving may last.
    #[arg(
        long = "idle-timeout-s",
        value_name = "SECONDS",
        env = "URR_EDGE_IDLE_TIMEOUT_S",
        default_value_t = 60
    )]
    pub edge_idle_timeout_s: u64,

    /// Send the visitor's Host to the origin instead of the origin's own name.
    #[arg(long = "preserve-host", env = "URR_EDGE_PRESERVE_HOST")]
    pub edge_preserve_host: bool,

    /// Addresses of proxies whose `X-Forwarded-For` is believed, comma-separated.
    #[arg(
        long = "trusted-proxies",
        value_name = "ADDRESS",
        env = "URR_TRUSTED_PROXIES",
        value_delimiter = ','
    )]
    pub edge_trusted_proxies: Vec<IpAddr>,

    /// The waiting page.
    #[command(flatten)]
    pub page: urr_page::Config,
}

fn sale(text: &str) -> Result<SaleId, &'static str> {
    text.parse()
        .map_err(|_| "a sale's id is a UUID, as in /vwr/0b1c4c1e-...")
}

impl Config {
    /// The defaults in front of `origin`, with the waiting room at `room`.
    #[must_use]
    pub fn new(origin: impl Into<String>, room: impl Into<String>) -> Self {
        Self {
            edge_origin: origin.into(),
            edge_room: room.into(),
            edge_protect: Vec::new(),
            edge_sales: Vec::new(),
            edge_sales_url: None,
            edge_sales_file: None,
            edge_when_room_is_down: WhenDown::Wait,
            edge_room_refresh_ms: 5000,
            edge_session_max_s: 7200,
            edge_secure_cookies: true,
            edge_in_flight_max: 10_000,
            edge_body_bytes_max: 64 * 1024 * 1024,
            edge_answer_timeout_s: 30,
            edge_idle_timeout_s: 60,
            edge_preserve_host: false,
            edge_trusted_proxies: Vec::new(),
            page: urr_page::Config::default(),
        }
    }
}
