//! How an adaptive rate moved, told from the pictures of a sale.
//!
//! A picture shows the newest step only ([`crate::snapshot::PaceView`]). Two steps are six seconds apart at the
//! least ([`crate::adaptive::FALL_EVERY_MS`]) and pictures half a second, so a recording misses none; where some
//! are missing, what lies between is told as one step, with the reason of its last.

use crate::snapshot::Snapshot;
use crate::time::Millis;
use serde::{Deserialize, Serialize};

/// One move of the rate. Wire format of the report: add fields, never change a meaning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RateStep {
    /// When.
    pub at: Millis,
    /// People per second before.
    pub from_per_s: u32,
    /// People per second from then on; never what it was before.
    pub to_per_s: u32,
    /// Why, without a full stop: `reservations take 2500 ms at the 99th percentile, 2000 are allowed`.
    pub why: String,
}

impl RateStep {
    /// Whether fewer are let in from then on.
    #[must_use]
    pub const fn is_down(&self) -> bool {
        self.to_per_s < self.from_per_s
    }
}

/// The steps that `pictures`, in time order, show of a rate that opened with `start_per_s`; none of a rate
/// that follows nothing.
#[must_use]
pub fn rate_steps<'a>(start_per_s: u32, pictures: impl IntoIterator<Item = &'a Snapshot>) -> Vec<RateStep> {
    let mut steps: Vec<RateStep> = Vec::new();
    let mut rate_per_s = start_per_s;
    for pace in pictures.into_iter().filter_map(|picture| picture.pace.as_ref()) {
        // The moment of the newest step, and not the rate alone: a change of the sale's terms starts anew.
        let Some(at) = pace
            .since
            .filter(|at| steps.last().is_none_or(|last| last.at < *at))
        else {
            continue;
        };
        if pace.rate_per_s != rate_per_s {
            steps.push(RateStep {
                at,
                from_per_s: rate_per_s,
                to_per_s: pace.rate_per_s,
                why: because(pace.reason.as_deref().unwrap_or_default()),
            });
        }
        rate_per_s = pace.rate_per_s;
    }
    steps
}

/// A reason without the rates that it begins with: those stand beside it.
fn because(reason: &str) -> String {
    let why = match reason.split_once(": ") {
        Some((rates, why)) if rates.contains("/s") => why,
        _ => reason,
    };
    why.trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adaptive::Lean;
    use crate::snapshot::PaceView;

    fn picture(rate_per_s: u32, moved: Option<(i64, &str)>) -> Snapshot {
        Snapshot {
            pace: Some(PaceView {
                rate_per_s,
                min_rate_per_s: 2,
                max_rate_per_s: 30,
                lean: Lean::Holding,
                because: String::new(),
                since: moved.map(|(at, _)| Millis(at)),
                reason: moved.map(|(_, why)| why.to_owned()),
                signs: None,
            }),
            ..Snapshot::unknown(uuid::Uuid::nil())
        }
    }

    #[test]
    fn each_move_is_told_once_with_what_it_came_from() {
        let up = Some((
            2_000,
            "9/s: pools are 3 % full, 80 are allowed, and 8/s was borne",
        ));
        let down = Some((
            17_000,
            "4/s instead of 9/s: 80 of 1000 requests fail, 50 are allowed",
        ));
        let pictures = [
            picture(8, None),
            picture(9, up),
            picture(9, up),
            Snapshot::unknown(uuid::Uuid::nil()),
            picture(4, down),
            picture(4, down),
        ];
        let steps = rate_steps(8, &pictures);
        let told = |step: &RateStep| (step.at.0, step.from_per_s, step.to_per_s, step.is_down());
        assert_eq!(
            steps.iter().map(told).collect::<Vec<_>>(),
            [(2_000, 8, 9, false), (17_000, 9, 4, true)]
        );
        assert_eq!(
            steps[0].why,
            "pools are 3 % full, 80 are allowed, and 8/s was borne"
        );
        assert_eq!(steps[1].why, "80 of 1000 requests fail, 50 are allowed");
    }

    #[test]
    fn what_no_picture_shows_is_told_as_one_step_and_a_reason_of_another_shape_as_it_is() {
        let steps = rate_steps(8, &[picture(5, Some((30_000, "by the stars.")))]);
        assert_eq!((steps[0].from_per_s, steps[0].to_per_s), (8, 5));
        assert_eq!(steps[0].why, "by the stars");
        assert!(
            rate_steps(8, &[picture(8, Some((1, "x")))]).is_empty(),
            "it did not move"
        );
        assert!(rate_steps(8, &[Snapshot::unknown(uuid::Uuid::nil())]).is_empty());
    }
}
