//! What a look decided: what a replay is compared with.

use crate::control_api::Word;
use crate::decide::end::Ending;
use crate::decide::look::{self, Choice, Conclusion};
use crate::decide::refusal::Refusal;
use crate::targets::{Step, Wish};
use serde::Serialize;
use std::time::Duration;
use urr_api::TicketSaleStatus;

/// What a look decided. What one of its kind does not decide is left out.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Decided {
    /// What it told the control plane.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub word: Option<Word>,
    /// Whether it closed the room.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closes_room: Option<bool>,
    /// What it did to each workload.
    pub targets: Vec<DecidedTarget>,
    /// What it reported.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<TicketSaleStatus>,
    /// When it looks again at the latest, in milliseconds from then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wake_ms: Option<u64>,
}

impl Decided {
    /// Of a sale that is kept.
    pub(crate) fn kept(choice: &Choice, places: &[u32], word: &Word, conclusion: &Conclusion) -> Self {
        let each = choice.decided.iter().zip(places);
        Self {
            word: Some(word.clone()),
            targets: each.map(|(decided, places)| target(decided, *places)).collect(),
            status: Some(conclusion.status.clone()),
            wake_ms: Some(whole_ms(conclusion.wake)),
            ..Self::default()
        }
    }

    /// Of one that is not carried out.
    pub(crate) fn refused(refusal: &Refusal, status: &TicketSaleStatus) -> Self {
        Self {
            status: Some(status.clone()),
            wake_ms: refusal.wake.map(whole_ms),
            ..Self::default()
        }
    }

    /// Of one that was ended by its spec.
    pub(crate) fn aborted(ending: &Ending<'_>, decided: &[look::Decided], status: &TicketSaleStatus) -> Self {
        Self {
            status: Some(status.clone()),
            wake_ms: Some(whole_ms(Ending::WAKE)),
            ..Self::deleted(ending, decided)
        }
    }

    /// Of one whose object goes away.
    pub(crate) fn deleted(ending: &Ending<'_>, decided: &[look::Decided]) -> Self {
        Self {
            closes_room: Some(ending.closes_room()),
            targets: decided.iter().map(|decided| target(decided, 0)).collect(),
            ..Self::default()
        }
    }
}

fn target((target, wish, step): &look::Decided, places: u32) -> DecidedTarget {
    DecidedTarget {
        name: target.name.clone(),
        wish: *wish,
        step: *step,
        places,
    }
}

fn whole_ms(wake: Duration) -> u64 {
    u64::try_from(wake.as_millis()).unwrap_or(u64::MAX)
}

/// A workload's part of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DecidedTarget {
    /// Its name.
    pub name: String,
    /// What the sale wanted of it.
    pub wish: Wish,
    /// What was done.
    pub step: Step,
    /// Places on nodes held for it.
    pub places: u32,
}
