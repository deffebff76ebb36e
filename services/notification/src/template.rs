//! What is said about which event. Korean first: that is what the visitors of record read.

use urr_kit::events::{
    Envelope, HandleError, PAYMENT_REFUNDED, PaymentRefunded, RESERVATION_CANCELLED, RESERVATION_CONFIRMED,
    ReservationCancelled, ReservationConfirmed,
};
use uuid::Uuid;

/// A message about an event, not yet addressed to a channel.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Draft {
    pub(crate) user: Uuid,
    pub(crate) template: &'static str,
    pub(crate) title: String,
    pub(crate) body: String,
}

/// The message an event calls for; `None` for events nobody needs to hear about.
pub(crate) fn draft(event: &Envelope) -> Result<Option<Draft>, HandleError> {
    Ok(match event.kind.as_str() {
        RESERVATION_CONFIRMED => {
            let confirmed: ReservationConfirmed = event.decode()?;
            Some(Draft {
                user: confirmed.user_id,
                template: "reservation-confirmed",
                title: "예매가 완료되었습니다 · Your tickets are confirmed".to_owned(),
                body: format!(
                    "예매 번호 {}, 결제 금액 {}원",
                    confirmed.reservation_id, confirmed.total_amount
                ),
            })
        }
        RESERVATION_CANCELLED => {
            let cancelled: ReservationCancelled = event.decode()?;
            Some(Draft {
                user: cancelled.user_id,
                template: "reservation-cancelled",
                title: "예매가 취소되었습니다 · Your reservation was cancelled".to_owned(),
                body: format!("예매 번호 {}", cancelled.reservation_id),
            })
        }
        PAYMENT_REFUNDED => {
            let refunded: PaymentRefunded = event.decode()?;
            Some(Draft {
                user: refunded.user_id,
                template: "payment-refunded",
                title: "환불되었습니다 · Your payment was refunded".to_owned(),
                body: format!("주문 {}, 환불 금액 {}원", refunded.order_id, refunded.amount),
            })
        }
        _ => None,
    })
}
