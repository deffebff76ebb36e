//! Whether a sale that must have been rehearsed has been, and what that holds.
//!
//! What counts is a LoadRun that succeeded, of the sale that is named, like this one in all that a
//! rehearsal proves something about, and not too old *at the opening*: so it does not run out while
//! people wait. Lacking one holds the opening as `spec.hold` does, from the moment the sale is
//! announced, and long before T0: an operator that dies on the way changes nothing. A sale that has
//! opened is never held for it any more, whatever becomes of its LoadRuns.

use crate::control_api::{SaleState, Word};
use crate::load_run::decide::phase;
use crate::mapping::millis;
use kube::ResourceExt as _;
use urr_api::conditions::SUCCEEDED;
use urr_api::load_run::Rehearsed;
use urr_api::spec::Rehearsal;
use urr_api::{LoadRun, TicketSaleSpec};
use urr_core::sale::Sale;
use urr_core::time::Millis;

/// Why the line is held. Compared with what the control plane has, so its words are a wire format.
pub const REHEARSAL: &str = "rehearsal.policy is Required and no rehearsal counts";

/// The sale whose LoadRuns count for a sale called `name`.
#[must_use]
pub fn rehearsed_by<'a>(name: &'a str, spec: &'a TicketSaleSpec) -> Option<&'a str> {
    let required = spec.rehearsal.policy == Rehearsal::Required;
    required.then(|| spec.rehearsal.sale_ref.as_ref().map_or(name, |sale| &sale.name))
}

/// Why no rehearsal counts for the sale `name`, of all `runs` of its namespace; `None` when one does, or
/// none is asked for.
#[must_use]
pub fn lacks_rehearsal(name: &str, spec: &TicketSaleSpec, sale: &Sale, runs: &[LoadRun]) -> Option<String> {
    let of = rehearsed_by(name, spec)?;
    let oldest = sale
        .schedule
        .opens_at
        .plus_s(-i64::from(spec.rehearsal.max_age_seconds));
    let mut why_not: Vec<(Millis, String)> = Vec::new();
    for run in runs.iter().filter(|run| run.spec.sale_ref.name == of) {
        let at = ended_at(run);
        match falls_short(run, spec, at, oldest) {
            None => return None,
            Some(why) => why_not.push((at, format!("LoadRun {}: {why}", run.name_any()))),
        }
    }
    // The newest says most.
    why_not.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    let newest = why_not.into_iter().next().map(|(_, why)| why);
    Some(newest.unwrap_or_else(|| format!("there is no LoadRun of {of}: make one and let it pass")))
}

fn ended_at(run: &LoadRun) -> Millis {
    let ended = run.status.as_ref().and_then(|status| status.finished_at.as_ref());
    ended.map_or(Millis(i64::MAX), millis)
}

fn falls_short(run: &LoadRun, spec: &TicketSaleSpec, at: Millis, oldest: Millis) -> Option<String> {
    let status = run.status.clone().unwrap_or_default();
    let verdict = status.conditions.iter().find(|found| found.type_ == SUCCEEDED);
    if verdict.is_none_or(|verdict| verdict.status != "True") {
        return Some(match (verdict, status.phase.as_deref()) {
            (Some(verdict), Some(phase::FAILED)) => format!("failed: {}", verdict.message),
            _ => "has not ended yet".to_owned(),
        });
    }
    let Some(rehearsed) = &status.rehearsed else {
        return Some("does not say what it rehearsed".to_owned());
    };
    let unlike = differences(rehearsed, spec);
    if !unlike.is_empty() {
        return Some(format!("rehearsed another sale: {}", unlike.join(", ")));
    }
    (at < oldest).then(|| "is too old for the opening: see rehearsal.maxAgeSeconds".to_owned())
}

fn differences(rehearsed: &Rehearsed, spec: &TicketSaleSpec) -> Vec<String> {
    [
        ("seats", rehearsed.seats, spec.seats),
        (
            "admission.ratePerSecond",
            rehearsed.rate_per_second,
            spec.admission.rate_per_second,
        ),
        ("admission.cap", rehearsed.cap, spec.admission.cap),
        ("capacity.replicas", rehearsed.replicas, spec.capacity.replicas),
        (
            "capacity.ratePerReplica",
            rehearsed.rate_per_replica,
            spec.capacity.rate_per_replica,
        ),
    ]
    .into_iter()
    .filter(|(_, was, is)| was != is)
    .map(|(field, was, is)| format!("{field} was {was}, is {is}"))
    .collect()
}

/// The `word` for a sale that `lacks` its rehearsal, or does not. `known` is what the control plane has.
#[must_use]
pub fn held_for_rehearsal(
    word: Word,
    sale: &Sale,
    lacks: bool,
    known: Option<&SaleState>,
    now: Millis,
) -> Word {
    let was_held = known
        .and_then(|state| state.held.as_deref())
        .is_some_and(|held| held.contains(REHEARSAL));
    // One that the control plane never heard of has not opened, whatever the time.
    let may_hold = was_held || now < sale.schedule.opens_at || known.is_none();
    if !lacks || !may_hold || now >= sale.schedule.closes_at {
        return word;
    }
    let held = match word.held {
        Some(others) => format!("{others}; {REHEARSAL}"),
        None => REHEARSAL.to_owned(),
    };
    Word {
        held: Some(held),
        ..word
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load_run::status::rehearsed;
    use crate::load_run::tests::{OPENS_AT, run, sale};
    use crate::mapping;
    use urr_api::load_run::SaleRef;

    const DAY_S: i64 = 86_400;

    fn spec() -> TicketSaleSpec {
        let mut spec = sale().spec;
        spec.rehearsal.policy = Rehearsal::Required;
        spec
    }

    fn core(spec: &TicketSaleSpec) -> Sale {
        mapping::sale("club-night", spec).unwrap()
    }

    /// A run of `club-night` that ended so many days before the opening.
    fn ended(status: &str, days_before: i64) -> LoadRun {
        let at = OPENS_AT.plus_s(-days_before * DAY_S);
        let mut run = run();
        run.status = Some(
            serde_json::from_value(serde_json::json!({
                "phase": if status == "True" { "Succeeded" } else { "Failed" },
                "finishedAt": mapping::time(at),
                "rehearsed": rehearsed(&core(&sale().spec)),
                "conditions": [{"type": "Succeeded", "status": status, "reason": "R",
                    "message": "poll p95 < 50ms", "lastTransitionTime": mapping::time(at)}]
            }))
            .unwrap(),
        );
        run
    }

    fn lacks(spec: &TicketSaleSpec, runs: &[LoadRun]) -> Option<String> {
        lacks_rehearsal("club-night", spec, &core(spec), runs)
    }

    #[test]
    fn only_a_passing_young_run_of_a_sale_like_this_one_counts() {
        let spec = spec();
        assert_eq!(lacks(&sale().spec, &[]), None, "Optional asks for none");
        assert!(lacks(&spec, &[]).unwrap().contains("no LoadRun of club-night"));
        assert_eq!(lacks(&spec, &[ended("True", 1)]), None);
        let failed = lacks(&spec, &[ended("False", 1)]).unwrap();
        assert!(failed.contains("failed: poll p95 < 50ms"), "{failed}");
        assert!(lacks(&spec, &[run()]).unwrap().contains("has not ended yet"));
        assert!(lacks(&spec, &[ended("True", 8)]).unwrap().contains("too old"));
        let all = [ended("False", 2), ended("True", 3), ended("True", 9)];
        assert_eq!(lacks(&spec, &all), None, "one is enough");
        let mut bigger = spec;
        bigger.seats = 101;
        let other = lacks(&bigger, &[ended("True", 1)]).unwrap();
        assert!(other.contains("seats was 100, is 101"), "{other}");
    }

    #[test]
    fn a_dress_rehearsal_is_another_sale_that_is_named() {
        let mut spec = spec();
        spec.rehearsal.sale_ref = Some(SaleRef {
            name: "dress-rehearsal".into(),
        });
        assert!(
            lacks(&spec, &[ended("True", 1)])
                .unwrap()
                .contains("dress-rehearsal")
        );
        let mut dress = ended("True", 1);
        dress.spec.sale_ref.name = "dress-rehearsal".into();
        dress
            .status
            .as_mut()
            .unwrap()
            .rehearsed
            .as_mut()
            .unwrap()
            .event_id = "another".into();
        assert_eq!(lacks(&spec, &[dress]), None);
    }

    #[test]
    fn the_opening_is_held_and_an_open_sale_never() {
        let sale = core(&spec());
        let held = |lacks, was: Option<Option<&str>>, at_ms| {
            let known = was.map(|held| -> SaleState {
                serde_json::from_value(serde_json::json!({
                    "hand": {}, "held": held, "readyReplicas": 4, "plan": null, "problems": []
                }))
                .unwrap()
            });
            let word = Word {
                held: Some("spec.hold is set".into()),
                ..Word::default()
            };
            let word = held_for_rehearsal(word, &sale, lacks, known.as_ref(), OPENS_AT.plus_ms(at_ms));
            word.held.unwrap().contains(REHEARSAL)
        };
        assert!(
            held(true, Some(None), -7 * DAY_S * 1000),
            "from the announcement on"
        );
        assert!(!held(false, Some(Some(REHEARSAL)), -1), "it passed");
        assert!(
            held(true, Some(Some(REHEARSAL)), 60_000),
            "still lacking: still held"
        );
        assert!(
            !held(false, Some(Some(REHEARSAL)), 60_000),
            "and let go when it passes"
        );
        assert!(
            !held(true, Some(None), 0),
            "it has opened, and its LoadRun was deleted"
        );
        assert!(held(true, None, 5000), "announced late: it has not opened");
        assert!(!held(true, Some(Some(REHEARSAL)), 100_000_000), "it is over");
    }
}
