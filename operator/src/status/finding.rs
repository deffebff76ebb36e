//! Whether a condition holds, and why.

use crate::mapping::time;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use urr_api::conditions::reason;
use urr_core::time::Millis;

/// Whether a condition holds, and why.
pub(super) struct Finding {
    pub(super) holds: bool,
    reason: &'static str,
    message: String,
}

impl Finding {
    pub(super) fn yes(message: impl Into<String>) -> Self {
        Self {
            holds: true,
            reason: reason::AS_PLANNED,
            message: message.into(),
        }
    }

    pub(super) fn no(reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            holds: false,
            reason,
            message: message.into(),
        }
    }

    pub(super) fn into_condition(
        self,
        type_: &str,
        shown: &[Condition],
        generation: Option<i64>,
        now: Millis,
    ) -> Condition {
        let status = if self.holds { "True" } else { "False" };
        let unchanged = shown
            .iter()
            .find(|condition| condition.type_ == type_ && condition.status == status);
        Condition {
            type_: type_.to_owned(),
            status: status.to_owned(),
            reason: self.reason.to_owned(),
            message: self.message,
            observed_generation: generation,
            last_transition_time: unchanged
                .map_or_else(|| time(now), |condition| condition.last_transition_time.clone()),
        }
    }
}
