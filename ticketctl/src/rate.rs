//! How an adaptive rate followed the services, as the end of a drill tells it: summary and terminal show
//! the same steps in the same words.

use urr_core::{rate_steps::RateStep, time::Millis};
use urr_loadgen::report::RunReport;

/// A sale's rate from the opening to the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Followed {
    /// What the steps' times are told from.
    pub(crate) opens_at: Millis,
    /// People per second at the opening.
    pub(crate) start_per_s: u32,
    /// The least that was allowed.
    pub(crate) min_per_s: u32,
    /// The most.
    pub(crate) max_per_s: u32,
    /// Its moves, in time order; empty where it stayed.
    pub(crate) steps: Vec<RateStep>,
}

impl Followed {
    /// That of the run's sale; `None` of a rate that follows nothing, as that of several sales as one.
    pub(crate) fn of(report: &RunReport) -> Option<Self> {
        let admission = &report.sale.admission;
        let adaptive = admission.adaptive?;
        Some(Self {
            opens_at: report.load.opens_at,
            start_per_s: admission.rate_per_s,
            min_per_s: adaptive.min_rate_per_s,
            max_per_s: adaptive.max_rate_per_s,
            steps: report.load.rate_steps.clone(),
        })
    }

    /// All of it in one sentence: `from 8/s to 4/s, 2 to 30 allowed: 1 step up, 1 down`.
    pub(crate) fn sentence(&self) -> String {
        let (start, min, max) = (self.start_per_s, self.min_per_s, self.max_per_s);
        let Some(last) = self.steps.last() else {
            return format!("it stayed at {start}/s, {min} to {max} allowed");
        };
        let down = self.steps.iter().filter(|step| step.is_down()).count();
        let up = self.steps.len() - down;
        let s = if up == 1 { "" } else { "s" };
        format!(
            "from {start}/s to {}/s, {min} to {max} allowed: {up} step{s} up, {down} down",
            last.to_per_s
        )
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A rate between 50 and 400 that opened with 200 and went to each of `rates`, one every six seconds.
    pub(crate) fn moved_to(opens_at: Millis, rates: &[u32]) -> Followed {
        let mut from_per_s = 200;
        let step = |(n, to_per_s): (i64, &u32)| {
            let from_per_s = std::mem::replace(&mut from_per_s, *to_per_s);
            RateStep {
                at: opens_at.plus_ms(n * 6_000 + 2_100),
                from_per_s,
                to_per_s: *to_per_s,
                why: if *to_per_s < from_per_s {
                    "reservations take 1300 ms at the 99th percentile, 1000 are allowed".to_owned()
                } else {
                    format!("connection pools are 12 % full, 80 are allowed, and {from_per_s}/s was borne")
                },
            }
        };
        Followed {
            opens_at,
            start_per_s: 200,
            min_per_s: 50,
            max_per_s: 400,
            steps: (0..).zip(rates).map(step).collect(),
        }
    }

    #[test]
    fn a_sentence_tells_where_it_came_from_and_where_it_went() {
        let told = |rates: &[u32]| moved_to(Millis(0), rates).sentence();
        assert_eq!(
            told(&[220, 242, 150]),
            "from 200/s to 150/s, 50 to 400 allowed: 2 steps up, 1 down"
        );
        assert_eq!(
            told(&[220]),
            "from 200/s to 220/s, 50 to 400 allowed: 1 step up, 0 down"
        );
        assert_eq!(told(&[]), "it stayed at 200/s, 50 to 400 allowed");
    }
}
