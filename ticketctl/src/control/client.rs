//! Requests to the control API. Errors say what was asked, what came back and leave the rest to
//! the caller: nothing here retries, because who steers must know what happened.

use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use urr_core::sale::{Sale, SaleId};

/// How long connecting to the control API may take.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// How long an answer may take; applying a sale writes to three stores.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// How much of an unexpected answer is quoted.
const QUOTED_CHARS: usize = 200;

/// A change by hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Override {
    /// What to change.
    pub(crate) action: Action,
    /// Who.
    pub(crate) actor: String,
    /// Why.
    pub(crate) reason: String,
}

/// What a hand can change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// Nobody is let in any more.
    Pause,
    /// The line moves again.
    Resume,
    /// People per second.
    Rate(u32),
    /// People inside at once.
    Cap(u32),
}

#[derive(Serialize)]
struct OverrideBody<'a> {
    action: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<u32>,
    actor: &'a str,
    reason: &'a str,
}

/// Why the control API did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ControlError {
    /// No answer.
    #[error("the control API at {url} does not answer")]
    Unreachable {
        /// Its base URL.
        url: String,
        /// What the client saw.
        #[source]
        source: reqwest::Error,
    },
    /// The answer is a refusal.
    #[error("the control API refused with {status}: {message}")]
    Refused {
        /// Its status.
        status: StatusCode,
        /// Its reason, for people.
        message: String,
    },
    /// The answer is none of the control API's.
    #[error("the answer of {url} could not be understood")]
    Garbled {
        /// Its base URL.
        url: String,
        /// What the client saw.
        #[source]
        source: reqwest::Error,
    },
}

/// One sale at one control API.
#[derive(Debug, Clone)]
pub(crate) struct ControlClient {
    http: Client,
    base: String,
    /// Where it is, for people.
    shown: String,
    token: String,
    sale: SaleId,
}

/// A refusal's body. Both names are on the wire at once, so neither can be an alias of the other.
#[derive(Deserialize)]
struct Problem {
    message: Option<String>,
    error: Option<String>,
}

impl ControlClient {
    /// A client for `sale` at `base` (no trailing slash), with the bearer `token`.
    pub(crate) fn new(base: &str, token: &str, sale: SaleId) -> Result<Self, reqwest::Error> {
        Ok(Self {
            http: Client::builder().connect_timeout(CONNECT_TIMEOUT).build()?,
            base: base.trim_end_matches('/').to_owned(),
            shown: base.trim_end_matches('/').to_owned(),
            token: token.to_owned(),
            sale,
        })
    }

    /// The same, told to people as `shown`.
    #[must_use]
    pub(super) fn seen_as(mut self, shown: &str) -> Self {
        shown.clone_into(&mut self.shown);
        self
    }

    /// Announces the sale, or changes it.
    pub(crate) async fn put(&self, sale: &Sale) -> Result<(), ControlError> {
        self.send(self.request(Method::PUT, "").json(sale))
            .await
            .map(|_| ())
    }

    /// Carries out a change by hand.
    pub(crate) async fn steer(&self, change: &Override) -> Result<(), ControlError> {
        let (action, value) = match change.action {
            Action::Pause => ("pause", None),
            Action::Resume => ("resume", None),
            Action::Rate(rate) => ("rate", Some(rate)),
            Action::Cap(cap) => ("cap", Some(cap)),
        };
        let body = OverrideBody {
            action,
            value,
            actor: &change.actor,
            reason: &change.reason,
        };
        self.send(self.request(Method::POST, "/overrides").json(&body))
            .await
            .map(|_| ())
    }

    /// Opens the stream of snapshots. Only the answer's head is awaited with a deadline.
    pub(super) async fn stream(&self) -> Result<Response, ControlError> {
        let request = self
            .http
            .get(format!("{}/control/v1/sales/{}/stream", self.base, self.sale))
            .header("accept", "text/event-stream")
            .bearer_auth(&self.token);
        self.send(request).await
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http
            .request(
                method,
                format!("{}/control/v1/sales/{}{path}", self.base, self.sale),
            )
            .timeout(ANSWER_TIMEOUT)
            .bearer_auth(&self.token)
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, ControlError> {
        answered(&self.shown, request).await
    }

    /// Where and with what, for whoever hands this control API on to other processes.
    pub(crate) fn address(&self) -> (&str, &str, SaleId) {
        (&self.base, &self.token, self.sale)
    }
}

/// Sends `request` to the control API that people know as `shown`; a refusal is an error that quotes
/// its reason.
pub(super) async fn answered(shown: &str, request: RequestBuilder) -> Result<Response, ControlError> {
    let response = request.send().await.map_err(|source| ControlError::Unreachable {
        url: shown.to_owned(),
        source,
    })?;
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let body = response.text().await.unwrap_or_default();
    let message = reason(&body);
    Err(ControlError::Refused { status, message })
}

/// The reason in a refusal's body, or the body's beginning.
fn reason(body: &str) -> String {
    serde_json::from_str::<Problem>(body)
        .ok()
        .and_then(|problem| problem.message.or(problem.error))
        .unwrap_or_else(|| body.chars().take(QUOTED_CHARS).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusals_reason_is_found_under_either_name_and_under_both() {
        assert_eq!(reason(r#"{"error":"x","message":"too fast"}"#), "too fast");
        assert_eq!(reason(r#"{"message":"too fast","error":"x"}"#), "too fast");
        assert_eq!(reason(r#"{"error":"too fast"}"#), "too fast");
        assert_eq!(reason(r#"{"message":"too fast"}"#), "too fast");
        assert_eq!(reason("<html>"), "<html>");
        assert_eq!(reason(&"x".repeat(999)).len(), QUOTED_CHARS);
    }
}
