//! One look at one sale, as it is written down: what it saw, and what it decided.
//!
//! A line of a trace is a wire format between versions: fields are added, never changed. What a newer
//! version needs and an older one did not write down makes a line unreadable, and replay says so.

use crate::control_api::{ControlError, SaleState, Word};
use crate::decide::Experience;
use crate::decide::look::{Choice, Conclusion};
use crate::lease::NotLeading;
use crate::mapping;
use crate::targets::{Step, Target, Wish};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use reqwest::StatusCode;
use serde::{Deserialize, Serialize};
use urr_api::status::LineStatus;
use urr_api::{TicketSaleSpec, TicketSaleStatus};
use urr_core::sale::Problem;
use urr_core::time::Millis;

/// A line of a trace.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Look {
    /// Namespace and name.
    pub sale: String,
    /// The object, in case there was another of that name.
    pub uid: String,
    /// Which look of the process that wrote it, from 1.
    pub look: u64,
    /// The version that decided.
    pub version: String,
    /// What it saw.
    pub saw: Saw,
    /// What it decided, as JSON, so that also a decision in older words can be compared.
    pub decided: serde_json::Value,
}

/// Everything a decision was made from.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Saw {
    /// The sale's name.
    pub name: String,
    /// Generation of the spec.
    pub generation: Option<i64>,
    /// The spec.
    pub spec: TicketSaleSpec,
    /// Its instants (pre-queue, opening, closing) to the millisecond: Kubernetes' own writer cuts what stands
    /// in the spec to seconds.
    pub instants: [Millis; 3],
    /// The status shown before.
    pub shown: Option<TicketSaleStatus>,
    /// The rate to begin with instead of the spec's.
    pub adopted: Option<i32>,
    /// Seconds to ready seen in other sales.
    pub elsewhere: Experience,
    /// The workloads.
    pub targets: Vec<Target>,
    /// What is named and not there.
    pub missing: Vec<String>,
    /// Why no rehearsal counts.
    pub lacks_rehearsal: Option<String>,
    /// What the control plane had of the sale.
    pub known: Option<SaleState>,
    /// What it answered when it was told what is ready.
    pub told: Answer,
    /// What it answered last: before anything shrinks it is asked again.
    pub last: Answer,
    /// The line and the seats.
    pub line: Option<LineStatus>,
    /// From when on the process had seen everything.
    pub since: Millis,
    /// When it was decided what to tell the control plane.
    pub told_at: Millis,
    /// When the rest was decided.
    pub at: Millis,
}

impl Saw {
    /// The instants of `spec` as they count.
    #[must_use]
    pub fn instants(spec: &TicketSaleSpec) -> [Millis; 3] {
        let schedule = &spec.schedule;
        [&schedule.pre_queue_at, &schedule.opens_at, &schedule.closes_at].map(mapping::millis)
    }

    /// The spec as it was read.
    #[must_use]
    pub fn exact_spec(&self) -> TicketSaleSpec {
        let mut spec = self.spec.clone();
        let exact = |at: Millis| Timestamp::from_millisecond(at.0).map(Time);
        if let [Ok(pre_queue_at), Ok(opens_at), Ok(closes_at)] = self.instants.map(exact) {
            let schedule = &mut spec.schedule;
            (schedule.pre_queue_at, schedule.opens_at, schedule.closes_at) =
                (pre_queue_at, opens_at, closes_at);
        }
        spec
    }
}

/// What the control plane answered.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Answer {
    /// The sale as it has it.
    State(Box<SaleState>),
    /// Nothing.
    Unreachable(String),
    /// No.
    Refused {
        /// What it said.
        message: String,
        /// The fields it named.
        problems: Vec<Problem>,
    },
    /// It was not asked.
    NotLeading,
    /// It failed.
    Failed {
        /// With which status.
        status: u16,
        /// What it said.
        message: String,
    },
}

impl From<&Result<SaleState, ControlError>> for Answer {
    fn from(answer: &Result<SaleState, ControlError>) -> Self {
        match answer {
            Ok(state) => Self::State(Box::new(state.clone())),
            Err(ControlError::Unreachable(error)) => Self::Unreachable(error.to_string()),
            Err(ControlError::Refused { message, problems }) => Self::Refused {
                message: message.clone(),
                problems: problems.clone(),
            },
            Err(ControlError::NotLeading(_)) => Self::NotLeading,
            Err(ControlError::Failed { status, message }) => Self::Failed {
                status: status.as_u16(),
                message: message.clone(),
            },
        }
    }
}

impl Answer {
    /// As it was heard.
    ///
    /// # Errors
    /// What was heard instead of the sale's state.
    pub fn heard(&self) -> Result<SaleState, ControlError> {
        Err(match self {
            Self::State(state) => return Ok((**state).clone()),
            Self::Unreachable(error) => ControlError::Unreachable(error.clone().into()),
            Self::Refused { message, problems } => ControlError::Refused {
                message: message.clone(),
                problems: problems.clone(),
            },
            Self::NotLeading => ControlError::NotLeading(NotLeading),
            Self::Failed { status, message } => ControlError::Failed {
                status: StatusCode::from_u16(*status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
                message: message.clone(),
            },
        })
    }
}

/// What a look decided.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Decided {
    /// What it told the control plane.
    pub word: Word,
    /// What it did to each workload.
    pub targets: Vec<DecidedTarget>,
    /// What it reported.
    pub status: TicketSaleStatus,
    /// When it looks again at the latest, in milliseconds from then.
    pub wake_ms: u64,
}

impl Decided {
    /// As a look, or a replay of it, came to it.
    pub(crate) fn of(choice: &Choice, places: &[u32], word: Word, conclusion: &Conclusion) -> Self {
        let each = choice.decided.iter().zip(places);
        let targets = each.map(|((target, wish, step), places)| DecidedTarget {
            name: target.name.clone(),
            wish: *wish,
            step: *step,
            places: *places,
        });
        Self {
            word,
            targets: targets.collect(),
            status: conclusion.status.clone(),
            wake_ms: u64::try_from(conclusion.wake.as_millis()).unwrap_or(u64::MAX),
        }
    }
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
