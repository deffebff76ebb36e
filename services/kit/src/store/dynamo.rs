//! DynamoDB: the AWS SDK against AWS, or against the in-process emulator of drills and tests.

use super::aws;
use crate::settings::Settings;
use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use std::sync::Arc;

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
        let config = aws::config(settings.dynamodb_endpoint.as_deref()).await;
        Self {
            client: client(&config),
            table_prefix: settings.table_prefix.as_str().into(),
        }
    }

    /// The full name of table `name`.
    #[must_use]
    pub fn table(&self, name: &str) -> String {
        [self.table_prefix.as_ref(), name].concat()
    }
}

#[cfg(not(feature = "otel"))]
fn client(config: &SdkConfig) -> Client {
    Client::new(config)
}

#[cfg(feature = "otel")]
fn client(config: &SdkConfig) -> Client {
    let mut config = aws_sdk_dynamodb::config::Builder::from(config);
    if crate::trace::on() {
        config = config.interceptor(crate::trace::Calls);
    }
    Client::from_conf(config.build())
}
