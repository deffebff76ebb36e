//! What can be set.

use crate::{
    admissions::{Bus, Sqs},
    store::{Defaults, MOVES_MAX},
};

/// Settings of admission. Those marked * hold for events without a sale; a sale brings its own.
#[derive(clap::Args, Clone, Debug)]
// Several services share one command line; groups named after the type would collide.
#[group(skip)]
pub struct Config {
    /// Most people inside at once *.
    #[arg(long, env = "QUEUE_THRESHOLD", default_value_t = 1000)]
    pub queue_threshold: u32,

    /// People let in per second *.
    #[arg(long, env = "QUEUE_RATE_PER_S", default_value_t = 10)]
    pub queue_rate_per_s: u32,

    /// Most people let in at one go after a quiet time *.
    #[arg(long, env = "QUEUE_ADMISSION_BATCH_SIZE", default_value_t = 100)]
    pub queue_admission_batch_size: u32,

    /// A slot ends after this long, seconds *.
    #[arg(long, env = "QUEUE_ACTIVE_TTL_SECONDS", default_value_t = 600)]
    pub queue_active_ttl_seconds: u32,

    /// An active visitor silent for this long loses the slot, seconds *.
    #[arg(long, env = "QUEUE_SILENCE_SECONDS", default_value_t = 30)]
    pub queue_silence_seconds: u32,

    /// As above for visitors whose client says it is a phone (`Sec-CH-UA-Mobile: ?1`, or
    /// `x-urr-device: phone`), which sleeps when it is put away, seconds.
    #[arg(long, env = "QUEUE_PHONE_SILENCE_SECONDS", default_value_t = 90)]
    pub queue_phone_silence_seconds: u32,

    /// Lifetime of the entry token, seconds *.
    #[arg(long, env = "QUEUE_ENTRY_TOKEN_TTL_SECONDS", default_value_t = 600)]
    pub queue_entry_token_ttl_seconds: u32,

    /// A waiting visitor silent for this long leaves the line, seconds. Polls may be a minute
    /// apart.
    #[arg(long, env = "QUEUE_SEEN_TTL_SECONDS", default_value_t = 600)]
    pub queue_seen_ttl_seconds: u32,

    /// Most people waiting in one line; who comes later stays in tier 1.
    #[arg(long, env = "QUEUE_LINE_MAX", default_value_t = 50_000)]
    pub queue_line_max: u32,

    /// Whether a payment frees its visitor's slot at once.
    #[arg(long, env = "QUEUE_RELEASE_ON_PAYMENT", default_value_t = true, action = clap::ArgAction::Set)]
    pub queue_release_on_payment: bool,

    /// Whether admissions are published on the event bus (topic `admissions`, R-QUE-16).
    #[arg(long, env = "QUEUE_ADMISSION_EVENTS", default_value_t = false, action = clap::ArgAction::Set)]
    pub queue_admission_events: bool,

    /// URL of an SQS FIFO queue that is told of admissions, with entry tokens (R-QUE-16). Off without.
    #[arg(long, env = "QUEUE_ADMISSION_SQS_URL")]
    pub queue_admission_sqs_url: Option<String>,

    /// SQS, if it is not the one of AWS.
    #[arg(long, env = "SQS_ENDPOINT")]
    pub sqs_endpoint: Option<String>,

    /// Who joins waits so long for booking to say under which terms the event is sold, and in a presale what he
    /// is to the artist, ms. Without an answer he may stand in line.
    #[arg(long, env = "QUEUE_BOOKING_WAIT_MS", default_value_t = 500)]
    pub queue_booking_wait_ms: u64,

    /// Longest time between two ticks of a line, ms.
    #[arg(long, env = "QUEUE_ADMISSION_INTERVAL_MS", default_value_t = 1000,
          value_parser = clap::value_parser!(u64).range(10..=10_000))]
    pub queue_admission_interval_ms: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            queue_threshold: 1000,
            queue_rate_per_s: 10,
            queue_admission_batch_size: 100,
            queue_active_ttl_seconds: 600,
            queue_silence_seconds: 30,
            queue_phone_silence_seconds: 90,
            queue_entry_token_ttl_seconds: 600,
            queue_seen_ttl_seconds: 600,
            queue_line_max: 50_000,
            queue_release_on_payment: true,
            queue_admission_events: false,
            queue_admission_sqs_url: None,
            sqs_endpoint: None,
            queue_booking_wait_ms: 500,
            queue_admission_interval_ms: 1000,
        }
    }
}

impl Config {
    pub(crate) const fn defaults(&self) -> Defaults {
        Defaults {
            rate_per_s: self.queue_rate_per_s,
            burst: self.queue_admission_batch_size,
            cap: self.queue_threshold,
            silence_s: self.queue_silence_seconds,
            phone_silence_s: self.queue_phone_silence_seconds,
            active_ttl_s: self.queue_active_ttl_seconds,
            token_ttl_s: self.queue_entry_token_ttl_seconds,
            seen_ttl_s: self.queue_seen_ttl_seconds,
            line_max: self.queue_line_max,
            moves_max: MOVES_MAX,
        }
    }

    /// Who is told of admissions.
    pub(crate) const fn tells(&self) -> &'static [&'static str] {
        match (
            self.queue_admission_events,
            self.queue_admission_sqs_url.is_some(),
        ) {
            (false, false) => &[],
            (true, false) => &[Bus::NAME],
            (false, true) => &[Sqs::NAME],
            (true, true) => &[Bus::NAME, Sqs::NAME],
        }
    }
}
