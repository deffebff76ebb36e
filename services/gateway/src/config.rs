//! The gateway's settings, each with its environment variable and default.

use clap::Args;
use std::net::IpAddr;

/// Settings of the public entry.
#[derive(Args, Clone, Debug)]
// Several services share one command line; groups named after the type would collide.
#[group(skip)]
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
    #[arg(
        long = "gateway-deadline-s",
        env = "URR_GATEWAY_DEADLINE_S",
        default_value_t = 30
    )]
    pub deadline_s: u64,

    /// Addresses of proxies whose `X-Forwarded-For` is believed, comma-separated. From anyone
    /// else that header is a claim (quirk 15).
    #[arg(long = "trusted-proxies", env = "URR_TRUSTED_PROXIES", value_delimiter = ',')]
    pub trusted_proxies: Vec<IpAddr>,

    /// Calls per minute and caller to `/api/auth`.
    #[arg(
        long = "rate-limit-auth-rpm",
        env = "RATE_LIMIT_AUTH_RPM",
        default_value_t = 60
    )]
    pub auth_rpm: u32,

    /// Calls per minute and caller to `/api/queue`.
    #[arg(
        long = "rate-limit-queue-rpm",
        env = "RATE_LIMIT_QUEUE_RPM",
        default_value_t = 120
    )]
    pub queue_rpm: u32,

    /// Bookings and cancellations per minute and caller.
    #[arg(
        long = "rate-limit-booking-rpm",
        env = "RATE_LIMIT_BOOKING_RPM",
        default_value_t = 30
    )]
    pub booking_rpm: u32,

    /// Other calls per minute and caller.
    #[arg(
        long = "rate-limit-general-rpm",
        env = "RATE_LIMIT_GENERAL_RPM",
        default_value_t = 3000
    )]
    pub general_rpm: u32,

    /// Log-ins and registrations per second from one address; 0 for no limit. Carriers share
    /// addresses among thousands, hence the five settings per address (R-GW-06).
    #[arg(
        long = "burst-login-per-s",
        env = "URR_BURST_LOGIN_PER_S",
        default_value_t = 10
    )]
    pub burst_login_per_s: u32,

    /// Public reads per second from one address; 0 for no limit.
    #[arg(
        long = "burst-reads-per-s",
        env = "URR_BURST_READS_PER_S",
        default_value_t = 300
    )]
    pub burst_reads_per_s: u32,

    /// Bookings and payments per second from one address; 0 for no limit.
    #[arg(
        long = "burst-booking-per-s",
        env = "URR_BURST_BOOKING_PER_S",
        default_value_t = 50
    )]
    pub burst_booking_per_s: u32,

    /// Joins of waiting rooms per second from one address; 0 for no limit. Each can take a place, so
    /// what comes faster than a crowd behind one carrier's address is a line being stuffed.
    #[arg(
        long = "burst-joins-per-s",
        env = "URR_BURST_JOINS_PER_S",
        default_value_t = 100
    )]
    pub burst_joins_per_s: u32,

    /// Other calls per second from one address; 0 for no limit.
    #[arg(
        long = "burst-other-per-s",
        env = "URR_BURST_OTHER_PER_S",
        default_value_t = 100
    )]
    pub burst_other_per_s: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            cors_allowed_origins: vec!["http://localhost:3000".to_owned()],
            body_bytes_max: 6 * 1024 * 1024,
            deadline_s: 30,
            trusted_proxies: Vec::new(),
            auth_rpm: 60,
            queue_rpm: 120,
            booking_rpm: 30,
            general_rpm: 3000,
            burst_login_per_s: 10,
            burst_reads_per_s: 300,
            burst_booking_per_s: 50,
            burst_joins_per_s: 100,
            burst_other_per_s: 100,
        }
    }
}
