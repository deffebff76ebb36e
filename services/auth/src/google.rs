//! Logging in with Google: an adapter, off unless a client id is configured.
//!
//! Google's own endpoint checks signature and expiry of the ID token, so no key set has to be
//! fetched, cached and rotated here. It is one HTTPS call a log-in; if log-ins with Google ever become
//! many, verify against the published keys instead.

use std::time::Duration;

use serde::Deserialize;
use urr_kit::{ApiError, ApiResult};

use crate::Config;

/// Google usually answers in 100 ms; a browser waits 15 s.
const TIMEOUT: Duration = Duration::from_secs(5);
const ISSUERS: [&str; 2] = ["accounts.google.com", "https://accounts.google.com"];

#[derive(Clone)]
pub(crate) struct Google {
    http: reqwest::Client,
    client_id: Option<String>,
    tokeninfo_url: String,
}

/// Who Google says it is.
#[derive(Debug, Deserialize)]
pub(crate) struct Profile {
    pub(crate) sub: String,
    pub(crate) email: String,
    #[serde(default)]
    pub(crate) name: Option<String>,
    #[serde(default)]
    pub(crate) picture: Option<String>,
    aud: String,
    iss: String,
    #[serde(default)]
    email_verified: String,
}

impl Google {
    pub(crate) fn new(http: reqwest::Client, config: &Config) -> Self {
        Self {
            http,
            client_id: config.google_client_id.clone().filter(|id| !id.is_empty()),
            tokeninfo_url: config.google_tokeninfo_url.clone(),
        }
    }

    pub(crate) async fn verify(&self, credential: &str) -> ApiResult<Profile> {
        let Some(client_id) = &self.client_id else {
            return Err(ApiError::bad_request("GOOGLE_CLIENT_ID is not configured"));
        };
        let invalid = || ApiError::bad_request("Invalid Google token");
        let away = |error: reqwest::Error| {
            ApiError::bad_gateway("Google is not available. Please retry.").with_source(error.without_url())
        };
        let request = self
            .http
            .get(&self.tokeninfo_url)
            .query(&[("id_token", credential)]);
        let answer = request.timeout(TIMEOUT).send().await.map_err(away)?;
        if answer.status().is_client_error() {
            return Err(invalid());
        }
        let answer = answer.error_for_status().map_err(away)?;
        let profile: Profile = answer.json().await.map_err(|_| invalid())?;
        let ours = profile.aud == *client_id
            && ISSUERS.contains(&profile.iss.as_str())
            && profile.email_verified == "true";
        if ours { Ok(profile) } else { Err(invalid()) }
    }
}
