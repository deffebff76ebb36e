//! From a `TicketSale` to the sale that core and the control API know. Pure.
//!
//! Kubernetes' API conventions want signed integers and seconds spelled out; core has its own
//! types. Every field is named here once, so a new one cannot be forgotten silently.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use urr_api::spec::{
    AdaptiveSpec, AdmissionSpec, CapacitySpec, CrowdSpec, ScheduleSpec, TargetSpec, WhenSoldOut,
};
use urr_api::{TicketSaleSpec, spec};
use urr_core::sale::{
    self, Adaptive, AdmissionSettings, CapacitySettings, Ordering, Problem, Sale, SaleId, Schedule,
};
use urr_core::scaling::Size;
use urr_core::time::Millis;

/// The sale of `spec`, valid by core's rules. `name` is the object's, for when it has no other.
///
/// # Errors
/// Every problem at once; `field` is the path in the spec as far as core knows it.
pub fn sale(name: &str, spec: &TicketSaleSpec) -> Result<Sale, Vec<Problem>> {
    let mut problems = Vec::new();
    let id: SaleId = match spec.event_id.parse() {
        Ok(id) => id,
        Err(_) => {
            problems.push(problem("eventId", "is not a UUID", "set it to the event's id"));
            SaleId::nil()
        }
    };
    let TicketSaleSpec {
        event_id: _,
        display_name,
        seats,
        schedule,
        crowd,
        admission,
        capacity,
        // What becomes of these: `reconcile`, `decide` and `targets`.
        targets: _,
        completion,
        rehearsal: _,
        tuning: _,
        hold: _,
        abort: _,
    } = spec;
    let ScheduleSpec {
        pre_queue_at,
        opens_at,
        closes_at,
        time_zone: _,
    } = schedule;
    let CrowdSpec {
        expected_visitors,
        // The control plane sizes nothing by it yet; `ticketctl plan` reads it.
        arrival: _,
    } = crowd;
    let mut whole = |field: &str, value: i32| {
        u32::try_from(value).unwrap_or_else(|_| {
            problems.push(problem(field, "is negative", "give it a positive number"));
            0
        })
    };
    let sale = Sale {
        id,
        name: display_name.clone().unwrap_or_else(|| name.to_owned()),
        schedule: Schedule {
            pre_queue_at: millis(pre_queue_at),
            opens_at: millis(opens_at),
            closes_at: millis(closes_at),
        },
        ordering: ordering_of(admission.ordering),
        seats: whole("seats", *seats),
        expected_visitors: u64::try_from(*expected_visitors).unwrap_or(0),
        admission: admission_of(admission, completion.when_sold_out, &mut whole),
        capacity: capacity_of(capacity, &mut whole),
    };
    // A spec with broken numbers would only repeat itself in core's words.
    if problems.is_empty() {
        sale.validate()?;
        Ok(sale)
    } else {
        Err(problems)
    }
}

fn admission_of(
    spec: &AdmissionSpec,
    when_sold_out: WhenSoldOut,
    whole: &mut impl FnMut(&str, i32) -> u32,
) -> AdmissionSettings {
    let AdmissionSpec {
        ordering: _,
        adaptive,
        rate_per_second,
        cap,
        burst,
        poll_budget_per_second,
        one_line_per_user,
        silence_seconds,
        active_seconds,
        token_seconds,
        hold_seconds,
    } = spec.clone();
    AdmissionSettings {
        rate_per_s: whole("admission.ratePerSecond", rate_per_second),
        cap: whole("admission.cap", cap),
        burst: whole("admission.burst", burst),
        poll_budget_per_s: whole("admission.pollBudgetPerSecond", poll_budget_per_second),
        silence_s: whole("admission.silenceSeconds", silence_seconds),
        active_ttl_s: whole("admission.activeSeconds", active_seconds),
        token_ttl_s: whole("admission.tokenSeconds", token_seconds),
        hold_ttl_s: whole("admission.holdSeconds", hold_seconds),
        one_line_per_user,
        adaptive: adaptive.map(|adaptive| adaptive_of(&adaptive, whole)),
        when_sold_out: match when_sold_out {
            WhenSoldOut::Drain => sale::WhenSoldOut::Drain,
            WhenSoldOut::KeepWaiting => sale::WhenSoldOut::KeepWaiting,
        },
    }
}

fn adaptive_of(spec: &AdaptiveSpec, whole: &mut impl FnMut(&str, i32) -> u32) -> Adaptive {
    let AdaptiveSpec {
        min_rate_per_second,
        max_rate_per_second,
        reservation_p99_milliseconds,
        pool_saturation_percent,
        errors_per_thousand,
    } = *spec;
    let mut limit = |field: &str, value| whole(&format!("admission.adaptive.{field}"), value);
    Adaptive {
        min_rate_per_s: limit("minRatePerSecond", min_rate_per_second),
        max_rate_per_s: limit("maxRatePerSecond", max_rate_per_second),
        reservation_p99_ms: limit("reservationP99Milliseconds", reservation_p99_milliseconds),
        pool_percent: limit("poolSaturationPercent", pool_saturation_percent),
        errors_per_thousand: limit("errorsPerThousand", errors_per_thousand),
    }
}

fn capacity_of(spec: &CapacitySpec, whole: &mut impl FnMut(&str, i32) -> u32) -> CapacitySettings {
    let CapacitySpec {
        replicas,
        rate_per_replica,
        lead_seconds: _,
        when_short: _,
        placeholders: _,
    } = *spec;
    CapacitySettings {
        replicas: whole("capacity.replicas", replicas),
        rate_per_replica: whole("capacity.ratePerReplica", rate_per_replica),
    }
}

const fn ordering_of(ordering: spec::Ordering) -> Ordering {
    match ordering {
        spec::Ordering::Shuffle => Ordering::Shuffle,
        spec::Ordering::Fifo => Ordering::Fifo,
    }
}

/// How big a target is in relation to the sale.
#[must_use]
pub fn size(target: &TargetSpec) -> Size {
    let whole = |value: i32| u32::try_from(value).ok().filter(|value| *value > 0);
    match (
        target.rate_per_replica.and_then(whole),
        target.peak.and_then(whole),
    ) {
        (Some(rate), _) => Size::PerReplica(rate),
        (None, Some(peak)) => Size::Peak(peak),
        (None, None) => Size::Unit,
    }
}

/// The instant in milliseconds.
#[must_use]
pub fn millis(time: &Time) -> Millis {
    Millis(time.0.as_millisecond())
}

/// The instant as Kubernetes writes it: in whole seconds, so that what was written and read back equals
/// what is written again. One that no calendar holds becomes the epoch: it comes from a schedule that
/// was such a calendar's time before.
#[must_use]
pub fn time(at: Millis) -> Time {
    Time(k8s_openapi::jiff::Timestamp::from_second(at.0.div_euclid(1000)).unwrap_or_default())
}

fn problem(field: &str, problem: &str, remedy: &str) -> Problem {
    Problem {
        field: field.to_owned(),
        problem: problem.to_owned(),
        remedy: remedy.to_owned(),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Opens 2026-12-01T11:00:00Z.
    pub(crate) fn spec() -> TicketSaleSpec {
        serde_json::from_value(urr_api::testing::sale_spec(2026)).unwrap()
    }

    #[test]
    fn a_spec_becomes_the_sale_it_describes() {
        let sale = sale("club-night", &spec()).unwrap();
        assert_eq!(
            (sale.name.as_str(), sale.seats, sale.expected_visitors),
            ("club-night", 1000, 5000)
        );
        assert_eq!(sale.schedule.opens_at, Millis(1_796_122_800_000));
        assert_eq!((sale.admission.rate_per_s, sale.capacity.replicas), (40, 4));
        assert_eq!(time(sale.schedule.opens_at), spec().schedule.opens_at);
    }

    #[test]
    fn the_defaults_of_the_resource_are_the_defaults_of_core() {
        let defaults = admission_of(
            &AdmissionSpec::default(),
            WhenSoldOut::default(),
            &mut |_, value| u32::try_from(value).unwrap(),
        );
        assert_eq!(defaults, AdmissionSettings::default());
    }

    #[test]
    fn what_is_wrong_is_named() {
        let fields = |change: fn(&mut TicketSaleSpec)| {
            let mut spec = spec();
            change(&mut spec);
            let problems = sale("x", &spec).unwrap_err();
            problems
                .into_iter()
                .map(|problem| problem.field)
                .collect::<Vec<_>>()
        };
        assert_eq!(fields(|s| s.event_id = "club".into()), ["eventId"]);
        assert_eq!(fields(|s| s.seats = -1), ["seats"]);
        assert_eq!(fields(|s| s.admission.cap = 0), ["admission.cap"]);
        assert_eq!(
            fields(|s| s.schedule.closes_at = s.schedule.opens_at.clone()),
            ["schedule.closesAt"]
        );
        assert_eq!(
            fields(|s| s.admission.rate_per_second = 41),
            ["admission.ratePerS"]
        );
    }
}
