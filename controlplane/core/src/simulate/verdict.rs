//! What a simulated opening came to.
//!
//! Printed, written beside a drill's report and compared with it: add fields, never change a
//! meaning.

use super::{
    Opening,
    inside::{Fate, Outcome},
    line::{Line, NEVER},
    people::{People, Visit},
    track::{Track, What},
};
use serde::{Deserialize, Serialize};

/// The forecast of an opening. Times in ms from the opening.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Forecast {
    /// The seed it follows from.
    pub seed: u64,
    /// Everybody who came.
    pub visitors: u64,
    /// Seats on sale.
    pub seats: u64,
    /// People per second that are let in.
    pub rate_per_s: u32,
    /// The least and the most it may become where it follows the services. What they bear is not foretold:
    /// the forecast is of the rate above.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_bounds_per_s: Option<(u32, u32)>,
    /// Most that may be inside.
    pub cap: u32,
    /// How it ended for them.
    pub fates: Fates,
    /// Seats paid for.
    pub sold_seats: u64,
    /// When the last seat was paid for.
    pub sold_out_ms: Option<i64>,
    /// When the last visitor was gone.
    pub ended_ms: i64,
    /// Most that were inside at once.
    pub peak_active: u64,
    /// Most that stood in line at once.
    pub peak_waiting: u64,
    /// Waits of those let in, from arrival to hearing of it; absent when nobody was.
    pub wait: Option<Quantiles>,
    /// The same by order of arrival, in ten parts.
    pub wait_by_arrival: Vec<WaitTenth>,
    /// Over time, evenly spaced.
    pub points: Vec<Point>,
}

/// How it ended, in people. They add up to the visitors.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Fates {
    /// With tickets.
    pub bought: u64,
    /// Looked around, as intended.
    pub looked: u64,
    /// Was told that it is sold out, in line or inside.
    pub sold_out: u64,
    /// Lost patience in line.
    pub gave_up: u64,
    /// Others were quicker every time.
    pub lost_race: u64,
    /// Came to pay when the hold was over.
    pub hold_lost: u64,
    /// The provider refused to the end.
    pub payment_refused: u64,
    /// Walked away from held seats.
    pub abandoned: u64,
    /// The slot ended before they did.
    pub timed_out: u64,
    /// Stood in line when the sale closed, or came later.
    pub left_in_line: u64,
    /// Never joined.
    pub elsewhere: u64,
}

/// Times below which that share of people stays, ms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Quantiles {
    /// A tenth.
    pub p10: u64,
    /// A quarter.
    pub p25: u64,
    /// Half.
    pub p50: u64,
    /// Three quarters.
    pub p75: u64,
    /// Nine tenths.
    pub p90: u64,
    /// 99 of 100.
    pub p99: u64,
    /// Everybody.
    pub max: u64,
}

/// How long a tenth of those let in waited, in order of arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WaitTenth {
    /// First arrival.
    pub from_ms: i64,
    /// Last arrival.
    pub to_ms: i64,
    /// How many of them were let in.
    pub let_in: u64,
    /// Median wait, ms.
    pub p50_ms: u64,
    /// 95th percentile, ms.
    pub p95_ms: u64,
}

/// The opening at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Point {
    /// When.
    pub at_ms: i64,
    /// Visitors that have come.
    pub arrived: u64,
    /// In line, both tiers.
    pub waiting: u64,
    /// Inside.
    pub active: u64,
    /// Let in since the start.
    pub admitted: u64,
    /// Seats held.
    pub held: u64,
    /// Seats paid for.
    pub sold: u64,
}

/// Sums everything up.
pub(super) fn conclude(
    opening: &Opening,
    people: &People,
    line: &Line,
    out: &Outcome,
    mut track: Track,
) -> Forecast {
    let mut fates = Fates::default();
    let mut waits = Vec::new();
    for visitor in 0..people.len() {
        let arrive = i64::from(people.arrive[visitor]);
        track.add(arrive, What::Arrived, 1);
        if line.position[visitor] > 0 {
            track.add(arrive, What::Waiting, 1);
            track.add(
                leaves_line_at(opening, people, line, out, visitor),
                What::Waiting,
                -1,
            );
        }
        fates.count(opening, people, line, out, visitor);
        if out.let_in[visitor] != NEVER {
            let wait_ms = i64::from(out.let_in[visitor]) - arrive;
            waits.push((people.arrive[visitor], wait_ms.unsigned_abs()));
        }
    }
    let points = track.points();
    Forecast {
        seed: opening.seed,
        visitors: people.len() as u64,
        seats: u64::from(opening.sale.seats),
        rate_per_s: opening.rate_per_s(),
        rate_bounds_per_s: (opening.sale.admission.adaptive)
            .map(|adaptive| (adaptive.min_rate_per_s, adaptive.max_rate_per_s)),
        cap: opening.sale.admission.cap,
        fates,
        sold_seats: out.sold,
        sold_out_ms: out.sold_out_ms,
        ended_ms: out.ended_ms,
        peak_active: track.peak_active(),
        peak_waiting: points.iter().map(|point| point.waiting).max().unwrap_or(0),
        wait_by_arrival: tenths(&waits),
        wait: Quantiles::of(waits.into_iter().map(|(_, ms)| ms).collect()),
        points,
    }
}

/// When somebody with a place stops standing in line: let in, out of patience, told that it is
/// sold out, or closed.
fn leaves_line_at(opening: &Opening, people: &People, line: &Line, out: &Outcome, visitor: usize) -> i64 {
    let schedule = &opening.sale.schedule;
    let arrive = i64::from(people.arrive[visitor]);
    if out.let_in[visitor] != NEVER {
        return i64::from(out.let_in[visitor]);
    }
    let over = out
        .sold_out_ms
        .unwrap_or_else(|| schedule.closes_at.since(schedule.opens_at));
    i64::from(line.patience[visitor]).min(over).max(arrive)
}

impl Fates {
    fn count(&mut self, opening: &Opening, people: &People, line: &Line, out: &Outcome, visitor: usize) {
        let slot = match out.fates[visitor] {
            Fate::Bought => &mut self.bought,
            Fate::Looked => &mut self.looked,
            Fate::FoundItSoldOut => &mut self.sold_out,
            Fate::LostRace => &mut self.lost_race,
            Fate::HoldLost => &mut self.hold_lost,
            Fate::PaymentRefused => &mut self.payment_refused,
            Fate::Abandoned => &mut self.abandoned,
            Fate::GaveUp => &mut self.gave_up,
            Fate::TimedOut => &mut self.timed_out,
            Fate::Outside if matches!(people.visit(opening, visitor), Visit::Elsewhere) => {
                &mut self.elsewhere
            }
            Fate::Outside => {
                let patience_ends = i64::from(line.patience[visitor]);
                let schedule = &opening.sale.schedule;
                let closes_ms = schedule.closes_at.since(schedule.opens_at);
                let over = out.sold_out_ms.unwrap_or(closes_ms);
                if line.position[visitor] > 0 && patience_ends < over {
                    &mut self.gave_up
                } else if out.sold_out_ms.is_some() && i64::from(people.arrive[visitor]) < closes_ms {
                    &mut self.sold_out
                } else {
                    &mut self.left_in_line
                }
            }
        };
        *slot += 1;
    }

    /// Everybody.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.bought
            + self.looked
            + self.sold_out
            + self.gave_up
            + self.lost_race
            + self.hold_lost
            + self.payment_refused
            + self.abandoned
            + self.timed_out
            + self.left_in_line
            + self.elsewhere
    }
}

impl Quantiles {
    /// Of these waits in ms; `None` of nobody's.
    #[must_use]
    pub fn of(mut waits: Vec<u64>) -> Option<Self> {
        waits.sort_unstable();
        let max = *waits.last()?;
        let at = |percent: usize| waits[(waits.len() - 1) * percent / 100];
        Some(Self {
            p10: at(10),
            p25: at(25),
            p50: at(50),
            p75: at(75),
            p90: at(90),
            p99: at(99),
            max,
        })
    }
}

/// `waits` are (arrival, wait), in order of arrival.
fn tenths(waits: &[(i32, u64)]) -> Vec<WaitTenth> {
    (0..10)
        .filter_map(|tenth| {
            let part = &waits[waits.len() * tenth / 10..waits.len() * (tenth + 1) / 10];
            let (first, last) = (part.first()?, part.last()?);
            let mut waited: Vec<u64> = part.iter().map(|(_, ms)| *ms).collect();
            waited.sort_unstable();
            let at = |percent: usize| waited[(waited.len() - 1) * percent / 100];
            Some(WaitTenth {
                from_ms: i64::from(first.0),
                to_ms: i64::from(last.0),
                let_in: part.len() as u64,
                p50_ms: at(50),
                p95_ms: at(95),
            })
        })
        .collect()
}
