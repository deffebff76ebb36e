//! When capacity has to be asked for, so that it is there in time.
//!
//! Deadline-first: nobody says "half an hour before" and hopes. What Pods were seen to need, batch after
//! batch, plus a margin, is the lead; the sale's own figure is its lower bound, because a cluster that
//! was never watched teaches nothing. What breaks if this becomes shorter: visitors come to a door
//! whose services are still starting.

/// The margin is this part of what was learned, in percent: starts vary by image pulls and new nodes.
const MARGIN_PERCENT: u32 = 25;
/// And at least this: the operator's own look and the API server's watch take a moment each.
const MARGIN_LEAST_S: u32 = 10;
/// Samples kept of a target, newest last: enough for a 95th percentile that one outlier does not
/// make, few enough to forget last year's image.
pub const SAMPLES_MAX: usize = 20;

/// The 95th percentile of `samples` (nearest rank), or `None` when there is none.
#[must_use]
pub fn p95(samples: &[u32]) -> Option<u32> {
    let mut sorted = samples.to_vec();
    sorted.sort_unstable();
    let rank = (sorted.len() * 95).div_ceil(100);
    sorted.get(rank.checked_sub(1)?).copied()
}

/// What `batches` need one after the other: each is as slow as its slowest target, of which
/// `batches[i][j]` are the seconds it was seen to need. `None` while nothing is known of any.
#[must_use]
pub fn learned_s(batches: &[Vec<Vec<u32>>]) -> Option<u32> {
    let slowest = |batch: &Vec<Vec<u32>>| batch.iter().filter_map(|samples| p95(samples)).max();
    let known: Vec<u32> = batches.iter().filter_map(slowest).collect();
    (!known.is_empty()).then(|| known.into_iter().fold(0, u32::saturating_add))
}

/// How long before the first visitor capacity is asked for: what was learned and the margin, but
/// never less than `least_s`.
#[must_use]
pub fn lead_s(batches: &[Vec<Vec<u32>>], least_s: u32) -> u32 {
    learned_s(batches).map_or(least_s, |learned| {
        let margin = (learned / 100)
            .saturating_mul(MARGIN_PERCENT)
            .saturating_add((learned % 100) * MARGIN_PERCENT / 100)
            .max(MARGIN_LEAST_S);
        learned.saturating_add(margin).max(least_s)
    })
}

/// `samples` with one more, the oldest dropped beyond [`SAMPLES_MAX`].
#[must_use]
pub fn with_sample(mut samples: Vec<u32>, sample_s: u32) -> Vec<u32> {
    samples.push(sample_s);
    let surplus = samples.len().saturating_sub(SAMPLES_MAX);
    samples.drain(..surplus);
    samples
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_percentile_is_a_sample_and_one_outlier_in_twenty_does_not_make_it() {
        assert_eq!(p95(&[]), None);
        assert_eq!(p95(&[7]), Some(7));
        let mut samples = vec![10; 19];
        samples.push(900);
        assert_eq!(p95(&samples), Some(10));
        samples.push(900);
        assert_eq!(p95(&samples), Some(900));
    }

    #[test]
    fn batches_come_one_after_the_other_and_targets_of_a_batch_together() {
        let batches = [vec![vec![100, 120], vec![40]], vec![vec![60]]];
        assert_eq!(learned_s(&batches), Some(180));
        assert_eq!(lead_s(&batches, 0), 180 + 45);
        assert_eq!(lead_s(&batches, 1800), 1800, "what the sale says is the least");
        assert_eq!(lead_s(&[vec![vec![]]], 30), 30, "nothing was seen yet");
        assert_eq!(lead_s(&[vec![vec![2]]], 0), 12, "a margin that a look fits into");
    }

    proptest! {
        #[test]
        fn a_lead_is_never_less_than_asked_for_nor_than_what_was_seen(
            batches in prop::collection::vec(prop::collection::vec(prop::collection::vec(any::<u32>(), 0..25), 0..4), 0..5),
            least in any::<u32>(),
        ) {
            let lead = lead_s(&batches, least);
            prop_assert!(lead >= least);
            prop_assert!(learned_s(&batches).is_none_or(|learned| lead >= learned));
        }

        #[test]
        fn a_slower_sample_never_makes_the_lead_shorter(samples in prop::collection::vec(0..10_000_u32, 1..19)) {
            let slower = with_sample(samples.clone(), samples.iter().copied().max().unwrap());
            prop_assert!(lead_s(&[vec![slower]], 0) >= lead_s(&[vec![samples]], 0));
        }
    }

    #[test]
    fn only_the_newest_samples_are_kept() {
        let samples = (0..30).fold(Vec::new(), with_sample);
        assert_eq!(samples, (10..30).collect::<Vec<_>>());
    }
}
