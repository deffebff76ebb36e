//! Several sales in one run, as they are written.

use super::{At, HallBlock};
use crate::scenario::units::{Count, Rate};
use schemars::JsonSchema;
use serde::Deserialize;

/// One sale beside others, or several alike: all that `sale` and `crowd` say, but for what stands here.
/// All of them open in the same instant.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct VariantBlock {
    /// Short name, used in file names: lower-case letters, digits and hyphens. Of several alike the
    /// number is added.
    pub(in crate::scenario) name: At<String>,
    /// How many alike; 1 if not given.
    #[serde(default)]
    pub(in crate::scenario) times: Option<At<Count>>,
    /// How many come, instead of `crowd.visitors`.
    #[serde(default)]
    pub(in crate::scenario) visitors: Option<At<Count>>,
    /// How many more come as real browsers, instead of `browsers`.
    #[serde(default)]
    pub(in crate::scenario) browsers: Option<At<Count>>,
    /// How many register for real, instead of `registrations`.
    #[serde(default)]
    pub(in crate::scenario) registrations: Option<At<Count>>,
    /// People let in per second, instead of `sale.admission.rate`.
    #[serde(default)]
    pub(in crate::scenario) rate: Option<At<Rate>>,
    /// People inside at once, instead of `sale.admission.cap`.
    #[serde(default)]
    pub(in crate::scenario) cap: Option<At<Count>>,
    /// The hall, instead of `sale.hall`.
    #[serde(default)]
    pub(in crate::scenario) hall: Option<At<HallBlock>>,
}
