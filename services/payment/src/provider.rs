//! The card provider, over the Toss wire.
//!
//! The one thing this module must get right is the difference between *no* and *no answer*. A
//! decline, a missing payment and a refused connection are facts; a timeout, a reset or a server
//! error are not: the charge may have been made, may still be made, and only a later question tells.
//! Take one for the other and people pay without a ticket.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::payment::Payment;

/// What the provider says about a charge.
#[derive(Debug, Clone)]
pub enum Charge {
    /// Charged.
    Approved(Approval),
    /// Not charged, and will not be by this attempt.
    Declined {
        /// The provider's code, for example `REJECT_CARD_PAYMENT`.
        code: String,
    },
    /// The request never left: not charged.
    NotSent,
    /// Nobody knows yet.
    Unknown,
    /// The provider has not seen the request to charge (now; a lost one may still arrive).
    NotSeen,
}

/// A charge that was made.
#[derive(Debug, Clone)]
pub struct Approval {
    /// Won charged.
    pub amount: i64,
    /// Instant of the approval.
    pub approved_at: Option<DateTime<Utc>>,
    /// The provider's own words, kept for support.
    pub response: Value,
}

/// What the provider says about a refund.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refund {
    /// Given back, now or before.
    Done,
    /// No usable answer: ask again soon.
    Unknown,
    /// A no. Nothing was given back, and the same request will not get another answer.
    Refused {
        /// The provider's code, for example `NOT_CANCELABLE_PAYMENT`.
        code: String,
    },
    /// There is nothing to give back.
    NothingCharged,
}

/// An exchange as `payment_logs` keeps it.
#[derive(Debug)]
pub struct Exchange {
    /// `confirm`, `query` or `cancel`.
    pub action: &'static str,
    /// The body sent.
    pub request: Value,
    /// Status and body received, or what kept them from arriving.
    pub response: Value,
    /// Whether the provider is there and answers, whatever it says: what the breaker counts. Not the
    /// verdict: a refusal leaves open what becomes of the money and is an answer all the same.
    pub answered: bool,
}

/// A client of the provider.
#[derive(Clone)]
pub struct Provider {
    http: reqwest::Client,
    base_url: String,
    secret_key: String,
    timeout: Duration,
}

/// The fields of Toss's payment object we read.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TossPayment {
    order_id: String,
    status: String,
    total_amount: i64,
    approved_at: Option<DateTime<Utc>>,
}

/// What came back over the wire.
enum Reply {
    Body(u16, Value),
    NotSent,
    Lost,
}

/// A status question must not take as long as a charge: the payer's browser gives up after 15 s in
/// all, of which the charge itself may have used 10.
const QUERY_TIMEOUT: Duration = Duration::from_secs(2);

impl Provider {
    /// A client that waits at most `timeout` for a charge or refund (R-PAY-08: 10 s).
    #[must_use]
    pub fn new(http: reqwest::Client, base_url: &str, secret_key: &str, timeout: Duration) -> Self {
        Self {
            http,
            base_url: base_url.trim_end_matches('/').to_owned(),
            secret_key: secret_key.to_owned(),
            timeout,
        }
    }

    /// How long a charge may take, ms.
    #[must_use]
    pub fn timeout_ms(&self) -> i64 {
        i64::try_from(self.timeout.as_millis()).unwrap_or(i64::MAX)
    }

    /// Asks the provider to charge. Safe to repeat for the same attempt.
    pub async fn charge(&self, payment: &Payment) -> (Charge, Exchange) {
        let body = json!({
            "paymentKey": payment.key(),
            "orderId": payment.order_id,
            "amount": payment.amount,
        });
        let reply = self
            .post("/v1/payments/confirm", &payment.charge_idempotency_key(), &body)
            .await;
        let exchange = Exchange {
            action: "confirm",
            request: body,
            response: reply.for_log(),
            answered: reply.is_answer(),
        };
        let charge = match reply {
            Reply::NotSent => Charge::NotSent,
            Reply::Lost => Charge::Unknown,
            Reply::Body(200, body) => read_payment(payment, body),
            Reply::Body(status, body) => match code(&body) {
                // Somebody charged this order or key before: ask what became of it.
                "ALREADY_PROCESSED_PAYMENT" | "IDEMPOTENT_REQUEST_PROCESSING" => Charge::Unknown,
                // Our key is wrong: nobody's card was looked at, and no payer can help it.
                "UNAUTHORIZED_KEY" | "FORBIDDEN_REQUEST" => {
                    tracing::error!("the payment provider refuses TOSS_SECRET_KEY");
                    Charge::NotSent
                }
                code if is_refusal(status) => Charge::Declined {
                    code: code.to_owned(),
                },
                _ => Charge::Unknown,
            },
        };
        (charge, exchange)
    }

    /// Asks what became of a charge.
    pub async fn query(&self, payment: &Payment) -> (Charge, Exchange) {
        let path = format!("/v1/payments/{}", encode(payment.key()));
        let request = self
            .http
            .get(format!("{}{path}", self.base_url))
            .timeout(QUERY_TIMEOUT);
        let reply = self.send(request).await;
        let exchange = Exchange {
            action: "query",
            request: json!({ "paymentKey": payment.key() }),
            response: reply.for_log(),
            answered: reply.is_answer(),
        };
        let charge = match reply {
            Reply::Body(200, body) => read_payment(payment, body),
            Reply::Body(404, _) => Charge::NotSeen,
            Reply::Body(..) | Reply::NotSent | Reply::Lost => Charge::Unknown,
        };
        (charge, exchange)
    }

    /// Gives a charge back in full. Safe to repeat.
    pub async fn refund(&self, payment: &Payment, reason: &str) -> (Refund, Exchange) {
        let path = format!("/v1/payments/{}/cancel", encode(payment.key()));
        let body = json!({ "cancelReason": reason });
        let reply = self.post(&path, &payment.refund_idempotency_key(), &body).await;
        let exchange = Exchange {
            action: "cancel",
            request: body,
            response: reply.for_log(),
            answered: reply.is_answer(),
        };
        let refund = match &reply {
            Reply::Body(200, _) => Refund::Done,
            Reply::Body(status, body) => match code(body) {
                "ALREADY_CANCELED_PAYMENT" => Refund::Done,
                "NOT_FOUND_PAYMENT" => Refund::NothingCharged,
                "IDEMPOTENT_REQUEST_PROCESSING" => Refund::Unknown,
                code if is_refusal(*status) => Refund::Refused {
                    code: code.to_owned(),
                },
                _ => Refund::Unknown,
            },
            Reply::NotSent | Reply::Lost => Refund::Unknown,
        };
        (refund, exchange)
    }

    async fn post(&self, path: &str, idempotency_key: &str, body: &Value) -> Reply {
        let request = self
            .http
            .post(format!("{}{path}", self.base_url))
            .header("Idempotency-Key", idempotency_key)
            .json(body)
            .timeout(self.timeout);
        self.send(request).await
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Reply {
        let answer = match request.basic_auth(&self.secret_key, Some("")).send().await {
            Ok(answer) => answer,
            Err(error) if error.is_connect() || error.is_builder() => return Reply::NotSent,
            Err(_) => return Reply::Lost,
        };
        let status = answer.status().as_u16();
        match answer.json().await {
            Ok(body) => Reply::Body(status, body),
            Err(_) => Reply::Lost,
        }
    }
}

/// Whether an answer with this status is a no that stays one: not a server's trouble, and not "later".
const fn is_refusal(status: u16) -> bool {
    matches!(status, 400..=499) && status != 408 && status != 429
}

impl Reply {
    /// R-RES-01: a 4xx does not count against the provider, unless it says "too many".
    const fn is_answer(&self) -> bool {
        matches!(self, Self::Body(status, _) if *status < 500 && *status != 429)
    }

    fn for_log(&self) -> Value {
        match self {
            Self::Body(status, body) => json!({ "status": status, "body": body }),
            Self::NotSent => json!({ "lost": "not sent" }),
            Self::Lost => json!({ "lost": "no answer" }),
        }
    }
}

/// Reads a payment object as the fate of *this* charge. A key that was used for another order is
/// a decline: that money belongs to somebody else's ticket and must not be touched.
fn read_payment(payment: &Payment, body: Value) -> Charge {
    let Ok(toss) = TossPayment::deserialize(&body) else {
        return Charge::Unknown;
    };
    if toss.order_id != payment.order_id {
        return Charge::Declined {
            code: "PAYMENT_KEY_OF_ANOTHER_ORDER".to_owned(),
        };
    }
    match toss.status.as_str() {
        "DONE" => Charge::Approved(Approval {
            amount: toss.total_amount,
            approved_at: toss.approved_at,
            response: body,
        }),
        // With a second attempt the decline may be the first one's, and the second still on its way.
        "ABORTED" if payment.attempt > 1 => Charge::NotSeen,
        // The widget has made the payment known, and no request to charge it has come.
        "READY" | "IN_PROGRESS" => Charge::NotSeen,
        "CANCELED" | "ABORTED" | "EXPIRED" => Charge::Declined { code: toss.status },
        _ => Charge::Unknown,
    }
}

fn code(body: &Value) -> &str {
    body.get("code").and_then(Value::as_str).unwrap_or("UNKNOWN")
}

/// A payment key as one path segment: keys come from the browser, and one with a slash or a dot
/// must not reach another route of the provider.
fn encode(segment: &str) -> String {
    segment
        .bytes()
        .map(|b| match b {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => char::from(b).to_string(),
            _ => format!("%{b:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Reply, Value, encode};

    #[test]
    fn a_no_is_an_answer_and_only_silence_and_trouble_are_not() {
        // R-RES-01, C§15.23.
        for (status, answered) in [
            (200, true),
            (400, true),
            (403, true),
            (404, true),
            (429, false),
            (500, false),
            (503, false),
        ] {
            assert_eq!(Reply::Body(status, Value::Null).is_answer(), answered, "{status}");
        }
        assert!(!Reply::Lost.is_answer() && !Reply::NotSent.is_answer());
    }

    #[test]
    fn a_key_cannot_leave_its_path_segment() {
        assert_eq!(encode("tk_1-a"), "tk_1-a");
        assert_eq!(encode("../x?y=z/"), "%2E%2E%2Fx%3Fy%3Dz%2F");
    }
}
