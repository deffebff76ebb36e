//! A bucket of S3, or of a store that speaks its protocol.
//!
//! One kind of request is ever made, so it is signed with AWS' own crate (Signature Version 4) and sent by the process's
//! HTTP client: the SDK for S3 would take longer to build than the rest of the house (docs/decisions/0027).

use crate::clock::SharedClock;
use crate::start::StartError;
use aws_config::{BehaviorVersion, Region};
use aws_sdk_dynamodb::config::{Credentials, ProvideCredentials as _, SharedCredentialsProvider};
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningError, SigningSettings,
    UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use bytes::Bytes;
use reqwest::{StatusCode, Url};
use std::time::{Duration, SystemTime};

/// An image of a few megabytes over a slow line; a person waits for it.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Of what a store says about a refusal, so much goes to the log.
const REASON_CHARS_MAX: usize = 500;

/// Where a bucket is and how to get in. Not `Debug`: it holds a secret.
#[derive(Clone, Default)]
pub struct BucketSettings {
    /// Its name.
    pub name: String,
    /// Base URL of the store, if it is not AWS; the bucket's name is then the first part of the path.
    pub endpoint: Option<String>,
    /// Region; without it, that of the environment (`AWS_REGION`).
    pub region: Option<String>,
    /// Key id and secret; without them, those of the environment, as the AWS SDKs find them.
    pub key: Option<(String, String)>,
}

/// Why something was not stored.
#[derive(Debug, thiserror::Error)]
pub enum BucketError {
    /// There are no credentials to sign with.
    #[error("there are no credentials for the bucket")]
    Credentials(#[source] aws_sdk_dynamodb::error::BoxError),
    /// The request could not be signed.
    #[error("the request to the bucket could not be signed")]
    Unsigned(#[from] SigningError),
    /// The store did not answer.
    #[error("the bucket's store did not answer")]
    Unreachable(#[source] reqwest::Error),
    /// The store said no.
    #[error("the bucket's store answered {status}: {reason}")]
    Refused {
        /// With this status.
        status: StatusCode,
        /// And this reason, cut to a line.
        reason: String,
    },
}

/// A handle on one bucket. Cheap to clone.
#[derive(Clone)]
pub struct Bucket {
    http: reqwest::Client,
    base: Url,
    region: String,
    credentials: SharedCredentialsProvider,
    clock: SharedClock,
}

impl Bucket {
    /// The bucket `settings` describe. Nothing is called yet. `variable` is where its name comes from.
    ///
    /// # Errors
    /// When name or endpoint cannot be part of a URL, or nothing says in which region it is, or who we are.
    pub async fn connect(
        http: reqwest::Client,
        clock: SharedClock,
        variable: &'static str,
        settings: &BucketSettings,
    ) -> Result<Self, StartError> {
        let mut environment = aws_config::defaults(BehaviorVersion::latest());
        if let Some(region) = &settings.region {
            environment = environment.region(Region::new(region.clone()));
        }
        if let Some((id, secret)) = &settings.key {
            environment = environment.credentials_provider(Credentials::new(id, secret, None, None, "urr"));
        }
        let environment = environment.load().await;
        let missing = |variable, purpose| StartError::MissingSetting { variable, purpose };
        let region = environment.region().map(ToString::to_string).ok_or_else(|| {
            missing(
                "AWS_REGION",
                "a bucket is set, and requests to it are signed for a region",
            )
        })?;
        let credentials = environment.credentials_provider().ok_or_else(|| {
            missing(
                "AWS_ACCESS_KEY_ID",
                "a bucket is set, and requests to it are signed",
            )
        })?;
        let base = base(&settings.name, settings.endpoint.as_deref(), &region)
            .map_err(|problem| StartError::BadSetting { variable, problem })?;
        Ok(Self {
            http,
            base,
            region,
            credentials,
            clock,
        })
    }

    /// Where `key` is read from, if the bucket is public.
    #[must_use]
    pub fn url_of(&self, key: &str) -> String {
        format!("{}{key}", self.base)
    }

    /// Stores `content` under `key`, which needs no escaping in a URL; what was there is replaced.
    ///
    /// # Errors
    /// [`BucketError`].
    pub async fn put(&self, key: &str, content_type: &str, content: Bytes) -> Result<(), BucketError> {
        let url = self.url_of(key);
        let signature = self.sign(&url, content_type, &content).await?;
        let mut request = self
            .http
            .put(url)
            .timeout(TIMEOUT)
            .header("content-type", content_type);
        for (name, value) in &signature {
            request = request.header(name, value);
        }
        let answer = request
            .body(content)
            .send()
            .await
            .map_err(|error| BucketError::Unreachable(error.without_url()))?;
        if answer.status().is_success() {
            return Ok(());
        }
        let status = answer.status();
        let reason = answer.text().await.unwrap_or_default();
        Err(BucketError::Refused {
            status,
            reason: reason.chars().take(REASON_CHARS_MAX).collect(),
        })
    }

    /// The headers that prove who asks for what.
    async fn sign(
        &self,
        url: &str,
        content_type: &str,
        content: &[u8],
    ) -> Result<Vec<(String, String)>, BucketError> {
        let credentials = self
            .credentials
            .provide_credentials()
            .await
            .map_err(|error| BucketError::Credentials(error.into()))?;
        let identity = credentials.into();
        // As S3 wants it, which differs from other services.
        let mut settings = SigningSettings::default();
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        let now_ms = u64::try_from(self.clock.now().0).unwrap_or_default();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name("s3")
            .time(SystemTime::UNIX_EPOCH + Duration::from_millis(now_ms))
            .settings(settings)
            .build()
            .map_err(|error| BucketError::Credentials(error.into()))?
            .into();
        let headers = [("content-type", content_type)].into_iter();
        let request = SignableRequest::new("PUT", url, headers, SignableBody::Bytes(content))?;
        let (instructions, _signature) = sign(request, &parameters)?.into_parts();
        let headers = instructions.headers();
        Ok(headers
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect())
    }
}

/// The URL keys are put behind, with a slash at the end.
fn base(name: &str, endpoint: Option<&str>, region: &str) -> Result<Url, String> {
    let of_a_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-');
    if !(3..=63).contains(&name.len()) || !name.chars().all(of_a_name) {
        return Err(format!(
            "`{name}` is no bucket's name: 3 to 63 lower-case letters, digits, dots and hyphens"
        ));
    }
    let text = match endpoint {
        Some(endpoint) => format!("{}/{name}/", endpoint.trim_end_matches('/')),
        None => format!("https://{name}.s3.{region}.amazonaws.com/"),
    };
    match Url::parse(&text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(url),
        Ok(_) => Err(format!("`{text}` is no http or https URL")),
        Err(error) => Err(format!("`{text}`: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::base;

    #[test]
    fn a_bucket_is_a_host_at_aws_and_a_path_elsewhere() {
        let at = |name, endpoint| base(name, endpoint, "ap-northeast-2").map(String::from);
        assert_eq!(
            at("urr-images", None).unwrap(),
            "https://urr-images.s3.ap-northeast-2.amazonaws.com/"
        );
        assert_eq!(
            at("urr-images", Some("http://127.0.0.1:9000/")).unwrap(),
            "http://127.0.0.1:9000/urr-images/"
        );
        for (name, endpoint) in [
            ("a", None),
            ("Urr", None),
            ("a/b", None),
            ("urr", Some("minio:9000")),
        ] {
            assert!(at(name, endpoint).is_err(), "{name} {endpoint:?}");
        }
    }
}
