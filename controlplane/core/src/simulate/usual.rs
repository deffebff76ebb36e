//! What is assumed of a crowd that nobody has described: a `TicketSale` says how many come, not how
//! they behave.

use super::{Arrivals, Buying, Opening, Persona, Polls, Spread, Visit};
use crate::sale::Sale;

/// The assumed behaviour, in figures a person may object to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Usual {
    /// Share that is there before the opening, evenly over the pre-queue's last ten minutes.
    pub early: f64,
    /// The others come in a rush that dies down over this long, ms.
    pub rush_ms: i64,
    /// Mean time between two steps inside, ms: look, choose, fill in, pay.
    pub think_ms: u32,
    /// Seats each buyer takes.
    pub group: u8,
    /// Share that walks away from held seats.
    pub abandons: f64,
}

impl Default for Usual {
    /// A popular sale: everybody within a minute, two seats, fifteen seconds a step.
    fn default() -> Self {
        Self {
            early: 0.5,
            rush_ms: 60_000,
            think_ms: 15_000,
            group: 2,
            abandons: 0.02,
        }
    }
}

impl Usual {
    /// How long a rush of `people` lasts, ms, whose worst second brings `peak_per_s`.
    #[must_use]
    pub fn rush_with_peak(people: f64, peak_per_s: u32) -> i64 {
        let per_window = people * RUSH_DECAY / (1.0 - (-RUSH_DECAY).exp());
        let ms = per_window / f64::from(peak_per_s.max(1)) * 1000.0;
        #[expect(clippy::cast_possible_truncation, reason = "within a day")]
        let ms = ms.clamp(1000.0, 86_400_000.0) as i64;
        ms
    }
}

/// How early the early come at most, ms.
const EARLY_MS: i64 = 600_000;
/// A rush's rate falls to e^-5, 0.7 %, over its window.
const RUSH_DECAY: f64 = 5.0;

impl Opening {
    /// The opening of `sale` with `usual` people.
    #[must_use]
    pub fn usual(sale: Sale, usual: Usual, seed: u64) -> Self {
        let visitors = u32::try_from(sale.expected_visitors).unwrap_or(u32::MAX);
        let early_ms = sale
            .schedule
            .opens_at
            .since(sale.schedule.pre_queue_at)
            .clamp(0, EARLY_MS);
        let rush_ms = usual.rush_ms.max(100);
        let rush_area = (1.0 - (-RUSH_DECAY).exp()) / RUSH_DECAY * rush_ms as f64;
        let early = if early_ms == 0 {
            0.0
        } else {
            usual.early.clamp(0.0, 1.0)
        };
        let curve = |ms: f64| {
            if ms < 0.0 {
                early / early_ms as f64
            } else {
                (1.0 - early) / rush_area * (-RUSH_DECAY * ms / rush_ms as f64).exp()
            }
        };
        let buying = Buying {
            groups: vec![(usual.group.max(1), 1.0)],
            look: Spread::steps(1, usual.think_ms),
            reach: Spread::steps(1, usual.think_ms),
            pay: Spread::steps(2, usual.think_ms),
            abandons: usual.abandons,
            declined: 0.01,
        };
        Self {
            ready_replicas: sale.capacity.replicas,
            arrivals: Arrivals::along(visitors, -early_ms, rush_ms, curve),
            personas: vec![Persona::patient(1.0, Visit::Buys(buying))],
            polls: Polls::Paced,
            seed,
            sale,
        }
    }
}
