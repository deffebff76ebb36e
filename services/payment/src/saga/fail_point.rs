//! Named points between the saga's steps at which a test can stop it, as `kill -9` would.
//!
//! Production passes [`FailPoints::none`]: one branch on an empty option. The steps are listed in
//! one enum so that a test can loop over all of them and none is forgotten.

use std::sync::Arc;

use super::Error;

/// A point between two effects of the saga.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// The intent to charge is committed; the provider has not been called.
    IntentCommitted,
    /// The provider has charged; nobody but it knows.
    Charged,
    /// Charge and event are committed; booking has not been called.
    ChargeCommitted,
    /// Booking refused; the refund is not decided yet.
    TicketRefused,
    /// The intent to refund is committed; the provider has not been called.
    RefundDecided,
    /// The provider has given the money back; nobody but it knows.
    Refunded,
    /// Booking has acted on the payment; the row does not say so yet.
    Fulfilled,
}

impl Step {
    /// Every step, in the order of the saga.
    pub const ALL: [Self; 7] = [
        Self::IntentCommitted,
        Self::Charged,
        Self::ChargeCommitted,
        Self::TicketRefused,
        Self::RefundDecided,
        Self::Refunded,
        Self::Fulfilled,
    ];
}

/// Asked at each step; true stops the saga there.
type Hook = Arc<dyn Fn(Step) -> bool + Send + Sync>;

/// The hook of a test, or none, and whether the guard against double charges is on.
#[derive(Clone)]
pub struct FailPoints {
    stop: Option<Hook>,
    charge_guard: bool,
}

impl FailPoints {
    /// Never stops.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            stop: None,
            charge_guard: true,
        }
    }

    /// Stops where `hook` says so.
    #[must_use]
    pub fn at(hook: impl Fn(Step) -> bool + Send + Sync + 'static) -> Self {
        Self {
            stop: Some(Arc::new(hook)),
            charge_guard: true,
        }
    }

    /// Leaves out the check that only an unpaid order may be charged, so that a test can show what
    /// it is for.
    #[must_use]
    pub const fn without_charge_guard() -> Self {
        Self {
            stop: None,
            charge_guard: false,
        }
    }

    pub(super) const fn charge_guard(&self) -> bool {
        self.charge_guard
    }

    pub(super) fn pass(&self, step: Step) -> Result<(), Error> {
        match &self.stop {
            Some(hook) if hook(step) => Err(Error::Stopped(step)),
            _ => Ok(()),
        }
    }
}
