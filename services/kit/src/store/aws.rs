//! What all clients of AWS share: where it is, who we are, and how long we wait.

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_config::{retry::RetryConfig, timeout::TimeoutConfig};
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};
use std::time::Duration;

/// A healthy call takes milliseconds; callers batch and retry by themselves.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(2);
const ATTEMPTS_MAX: u32 = 3;

/// `endpoint`, an emulator of ours, with credentials that mean nothing; else AWS, with region and
/// credentials of the environment.
pub(super) async fn config(endpoint: Option<&str>) -> SdkConfig {
    let config = match endpoint {
        Some(endpoint) => SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .endpoint_url(endpoint)
            .region(Region::from_static("us-east-1"))
            .credentials_provider(SharedCredentialsProvider::new(Credentials::new(
                "local", "local", None, None, "urr",
            )))
            // Plain HTTP: no certificate roots to load.
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .build(),
        None => aws_config::defaults(BehaviorVersion::latest()).load().await,
    };
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .build();
    let retries = RetryConfig::standard()
        .with_max_attempts(ATTEMPTS_MAX)
        .with_initial_backoff(Duration::from_millis(50));
    config
        .into_builder()
        .timeout_config(timeouts)
        .retry_config(retries)
        .build()
}
