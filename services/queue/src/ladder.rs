//! How many are ahead of a place, from a few measured places: a ladder of (rank, place) knots, close
//! together at the front and ever wider apart behind.
//!
//! A poll must not ask Redis for a rank (law `free-poll`). At the knots the answer is exact as of
//! the survey; between two knots it is interpolated, and never outside what they allow: knots are an
//! eighth of their rank apart, so far back the error is at most that, and among the first 17 none.

/// One survey of a line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Ladder {
    /// Ascending in both.
    knots: Vec<(u64, u64)>,
}

impl Ladder {
    /// From the script's flat answer: rank, place, rank, place, ..
    pub(crate) fn of(flat: &[i64]) -> Self {
        let knots = flat
            .chunks_exact(2)
            .filter_map(|pair| Some((u64::try_from(pair[0]).ok()?, u64::try_from(pair[1]).ok()?)))
            .collect();
        Self { knots }
    }

    /// How many stand before `place`.
    pub(crate) fn ahead_of(&self, place: u64) -> u64 {
        let behind = self.knots.partition_point(|(_, knot)| *knot < place);
        let Some(&(rank_behind, place_behind)) = self.knots.get(behind) else {
            // Came after the survey: behind everybody it saw.
            return self.knots.last().map_or(0, |(rank, _)| rank + 1);
        };
        let Some(&(rank_before, place_before)) = behind.checked_sub(1).and_then(|at| self.knots.get(at))
        else {
            return rank_behind;
        };
        let (ranks, places) = (rank_behind - rank_before, place_behind - place_before);
        // At least one is ahead more than at the knot before. 128 bits: places may be large.
        let steps = u128::from(ranks) * u128::from(place - place_before) / u128::from(places.max(1));
        rank_before + u64::try_from(steps).unwrap_or(ranks).clamp(1, ranks.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    /// The knots the script takes.
    fn survey(places: &[u64]) -> Ladder {
        let mut flat = Vec::new();
        let mut at = 0;
        while at < places.len() {
            flat.extend([at as i64, places[at] as i64]);
            if at == places.len() - 1 {
                break;
            }
            let next = if at < 16 { at + 1 } else { (at * 9).div_ceil(8) };
            at = next.min(places.len() - 1);
        }
        Ladder::of(&flat)
    }

    #[test]
    fn a_dense_line_is_told_exactly() {
        let places: Vec<u64> = (1..=50_000).collect();
        let ladder = survey(&places);
        assert!(ladder.knots.len() < 120, "{}", ladder.knots.len());
        for (rank, place) in places.iter().enumerate() {
            assert_eq!(ladder.ahead_of(*place), rank as u64);
        }
        assert_eq!(ladder.ahead_of(60_000), 50_000);
        assert_eq!(Ladder::default().ahead_of(7), 0);
    }

    proptest! {
        #[test]
        fn a_line_with_holes_is_told_within_an_eighth(places in prop::collection::btree_set(1_u64..1_000_000, 1..3000)) {
            let places: BTreeSet<u64> = places;
            let line: Vec<u64> = places.into_iter().collect();
            let ladder = survey(&line);
            let mut last = 0;
            for (rank, place) in line.iter().enumerate() {
                let told = ladder.ahead_of(*place);
                prop_assert!(told >= last, "who stands behind is never told less");
                last = told;
                let off = told.abs_diff(rank as u64);
                prop_assert!(rank < 17 && off == 0 || off <= rank as u64 / 8 + 1, "{rank}: {told}");
            }
        }
    }
}
