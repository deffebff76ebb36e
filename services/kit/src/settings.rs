//! Where the engines and the other services are. Every field is an environment variable and a
//! flag; services add their own `Config` beside it.

use crate::start::StartError;
use std::fmt;

/// Addresses and limits every service shares.
#[derive(clap::Args, Clone)]
pub struct Settings {
    /// PostgreSQL of the services; `{service}` is replaced by the service's name.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<String>,

    /// PostgreSQL as a role that may create roles: then each service's role and schema are made on
    /// demand. Drills and tests set it; production provisions its roles beforehand.
    #[arg(long, env = "DATABASE_ADMIN_URL", hide_env_values = true)]
    pub database_admin_url: Option<String>,

    /// Most database connections one service holds. All replicas of all services together must
    /// stay below the server's max_connections.
    #[arg(long, env = "DATABASE_POOL_MAX", default_value_t = 20)]
    pub database_pool_max: u32,

    /// Redis: redis://host:port, redis+unix:///path, or redis+cluster://host:port,host:port.
    #[arg(
        long,
        env = "REDIS_URL",
        default_value = "redis://127.0.0.1:6379",
        hide_env_values = true
    )]
    pub redis_url: String,

    /// DynamoDB, if it is not the one of AWS.
    #[arg(long, env = "DYNAMODB_ENDPOINT")]
    pub dynamodb_endpoint: Option<String>,

    /// Put before the name of every DynamoDB table.
    #[arg(long, env = "DYNAMODB_TABLE_PREFIX", default_value = "urr-")]
    pub table_prefix: String,

    /// Put before every Redis key.
    #[arg(long, env = "REDIS_KEY_PREFIX", default_value = "")]
    pub key_prefix: String,

    /// Base URLs for calls between services.
    #[command(flatten)]
    pub urls: ServiceUrls,

    /// The payment provider's API.
    #[arg(
        long,
        env = "PAYMENT_PROVIDER_URL",
        default_value = "https://api.tosspayments.com"
    )]
    pub payment_provider_url: String,
}

/// Base URLs of the services' internal listeners, without a slash at the end. The defaults are the
/// ports of api-contract.md section 2.
#[derive(clap::Args, Clone, Debug)]
pub struct ServiceUrls {
    /// auth
    #[arg(
        long = "auth-url",
        env = "AUTH_SERVICE_URL",
        default_value = "http://127.0.0.1:3005"
    )]
    pub auth: String,
    /// catalog
    #[arg(
        long = "catalog-url",
        env = "CATALOG_SERVICE_URL",
        default_value = "http://127.0.0.1:3009"
    )]
    pub catalog: String,
    /// booking
    #[arg(
        long = "booking-url",
        env = "BOOKING_SERVICE_URL",
        default_value = "http://127.0.0.1:3002"
    )]
    pub booking: String,
    /// payment
    #[arg(
        long = "payment-url",
        env = "PAYMENT_SERVICE_URL",
        default_value = "http://127.0.0.1:3003"
    )]
    pub payment: String,
    /// queue
    #[arg(
        long = "queue-url",
        env = "QUEUE_SERVICE_URL",
        default_value = "http://127.0.0.1:3007"
    )]
    pub queue: String,
    /// vwr
    #[arg(
        long = "vwr-url",
        env = "VWR_SERVICE_URL",
        default_value = "http://127.0.0.1:3006"
    )]
    pub vwr: String,
    /// control API
    #[arg(
        long = "control-url",
        env = "CONTROL_API_URL",
        default_value = "http://127.0.0.1:3010"
    )]
    pub control: String,
    /// Statistics.
    #[arg(
        long = "stats-url",
        env = "STATS_SERVICE_URL",
        default_value = "http://127.0.0.1:3004"
    )]
    pub stats: String,
    /// News and posts.
    #[arg(
        long = "community-url",
        env = "COMMUNITY_SERVICE_URL",
        default_value = "http://127.0.0.1:3008"
    )]
    pub community: String,
    /// Notifications.
    #[arg(
        long = "notification-url",
        env = "NOTIFICATION_SERVICE_URL",
        default_value = "http://127.0.0.1:3012"
    )]
    pub notification: String,
    /// The waiting room's page.
    #[arg(
        long = "page-url",
        env = "PAGE_SERVICE_URL",
        default_value = "http://127.0.0.1:3013"
    )]
    pub page: String,
}

impl ServiceUrls {
    /// Every service behind the same listener, as `urr all` has it.
    #[must_use]
    pub fn all_at(base: &str) -> Self {
        let base = base.trim_end_matches('/');
        Self {
            auth: base.to_owned(),
            catalog: base.to_owned(),
            booking: base.to_owned(),
            payment: base.to_owned(),
            queue: base.to_owned(),
            vwr: base.to_owned(),
            control: base.to_owned(),
            stats: base.to_owned(),
            community: base.to_owned(),
            notification: base.to_owned(),
            page: base.to_owned(),
        }
    }
}

impl Settings {
    /// The database URL of `service`.
    ///
    /// # Errors
    /// When `DATABASE_URL` is not set.
    pub fn database_url_of(&self, service: &str) -> Result<String, StartError> {
        let url = self.database_url.as_deref().ok_or(StartError::MissingSetting {
            variable: "DATABASE_URL",
            purpose: "this service keeps its data in PostgreSQL \
                      (postgres://user:password@host/database, `{service}` is replaced)",
        })?;
        Ok(url.replace("{service}", service))
    }

    /// These settings as environment variables, to hand to a child process.
    #[must_use]
    pub fn to_env(&self) -> Vec<(String, String)> {
        let Self {
            database_url,
            database_admin_url,
            database_pool_max,
            redis_url,
            dynamodb_endpoint,
            table_prefix,
            key_prefix,
            urls,
            payment_provider_url,
        } = self;
        let ServiceUrls {
            auth,
            catalog,
            booking,
            payment,
            queue,
            vwr,
            control,
            stats,
            community,
            notification,
            page,
        } = urls;
        [
            ("DATABASE_URL", database_url.clone()),
            ("DATABASE_ADMIN_URL", database_admin_url.clone()),
            ("DATABASE_POOL_MAX", Some(database_pool_max.to_string())),
            ("REDIS_URL", Some(redis_url.clone())),
            ("DYNAMODB_ENDPOINT", dynamodb_endpoint.clone()),
            ("DYNAMODB_TABLE_PREFIX", Some(table_prefix.clone())),
            ("REDIS_KEY_PREFIX", Some(key_prefix.clone())),
            ("PAYMENT_PROVIDER_URL", Some(payment_provider_url.clone())),
            ("AUTH_SERVICE_URL", Some(auth.clone())),
            ("CATALOG_SERVICE_URL", Some(catalog.clone())),
            ("BOOKING_SERVICE_URL", Some(booking.clone())),
            ("PAYMENT_SERVICE_URL", Some(payment.clone())),
            ("QUEUE_SERVICE_URL", Some(queue.clone())),
            ("VWR_SERVICE_URL", Some(vwr.clone())),
            ("CONTROL_API_URL", Some(control.clone())),
            ("STATS_SERVICE_URL", Some(stats.clone())),
            ("COMMUNITY_SERVICE_URL", Some(community.clone())),
            ("NOTIFICATION_SERVICE_URL", Some(notification.clone())),
            ("PAGE_SERVICE_URL", Some(page.clone())),
        ]
        .into_iter()
        .filter_map(|(name, value)| value.map(|value| (name.to_owned(), value)))
        .collect()
    }
}

impl fmt::Debug for Settings {
    /// URLs of engines carry passwords: only what is harmless is shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("dynamodb_endpoint", &self.dynamodb_endpoint)
            .field("table_prefix", &self.table_prefix)
            .field("key_prefix", &self.key_prefix)
            .field("urls", &self.urls)
            .field("payment_provider_url", &self.payment_provider_url)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{Args as _, FromArgMatches as _};

    fn parse(args: &[&str]) -> Settings {
        let command = Settings::augment_args(clap::Command::new("test"));
        let matches = command.try_get_matches_from(args).unwrap();
        Settings::from_arg_matches(&matches).unwrap()
    }

    #[test]
    fn the_flags_are_consistent() {
        Settings::augment_args(clap::Command::new("test")).debug_assert();
    }

    #[test]
    fn each_service_gets_its_own_database_url() {
        // R-DATA-01.
        let settings = parse(&["x", "--database-url", "postgres://urr_{service}:p@h/urr"]);
        assert_eq!(
            settings.database_url_of("booking").unwrap(),
            "postgres://urr_booking:p@h/urr"
        );
    }

    #[test]
    fn debug_shows_no_password() {
        let settings = parse(&["x", "--database-url", "postgres://u:hunter2@h/urr"]);
        assert!(!format!("{settings:?}").contains("hunter2"));
    }
}
