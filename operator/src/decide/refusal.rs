//! Whether a sale is carried out at all: not one whose spec is unsound, and not the second of two that sell one
//! event.

use super::advice::as_adopted;
use super::look::PERIOD_NEAR;
use crate::{mapping, status};
use std::time::Duration;
use urr_api::{TicketSaleSpec, TicketSaleStatus};
use urr_core::sale::{Problem, Sale};
use urr_core::time::Millis;

/// Why a sale is not carried out.
#[derive(Debug)]
pub(crate) struct Refusal {
    problems: Vec<Problem>,
    /// When to look again, if not only when the sale changes.
    pub(crate) wake: Option<Duration>,
}

/// The sale that `spec` means with the rate that was `adopted`. `rival` has the event already.
pub(crate) fn sale_of(
    name: &str,
    spec: &TicketSaleSpec,
    adopted: Option<i32>,
    rival: Option<&str>,
) -> Result<Sale, Refusal> {
    let sale = mapping::sale(name, &as_adopted(spec, adopted));
    let sale = sale.map_err(|problems| Refusal { problems, wake: None })?;
    let Some(rival) = rival else {
        return Ok(sale);
    };
    let problem = Problem {
        field: "eventId".to_owned(),
        problem: format!("is sold by the TicketSale {rival} already"),
        remedy: "delete one of them".to_owned(),
    };
    Err(Refusal {
        problems: vec![problem],
        // Nothing is done for this one until that is gone, of which no watch tells this one.
        wake: Some(PERIOD_NEAR),
    })
}

impl Refusal {
    /// What is reported of it.
    pub(crate) fn status(
        &self,
        shown: Option<&TicketSaleStatus>,
        generation: Option<i64>,
        now: Millis,
    ) -> TicketSaleStatus {
        status::refused(shown, generation, &self.problems, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::tests::spec;

    #[test]
    fn what_is_wrong_with_a_spec_comes_before_whose_event_it_is() {
        assert!(sale_of("x", &spec(), None, None).is_ok());
        let second = sale_of("x", &spec(), None, Some("n/first")).unwrap_err();
        assert!(second.problems[0].to_string().contains("n/first"), "{second:?}");
        assert_eq!(second.wake, Some(PERIOD_NEAR));
        let mut unsound = spec();
        unsound.seats = -1;
        let refused = sale_of("x", &unsound, None, Some("n/first")).unwrap_err();
        assert_eq!(
            (refused.problems[0].field.as_str(), refused.wake),
            ("seats", None)
        );
    }
}
