//! Who somebody is: accounts, sessions, and the tokens that prove them.
//!
//! - `password`: bcrypt on few threads, so that a wave of log-ins cannot take the machine.
//! - `accounts` and `sessions` decide; `store` is the only place that speaks to Postgres, `denylist`
//!   the only one that speaks to Redis, `google` the only one that speaks to Google.
//!
//! Access tokens are verified by the gateway without asking here; what must hold at once (a log-out)
//! goes through the denylist ([`urr_kit::identity::denied_token_key`]).

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)
)]

mod accounts;
mod cookies;
mod denylist;
mod error;
mod google;
mod http;
mod outgoing;
mod password;
mod sessions;
mod store;
mod sweep;

use std::sync::Arc;
use urr_kit::events::{RedisStreams, outbox};
use urr_kit::identity::AccessTokens;
use urr_kit::{Ctx, Service, StartError, Task};

/// The schema of this service.
pub static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!("./migrations");

/// Cheapest hash allowed outside development: below it a stolen table is read in days.
const BCRYPT_COST_MIN: u32 = 10;

/// Settings of the auth service.
#[derive(clap::Args, Clone, Debug)]
#[group(skip)]
pub struct Config {
    /// Work factor of password hashes: each step doubles the time (R-AUTH-01).
    #[arg(long, env = "AUTH_BCRYPT_COST", default_value_t = 12)]
    pub auth_bcrypt_cost: u32,
    /// Allow a bcrypt cost below 10, for tests and drills.
    #[arg(long, env = "AUTH_ALLOW_WEAK_HASHES", default_value_t = false)]
    pub auth_allow_weak_hashes: bool,
    /// Seconds an access token lives.
    #[arg(long, env = "JWT_EXPIRATION_SECONDS", default_value_t = 1800)]
    pub jwt_expiration_seconds: u32,
    /// Seconds a refresh token lives.
    #[arg(long, env = "JWT_REFRESH_EXPIRATION_SECONDS", default_value_t = 604_800)]
    pub jwt_refresh_expiration_seconds: u32,
    /// Mark cookies Secure. Off only where the site is served without TLS.
    #[arg(long, env = "COOKIE_SECURE", default_value_t = true, action = clap::ArgAction::Set)]
    pub cookie_secure: bool,
    /// Password of admin@urr.com. The account is made at start if this is given and it is not there.
    #[arg(long, env = "AUTH_ADMIN_PASSWORD", hide_env_values = true)]
    pub auth_admin_password: Option<String>,
    /// Google's client id; without it logging in with Google is refused.
    #[arg(long, env = "GOOGLE_CLIENT_ID")]
    pub google_client_id: Option<String>,
    /// Where Google checks an ID token.
    #[arg(
        long,
        env = "GOOGLE_TOKENINFO_URL",
        default_value = "https://oauth2.googleapis.com/tokeninfo"
    )]
    pub google_tokeninfo_url: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            auth_bcrypt_cost: 12,
            auth_allow_weak_hashes: false,
            jwt_expiration_seconds: 1800,
            jwt_refresh_expiration_seconds: 604_800,
            cookie_secure: true,
            auth_admin_password: None,
            google_client_id: None,
            google_tokeninfo_url: "https://oauth2.googleapis.com/tokeninfo".to_owned(),
        }
    }
}

/// Starts the service.
///
/// # Errors
/// When the bcrypt cost is too low for production, or Postgres or Redis cannot be used.
pub async fn start(ctx: &Ctx, config: Config) -> Result<Service, StartError> {
    check(&config)?;
    let pool = ctx.postgres("auth", &MIGRATOR).await?;
    let redis = ctx.redis().await?;
    let store = store::Store::new(pool.clone());
    let passwords = password::Passwords::new(config.auth_bcrypt_cost).await?;
    if let Some(password) = &config.auth_admin_password {
        accounts::seed_admin(&store, &passwords, password, ctx.clock.now()).await?;
    }
    let tokens = AccessTokens::new(&ctx.secrets).with_ttl_s(
        i64::from(config.jwt_expiration_seconds),
        i64::from(config.jwt_refresh_expiration_seconds),
    );
    let app = http::App {
        sessions: sessions::Sessions::new(store.clone(), tokens.clone()),
        passwords,
        denylist: denylist::Denylist::new(redis.clone()),
        google: google::Google::new(ctx.http(), &config),
        cookies: cookies::Cookies::new(&config),
        clock: ctx.clock.clone(),
        store: store.clone(),
        access_ttl_s: i64::from(config.jwt_expiration_seconds),
        tokens,
    };
    Ok(Service {
        name: "auth",
        router: http::router(app.clone()),
        internal: http::internal_router(app, &ctx.secrets),
        tasks: vec![
            Task::new(
                "auth-sweep",
                sweep::run(store, ctx.clock.clone(), ctx.shutdown.clone()),
            ),
            outbox::relay(
                pool,
                Arc::new(RedisStreams::new(redis)),
                ctx.clock.clone(),
                ctx.shutdown.clone(),
            ),
        ],
    })
}

fn check(config: &Config) -> Result<(), StartError> {
    let floor = if config.auth_allow_weak_hashes {
        4
    } else {
        BCRYPT_COST_MIN
    };
    if (floor..=16).contains(&config.auth_bcrypt_cost) {
        return Ok(());
    }
    Err(StartError::BadSetting {
        variable: "AUTH_BCRYPT_COST",
        problem: format!(
            "{} is not between {floor} and 16 (AUTH_ALLOW_WEAK_HASHES=true allows 4, for tests)",
            config.auth_bcrypt_cost
        ),
    })
}
