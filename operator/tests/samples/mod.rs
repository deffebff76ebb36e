//! What a runner hands in whom nobody came to see: for tests of the operator's parts and of the whole.

use serde_json::json;
use urr_core::time::Millis;
use urr_loadgen::segments::SegmentResult;

/// Of segment `segment` ("1/2") of a run of `scenario` with `seed`, that began and opened at such instants.
pub(crate) fn nobody_came(
    segment: &str,
    (scenario, seed): (&str, u64),
    [began_at, opens_at]: [Millis; 2],
) -> SegmentResult {
    serde_json::from_value(json!({
        "segment": segment, "scenario": scenario, "seed": seed,
        "startedAt": began_at.0, "opensAt": opens_at.0, "finishedAt": opens_at.0 + 20_000,
        "funnel": urr_loadgen::measure::Funnel::default(),
        "steps": [], "series": [], "personas": [],
        "generator": urr_loadgen::result::Generator::default(),
        "goose": urr_loadgen::result::GooseSummary::default(),
        "cutShort": null,
        "observations": urr_loadgen::observe::Observations::default(),
    }))
    .unwrap()
}
