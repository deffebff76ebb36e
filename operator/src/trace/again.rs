//! What this version decides from what a look saw: [`decide::look`] once more, with what the look heard in
//! between as it was written down.

use super::look::{Decided, Saw};
use crate::decide::look::Scene;
use crate::{decide, mapping};
use urr_core::sale::Problem;

/// Decides again.
///
/// # Errors
/// What this version finds wrong with the spec.
pub(super) fn decide(saw: &Saw) -> Result<Decided, Vec<Problem>> {
    let (spec, shown) = (saw.exact_spec(), saw.shown.as_ref());
    let sale = mapping::sale(&saw.name, &decide::as_adopted(&spec, saw.adopted))?;
    let scene = Scene {
        name: &saw.name,
        generation: saw.generation,
        spec: &spec,
        sale: &sale,
        terms: decide::terms(&spec, shown, &saw.elsewhere),
        shown,
        adopted: saw.adopted,
        elsewhere: &saw.elsewhere,
        missing: &saw.missing,
        lacks_rehearsal: saw.lacks_rehearsal.as_deref(),
        since: saw.since,
    };
    let ready_units = scene.ready_units(&saw.targets, saw.told_at);
    let word = scene.word(ready_units, saw.known.as_ref(), saw.told_at);
    let (told, last) = (saw.told.heard(), saw.last.heard());
    let mut choice = scene.choose(saw.targets.clone(), &word, told.as_ref(), saw.at);
    if choice.shrinks() {
        choice.hold_on_to(last.as_ref().ok());
    }
    let (mut targets, places) = (scene.target_statuses(&choice), scene.places(&choice));
    for (target, places) in targets.iter_mut().zip(&places) {
        target.reserved = i32::try_from(*places).ok().filter(|places| *places > 0);
    }
    let conclusion = scene.conclude(&choice, targets, (&word, last.as_ref()), saw.line.clone());
    Ok(Decided::of(&choice, &places, word, &conclusion))
}
