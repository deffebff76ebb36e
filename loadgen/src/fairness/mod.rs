//! Whether the line was fair, by what visitors themselves saw.
//!
//! The auditor judges the law from the stores; here it is measured, so that a report can say *how*
//! fair it was. A place counts as taken between the moment the join left and the moment its answer
//! came: whoever had the answer more than the commit window before another even asked, and stands
//! behind him, was overtaken, whatever the network did. Where places are drawn, the same is asked
//! of the tickets, the draw is replayed from its revealed seed, and places must have nothing to do
//! with who came first.

mod order;

pub use order::{Entry, Inversions, inversions, kendall_tau, tau_sigmas};

use crate::observe::{DrawSeen, PlaceSeen};
use serde::{Deserialize, Serialize};
use urr_core::draw::{self, Draw};

/// Joins this far apart may be numbered in either order (law `fair-order`).
pub const WINDOW_US: i64 = 50_000;
/// Fewer people than this show no order, or every.
const FEW: usize = 30;

/// How fair a line was.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Fairness {
    /// Visitors who were told a place.
    pub places: u64,
    /// Of those who stand in order of arrival: overtaken though answered before the other asked.
    pub inversions: Inversions,
    /// The same by the moments at which the requests left: what visitors may feel, delays of the
    /// network and of a busy machine included.
    pub felt: Inversions,
    /// Agreement of arrival and place among those who stand in order of arrival.
    pub tau: Option<f64>,
    /// The draw among those who came before the opening.
    pub draw: Option<DrawFairness>,
}

/// How fair a draw was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DrawFairness {
    /// SHA-256 of the seed, as published before the opening.
    pub commitment: Option<String>,
    /// Tickets in the draw, as published after it.
    pub drawn: Option<u64>,
    /// Why the draw does not agree with what was published before; `None` when it does.
    pub violation: Option<String>,
    /// Places that visitors were told and that the seed gives to some ticket of the draw.
    pub places: u64,
    /// Agreement of arrival and place: about 0.
    pub tau: Option<f64>,
    /// How many standard deviations from 0 that is, for unrelated orders.
    pub sigmas: Option<f64>,
    /// Tickets that were not given out in order of arrival.
    pub tickets: Inversions,
}

impl DrawFairness {
    /// Whether the published seed is the one that was committed to.
    #[must_use]
    pub const fn is_verified(&self) -> bool {
        self.violation.is_none()
    }
}

/// How fair the places are that visitors were told; `draw` is what was published, where places
/// are drawn.
#[must_use]
pub fn judge(places: &[PlaceSeen], draw: Option<&DrawSeen>) -> Fairness {
    let (drawn, queued) = match draw {
        None => (None, places.to_vec()),
        Some(seen) => {
            let (fairness, late) = judge_draw(places, seen);
            (Some(fairness), late)
        }
    };
    let told = |place: &PlaceSeen| Entry {
        from_us: place.sent_us,
        until_us: place.answered_us.max(place.sent_us),
        number: place.position,
    };
    let told: Vec<Entry> = queued.iter().map(told).collect();
    let felt: Vec<Entry> = told
        .iter()
        .map(|entry| Entry {
            until_us: entry.from_us,
            ..*entry
        })
        .collect();
    Fairness {
        places: places.len() as u64,
        inversions: inversions(&told, WINDOW_US),
        felt: inversions(&felt, WINDOW_US),
        tau: tau(&queued),
        draw: drawn,
    }
}

fn tau(places: &[PlaceSeen]) -> Option<f64> {
    let pairs: Vec<(i64, u64)> = places
        .iter()
        .map(|place| (place.sent_us, place.position))
        .collect();
    kendall_tau(&pairs).filter(|_| places.len() >= FEW)
}

/// The draw, and the places of those who came after it.
fn judge_draw(places: &[PlaceSeen], seen: &DrawSeen) -> (DrawFairness, Vec<PlaceSeen>) {
    let mut fairness = DrawFairness {
        commitment: seen.commitment.map(draw::Commitment::to_hex),
        drawn: seen.drawn,
        violation: None,
        places: 0,
        tau: None,
        sigmas: None,
        tickets: Inversions::default(),
    };
    let (Some(seed), Some(drawn)) = (seen.seed, seen.drawn) else {
        fairness.violation = Some("the seed was not revealed".to_owned());
        // Without it only the opening tells the drawn from the late.
        let late = places
            .iter()
            .copied()
            .filter(|place| place.sent_us >= 0)
            .collect();
        return (fairness, late);
    };
    fairness.violation = match seen.commitment {
        None => Some("no commitment was published before the opening".to_owned()),
        Some(commitment) if seed.commitment() != commitment => Some(draw::Violation::OtherSeed.to_string()),
        Some(_) => None,
    };
    let (early, late): (Vec<PlaceSeen>, Vec<PlaceSeen>) =
        places.iter().copied().partition(|place| place.position <= drawn);
    let draw = Draw::new(&seed, drawn);
    let tickets: Vec<Entry> = early
        .iter()
        .map(|place| Entry {
            from_us: place.sent_us,
            until_us: place.answered_us.max(place.sent_us),
            number: draw.ticket(place.position),
        })
        .collect();
    fairness.places = early.len() as u64;
    fairness.tickets = inversions(&tickets, WINDOW_US);
    fairness.tau = tau(&early);
    fairness.sigmas = fairness.tau.map(|tau| tau_sigmas(tau, early.len()));
    (fairness, late)
}

#[cfg(test)]
mod tests {
    use super::*;
    use urr_core::draw::Seed;

    /// People who came 1 ms apart from `from_us` on and have these places.
    fn people(from_us: i64, places: impl IntoIterator<Item = u64>) -> Vec<PlaceSeen> {
        (0..)
            .zip(places)
            .map(|(nth, position)| PlaceSeen {
                sent_us: from_us + nth * 1000,
                answered_us: from_us + nth * 1000 + 5000,
                position,
            })
            .collect()
    }

    #[test]
    fn a_line_in_order_of_arrival_is_fair_and_a_swap_beyond_the_window_is_counted() {
        let fair = judge(&people(0, 1..=500), None);
        assert_eq!((fair.inversions.pairs, fair.felt.pairs), (0, 0));
        assert!((fair.tau.unwrap() - 1.0).abs() < 1e-9);
        let mut swapped = people(0, 1..=500);
        let (a, b) = (swapped[100].position, swapped[300].position);
        (swapped[100].position, swapped[300].position) = (b, a);
        let unfair = judge(&swapped, None);
        // Number 301 passed the 144 who were answered more than 50 ms before it came, the swapped one
        // included, and was passed by those who came that much later than the swapped one.
        assert_eq!(unfair.inversions.people, 1 + 144);
        assert_eq!(unfair.inversions.worst_us, 200_000 - 5000);
        assert!(unfair.felt.pairs >= unfair.inversions.pairs);
        let near = {
            let mut near = people(0, 1..=500);
            (near[100].position, near[140].position) = (near[140].position, near[100].position);
            judge(&near, None)
        };
        assert_eq!(near.inversions.pairs, 0, "within the window anybody may be first");
    }

    #[test]
    fn a_draw_is_replayed_and_its_places_have_nothing_to_do_with_arrival() {
        let seed = Seed::from_bytes([7; 32]);
        let drawn = 2000;
        let draw = Draw::new(&seed, drawn);
        let mut places = people(-5_000_000, (1..=drawn).map(|ticket| draw.place(ticket)));
        places.extend(people(100_000, drawn + 1..=drawn + 500));
        let seen = DrawSeen {
            commitment: Some(seed.commitment()),
            seed: Some(seed),
            drawn: Some(drawn),
        };
        let fairness = judge(&places, Some(&seen));
        let drawing = fairness.draw.unwrap();
        assert!(drawing.is_verified());
        assert_eq!((drawing.places, drawing.tickets.pairs), (drawn, 0));
        assert!(drawing.sigmas.unwrap().abs() < 4.0, "{drawing:?}");
        assert_eq!(fairness.inversions.pairs, 0);
        assert!(
            (fairness.tau.unwrap() - 1.0).abs() < 1e-9,
            "late joiners stand as they came"
        );
        // Another seed than the one committed to, and places that no seed gave.
        let cheat = DrawSeen {
            commitment: Some(Seed::from_bytes([8; 32]).commitment()),
            ..seen
        };
        assert!(!judge(&places, Some(&cheat)).draw.unwrap().is_verified());
        let in_order = people(-5_000_000, 1..=drawn);
        let sneaky = judge(&in_order, Some(&seen)).draw.unwrap();
        assert!(sneaky.sigmas.unwrap() > 50.0 && sneaky.tickets.pairs > 0);
    }

    #[test]
    fn a_seed_that_is_never_revealed_proves_nothing() {
        let places = people(-1_000_000, 1..=100);
        let seen = DrawSeen::default();
        let drawing = judge(&places, Some(&seen)).draw.unwrap();
        assert!(!drawing.is_verified());
    }
}
