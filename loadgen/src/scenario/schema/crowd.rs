//! Who comes, and when, as it is written.

use super::At;
use crate::scenario::units::{Count, Share, Span};
use crate::scenario::{AbandonsAt, Trick};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct CrowdBlock {
    /// How many come.
    pub(in crate::scenario) visitors: At<Count>,
    /// When people come. Shares add up to 100%.
    pub(in crate::scenario) arrivals: At<Vec<ArrivalBlock>>,
    /// As whom they come. Shares add up to 100%.
    pub(in crate::scenario) personas: At<Vec<PersonaBlock>>,
    /// How many seats people want together, such as `{1: 20%, 2: 50%, 4: 30%}`; all of them
    /// `sale.seats_per_booking` if not given. Shares add up to 100%. A script wants all it may have.
    #[serde(default)]
    pub(in crate::scenario) party: Option<At<BTreeMap<u8, At<Share>>>>,
}

/// A curve and the share of the crowd that comes along it. Instants count from the opening; a
/// curve without `from` begins where the one before it ended.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(in crate::scenario) enum ArrivalBlock {
    /// All in one instant.
    AtOnce(AtOnceBlock),
    /// A constant rate.
    Steady(WindowBlock),
    /// A rate that grows, or falls, evenly.
    Ramp(RampBlock),
    /// All press at the start; the rate falls exponentially.
    Rush(WindowBlock),
    /// A smooth hump with its top in the middle.
    Peak(WindowBlock),
    /// A constant rate on average, each arrival independent of the others.
    Poisson(WindowBlock),
    /// Steps of equal length, each as much higher than the one before.
    Stairs(StairsBlock),
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct AtOnceBlock {
    /// Which part of the crowd.
    pub(in crate::scenario) share: At<Share>,
    /// When; where the one before it ended if not given.
    #[serde(default)]
    pub(in crate::scenario) at: Option<At<Span>>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct WindowBlock {
    /// Which part of the crowd.
    pub(in crate::scenario) share: At<Share>,
    /// When it begins; where the one before it ended if not given.
    #[serde(default)]
    pub(in crate::scenario) from: Option<At<Span>>,
    /// When it ends.
    #[serde(default)]
    pub(in crate::scenario) to: Option<At<Span>>,
    /// How long it lasts, instead of when it ends.
    #[serde(default, rename = "for")]
    pub(in crate::scenario) lasts: Option<At<Span>>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct RampBlock {
    /// Which part of the crowd.
    pub(in crate::scenario) share: At<Share>,
    /// When it begins; where the one before it ended if not given.
    #[serde(default)]
    pub(in crate::scenario) from: Option<At<Span>>,
    /// When it ends.
    #[serde(default)]
    pub(in crate::scenario) to: Option<At<Span>>,
    /// How long it lasts, instead of when it ends.
    #[serde(default, rename = "for")]
    pub(in crate::scenario) lasts: Option<At<Span>>,
    /// The rate at its start, of its highest; 0% if not given.
    #[serde(default)]
    pub(in crate::scenario) start: Option<At<Share>>,
    /// The rate at its end, of its highest; 100% if not given.
    #[serde(default)]
    pub(in crate::scenario) end: Option<At<Share>>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct StairsBlock {
    /// Which part of the crowd.
    pub(in crate::scenario) share: At<Share>,
    /// When it begins; where the one before it ended if not given.
    #[serde(default)]
    pub(in crate::scenario) from: Option<At<Span>>,
    /// When it ends.
    #[serde(default)]
    pub(in crate::scenario) to: Option<At<Span>>,
    /// How long it lasts, instead of when it ends.
    #[serde(default, rename = "for")]
    pub(in crate::scenario) lasts: Option<At<Span>>,
    /// How many steps.
    pub(in crate::scenario) steps: At<Count>,
}

/// A part of the crowd and what it does.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(in crate::scenario) enum PersonaBlock {
    /// Waits as long as it takes, asks when told to, picks seats, pays.
    Buys(BuysBlock),
    /// Gets in, looks around, leaves.
    Browses(BrowsesBlock),
    /// Leaves the line when patience is over.
    GivesUp(GivesUpBlock),
    /// Leaves the line when the wait it is shown is too long.
    LosesHeart(LosesHeartBlock),
    /// Presses refresh instead of waiting as told.
    Mashes(MashesBlock),
    /// Waits in several tabs under one visitor key.
    OpensTabs(OpensTabsBlock),
    /// Waits on a phone that sleeps and comes back.
    Sleeps(SleepsBlock),
    /// Is let in and walks away without a word.
    Abandons(AbandonsBlock),
    /// Holds seats and comes back to pay only after this long.
    PaysLate(PaysLateBlock),
    /// Buys, but presses every button more than once.
    DoubleClicks(DoubleClicksBlock),
    /// A script: polls as fast as it likes and reaches for several seats at once.
    Grabs(GrabsBlock),
    /// A script that tries to get in without waiting.
    Intrudes(IntrudesBlock),
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct BuysBlock {
    /// Which part of the crowd.
    pub(in crate::scenario) share: At<Share>,
    /// Mean time between two steps; each is drawn between half and one and a half of it.
    pub(in crate::scenario) think: At<Span>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct BrowsesBlock {
    /// Which part of the crowd.
    pub(in crate::scenario) share: At<Share>,
    /// Mean time between two steps; each is drawn between half and one and a half of it.
    pub(in crate::scenario) think: At<Span>,
    /// How many seat maps are looked at.
    pub(in crate::scenario) looks: At<Count>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct GivesUpBlock {
    /// Which part of the crowd.
    pub(in crate::scenario) share: At<Share>,
    /// Mean patience, from arrival.
    pub(in crate::scenario) patience: At<Span>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct LosesHeartBlock {
    /// Which part of the crowd.
    pub(in crate::scenario) share: At<Share>,
    /// Mean time between two steps; each is drawn between half and one and a half of it.
    pub(in crate::scenario) think: At<Span>,
    /// Which part has left once the wait it is shown is that long; both rise from point to point.
    pub(in crate::scenario) hazard: At<Vec<HazardBlock>>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct HazardBlock {
    /// The wait that is shown.
    pub(in crate::scenario) shown: At<Span>,
    /// The part that has left by then.
    pub(in crate::scenario) left: At<Share>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct MashesBlock {
    /// Which part of the crowd.
    pub(in crate::scenario) share: At<Share>,
    /// Mean time between two steps; each is drawn between half and one and a half of it.
    pub(in crate::scenario) think: At<Span>,
    /// Between two presses.
    pub(in crate::scenario) every: At<Span>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct OpensTabsBlock {
    /// Which part of the crowd.
    pub(in crate::scenario) share: At<Share>,
    /// Mean time between two steps; each is drawn between half and one and a half of it.
    pub(in crate::scenario) think: At<Span>,
    /// How many in all.
    pub(in crate::scenario) tabs: At<Count>,
    /// From one tab to the next.
    pub(in crate::scenario) apart: At<Span>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct SleepsBlock {
    /// Which part of the crowd.
    pub(in crate::scenario) share: At<Share>,
    /// Mean time between two steps; each is drawn between half and one and a half of it.
    pub(in crate::scenario) think: At<Span>,
    /// How long the phone stays on.
    pub(in crate::scenario) awake: At<Span>,
    /// How long it is off.
    pub(in crate::scenario) asleep: At<Span>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct AbandonsBlock {
    /// Which part of the crowd.
    pub(in crate::scenario) share: At<Share>,
    /// Mean time between two steps; each is drawn between half and one and a half of it.
    pub(in crate::scenario) think: At<Span>,
    /// How far it goes before.
    pub(in crate::scenario) at: AbandonsAt,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct PaysLateBlock {
    /// Which part of the crowd.
    pub(in crate::scenario) share: At<Share>,
    /// From hold to payment.
    pub(in crate::scenario) after: At<Span>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct DoubleClicksBlock {
    /// Which part of the crowd.
    pub(in crate::scenario) share: At<Share>,
    /// Mean time between two steps; each is drawn between half and one and a half of it.
    pub(in crate::scenario) think: At<Span>,
    /// Simultaneous joins.
    pub(in crate::scenario) joins: At<Count>,
    /// Simultaneous payment confirmations.
    pub(in crate::scenario) confirms: At<Count>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct GrabsBlock {
    /// Which part of the crowd.
    pub(in crate::scenario) share: At<Share>,
    /// Between two polls, whatever it is told.
    pub(in crate::scenario) every: At<Span>,
    /// Holds tried at once.
    pub(in crate::scenario) reaches: At<Count>,
    /// When these scripts come, if not with the crowd. Shares add up to 100%.
    #[serde(default)]
    pub(in crate::scenario) arrivals: Option<At<Vec<ArrivalBlock>>>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct IntrudesBlock {
    /// Which part of the crowd.
    pub(in crate::scenario) share: At<Share>,
    /// How.
    pub(in crate::scenario) tricks: At<Vec<Trick>>,
}
