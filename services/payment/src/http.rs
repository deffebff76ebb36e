//! The routes of C§10. Handlers read as steps; what may go wrong is said once, in [`wire_error`].

use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json as Body, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use urr_kit::extract::{Json, JsonOrDefault, Path, Query};
use urr_kit::identity::{Identity, require_internal};
use urr_kit::wire;
use urr_kit::{ApiError, ApiResult, Secrets};
use uuid::Uuid;

use crate::booking::Refused;
use crate::payment::{Payment, PaymentType, Status, Target};
use crate::saga::{ConfirmRequest, Error, InstantRequest, Payments, PrepareRequest, Receipt};

/// A page of one's own payments.
const PAGE_DEFAULT: i64 = 10;
const PAGE_MAX: i64 = 100;
/// Longest order id and payment key the columns take.
const ORDER_ID_MAX: usize = 64;
const PAYMENT_KEY_MAX: usize = 200;
/// Longest reason kept; the provider takes 200 characters.
const REASON_MAX: usize = 200;

/// What payers are offered.
#[derive(Debug, Clone)]
pub struct Offer {
    /// The provider's public key.
    pub client_key: String,
    /// Whether the instant methods are offered.
    pub instant_methods: bool,
}

#[derive(Clone)]
struct App {
    payments: Payments,
    offer: Offer,
}

/// The public routes.
pub fn router(payments: Payments, offer: Offer) -> Router {
    Router::new()
        .route("/api/payments/prepare", post(prepare))
        .route("/api/payments/confirm", post(confirm))
        .route("/api/payments/process", post(process))
        .route("/api/payments/order/{order_id}", get(order))
        .route("/api/payments/user/me", get(mine))
        .route("/api/payments/{payment_key}/cancel", post(cancel))
        .with_state(App { payments, offer })
}

/// The internal routes, guarded.
pub fn internal_router(payments: Payments, secrets: &Secrets) -> Router {
    Router::new()
        .route(
            "/internal/payments/by-reservation/{reservation_id}",
            get(by_reservation),
        )
        .layer(require_internal(secrets))
        .with_state(payments)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TargetBody {
    #[serde(default)]
    payment_type: Option<PaymentType>,
    reservation_id: Option<Uuid>,
    reference_id: Option<Uuid>,
}

#[derive(Deserialize)]
struct PrepareBody {
    amount: i64,
    #[serde(flatten)]
    target: TargetBody,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ProcessBody {
    payment_method: String,
    #[serde(flatten)]
    target: TargetBody,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct CancelBody {
    cancel_reason: Option<String>,
}

#[derive(Deserialize)]
struct Page {
    limit: Option<i64>,
    offset: Option<i64>,
}

async fn prepare(
    State(app): State<App>,
    caller: Identity,
    Json(body): Json<PrepareBody>,
) -> ApiResult<Body<Value>> {
    let target = body.target.checked()?;
    let amount = positive(body.amount)?;
    let payment = app
        .payments
        .prepare(caller.user_id, PrepareRequest { target, amount })
        .await
        .map_err(wire_error)?;
    Ok(Body(json!({
        "orderId": payment.order_id,
        "amount": payment.amount,
        "clientKey": app.offer.client_key,
    })))
}

async fn confirm(
    State(app): State<App>,
    caller: Identity,
    Json(request): Json<ConfirmRequest>,
) -> ApiResult<Body<Value>> {
    positive(request.amount)?;
    not_blank(&request.payment_key, "paymentKey", PAYMENT_KEY_MAX)?;
    not_blank(&request.order_id, "orderId", ORDER_ID_MAX)?;
    let receipt = to_the_end(async move { app.payments.confirm(caller.user_id, request).await });
    let Receipt {
        payment, fulfilled, ..
    } = receipt.await?;
    let approved_at = payment.toss_approved_at.map(wire::text);
    Ok(Body(json!({
        "success": true,
        "status": status(fulfilled),
        "payment": {
            "orderId": payment.order_id,
            "paymentKey": payment.payment_key,
            "amount": payment.amount,
            "method": payment.method_name(),
            "approvedAt": approved_at,
        },
    })))
}

/// Extra to C§10: whether the ticket is confirmed, or charged and booking has yet to say (R-PAY-12). Who
/// hears `processing` presses again with the same key and is told how it ended.
const fn status(fulfilled: bool) -> &'static str {
    if fulfilled { "confirmed" } else { "processing" }
}

async fn process(
    State(app): State<App>,
    caller: Identity,
    Json(body): Json<ProcessBody>,
) -> ApiResult<Body<Value>> {
    if !app.offer.instant_methods {
        return Err(wire_error(Error::MethodOff));
    }
    let target = body.target.checked()?;
    let method = match body.payment_method.as_str() {
        "naver_pay" | "kakao_pay" | "bank_transfer" => body.payment_method,
        _ => return Err(ApiError::bad_request("Unknown payment method")),
    };
    let request = InstantRequest { target, method };
    let receipt = to_the_end(async move { app.payments.pay_instantly(caller.user_id, request).await });
    let Receipt {
        payment,
        repeated,
        fulfilled,
    } = receipt.await?;
    Ok(Body(json!({
        "success": true,
        "status": status(fulfilled),
        "message": if repeated { "Payment already completed" } else { "Payment completed" },
        "payment": {
            "id": payment.id,
            "orderId": payment.order_id,
            "amount": payment.amount,
            "method": payment.method_name(),
        },
    })))
}

async fn order(
    State(app): State<App>,
    caller: Identity,
    Path(order_id): Path<String>,
) -> ApiResult<Body<Value>> {
    let payment = app
        .payments
        .of_order(caller.user_id, &order_id)
        .await
        .map_err(wire_error)?;
    let mut row = listed(&payment);
    row["toss_status"] = json!(payment.toss_status);
    row["updated_at"] = json!(wire::text(payment.updated_at));
    row["user_id"] = json!(payment.user_id);
    Ok(Body(json!({ "payment": row })))
}

async fn mine(State(app): State<App>, caller: Identity, Query(page): Query<Page>) -> ApiResult<Body<Value>> {
    let limit = page.limit.unwrap_or(PAGE_DEFAULT).clamp(1, PAGE_MAX);
    let offset = page.offset.unwrap_or(0).max(0);
    let (payments, total) = app
        .payments
        .of_user(caller.user_id, limit, offset)
        .await
        .map_err(wire_error)?;
    let payments: Vec<Value> = payments.iter().map(listed).collect();
    Ok(Body(json!({
        "payments": payments,
        "pagination": { "total": total, "limit": limit, "offset": offset },
    })))
}

async fn cancel(
    State(app): State<App>,
    caller: Identity,
    Path(payment_key): Path<String>,
    JsonOrDefault(body): JsonOrDefault<CancelBody>,
) -> ApiResult<Body<Value>> {
    let reason: String = match body.cancel_reason {
        Some(reason) if !reason.trim().is_empty() => reason
            .chars()
            // It goes through booking, the database and the provider; none of them needs a control character.
            .filter(|c| !c.is_control())
            .take(REASON_MAX)
            .collect(),
        _ => "user-request".to_owned(),
    };
    let payment =
        to_the_end(async move { app.payments.cancel(caller.user_id, &payment_key, &reason).await }).await?;
    Ok(Body(json!({
        "success": true,
        "message": "Payment cancelled successfully",
        "refundAmount": payment.amount,
    })))
}

async fn by_reservation(
    State(payments): State<Payments>,
    Path(reservation_id): Path<Uuid>,
) -> ApiResult<Body<Value>> {
    let found = payments
        .of_reservation(reservation_id)
        .await
        .map_err(wire_error)?;
    Ok(Body(match found {
        None => json!({ "found": false, "reservationId": reservation_id }),
        Some(payment) => json!({
            "found": true,
            "reservationId": reservation_id,
            "paymentId": payment.id,
            "status": payment.status.on_the_wire(),
            // A charge may be under way or unknown: not the moment to decide that nobody paid.
            "underWay": payment.status == Status::Confirming,
            "method": payment.method,
            "amount": payment.amount,
        }),
    }))
}

/// Runs a saga to its end even if the caller hangs up: a closed browser tab must not be one of the
/// crashes recovery has to clean up after.
async fn to_the_end<T: Send + 'static>(
    saga: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> ApiResult<T> {
    match tokio::spawn(urr_kit::trace::carried(saga)).await {
        Ok(result) => result.map_err(wire_error),
        Err(died) => Err(ApiError::internal(died)),
    }
}

impl TargetBody {
    fn checked(&self) -> ApiResult<Target> {
        let kind = self.payment_type.unwrap_or_default();
        let (id, missing) = match kind {
            PaymentType::Reservation => (self.reservation_id, "reservationId required"),
            PaymentType::Transfer => (self.reference_id, "referenceId required for transfer"),
            PaymentType::Membership => (self.reference_id, "referenceId required for membership"),
        };
        let id = id.ok_or_else(|| ApiError::bad_request(missing))?;
        Ok(Target { kind, id })
    }
}

fn positive(amount: i64) -> ApiResult<i64> {
    if amount < 1 {
        return Err(ApiError::bad_request("amount must be greater than or equal to 1"));
    }
    Ok(amount)
}

fn not_blank(value: &str, name: &'static str, chars_max: usize) -> ApiResult<()> {
    if value.trim().is_empty() {
        return Err(ApiError::bad_request(format!("{name} must not be blank")));
    }
    if value.chars().count() > chars_max {
        return Err(ApiError::bad_request(format!("{name} is too long")));
    }
    Ok(())
}

/// A row of the payer's list.
fn listed(payment: &Payment) -> Value {
    json!({
        "id": payment.id,
        "order_id": payment.order_id,
        "payment_key": payment.payment_key,
        "amount": payment.amount,
        "method": payment.method,
        "status": payment.status.on_the_wire(),
        "toss_approved_at": payment.toss_approved_at.map(wire::text),
        "created_at": wire::text(payment.created_at),
        "reservation_id": payment.reservation_id,
        "payment_type": payment.payment_type,
        "reference_id": payment.reference_id,
    })
}

/// The wire's status and sentence for each reason. Booking's and the provider's own words stay in
/// the source, for the log (C§15.23).
fn wire_error(error: Error) -> ApiError {
    match error {
        Error::NotFound => ApiError::not_found("Payment not found"),
        Error::NotOwner => ApiError::forbidden("This payment belongs to another user"),
        Error::AmountMismatch => ApiError::bad_request("Amount mismatch"),
        Error::AlreadyConfirmed => ApiError::bad_request("Payment already confirmed"),
        Error::AlreadyRefunded => ApiError::conflict("This payment was refunded"),
        Error::InProgress => {
            ApiError::conflict("The payment is being processed. Its result will show in your reservations.")
                .with_field("status", "processing")
        }
        Error::KeyInUse => ApiError::conflict("This payment key was used for another order"),
        Error::NotPayable { kind, refused } => not_payable(kind, refused),
        Error::NotReleased { refused } => not_released(refused),
        Error::Declined { code } => {
            ApiError::bad_request("The payment was declined. Nothing was charged.").with_field("code", code)
        }
        Error::ProviderDown => ApiError::bad_gateway(
            "Payment delayed: the payment provider is not available. Your reservation stays \
             payable until it expires; please retry.",
        ),
        Error::Compensated => ApiError::conflict(
            "What was to be paid for was gone before the payment arrived. The payment is refunded in full.",
        )
        .with_field("refunded", true),
        Error::NotConfirmed => ApiError::bad_request("Only a confirmed payment can be cancelled"),
        Error::Final(_) => ApiError::bad_request("Transfer and membership payments cannot be cancelled"),
        Error::MethodOff => ApiError::bad_request("This payment method is not available"),
        Error::Store(error) => error.into(),
        Error::Internal(error) => ApiError::internal(error),
        stopped @ Error::Stopped(_) => ApiError::internal(stopped),
    }
}

fn not_payable(kind: PaymentType, refused: Refused) -> ApiError {
    let (unknown, foreign, over) = match kind {
        PaymentType::Reservation => (
            "Reservation not found",
            "This reservation belongs to another user",
            "The reservation cannot be paid: it has expired or is not pending",
        ),
        PaymentType::Transfer => (
            "Transfer not found",
            "You cannot buy this transfer",
            "The transfer is no longer for sale",
        ),
        PaymentType::Membership => (
            "Membership not found",
            "This membership belongs to another user",
            "The membership cannot be paid: it is not pending",
        ),
    };
    match refused {
        Refused::NotFound => ApiError::not_found(unknown),
        Refused::NotOwner => ApiError::forbidden(foreign),
        Refused::NotPayable => ApiError::bad_request(over),
        Refused::Unreachable(source) => {
            ApiError::bad_gateway("Booking is not available. Please retry.").with_source(source)
        }
    }
}

fn not_released(refused: Refused) -> ApiError {
    match refused {
        Refused::NotFound => ApiError::not_found("Reservation not found"),
        Refused::NotOwner => ApiError::forbidden("This reservation belongs to another user"),
        Refused::NotPayable => ApiError::conflict("This reservation cannot be cancelled any more"),
        Refused::Unreachable(source) => {
            ApiError::bad_gateway("Booking is not available. Please retry.").with_source(source)
        }
    }
}
