//! What a visitor is told whom the terms of an event turn away (R-BOOK-14): the same by whichever service
//! meets him first.

use crate::{ApiError, wire};
use urr_core::terms::Refusal;

impl From<Refusal> for ApiError {
    /// 409 with `code`, and where there is an hour to come again at, `opensAt`.
    fn from(refusal: Refusal) -> Self {
        let mut error = Self::conflict(refusal.to_string()).with_field("code", refusal.code());
        if let Refusal::Presale { tier, .. } = refusal {
            error = error.with_field("tier", tier.as_str());
        }
        match refusal.opens_at() {
            Some(opens_at) => error.with_field("opensAt", wire::text(wire::at(opens_at))),
            None => error,
        }
    }
}
