//! DynamoDB: the AWS SDK against AWS, or against the in-process emulator of drills and tests.

use crate::settings::Settings;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use std::sync::Arc;
use std::time::Duration;

/// A healthy call takes milliseconds; the caller batches and retries by itself.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(2);
const ATTEMPTS_MAX: u32 = 3;

/// A handle on DynamoDB. Cheap to clone.
#[derive(Clone)]
pub struct Dynamo {
    /// The SDK's client.
    pub client: Client,
    /// Put before every table name.
    pub table_prefix: Arc<str>,
}

impl Dynamo {
    /// The DynamoDB these settings name: an endpoint of our own with credentials that mean
    /// nothing, else AWS with the credentials of the environment.
    pub async fn connect(settings: &Settings) -> Self {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .operation_attempt_timeout(ATTEMPT_TIMEOUT)
            .build();
        let retries = RetryConfig::standard()
            .with_max_attempts(ATTEMPTS_MAX)
            .with_initial_backoff(Duration::from_millis(50));
        let config = match &settings.dynamodb_endpoint {
            Some(endpoint) => aws_sdk_dynamodb::Config::builder()
                .behavior_version(BehaviorVersion::latest())
                .endpoint_url(endpoint)
                .region(Region::new("us-east-1"))
                .credentials_provider(Credentials::new("local", "local", None, None, "urr"))
                // Plain HTTP: no certificate roots to load.
                .http_client(aws_smithy_http_client::Builder::new().build_http())
                .timeout_config(timeouts)
                .retry_config(retries)
                .build(),
            None => {
                let shared = aws_config::defaults(BehaviorVersion::latest()).load().await;
                aws_sdk_dynamodb::config::Builder::from(&shared)
                    .timeout_config(timeouts)
                    .retry_config(retries)
                    .build()
            }
        };
        Self {
            client: Client::from_conf(config),
            table_prefix: settings.table_prefix.as_str().into(),
        }
    }

    /// The full name of table `name`.
    #[must_use]
    pub fn table(&self, name: &str) -> String {
        [self.table_prefix.as_ref(), name].concat()
    }
}
