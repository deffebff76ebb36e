//! Shapes of the control API, and what is checked of them before anything is looked up.

use crate::reconcile::Applied;
use crate::store::{AuditEntry, SaleRecord};
use serde::{Deserialize, Serialize};
use urr_core::adaptive::Pace;
use urr_core::change::Override;
use urr_core::plan::{Hand, Plan};
use urr_core::sale::{Phase, Sale};
use urr_core::time::Millis;
use urr_kit::{ApiError, ApiResult};

/// Longest actor and reason: lines for people, not documents.
const ACTOR_CHARS_MAX: usize = 100;
const REASON_CHARS_MAX: usize = 500;

/// A sale as the control API tells it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SaleState {
    /// What was asked for.
    pub sale: Sale,
    /// What operators changed by hand.
    pub hand: Hand,
    /// Revision of the record; rises with every change.
    pub revision: u64,
    /// Ready replicas as the operator reported them last.
    pub ready_replicas: Option<u32>,
    /// Where the sale is in its life; absent when the step could not be taken.
    pub phase: Option<Phase>,
    /// What should be true now; absent when the step could not be taken.
    pub plan: Option<Plan>,
    /// What is not (yet) as it should be, with remedies. Empty: all records are in place.
    pub problems: Vec<String>,
}

/// A sale's state, and what only the cluster's operator asks for. One object on the wire: who reads a
/// [`SaleState`] reads this too.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Told {
    #[serde(flatten)]
    pub(super) state: SaleState,
    /// Why the cluster's operator holds the line, while it does.
    pub(super) held: Option<String>,
    /// The newest term of office that was heard of this sale: a new leader makes itself heard.
    pub(super) operator_term: u64,
    /// Where the adaptive rate stands, once it has moved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) pace: Option<Pace>,
}

impl Told {
    /// `state` tells of `record`, made by `of` from it.
    pub(super) fn of(record: SaleRecord, of: impl FnOnce(SaleRecord) -> SaleState) -> Self {
        let (held, operator_term) = (record.held.clone(), record.operator_term);
        let pace = record.pace_in_force().cloned();
        Self {
            state: of(record),
            held,
            operator_term,
            pace,
        }
    }
}

/// An operator's override.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OverrideRequest {
    /// What to do.
    pub action: Action,
    /// The figure for `rate` (people per second) and `cap` (people inside).
    #[serde(default)]
    pub value: Option<u32>,
    /// Who does it.
    pub actor: String,
    /// Why.
    pub reason: String,
}

/// What an operator may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    /// Hold the line.
    Pause,
    /// Let it go on, and take people again.
    Resume,
    /// Take nobody new; who stands in line is still let in.
    Drain,
    /// Set people per second.
    Rate,
    /// Set people inside at once.
    Cap,
    /// Take back what was set by hand.
    Reset,
}

/// What the cluster's operator says of a sale: all of it, every time.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CapacityReport {
    /// The fewest ready replicas of all services behind the door.
    pub ready_replicas: u32,
    /// Why it holds the line; it does not when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<String>,
    /// Its term of office, rising from one leader to the next; an earlier one is refused.
    #[serde(default)]
    pub term: u64,
}

/// Who deletes a sale and why (query parameters).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Deletion {
    /// Who.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// Term of office of an operator; an earlier one than the newest that spoke is refused.
    #[serde(default)]
    pub term: u64,
}

/// Who puts a sale and why (query parameters); whoever says nothing is the control API itself.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Putting {
    /// Who.
    #[serde(default)]
    pub actor: Option<String>,
    /// Why.
    #[serde(default)]
    pub reason: Option<String>,
    /// Of a cluster's operator: replicas that are ready from the first step on. Without it a sale
    /// that is open when it is put would count its planned ones until the first report.
    #[serde(default, rename = "readyReplicas")]
    pub ready_replicas: Option<u32>,
    /// Of a cluster's operator: why the line is held from the first step on.
    #[serde(default)]
    pub held: Option<String>,
    /// Of a cluster's operator: its term of office.
    #[serde(default)]
    pub term: u64,
}

impl Putting {
    /// Both as the audit log takes them.
    pub(super) fn said_by(&self) -> ApiResult<(String, String)> {
        match (&self.actor, &self.reason) {
            (None, None) => Ok(("control-api".to_owned(), String::new())),
            (actor, reason) => said_by(
                actor.as_deref().unwrap_or_default(),
                reason.as_deref().unwrap_or_default(),
            ),
        }
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct AuditQuery {
    pub(super) limit: Option<u16>,
}

/// All sales.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SaleList {
    /// In the order in which they open.
    pub sales: Vec<SaleState>,
    /// The control plane's own version; absent in answers of one that does not tell it yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// A sale's audit log.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AuditLog {
    /// Oldest first.
    pub entries: Vec<AuditEntry>,
}

impl SaleState {
    pub(super) fn bare(record: SaleRecord) -> Self {
        let SaleRecord {
            sale,
            hand,
            revision,
            ready_replicas,
            ..
        } = record;
        Self {
            sale,
            hand,
            revision,
            ready_replicas,
            phase: None,
            plan: None,
            problems: Vec::new(),
        }
    }

    pub(super) fn of(applied: Applied) -> Self {
        let Applied {
            record,
            plan,
            problems,
            ..
        } = applied;
        Self {
            phase: Some(plan.phase),
            plan: Some(plan),
            problems,
            ..Self::bare(record)
        }
    }
}

/// Refuses an operator that a newer one has followed (law `fenced`); 0 is nobody's term.
pub(super) fn heed(record: &SaleRecord, term: u64) -> ApiResult<()> {
    if term == 0 || term >= record.operator_term {
        return Ok(());
    }
    Err(ApiError::conflict(format!(
        "Another operator leads since term {}: yours, {term}, is over.",
        record.operator_term
    ))
    .with_field("leads", record.operator_term))
}

/// The override that was asked for.
pub(super) fn wanted(request: &OverrideRequest) -> ApiResult<Override> {
    match (request.action, request.value) {
        (Action::Pause, None) => Ok(Override::Pause),
        (Action::Resume, None) => Ok(Override::Resume),
        (Action::Drain, None) => Ok(Override::Drain),
        (Action::Reset, None) => Ok(Override::Reset),
        (Action::Rate, Some(rate)) => Ok(Override::Rate(rate)),
        (Action::Cap, Some(cap)) => Ok(Override::Cap(cap)),
        (Action::Rate | Action::Cap, None) => {
            Err(ApiError::bad_request("value: is missing (give the new figure)"))
        }
        (Action::Pause | Action::Resume | Action::Drain | Action::Reset, Some(_)) => Err(
            ApiError::bad_request("value: means nothing for this action (leave it out)"),
        ),
    }
}

/// Who and why, trimmed; both go into the audit log.
pub(super) fn said_by(actor: &str, reason: &str) -> ApiResult<(String, String)> {
    for (field, text, chars_max) in [
        ("actor", actor, ACTOR_CHARS_MAX),
        ("reason", reason, REASON_CHARS_MAX),
    ] {
        let chars = text.trim().chars().count();
        if chars == 0 || chars > chars_max {
            return Err(ApiError::bad_request(format!(
                "{field}: has {chars} characters (give it 1 to {chars_max}: it goes into the audit log)"
            )));
        }
    }
    Ok((actor.trim().to_owned(), reason.trim().to_owned()))
}

/// The terms of a sale in a line of the audit log.
pub(super) fn terms(sale: &Sale) -> String {
    let Sale {
        schedule,
        seats,
        admission,
        capacity,
        ..
    } = sale;
    format!(
        "{seats} seats, opens {}, closes {}, {}/s, cap {}, {} replicas of {}/s",
        told(schedule.opens_at),
        told(schedule.closes_at),
        admission.rate_per_s,
        admission.cap,
        capacity.replicas,
        capacity.rate_per_replica
    )
}

/// An instant as people read it.
fn told(at: Millis) -> String {
    let at_utc = chrono::DateTime::from_timestamp_millis(at.0);
    at_utc.map_or_else(
        || format!("{} ms", at.0),
        |at| at.format("%Y-%m-%d %H:%M:%S UTC").to_string(),
    )
}

/// What holds under an operator's hand, in a line of the audit log.
pub(super) fn tell_hand(sale: &Sale, hand: Hand) -> String {
    let held = match (hand.paused, hand.draining) {
        (false, false) => "",
        (true, false) => "held, ",
        (false, true) => "draining, ",
        (true, true) => "held, draining, ",
    };
    let rate = hand.rate_per_s.unwrap_or(sale.admission.rate_per_s);
    let cap = hand.cap.unwrap_or(sale.admission.cap);
    format!("{held}{rate}/s, cap {cap}")
}
