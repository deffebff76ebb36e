//! The gateway's settings, each with its environment variable and default.

use clap::Args;

/// Settings of the public entry.
#[derive(Args, Clone, Debug)]
pub struct Config {
    /// Origins that may call with credentials, comma-separated.
    #[arg(
        long = "cors-allowed-origins",
        env = "CORS_ALLOWED_ORIGINS",
        value_delimiter = ',',
        default_value = "http://localhost:3000"
    )]
    pub cors_allowed_origins: Vec<String>,

    /// Largest request body taken, in bytes; an image upload is the largest honest one.
    #[arg(long = "gateway-body-bytes-max", env = "URR_GATEWAY_BODY_BYTES_MAX", default_value_t = 6 * 1024 * 1024)]
    pub body_bytes_max: usize,

    /// Seconds a call may take before the caller gets 504; payments get twice this (R-GW-08).
    #[arg(long = "gateway-deadline-s", env = "URR_GATEWAY_DEADLINE_S", default_value_t = 30)]
    pub deadline_s: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            cors_allowed_origins: vec!["http://localhost:3000".to_owned()],
            body_bytes_max: 6 * 1024 * 1024,
            deadline_s: 30,
        }
    }
}
