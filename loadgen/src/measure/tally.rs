//! A step as a worker hands it over: counts and whole histograms, so that the sum over workers is
//! what one machine would have measured.

use super::step::{Lane, Latency, Step, StepSummary};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// See the module.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StepTally {
    /// Which.
    pub step: Step,
    /// By whom.
    pub lane: Lane,
    /// Ended as hoped.
    pub fine: u64,
    /// Ended as part of the game.
    pub declined: u64,
    /// Ended with an error.
    pub failed: u64,
    /// Started more than 100 ms after it was due.
    pub late: u64,
    /// From the intended moment.
    pub response: Latency,
    /// From sending.
    pub service: Latency,
}

impl StepTally {
    /// Adds `other`, a tally of the same step and lane.
    pub fn add(&mut self, other: &Self) {
        self.fine += other.fine;
        self.declined += other.declined;
        self.failed += other.failed;
        self.late += other.late;
        self.response.add(&other.response);
        self.service.add(&other.service);
    }

    /// Adds up tallies of several workers, in the order of the steps.
    #[must_use]
    pub fn sum<'a>(tallies: impl IntoIterator<Item = &'a Self>) -> Vec<Self> {
        let mut sums: Vec<Self> = Vec::new();
        for tally in tallies {
            let same = |sum: &&mut Self| sum.step == tally.step && sum.lane == tally.lane;
            match sums.iter_mut().find(same) {
                Some(sum) => sum.add(tally),
                None => sums.push(tally.clone()),
            }
        }
        sums.sort_by_key(|sum| (sum.lane == Lane::Browser, sum.step));
        sums
    }

    /// The step in figures for people.
    #[must_use]
    pub fn summary(&self) -> StepSummary {
        StepSummary {
            step: self.step,
            lane: self.lane,
            fine: self.fine,
            declined: self.declined,
            failed: self.failed,
            late: self.late,
            p50_us: self.response.percentile_us(50.0),
            p95_us: self.response.percentile_us(95.0),
            p99_us: self.response.percentile_us(99.0),
            max_us: self.response.max_us(),
            mean_us: self.response.mean_us(),
            service_p50_us: self.service.percentile_us(50.0),
            service_p95_us: self.service.percentile_us(95.0),
        }
    }
}

/// A histogram on its way: its precision and its filled slots, each as the distance of its value to
/// the one before and its count.
#[derive(Serialize, Deserialize)]
struct Slots {
    digits: u8,
    slots: Vec<(u64, u64)>,
}

impl Serialize for Latency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut before = 0;
        let slots = self
            .slots()
            .map(|(value, count)| (value - std::mem::replace(&mut before, value), count))
            .collect();
        let digits = self.digits();
        Slots { digits, slots }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Latency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Slots { digits, slots } = Slots::deserialize(deserializer)?;
        let mut latency = Self::new(digits);
        let mut value: u64 = 0;
        for (distance, count) in slots {
            value = value
                .checked_add(distance)
                .ok_or_else(|| D::Error::custom("a histogram's slot lies beyond every latency"))?;
            latency.add_slot(value, count);
        }
        Ok(latency)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    fn latency(us: &[u64]) -> Latency {
        let mut latency = Latency::new(3);
        us.iter()
            .for_each(|us| latency.record(Duration::from_micros(*us)));
        latency
    }

    proptest! {
        #[test]
        fn histograms_that_travelled_add_up_to_exactly_what_one_would_have_measured(
            us in prop::collection::vec(1u64..700_000_000, 0..300), workers in 1usize..8,
        ) {
            let whole = latency(&us);
            let mut merged = Latency::new(3);
            for nth in 0..workers {
                let part: Vec<u64> = us.iter().copied().skip(nth).step_by(workers).collect();
                let sent = serde_json::to_string(&latency(&part)).unwrap();
                merged.add(&serde_json::from_str(&sent).unwrap());
            }
            prop_assert_eq!(merged.count(), whole.count());
            prop_assert!(merged.slots().eq(whole.slots()));
            for percent in [0.0, 1.0, 50.0, 95.0, 99.0, 99.9, 100.0] {
                prop_assert_eq!(merged.percentile_us(percent), whole.percentile_us(percent));
            }
            prop_assert_eq!(merged.max_us(), whole.max_us());
        }
    }

    #[test]
    fn a_histogram_of_nonsense_is_refused() {
        let absurd = format!(r#"{{"digits":3,"slots":[[{0},1],[{0},1]]}}"#, u64::MAX);
        assert!(serde_json::from_str::<Latency>(&absurd).is_err());
    }
}
