//! Where a sale stands, in a sentence. Made of what the status shows anyway, so that it changes only when
//! that does: it counts nothing down.

use urr_api::status::TicketSaleStatus;
use urr_core::sale::Sale;
use urr_core::time::Millis;

/// The sentence for `status`, which is complete but for it.
#[must_use]
pub(super) fn summary(sale: &Sale, status: &TicketSaleStatus, held: Option<&str>) -> String {
    let schedule = &sale.schedule;
    let line = status.line.clone().unwrap_or_default();
    let sold = format!("{} of {} seats are sold", line.sold, sale.seats);
    let ready = || {
        let (ready, wanted) = (
            status.ready_replicas.unwrap_or(0),
            status.desired_replicas.unwrap_or(0),
        );
        format!("{ready} of {wanted} replicas are ready")
    };
    let opening = match held {
        Some(_) => "the opening is held".to_owned(),
        None => format!("it opens at {}", clock(schedule.opens_at)),
    };
    match status.phase.as_deref().unwrap_or_default() {
        "Scheduled" => {
            let lead_s = i64::from(status.lead_seconds.unwrap_or(0));
            let asked_at = clock(schedule.pre_queue_at.plus_s(-lead_s));
            format!("capacity is asked for at {asked_at}, {opening}")
        }
        "PreScaling" => format!(
            "{}, people may come from {}, {opening}",
            ready(),
            clock(schedule.pre_queue_at)
        ),
        "PreQueue" => format!("{} people wait, {}, {opening}", line.waiting, ready()),
        "Open" => format!(
            "{} people a second are let in, {} wait, {} are inside, {sold}",
            status.rate_per_second.unwrap_or(0),
            line.waiting,
            line.active
        ),
        "Paused" => format!(
            "the line is held, {} wait, {} are inside, {sold}",
            line.waiting, line.active
        ),
        "SoldOut" => {
            let after = status
                .measured
                .as_ref()
                .and_then(|measured| measured.sold_out_seconds);
            let after = after.map_or_else(String::new, |seconds| format!(", {seconds} s after the opening"));
            format!("every seat is sold{after}")
        }
        "Closed" => format!("it is over: {sold}"),
        _ => String::new(),
    }
}

/// The instant as people write it, in UTC and to the second.
fn clock(at: Millis) -> String {
    crate::mapping::time(at).0.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::{self, tests::spec};
    use urr_api::status::{LineStatus, Measured};

    #[test]
    fn every_phase_has_a_sentence() {
        let sale = mapping::sale("x", &spec()).unwrap();
        let status = TicketSaleStatus {
            ready_replicas: Some(3),
            desired_replicas: Some(4),
            rate_per_second: Some(30),
            lead_seconds: Some(1800),
            line: Some(LineStatus {
                waiting: 900,
                active: 70,
                sold: 12,
                ..LineStatus::default()
            }),
            measured: Some(Measured {
                sold_out_seconds: Some(340),
                ..Measured::default()
            }),
            ..TicketSaleStatus::default()
        };
        let says = |phase: &str, held| {
            let status = TicketSaleStatus {
                phase: Some(phase.to_owned()),
                ..status.clone()
            };
            summary(&sale, &status, held)
        };
        assert_eq!(
            says("Scheduled", None),
            "capacity is asked for at 2026-12-01T10:25:00Z, it opens at 2026-12-01T11:00:00Z"
        );
        assert_eq!(
            says("PreScaling", None),
            "3 of 4 replicas are ready, people may come from 2026-12-01T10:55:00Z, it opens at 2026-12-01T11:00:00Z"
        );
        assert_eq!(
            says("PreQueue", Some("spec.hold is set")),
            "900 people wait, 3 of 4 replicas are ready, the opening is held"
        );
        assert_eq!(
            says("Open", None),
            "30 people a second are let in, 900 wait, 70 are inside, 12 of 1000 seats are sold"
        );
        assert_eq!(
            says("SoldOut", None),
            "every seat is sold, 340 s after the opening"
        );
        assert_eq!(says("Closed", None), "it is over: 12 of 1000 seats are sold");
        assert!(!says("Paused", None).is_empty());
    }
}
