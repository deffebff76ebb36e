//! When capacity is asked for, and how well that is in time.

use super::{Experience, samples};
use crate::mapping::millis;
use std::collections::BTreeMap;
use urr_api::status::TargetStatus;
use urr_api::{TicketSaleSpec, TicketSaleStatus};
use urr_core::lead;
use urr_core::plan::Terms;
use urr_core::sale::Sale;

/// On which terms the sale is planned: how early its capacity is asked for.
#[must_use]
pub fn terms(spec: &TicketSaleSpec, shown: Option<&TicketSaleStatus>, elsewhere: &Experience) -> Terms {
    let mut stages: BTreeMap<i32, Vec<Vec<u32>>> = BTreeMap::new();
    for target in &spec.targets {
        let samples = samples(shown, elsewhere, &target.name);
        stages.entry(target.stage).or_default().push(samples);
    }
    let batches: Vec<_> = stages.into_values().collect();
    let least = u32::try_from(spec.capacity.lead_seconds).unwrap_or(0);
    let lead = i64::from(lead::lead_s(&batches, least));
    // What was asked for on a longer lead is not given back because one learned that less will do.
    let begun = shown.is_some_and(|status| status.targets.iter().any(|target| target.before.is_some()));
    let shown_lead = shown.and_then(|status| status.lead_seconds).unwrap_or(0);
    let warm_up_s = if begun {
        lead.max(i64::from(shown_lead))
    } else {
        lead
    };
    Terms { warm_up_s }
}

/// How long before the pre-queue capacity is ready, in seconds; as it was for what is past.
#[must_use]
pub fn slack_s(
    sale: &Sale,
    targets: &[TargetStatus],
    shown: Option<&TicketSaleStatus>,
    elsewhere: &Experience,
) -> Option<i64> {
    let before = shown.and_then(|status| status.slack_seconds);
    let ready_at = |target: &TargetStatus| {
        let asked = millis(target.asked_at.as_ref()?);
        let needs = match target.ready_seconds {
            Some(seconds) => i64::from(seconds),
            None => i64::from(lead::p95(&samples(shown, elsewhere, &target.name)).unwrap_or(0)),
        };
        Some((asked, asked.plus_s(needs)))
    };
    let (asked, ready) = targets
        .iter()
        .filter_map(ready_at)
        .max_by_key(|(_, ready)| *ready)?;
    let pre_queue_at = sale.schedule.pre_queue_at;
    match before {
        // What is asked for in mid-sale says nothing about how the sale was prepared.
        Some(slack) if asked > pre_queue_at => Some(slack),
        _ => Some(pre_queue_at.since(ready).div_euclid(1000)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::tests::spec;

    fn learning(seconds: &[i32]) -> TicketSaleStatus {
        let of = |name: &str| TargetStatus {
            name: name.into(),
            learned_seconds: seconds.to_vec(),
            ..TargetStatus::default()
        };
        TicketSaleStatus {
            targets: vec![of("booking"), of("payment")],
            ..TicketSaleStatus::default()
        }
    }

    #[test]
    fn the_lead_is_what_was_learned_batch_after_batch_but_never_less_than_said() {
        let mut spec = spec();
        spec.capacity.lead_seconds = 60;
        let lead = |spec: &TicketSaleSpec, shown| terms(spec, Some(&shown), &Experience::default()).warm_up_s;
        assert_eq!(lead(&spec, learning(&[])), 60);
        assert_eq!(lead(&spec, learning(&[100])), 125, "both at once");
        spec.targets[1].stage = 1;
        assert_eq!(lead(&spec, learning(&[100])), 250, "one after the other");
        let mut begun = learning(&[10]);
        begun.targets[0].before = Some(1);
        begun.lead_seconds = Some(250);
        assert_eq!(lead(&spec, begun), 250, "what was asked for is not given back");
        let elsewhere = Experience::from([("booking".to_owned(), vec![400])]);
        assert_eq!(terms(&spec, None, &elsewhere).warm_up_s, 500);
    }
}
