//! What this version decides from what a look saw: the decisions of [`crate::decide`] once more, with what
//! the look heard in between as it was written down.

use super::{Decided, Ended, Kept, Kind, Refused, Saw};
use crate::decide;
use crate::decide::end::Ending;
use crate::decide::look::Scene;
use crate::decide::refusal::{Refusal, sale_of};
use urr_api::TicketSaleSpec;
use urr_core::sale::Sale;

/// Decides again. `None`: this version keeps a sale that was refused, and what it would have done with it was
/// not looked at then.
pub(super) fn decide(saw: &Saw) -> Option<Decided> {
    let spec = saw.exact_spec();
    Some(match &saw.kind {
        Kind::Kept(kept) => match sale_of(&saw.name, &spec, kept.adopted, None) {
            Ok(sale) => keep(saw, &spec, &sale, kept),
            Err(refusal) => refused(saw, &refusal),
        },
        Kind::Refused(Refused { adopted, rival }) => {
            let refusal = sale_of(&saw.name, &spec, *adopted, rival.as_deref()).err()?;
            refused(saw, &refusal)
        }
        Kind::Aborted(ended) => {
            let ending = ending(saw, &spec, ended);
            let decided = ending.give_back(ended.targets.clone(), saw.at);
            let status = ending.status(ending.target_statuses(&decided, saw.at), saw.at);
            Decided::aborted(&ending, &decided, &status)
        }
        Kind::Deleted(ended) => {
            let ending = ending(saw, &spec, ended);
            Decided::deleted(&ending, &ending.give_back(ended.targets.clone(), saw.at))
        }
    })
}

fn refused(saw: &Saw, refusal: &Refusal) -> Decided {
    let status = refusal.status(saw.shown.as_ref(), saw.generation, saw.at);
    Decided::refused(refusal, &status)
}

fn ending<'a>(saw: &'a Saw, spec: &'a TicketSaleSpec, ended: &'a Ended) -> Ending<'a> {
    Ending {
        name: &saw.name,
        generation: saw.generation,
        spec,
        shown: saw.shown.as_ref(),
        rival: ended.rival.as_deref(),
        since: ended.since,
    }
}

fn keep(saw: &Saw, spec: &TicketSaleSpec, sale: &Sale, kept: &Kept) -> Decided {
    let shown = saw.shown.as_ref();
    let scene = Scene {
        name: &saw.name,
        generation: saw.generation,
        spec,
        sale,
        terms: decide::terms(spec, shown, &kept.elsewhere),
        shown,
        adopted: kept.adopted,
        elsewhere: &kept.elsewhere,
        missing: &kept.missing,
        lacks_rehearsal: kept.lacks_rehearsal.as_deref(),
        since: kept.since,
    };
    let heard = &kept.heard;
    let ready_units = scene.ready_units(&kept.targets, kept.told_at);
    let word = scene.word(ready_units, heard.known.as_ref(), kept.told_at);
    let (told, last) = (heard.told.heard(), heard.last.heard());
    let mut choice = scene.choose(kept.targets.clone(), &word, told.as_ref(), saw.at);
    if choice.shrinks() {
        choice.hold_on_to(last.as_ref().ok());
    }
    let (mut targets, places) = (scene.target_statuses(&choice), scene.places(&choice));
    for (target, places) in targets.iter_mut().zip(&places) {
        target.reserved = i32::try_from(*places).ok().filter(|places| *places > 0);
    }
    let conclusion = scene.conclude(&choice, targets, (&word, last.as_ref()), heard.line.clone());
    Decided::kept(&choice, &places, &word, &conclusion)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::Look;
    use serde_json::{Value, json};

    /// A sale that its operator did not carry out.
    fn refused(change: fn(&mut TicketSaleSpec)) -> Saw {
        let mut spec = crate::mapping::tests::spec();
        change(&mut spec);
        Saw {
            name: "club-night".into(),
            generation: Some(1),
            instants: Saw::instants(&spec),
            shown: None,
            at: crate::mapping::millis(&spec.schedule.opens_at),
            spec,
            kind: Kind::Refused(Refused {
                adopted: None,
                rival: None,
            }),
        }
    }

    #[test]
    fn a_sale_that_this_version_would_keep_is_no_refusal_any_more() {
        let unsound = decide(&refused(|spec| spec.seats = -1)).unwrap();
        assert!(unsound.status.is_some() && unsound.word.is_none(), "{unsound:?}");
        assert_eq!(decide(&refused(|_| ())), None);
    }

    #[test]
    fn a_line_from_before_there_were_kinds_is_of_a_sale_that_was_kept() {
        let spec = crate::mapping::tests::spec();
        let state = json!({
            "name": "club-night", "generation": 1, "instants": Saw::instants(&spec), "spec": spec,
            "shown": null, "adopted": null, "elsewhere": {"booking": [7]},
            "targets": [], "missing": [], "lacksRehearsal": null, "known": null, "told": "notLeading",
            "last": {"unreachable": "refused"}, "line": null, "since": 0, "toldAt": 5, "at": 6
        });
        let line = |saw: &Value| {
            let line = json!({
                "sale": "n/club-night", "uid": "u", "look": 1, "version": "0.0.9", "saw": saw, "decided": {}
            });
            Look::read(line.to_string().as_bytes())
        };
        let old = line(&state).unwrap();
        assert!(matches!(&old.saw.kind, Kind::Kept(kept) if kept.elsewhere["booking"] == [7]));
        assert!(decide(&old.saw).is_some_and(|decided| decided.word.is_some()));
        let mut newer = state;
        newer["kind"] = json!("raffled");
        let error = crate::reconcile::chain(&line(&newer).unwrap_err());
        assert!(
            error.starts_with("written by version 0.0.9: unknown variant `raffled`"),
            "{error}"
        );
    }
}
