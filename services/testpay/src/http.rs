//! The Toss routes, the ledger for the auditor, and the switchboard for scenarios.
//!
//! `GET /ledger` and `/admin/behaviour` need no key: this server runs on the loopback of a test
//! machine, and whoever can reach it there owns the test.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine;
use chrono::{DateTime, SecondsFormat, Utc};
use serde::Deserialize;
use serde_json::{Value, json};
use urr_kit::clock::SharedClock;

use crate::Config;
use crate::behaviour::{Behaviour, CancelFate, Dice, Fate, Waiting};
use crate::ledger::{Ledger, Payment, Refusal, Status};

/// How long a call that is "never answered" holds its connection. Longer than any client waits
/// (10 s), short enough that a run with many faults does not pile up connections.
const SILENCE: Duration = Duration::from_secs(30);

/// Shared by all handlers.
#[derive(Clone)]
pub(crate) struct Provider(Arc<Inner>);

struct Inner {
    authorization: String,
    clock: SharedClock,
    book: Mutex<Book>,
}

/// Ledger, dice and remembered answers change together, so one lock guards all three.
struct Book {
    ledger: Ledger,
    dice: Dice,
    /// `Idempotency-Key` -> the answer given. Bounded like the ledger (a charge and a refund for
    /// each payment); keys beyond the bound are not remembered, and the ledger's own rules hold.
    answers: HashMap<String, Answer>,
    answers_max: usize,
    /// Payments of which a charge was lost, by key, if [`Behaviour::lost_waits_as`] says so. Bounded by the
    /// faults a test asks for.
    waiting: HashMap<String, Value>,
}

type Answer = (StatusCode, Value);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ConfirmRequest {
    payment_key: String,
    order_id: String,
    amount: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CancelRequest {
    cancel_reason: String,
    cancel_amount: Option<i64>,
}

impl Provider {
    pub(crate) fn new(secret_key: &str, clock: SharedClock, config: &Config) -> Self {
        let key = base64::engine::general_purpose::STANDARD.encode(format!("{secret_key}:"));
        Self(Arc::new(Inner {
            authorization: format!("Basic {key}"),
            clock,
            book: Mutex::new(Book {
                ledger: Ledger::new(config.ledger_max),
                dice: Dice::new(config),
                answers: HashMap::new(),
                answers_max: config.ledger_max.saturating_mul(2),
                waiting: HashMap::new(),
            }),
        }))
    }

    /// Runs `act` on the book. A poisoned lock still holds a usable ledger: no step of a change
    /// can panic half way.
    fn book<T>(&self, act: impl FnOnce(&mut Book) -> T) -> T {
        act(&mut self.0.book.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn now(&self) -> String {
        DateTime::<Utc>::from_timestamp_millis(self.0.clock.now().0)
            .unwrap_or_default()
            .to_rfc3339_opts(SecondsFormat::Millis, true)
    }
}

pub(crate) fn router(provider: Provider) -> Router {
    let merchant = Router::new()
        .route("/v1/payments/confirm", post(confirm))
        .route("/v1/payments/{payment_key}", get(by_key))
        .route("/v1/payments/orders/{order_id}", get(by_order))
        .route("/v1/payments/{payment_key}/cancel", post(cancel))
        .route_layer(middleware::from_fn_with_state(provider.clone(), merchants_only));
    Router::new()
        .merge(merchant)
        .route("/ledger", get(ledger))
        .route("/admin/behaviour", get(behaviour).put(set_behaviour))
        .with_state(provider)
}

/// Basic authentication, the outage switch and the delay, before every merchant call.
async fn merchants_only(State(provider): State<Provider>, request: Request, next: Next) -> Response {
    let given = request.headers().get(header::AUTHORIZATION);
    if given.is_none_or(|v| v.as_bytes() != provider.0.authorization.as_bytes()) {
        return refuse(StatusCode::UNAUTHORIZED, "UNAUTHORIZED_KEY");
    }
    let (delay_ms, unavailable) =
        provider.book(|book| (book.dice.latency_ms(), book.dice.behaviour().unavailable));
    tokio::time::sleep(Duration::from_millis(delay_ms)).await;
    if unavailable {
        return refuse(
            StatusCode::INTERNAL_SERVER_ERROR,
            "FAILED_INTERNAL_SYSTEM_PROCESSING",
        );
    }
    next.run(request).await
}

async fn confirm(
    State(provider): State<Provider>,
    headers: HeaderMap,
    Json(request): Json<ConfirmRequest>,
) -> Response {
    if request.payment_key.is_empty() || request.order_id.is_empty() || request.amount < 1 {
        return refuse(StatusCode::BAD_REQUEST, "INVALID_REQUEST");
    }
    let key = idempotency_key(&headers, "confirm");
    let now = provider.now();
    let (answer, silent) = provider.book(|book| {
        if let Some(seen) = key.as_ref().and_then(|k| book.answers.get(k)) {
            return (seen.clone(), false);
        }
        let fate = book.dice.charge_fate();
        if fate == Fate::Lost {
            if let Some(state) = book.dice.behaviour().lost_waits_as {
                let known = waiting(&request, state);
                book.waiting.insert(request.payment_key.clone(), known);
            }
            return ((StatusCode::GATEWAY_TIMEOUT, Value::Null), true);
        }
        let declined = fate == Fate::Declined;
        let result = book.ledger.charge(
            &request.payment_key,
            &request.order_id,
            request.amount,
            declined,
            &now,
        );
        let answer = match result {
            Ok(_) if declined => error(StatusCode::FORBIDDEN, "REJECT_CARD_PAYMENT"),
            Ok(payment) => (StatusCode::OK, wire(payment)),
            Err(refusal) => refusal_answer(refusal),
        };
        book.remember(key, &answer);
        (answer, fate == Fate::ChargedSilently)
    });
    if silent {
        tokio::time::sleep(SILENCE).await;
    }
    (answer.0, Json(answer.1)).into_response()
}

async fn cancel(
    State(provider): State<Provider>,
    Path(payment_key): Path<String>,
    headers: HeaderMap,
    Json(request): Json<CancelRequest>,
) -> Response {
    let key = idempotency_key(&headers, "cancel");
    let now = provider.now();
    let answer = provider.book(|book| {
        if let Some(seen) = key.as_ref().and_then(|k| book.answers.get(k)) {
            return seen.clone();
        }
        match book.dice.cancel_fate() {
            CancelFate::Tried => {}
            CancelFate::Failed => return error(StatusCode::INTERNAL_SERVER_ERROR, "FAILED_REFUND_PROCESS"),
            CancelFate::Forbidden => {
                let answer = error(StatusCode::FORBIDDEN, "NOT_CANCELABLE_PAYMENT");
                book.remember(key, &answer);
                return answer;
            }
        }
        let result = book
            .ledger
            .cancel(&payment_key, request.cancel_amount, &request.cancel_reason, &now);
        let answer = match result {
            Ok(payment) => (StatusCode::OK, wire(payment)),
            Err(refusal) => refusal_answer(refusal),
        };
        book.remember(key, &answer);
        answer
    });
    (answer.0, Json(answer.1)).into_response()
}

async fn by_key(State(provider): State<Provider>, Path(payment_key): Path<String>) -> Response {
    found(provider.book(|book| {
        let charged = book.ledger.by_key(&payment_key).map(wire);
        charged.or_else(|| book.waiting.get(&payment_key).cloned())
    }))
}

async fn by_order(State(provider): State<Provider>, Path(order_id): Path<String>) -> Response {
    found(provider.book(|book| book.ledger.by_order(&order_id).map(wire)))
}

async fn ledger(State(provider): State<Provider>) -> Json<Vec<Payment>> {
    Json(provider.book(|book| book.ledger.payments().to_vec()))
}

async fn behaviour(State(provider): State<Provider>) -> Json<Behaviour> {
    Json(provider.book(|book| book.dice.behaviour().clone()))
}

async fn set_behaviour(
    State(provider): State<Provider>,
    Json(behaviour): Json<Behaviour>,
) -> Json<Behaviour> {
    provider.book(|book| book.dice.set(behaviour.clone()));
    Json(behaviour)
}

impl Book {
    fn remember(&mut self, key: Option<String>, answer: &Answer) {
        if let Some(key) = key
            && self.answers.len() < self.answers_max
        {
            self.answers.insert(key, answer.clone());
        }
    }
}

/// The caller's `Idempotency-Key`, kept apart per operation.
fn idempotency_key(headers: &HeaderMap, operation: &str) -> Option<String> {
    let key = headers.get("idempotency-key")?.to_str().ok()?;
    Some(format!("{operation}:{key}"))
}

fn found(payment: Option<Value>) -> Response {
    match payment {
        Some(payment) => Json(payment).into_response(),
        None => refuse(StatusCode::NOT_FOUND, "NOT_FOUND_PAYMENT"),
    }
}

fn refusal_answer(refusal: Refusal) -> Answer {
    match refusal {
        Refusal::AlreadyProcessed => error(StatusCode::BAD_REQUEST, "ALREADY_PROCESSED_PAYMENT"),
        Refusal::AlreadyCanceled => error(StatusCode::BAD_REQUEST, "ALREADY_CANCELED_PAYMENT"),
        Refusal::NotFound => error(StatusCode::NOT_FOUND, "NOT_FOUND_PAYMENT"),
        Refusal::AmountMismatch => error(StatusCode::FORBIDDEN, "NOT_CANCELABLE_AMOUNT"),
        Refusal::LedgerFull => error(StatusCode::SERVICE_UNAVAILABLE, "LEDGER_FULL"),
    }
}

fn error(status: StatusCode, code: &str) -> Answer {
    let message = format!("{} (test provider)", code.to_lowercase().replace('_', " "));
    (status, json!({ "code": code, "message": message }))
}

fn refuse(status: StatusCode, code: &str) -> Response {
    let (status, body) = error(status, code);
    (status, Json(body)).into_response()
}

/// A payment that waits for its charge, as Toss writes it.
fn waiting(request: &ConfirmRequest, state: Waiting) -> Value {
    json!({
        "paymentKey": request.payment_key,
        "orderId": request.order_id,
        "status": state,
        "totalAmount": request.amount,
        "balanceAmount": request.amount,
        "currency": "KRW",
        "method": "카드",
        "approvedAt": null,
        "cancels": null,
    })
}

/// A payment as Toss writes it (the fields merchants read).
fn wire(payment: &Payment) -> Value {
    json!({
        "paymentKey": payment.payment_key,
        "orderId": payment.order_id,
        "status": payment.status,
        "totalAmount": payment.amount,
        "balanceAmount": if payment.status == Status::Done { payment.amount } else { 0 },
        "currency": "KRW",
        "method": "카드",
        "approvedAt": payment.approved_at,
        "cancels": (!payment.cancels.is_empty()).then_some(&payment.cancels),
    })
}
