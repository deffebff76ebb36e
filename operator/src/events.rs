//! What happened, for `kubectl describe`: an event on every transition, and never on nothing.
//!
//! Transitions are the difference between the status that was shown and the one that is; steps on
//! workloads come as they are carried out. kube's recorder counts repetitions of one reason on one object.

use crate::lease::Claim;
use crate::reconcile::chain;
use crate::targets::{Step, Target};
use k8s_openapi::api::core::v1::ObjectReference;
use kube::core::error_boundary::InvalidObject;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::{Client, Resource as _};
use urr_api::conditions::{CAPACITY_READY, READY, reason};
use urr_api::{TicketSale, TicketSaleStatus};

/// The API server takes no more.
const NOTE_BYTES_MAX: usize = 1000;

/// Something worth telling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Happening {
    /// It is not as it should be.
    pub is_warning: bool,
    /// One CamelCase word.
    pub reason: String,
    /// A sentence.
    pub note: String,
}

impl Happening {
    fn new(is_warning: bool, reason: impl Into<String>, note: impl Into<String>) -> Self {
        Self {
            is_warning,
            reason: reason.into(),
            note: note.into(),
        }
    }

    /// What `step` does to `target`, if that is worth telling. `drifted`: it had been as it should be.
    #[must_use]
    pub fn of_step(target: &Target, step: Step, drifted: bool) -> Option<Self> {
        let Target { name, count, .. } = target;
        let what = target.moves.what();
        match step {
            Step::Keep | Step::Wait | Step::Conflict => None,
            Step::Scale { to, .. } if drifted => {
                let note = format!("somebody set {what} of {name} to {count}: back to {to}");
                Some(Self::new(true, "DriftHealed", note))
            }
            Step::Scale { to, before, .. } => {
                let note = format!("{what} of {name}: {to} for this sale, {before} before it");
                Some(Self::new(false, "Scaled", note))
            }
            Step::Restore { to } => Some(Self::new(
                false,
                "Restored",
                format!("{what} of {name}: {to} again"),
            )),
            Step::Leave => Some(Self::new(
                false,
                "Kept",
                format!("{what} of {name} stay at {count}, as completion.whenClosed says"),
            )),
        }
    }
}

impl Happening {
    /// What it means that of `had` places held on nodes for `target` there are now `has`.
    #[must_use]
    pub fn of_places(target: &str, had: u32, has: u32) -> Option<Self> {
        match (had, has) {
            (had, has) if had == has => None,
            (_, 0) => Some(Self::new(
                false,
                "PlacesReleased",
                format!("no places are held on nodes for {target} any more"),
            )),
            (_, has) => Some(Self::new(
                false,
                "PlacesReserved",
                format!("{has} places are held on nodes for {target}"),
            )),
        }
    }
}

/// What changed from `before` to `after`.
#[must_use]
pub fn transitions(before: Option<&TicketSaleStatus>, after: &TicketSaleStatus) -> Vec<Happening> {
    let mut all = Vec::new();
    let was = before.and_then(|status| status.phase.as_deref());
    let is = after.phase.as_deref();
    if let Some(phase) = is
        && was != is
    {
        let note = match was {
            Some(was) => format!("{was} → {phase}"),
            None => format!("the operator keeps this sale; it is {phase}"),
        };
        all.push(Happening::new(false, phase, note));
    }
    for condition in &after.conditions {
        let old = before
            .into_iter()
            .flat_map(|status| &status.conditions)
            .find(|old| old.type_ == condition.type_);
        let same =
            old.is_some_and(|old| (&old.status, &old.reason) == (&condition.status, &condition.reason));
        let holds = condition.status == "True";
        // That something does not hold from the first look on is worth telling, that it does is not.
        // And `Ready` repeats the others.
        let repeats = condition.type_ == READY && condition.reason == reason::CONDITIONS_UNMET;
        if same || repeats || (holds && old.is_none_or(|old| old.reason == reason::CONDITIONS_UNMET)) {
            continue;
        }
        let (word, starting) = if holds {
            (condition.type_.as_str(), false)
        } else {
            let starting = condition.type_ == CAPACITY_READY
                && condition.reason == reason::NOT_ENOUGH_READY
                && is == Some("PreScaling");
            (condition.reason.as_str(), starting)
        };
        let note = format!("{}: {}", condition.type_, condition.message);
        all.push(Happening::new(!holds && !starting, word, note));
    }
    all
}

/// Tells them.
pub struct Teller {
    recorder: Recorder,
    claim: Claim,
}

impl Teller {
    /// Tells in the name of `instance`, while `claim` lasts.
    #[must_use]
    pub fn new(client: Client, instance: String, claim: Claim) -> Self {
        let reporter = Reporter {
            controller: "urr-operator".to_owned(),
            instance: Some(instance),
        };
        Self {
            recorder: Recorder::new(client, reporter),
            claim,
        }
    }

    /// Tells that an object cannot be read, and so is left alone.
    pub async fn tell_unreadable(&self, unreadable: &InvalidObject) {
        let about = ObjectReference {
            api_version: Some(TicketSale::api_version(&()).into_owned()),
            kind: Some(TicketSale::kind(&()).into_owned()),
            name: unreadable.metadata.name.clone(),
            namespace: unreadable.metadata.namespace.clone(),
            uid: unreadable.metadata.uid.clone(),
            ..ObjectReference::default()
        };
        let note = format!(
            "this operator cannot read the object and leaves it alone: {}",
            unreadable.error
        );
        let happening = Happening::new(true, "Unreadable", note);
        self.tell_about(&about, &[happening]).await;
    }

    /// Tells what happened to `sale`. An event that cannot be written stops nothing.
    pub async fn tell(&self, sale: &TicketSale, happenings: &[Happening]) {
        self.tell_about(&sale.object_ref(&()), happenings).await;
    }

    async fn tell_about(&self, about: &ObjectReference, happenings: &[Happening]) {
        for happening in happenings {
            if self.claim.check().is_err() {
                return;
            }
            let event = Event {
                type_: if happening.is_warning {
                    EventType::Warning
                } else {
                    EventType::Normal
                },
                reason: happening.reason.clone(),
                note: Some(shortened(&happening.note).to_owned()),
                action: "Reconcile".to_owned(),
                secondary: None,
            };
            if let Err(error) = self.recorder.publish(&event, about).await {
                tracing::warn!(
                    error = chain(&error),
                    reason = happening.reason,
                    "an event was not written"
                );
            }
        }
    }
}

pub(crate) fn shortened(note: &str) -> &str {
    note.get(..note.floor_char_boundary(NOTE_BYTES_MAX))
        .unwrap_or(note)
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

    fn status(phase: &str, conditions: &[(&str, &str, &str)]) -> TicketSaleStatus {
        TicketSaleStatus {
            phase: Some(phase.into()),
            conditions: conditions
                .iter()
                .map(|(type_, status, reason)| Condition {
                    type_: (*type_).into(),
                    status: (*status).into(),
                    reason: (*reason).into(),
                    message: "m".into(),
                    observed_generation: None,
                    last_transition_time: crate::mapping::time(urr_core::time::Millis(0)),
                })
                .collect(),
            ..TicketSaleStatus::default()
        }
    }

    fn words(before: &TicketSaleStatus, after: &TicketSaleStatus) -> Vec<(bool, String)> {
        let told = transitions(Some(before), after).into_iter();
        told.map(|happening| (happening.is_warning, happening.reason))
            .collect()
    }

    #[test]
    fn nothing_is_told_of_nothing() {
        let same = status("Open", &[("CapacityReady", "False", "NotEnoughReady")]);
        assert_eq!(words(&same, &same), []);
    }

    #[test]
    fn a_transition_is_told_once_and_a_failure_as_a_warning() {
        let good = status("Open", &[("CapacityReady", "True", "AsPlanned")]);
        let bad = status("Open", &[("CapacityReady", "False", "NotEnoughReady")]);
        assert_eq!(words(&good, &bad), [(true, "NotEnoughReady".to_owned())]);
        assert_eq!(words(&bad, &good), [(false, "CapacityReady".to_owned())]);
        let warming = status("PreScaling", &[("CapacityReady", "False", "NotEnoughReady")]);
        assert_eq!(
            words(
                &status("Scheduled", &[("CapacityReady", "True", "AsPlanned")]),
                &warming
            ),
            [
                (false, "PreScaling".to_owned()),
                (false, "NotEnoughReady".to_owned())
            ]
        );
    }

    #[test]
    fn a_long_note_is_cut_between_characters() {
        assert_eq!(shortened(&"é".repeat(700)).len(), 1000);
        assert_eq!(shortened("short"), "short");
    }
}
