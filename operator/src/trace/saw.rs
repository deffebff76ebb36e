//! What a look saw: everything that its decisions were made from.

use super::answer::Answer;
use crate::control_api::SaleState;
use crate::decide::Experience;
use crate::decide::end::Ending;
use crate::decide::look::Scene;
use crate::mapping;
use crate::targets::Target;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use serde::{Deserialize, Serialize};
use urr_api::status::LineStatus;
use urr_api::{TicketSaleSpec, TicketSaleStatus};
use urr_core::time::Millis;

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
    /// When it was decided; of a sale that is kept, the greater part.
    pub at: Millis,
    /// What became of the sale, and what else had to be known for that.
    #[serde(flatten)]
    pub kind: Kind,
}

/// What became of the sale in a look.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum Kind {
    /// It was kept as its spec says.
    Kept(Box<Kept>),
    /// It was not carried out: its spec is unsound, or another sale has its event.
    Refused(Refused),
    /// It was ended by its spec.
    Aborted(Ended),
    /// Its object goes away.
    Deleted(Ended),
}

/// What had to be known to keep a sale.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Kept {
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
    /// What was heard in between.
    #[serde(flatten)]
    pub heard: Heard,
    /// From when on the process had seen everything.
    pub since: Millis,
    /// When it was decided what to tell the control plane.
    pub told_at: Millis,
}

/// What the control plane said during a look.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Heard {
    /// What it had of the sale.
    pub known: Option<SaleState>,
    /// What it answered when it was told what is ready.
    pub told: Answer,
    /// What it answered last: before anything shrinks it is asked again.
    pub last: Answer,
    /// The line and the seats.
    pub line: Option<LineStatus>,
}

/// What had to be known to refuse a sale.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Refused {
    /// The rate to begin with instead of the spec's.
    pub adopted: Option<i32>,
    /// The sale that has its event.
    pub rival: Option<String>,
}

/// What had to be known to end a sale.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ended {
    /// The sale that has its event.
    pub rival: Option<String>,
    /// The workloads, once nobody was let in any more.
    pub targets: Vec<Target>,
    /// From when on the process had seen everything.
    pub since: Millis,
}

impl Kind {
    /// A look through `scene`, which saw `targets` and told the control plane at `told_at` what is ready.
    pub(crate) fn kept(scene: &Scene<'_>, targets: Vec<Target>, heard: Heard, told_at: Millis) -> Self {
        Self::Kept(Box::new(Kept {
            adopted: scene.adopted,
            elsewhere: scene.elsewhere.clone(),
            targets,
            missing: scene.missing.to_vec(),
            lacks_rehearsal: scene.lacks_rehearsal.map(str::to_owned),
            heard,
            since: scene.since,
            told_at,
        }))
    }
}

impl Ended {
    pub(crate) fn new(ending: &Ending<'_>, targets: Vec<Target>) -> Self {
        Self {
            rival: ending.rival.map(str::to_owned),
            targets,
            since: ending.since,
        }
    }
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
