//! The shape of a scenario file, version 1, exactly as it is written.
//!
//! Leaves that a check may refuse are [`At`], so that a message can point at them. Nothing here is
//! optional by accident: a field without a default has none because no value fits every rehearsal.
//! Renaming a key breaks everybody's files; add keys, and raise the version when a meaning changes.

use super::units::{Count, Rate, Share, Span, Won};
use super::{Process, Trick};
use serde::Deserialize;
use serde_yaml::Spanned as At;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) version: At<Count>,
    pub(super) name: At<String>,
    pub(super) title: String,
    #[serde(default)]
    pub(super) about: String,
    #[serde(default)]
    pub(super) sources: Vec<String>,
    pub(super) seed: At<Count>,
    pub(super) sale: SaleBlock,
    pub(super) crowd: CrowdBlock,
    #[serde(default)]
    pub(super) browsers: Option<At<Count>>,
    #[serde(default)]
    pub(super) registrations: Option<At<Count>>,
    #[serde(default)]
    pub(super) payment: PaymentBlock,
    #[serde(default)]
    pub(super) thresholds: Vec<At<String>>,
    #[serde(default)]
    pub(super) processes: Vec<At<Process>>,
    #[serde(default)]
    pub(super) faults: Vec<FaultBlock>,
    pub(super) limits: LimitsBlock,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SaleBlock {
    pub(super) venue: String,
    pub(super) opens_in: At<Span>,
    pub(super) pre_queue: At<Span>,
    pub(super) duration: At<Span>,
    pub(super) hall: At<HallBlock>,
    #[serde(default)]
    pub(super) seats_per_booking: Option<At<Count>>,
    pub(super) admission: AdmissionBlock,
    pub(super) capacity: CapacityBlock,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HallBlock {
    pub(super) sections: Vec<SectionBlock>,
}

/// One block of alike sections: `names` share rows, seats and price.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SectionBlock {
    pub(super) names: At<Vec<String>>,
    pub(super) rows: At<Count>,
    pub(super) seats_per_row: At<Count>,
    pub(super) price: At<Won>,
    #[serde(default)]
    pub(super) start_row: Option<At<Count>>,
    #[serde(default)]
    pub(super) grade: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AdmissionBlock {
    pub(super) rate: At<Rate>,
    pub(super) cap: At<Count>,
    #[serde(default)]
    pub(super) burst: Option<At<Count>>,
    #[serde(default)]
    pub(super) poll_budget: Option<At<Rate>>,
    #[serde(default)]
    pub(super) silence: Option<At<Span>>,
    #[serde(default)]
    pub(super) active_for: Option<At<Span>>,
    #[serde(default)]
    pub(super) token_for: Option<At<Span>>,
    #[serde(default)]
    pub(super) hold_for: Option<At<Span>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CapacityBlock {
    pub(super) replicas: At<Count>,
    pub(super) rate_per_replica: At<Rate>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CrowdBlock {
    pub(super) visitors: At<Count>,
    pub(super) arrivals: At<Vec<ArrivalBlock>>,
    pub(super) personas: At<Vec<PersonaBlock>>,
}

/// A curve and the share of the crowd that comes along it. Instants count from `opensAt`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum ArrivalBlock {
    AtOnce(AtOnceBlock),
    Steady(WindowBlock),
    Ramp(WindowBlock),
    Rush(WindowBlock),
    Peak(WindowBlock),
    Poisson(WindowBlock),
    Stairs(StairsBlock),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AtOnceBlock {
    pub(super) share: At<Share>,
    pub(super) at: At<Span>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WindowBlock {
    pub(super) share: At<Share>,
    pub(super) from: At<Span>,
    pub(super) to: At<Span>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StairsBlock {
    pub(super) share: At<Share>,
    pub(super) from: At<Span>,
    pub(super) to: At<Span>,
    pub(super) steps: At<Count>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum PersonaBlock {
    Buys(BuysBlock),
    Browses(BrowsesBlock),
    GivesUp(GivesUpBlock),
    PaysLate(PaysLateBlock),
    DoubleClicks(DoubleClicksBlock),
    Intrudes(IntrudesBlock),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BuysBlock {
    pub(super) share: At<Share>,
    pub(super) think: At<Span>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BrowsesBlock {
    pub(super) share: At<Share>,
    pub(super) think: At<Span>,
    pub(super) looks: At<Count>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GivesUpBlock {
    pub(super) share: At<Share>,
    pub(super) patience: At<Span>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PaysLateBlock {
    pub(super) share: At<Share>,
    pub(super) after: At<Span>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DoubleClicksBlock {
    pub(super) share: At<Share>,
    pub(super) think: At<Span>,
    pub(super) joins: At<Count>,
    pub(super) confirms: At<Count>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct IntrudesBlock {
    pub(super) share: At<Share>,
    pub(super) tricks: At<Vec<Trick>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PaymentBlock {
    #[serde(default)]
    pub(super) latency: Option<At<Span>>,
    #[serde(default)]
    pub(super) failures: Option<At<Share>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FaultBlock {
    pub(super) at: At<Span>,
    pub(super) kill: At<Process>,
    #[serde(default)]
    pub(super) restart_after: Option<At<Span>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LimitsBlock {
    pub(super) run_at_most: At<Span>,
    #[serde(default)]
    pub(super) connections: Option<At<Count>>,
    #[serde(default)]
    pub(super) slot_wait: Option<At<Span>>,
    #[serde(default)]
    pub(super) late_at_most: Option<At<Share>>,
}
