//! From what a sale wants of a workload to what is done with it. Pure.

use super::Target;
use serde::{Deserialize, Serialize};
use urr_core::time::Millis;

/// What a sale wants of a workload now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Wish {
    /// At least so many replicas.
    Have(u32),
    /// At least so many, but others come first.
    HaveLater(u32),
    /// Nothing more; what there is stays as it is for now.
    Stay,
    /// Nothing more: give back what there was, or what `base` says.
    GiveBack {
        /// What to leave behind instead of what there was.
        base: Option<u32>,
    },
    /// Nothing more: let go of it as it is.
    LetGo,
}

/// What to do with a workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Step {
    /// It is as it should be.
    Keep,
    /// It will be asked for when those before it are ready.
    Wait,
    /// Another sale scaled it, or an autoscaler that ours does not name does: not ours to touch now.
    Conflict,
    /// Have `to` replicas, and remember that there were `before`.
    Scale {
        /// Replicas to have.
        to: u32,
        /// What to give back later.
        before: u32,
        /// When more was asked for.
        asked_at: Option<Millis>,
    },
    /// Give back what there was, and forget.
    Restore {
        /// Replicas to have.
        to: u32,
    },
    /// Forget, and leave it as it is.
    Leave,
}

impl Step {
    /// Whether it takes something away from `target`.
    #[must_use]
    pub const fn shrinks(self, target: &Target) -> bool {
        match self {
            Self::Scale { to, .. } | Self::Restore { to } => to < target.count,
            Self::Keep | Self::Wait | Self::Conflict | Self::Leave => false,
        }
    }
}

/// What makes `target` meet the wish of `sale` at `now`. `remembered`: what there was before as the
/// sale's status has it, for when somebody took the annotation away.
#[must_use]
pub fn step(target: &Target, sale: &str, wish: Wish, remembered: Option<u32>, now: Millis) -> Step {
    let ours = target.claim_of(sale);
    let is_others = target.claim.is_some() && ours.is_none();
    match (wish, ours) {
        (Wish::Stay, _) => Step::Keep,
        (Wish::GiveBack { base }, Some(claim)) => Step::Restore {
            to: target.moves.bounded(base.unwrap_or(claim.before)),
        },
        (Wish::LetGo, Some(_)) => Step::Leave,
        (Wish::GiveBack { .. } | Wish::LetGo, None) => Step::Keep,
        (Wish::Have(_) | Wish::HaveLater(_), _) if is_others => Step::Conflict,
        // One that came when the count was ours already: what there was is given back, and no more is set.
        (Wish::Have(_) | Wish::HaveLater(_), Some(_)) if target.rival.is_some() => Step::Keep,
        (Wish::Have(_) | Wish::HaveLater(_), None) if target.rival.is_some() => Step::Conflict,
        (Wish::HaveLater(_), None) => Step::Wait,
        (Wish::Have(wanted) | Wish::HaveLater(wanted), claim) => {
            let before = claim
                .map(|claim| claim.before)
                .or(remembered)
                .unwrap_or(target.count);
            // Never below what the workload had without us.
            let to = target.moves.bounded(wanted.max(before));
            if to == target.count && claim.is_some() {
                return Step::Keep;
            }
            let asked_at = if to > target.count || claim.is_none() {
                Some(now)
            } else {
                claim.and_then(|claim| claim.asked_at)
            };
            Step::Scale { to, before, asked_at }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::workloads::patch;
    use super::super::{BEFORE_ANNOTATION, Claim, Moves, SALE_ANNOTATION};
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    const SALE: &str = "club-night";
    const NOW: Millis = Millis(9000);
    const BACK: Wish = Wish::GiveBack { base: None };

    fn claimed(before: u32) -> Claim {
        Claim {
            sale: SALE.into(),
            before,
            asked_at: Some(Millis(5000)),
        }
    }

    fn target(count: u32, before: Option<u32>) -> Target {
        Target {
            name: "booking".into(),
            moves: Moves::Replicas,
            count,
            ready: count,
            claim: before.map(claimed),
            rival: None,
        }
    }

    fn steps(target: &Target, wish: Wish) -> Step {
        step(target, SALE, wish, None, NOW)
    }

    fn after(target: &Target, step: Step) -> Target {
        let (count, claim) = match step {
            Step::Keep | Step::Wait | Step::Conflict => return target.clone(),
            Step::Scale { to, before, asked_at } => {
                let sale = SALE.into();
                (
                    to,
                    Some(Claim {
                        sale,
                        before,
                        asked_at,
                    }),
                )
            }
            Step::Restore { to } => (to, None),
            Step::Leave => (target.count, None),
        };
        Target {
            count,
            claim,
            ..target.clone()
        }
    }

    #[test]
    fn outside_a_window_nothing_is_touched() {
        for wish in [BACK, Wish::LetGo, Wish::Stay, Wish::GiveBack { base: Some(7) }] {
            assert_eq!(steps(&target(3, None), wish), Step::Keep);
        }
    }

    #[test]
    fn what_was_there_is_remembered_in_the_same_write_and_given_back() {
        let scale = steps(&target(2, None), Wish::Have(6));
        let expected = Step::Scale {
            to: 6,
            before: 2,
            asked_at: Some(NOW),
        };
        assert_eq!(scale, expected);
        let patch = patch(&target(2, None), SALE, scale).unwrap();
        assert_eq!(patch["metadata"]["annotations"][BEFORE_ANNOTATION], "2");
        assert_eq!(patch["metadata"]["annotations"][SALE_ANNOTATION], SALE);
        assert_eq!(patch["spec"]["replicas"], 6);
        let scaled = target(6, Some(2));
        assert_eq!(steps(&scaled, Wish::Have(6)), Step::Keep);
        assert_eq!(steps(&scaled, BACK), Step::Restore { to: 2 });
        assert_eq!(
            steps(&scaled, Wish::GiveBack { base: Some(3) }),
            Step::Restore { to: 3 }
        );
        assert_eq!(steps(&scaled, Wish::LetGo), Step::Leave);
    }

    #[test]
    fn another_sales_workload_is_left_alone() {
        let theirs = target(6, Some(2));
        assert_eq!(step(&theirs, "other", Wish::Have(9), None, NOW), Step::Conflict);
        assert_eq!(
            step(&theirs, "other", BACK, None, NOW),
            Step::Keep,
            "and not given back for them"
        );
    }

    #[test]
    fn nobody_pulls_at_a_count_that_an_unnamed_autoscaler_sets() {
        let pulled = |before| Target {
            rival: Some("booking".into()),
            ..target(2, before)
        };
        assert_eq!(steps(&pulled(None), Wish::Have(6)), Step::Conflict);
        assert_eq!(
            steps(&pulled(Some(1)), Wish::Have(6)),
            Step::Keep,
            "it is the autoscaler's by now"
        );
        assert_eq!(steps(&pulled(Some(1)), BACK), Step::Restore { to: 1 });
    }

    #[test]
    fn one_whose_turn_it_is_not_waits_unless_it_was_asked_for_already() {
        assert_eq!(steps(&target(1, None), Wish::HaveLater(4)), Step::Wait);
        assert_eq!(steps(&target(4, Some(1)), Wish::HaveLater(4)), Step::Keep);
    }

    #[test]
    fn what_somebody_changes_is_set_right_and_what_there_was_is_not_forgotten() {
        let scale = |to, asked_at| Step::Scale {
            to,
            before: 1,
            asked_at: Some(asked_at),
        };
        assert_eq!(steps(&target(2, Some(1)), Wish::Have(4)), scale(4, NOW));
        assert_eq!(
            steps(&target(9, Some(1)), Wish::Have(4)),
            scale(4, Millis(5000)),
            "less was not asked for"
        );
        let stripped = step(&target(4, None), SALE, Wish::Have(4), Some(1), NOW);
        assert_eq!(stripped, scale(4, NOW));
    }

    #[test]
    fn a_floor_is_moved_within_its_autoscalers_bounds_and_replicas_never() {
        let floor = Target {
            moves: Moves::Floor {
                autoscaler: "booking-hpa".into(),
                max: 5,
            },
            ..target(2, None)
        };
        let scale = steps(&floor, Wish::Have(8));
        assert!(matches!(scale, Step::Scale { to: 5, before: 2, .. }), "{scale:?}");
        let patch = patch(&floor, SALE, scale).unwrap();
        assert_eq!(
            (&patch["kind"], &patch["metadata"]["name"], &patch["spec"]),
            (
                &json!("HorizontalPodAutoscaler"),
                &json!("booking-hpa"),
                &json!({"minReplicas": 5})
            )
        );
    }

    fn wish() -> impl Strategy<Value = Wish> {
        prop_oneof![
            (0..50_u32).prop_map(Wish::Have),
            (0..50_u32).prop_map(Wish::HaveLater),
            Just(Wish::Stay),
            Just(Wish::LetGo),
            prop::option::of(0..50_u32).prop_map(|base| Wish::GiveBack { base }),
        ]
    }

    proptest! {
        #[test]
        fn a_second_look_finds_nothing_to_do(
            count in 0..50_u32, before in prop::option::of(0..50_u32), wish in wish(),
        ) {
            let target = target(count, before);
            let settled = after(&target, steps(&target, wish));
            let again = steps(&settled, wish);
            prop_assert!(matches!(again, Step::Keep | Step::Wait), "{again:?}");
        }

        #[test]
        fn any_number_of_windows_ends_with_what_was_there(
            count in 0..50_u32, wishes in prop::collection::vec(0..50_u32, 1..6),
        ) {
            let mut now = target(count, None);
            for wish in wishes {
                now = after(&now, steps(&now, Wish::Have(wish)));
                prop_assert!(now.count >= count.max(wish));
            }
            prop_assert_eq!(after(&now, steps(&now, BACK)), target(count, None));
        }
    }
}
