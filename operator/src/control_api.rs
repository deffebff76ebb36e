//! Speaks to the control API. Every call is idempotent; the control plane fences what it writes.

use crate::lease::NotLeading;
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::time::Duration;
use urr_core::adaptive::Pace;
use urr_core::plan::{Hand, Plan};
use urr_core::sale::{Problem, Sale, SaleId};
use urr_core::snapshot::Snapshot;
use urr_kit::trace::{self, Work};

/// One call; two of them fit between two looks at a sale that is near.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Why the control API did not do it.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// No answer, or not one of the control API: try again later.
    #[error("the control API did not answer")]
    Unreachable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It refused; the same request will be refused again.
    #[error("the control API refused: {message}")]
    Refused {
        /// What it said.
        message: String,
        /// The fields it named.
        problems: Vec<Problem>,
    },
    /// It was not asked: this replica does not lead.
    #[error(transparent)]
    NotLeading(NotLeading),
    /// It failed or is busy: try again later.
    #[error("the control API answered {status}: {message}")]
    Failed {
        /// What it answered.
        status: StatusCode,
        /// What it said.
        message: String,
    },
}

/// What the control API tells of a sale, as far as the operator reads it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SaleState {
    /// The sale as it knows it. Only compared with ours: what a newer one adds need not be understood.
    #[serde(default)]
    pub sale: Value,
    /// What operators set by hand.
    pub hand: Hand,
    /// Why the line is held for the operator, while it is.
    #[serde(default)]
    pub held: Option<String>,
    /// The newest term of office it heard of.
    #[serde(default)]
    pub operator_term: u64,
    /// Where the adaptive rate stands, once it has moved.
    #[serde(default)]
    pub pace: Option<Pace>,
    /// Ready replicas as it last heard.
    pub ready_replicas: Option<u32>,
    /// What it is carrying out; absent when it could not look.
    pub plan: Option<Plan>,
    /// What is not in place yet.
    pub problems: Vec<String>,
}

/// What the operator says of a sale besides the sale itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Word {
    /// Units of capacity that are ready.
    pub ready_units: u32,
    /// Why the line is to be held, if it is.
    pub held: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ErrorBody {
    message: String,
    problems: Vec<Problem>,
    /// The later term of office that was heard.
    leads: Option<u64>,
}

/// A client. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ControlApi {
    http: Client,
    base: String,
    token: String,
}

impl ControlApi {
    /// A client of the control API at `base` (without `/control/v1`).
    #[must_use]
    pub fn new(http: Client, base: &str, token: &str) -> Self {
        Self {
            http,
            base: base.trim_end_matches('/').to_owned(),
            token: token.to_owned(),
        }
    }

    fn request(&self, method: Method, sale: SaleId, rest: &str) -> RequestBuilder {
        let url = format!("{}/control/v1/sales/{sale}{rest}", self.base);
        self.http
            .request(method, url)
            .bearer_auth(&self.token)
            .timeout(TIMEOUT)
    }

    /// What it knows of the sale; `None` when it never heard of it.
    ///
    /// # Errors
    /// [`ControlError`].
    pub async fn get(&self, sale: SaleId) -> Result<Option<SaleState>, ControlError> {
        match state(self.request(Method::GET, sale, "")).await {
            Ok(state) => Ok(Some(state)),
            Err(ControlError::Failed { status, .. }) if status == StatusCode::NOT_FOUND => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The live picture of the sale: line, seats and who is inside.
    ///
    /// # Errors
    /// [`ControlError`].
    pub async fn snapshot(&self, sale: SaleId) -> Result<Snapshot, ControlError> {
        answered(self.request(Method::GET, sale, "/snapshot"))
            .await?
            .json()
            .await
            .map_err(|error| ControlError::Unreachable(error.into()))
    }

    /// Makes the sale known as it should be, together with `word`, and has a step taken for it.
    ///
    /// # Errors
    /// [`ControlError`].
    pub async fn put(&self, sale: &Sale, word: &Word, term: u64) -> Result<SaleState, ControlError> {
        let (ready, term) = (word.ready_units.to_string(), term.to_string());
        let mut query = vec![
            ("actor", "operator"),
            ("reason", "the TicketSale says so"),
            ("readyReplicas", &ready),
            ("term", &term),
        ];
        query.extend(word.held.as_deref().map(|held| ("held", held)));
        state(self.request(Method::PUT, sale.id, "").query(&query).json(sale)).await
    }

    /// Tells what is ready, which bounds the rate, and whether the line is held.
    ///
    /// # Errors
    /// [`ControlError`].
    pub async fn report(&self, sale: SaleId, word: &Word, term: u64) -> Result<SaleState, ControlError> {
        let mut report = json!({"readyReplicas": word.ready_units, "term": term});
        if let Some(held) = &word.held {
            report["held"] = json!(held);
        }
        state(self.request(Method::PUT, sale, "/capacity").json(&report)).await
    }

    /// Closes the room and forgets the sale. `true` once that is done.
    ///
    /// # Errors
    /// [`ControlError`].
    pub async fn delete(&self, sale: SaleId, reason: &str, term: u64) -> Result<bool, ControlError> {
        let term = term.to_string();
        let query = [("actor", "operator"), ("reason", reason), ("term", &term)];
        let answer = answered(self.request(Method::DELETE, sale, "").query(&query)).await?;
        Ok(answer.status() == StatusCode::NO_CONTENT)
    }
}

async fn state(request: RequestBuilder) -> Result<SaleState, ControlError> {
    answered(request)
        .await?
        .json()
        .await
        .map_err(|error| ControlError::Unreachable(error.into()))
}

async fn answered(request: RequestBuilder) -> Result<reqwest::Response, ControlError> {
    let span = trace::step(Work::Elsewhere, || "control API".to_owned());
    let answer = trace::within(span, async {
        let request = match trace::traceparent() {
            Some(traceparent) => request.header("traceparent", traceparent),
            None => request,
        };
        let answer = request.send().await;
        match &answer {
            Ok(answer) => trace::note("http.response.status_code", answer.status().as_u16()),
            Err(_) => trace::failed(),
        }
        answer
    });
    let answer = answer
        .await
        .map_err(|error| ControlError::Unreachable(error.into()))?;
    let status = answer.status();
    if status.is_success() {
        return Ok(answer);
    }
    let ErrorBody {
        message,
        problems,
        leads,
    } = answer.json().await.unwrap_or_default();
    if leads.is_some() {
        return Err(ControlError::NotLeading(NotLeading));
    }
    // 401 and 403 are the operator's own configuration, 429 is a matter of time; what is wrong
    // with the sale itself is 400, 409 or 422.
    match status {
        StatusCode::BAD_REQUEST | StatusCode::CONFLICT | StatusCode::UNPROCESSABLE_ENTITY => {
            Err(ControlError::Refused { message, problems })
        }
        _ => Err(ControlError::Failed { status, message }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_of_the_control_api_is_understood_and_more_of_it_ignored() {
        let state: SaleState = serde_json::from_value(json!({
            "sale": {"ignored": true},
            "hand": {"paused": true, "ratePerS": 15, "cap": null},
            "revision": 7,
            "readyReplicas": null,
            "phase": "open",
            "plan": {
                "phase": "open",
                "replicas": 4,
                "room": {"mode": "paused", "ratePerS": 15},
                "limits": {"ratePerS": 15, "cap": 50, "paused": true},
                "nextTransitionAt": 1_796_122_800_000_i64,
                "reasons": ["held by the operator"]
            },
            "problems": []
        }))
        .unwrap();
        assert_eq!(
            state.hand,
            Hand {
                paused: true,
                rate_per_s: Some(15),
                ..Hand::default()
            }
        );
        assert_eq!(state.plan.unwrap().limits.rate_per_s, 15);
    }

    #[test]
    fn a_refusal_is_understood_with_its_fields() {
        let body: ErrorBody = serde_json::from_value(json!({
            "error": "admission.cap: lets nobody in",
            "message": "admission.cap: lets nobody in",
            "problems": [{"field": "admission.cap", "problem": "lets nobody in", "remedy": "set it"}]
        }))
        .unwrap();
        assert_eq!(body.problems[0].field, "admission.cap");
    }
}
