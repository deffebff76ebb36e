//! How long each part of an opening took, as the visitors saw it.
//!
//! Parts overlap: people still arrive while others wait and others buy. Each is told by when it
//! began and ended, in seconds of the series, so it is exact to a second.

use crate::measure::Second;
use crate::observe::Observations;
use crate::result::LoadResult;
use serde::{Deserialize, Serialize};
use std::fmt;
use urr_core::time::Millis;

/// A part of the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stage {
    /// `arrival`, `waiting`, `admission`, `selling` or `drain`.
    pub name: String,
    /// Its beginning, ms from the opening.
    pub from_ms: i64,
    /// Its end, ms from the opening.
    pub to_ms: i64,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = |ms: i64| {
            let tenths = ms.unsigned_abs().div_ceil(100);
            let sign = if ms < 0 { '-' } else { '+' };
            format!("{sign}{}.{}", tenths / 10, tenths % 10)
        };
        let took = (self.to_ms - self.from_ms).max(0);
        let (from, to) = (s(self.from_ms), s(self.to_ms));
        write!(f, "{} {} s ({from} to {to})", self.name, &s(took)[1..])
    }
}

/// When what everybody asks about happened, ms from the opening, as visitors saw it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Milestones {
    /// The first join left.
    pub first_join_ms: Option<i64>,
    /// The last seat was paid for; `None` unless all were.
    pub sold_out_ms: Option<i64>,
    /// The last seat that was sold was paid for.
    pub last_sale_ms: Option<i64>,
}

impl Milestones {
    /// Of what visitors of one sale of `seats` saw.
    pub(crate) fn of(seen: &Observations, seats: u64, opens_at: Millis) -> Self {
        let bought: u64 = seen
            .purchases
            .iter()
            .map(|bought| bought.seats.len() as u64)
            .sum();
        let last = seen
            .purchases
            .iter()
            .map(|bought| bought.at.since(opens_at))
            .max();
        Self {
            first_join_ms: seen
                .laws
                .joins
                .iter()
                .map(|join| join.sent_at.since(opens_at))
                .min(),
            sold_out_ms: last.filter(|_| bought >= seats),
            last_sale_ms: last,
        }
    }

    /// Of several sales: the first join of any, and sold out when the last of them is.
    pub(crate) fn together(sales: &[Self]) -> Self {
        let sold_out: Option<Vec<i64>> = sales.iter().map(|sale| sale.sold_out_ms).collect();
        Self {
            first_join_ms: sales.iter().filter_map(|sale| sale.first_join_ms).min(),
            sold_out_ms: sold_out.and_then(|instants| instants.into_iter().max()),
            last_sale_ms: sales.iter().filter_map(|sale| sale.last_sale_ms).max(),
        }
    }
}

impl LoadResult {
    /// What happened after what, and how long that took, ms: from the first join on, one thing after the
    /// other, up to the end of the last journey.
    #[must_use]
    pub fn spans(&self) -> Vec<(String, u64)> {
        let Milestones {
            first_join_ms,
            sold_out_ms,
            last_sale_ms,
        } = self.milestones;
        let last = match sold_out_ms {
            Some(at) => Some(("sold out", at)),
            None => last_sale_ms.map(|at| ("the last sale", at)),
        };
        let ended = self.finished_at.since(self.opens_at);
        let points = [
            first_join_ms.map(|at| ("first join", at)),
            Some(("opening", 0)),
            last,
            Some(("the last journey’s end", ended)),
        ];
        let points: Vec<(&str, i64)> = points.into_iter().flatten().collect();
        points
            .windows(2)
            .map(|pair| {
                let ms = u64::try_from(pair[1].1 - pair[0].1).unwrap_or(0);
                (format!("{} to {}", pair[0].0, pair[1].0), ms)
            })
            .collect()
    }

    /// From the first arrival to the last journey's end, part by part. A part in which nothing
    /// happened is left out.
    #[must_use]
    pub fn stages(&self) -> Vec<Stage> {
        stages(&self.series, self.opens_at, self.finished_at)
    }
}

fn stages(series: &[Second], opens_at: Millis, finished_at: Millis) -> Vec<Stage> {
    let while_some = |name: &str, happens: &dyn Fn(&Second) -> bool| {
        let first = series.iter().position(happens)?;
        let last = series.iter().rposition(happens)?;
        let from = match first.checked_sub(1) {
            Some(before) => series[before].at,
            None => series[first].at.plus_ms(-1000),
        };
        Some(Stage {
            name: name.to_owned(),
            from_ms: from.since(opens_at),
            to_ms: series[last].at.since(opens_at),
        })
    };
    let mut stages: Vec<Stage> = [
        while_some("arrival", &|second| second.arrived > 0),
        while_some("waiting", &|second| second.waiting > 0),
        while_some("admission", &|second| second.admitted > 0),
        while_some("selling", &|second| second.sold > 0),
    ]
    .into_iter()
    .flatten()
    .collect();
    if let Some(to) = stages.iter().map(|stage| stage.to_ms).max() {
        stages.push(Stage {
            name: "drain".to_owned(),
            from_ms: to,
            to_ms: finished_at.since(opens_at).max(to),
        });
    }
    stages
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_overlap_and_each_is_told_from_its_first_second_to_its_last() {
        let second = |at, arrived, waiting, admitted, sold| Second {
            at: Millis(at),
            arrived,
            admitted,
            sold,
            requests: 0,
            errors: 0,
            late: 0,
            dropped: 0,
            waiting,
            inside: 0,
            p95_us: Vec::new(),
        };
        let series = [
            second(9000, 0, 0, 0, 0),
            second(10_000, 5, 5, 0, 0),
            second(11_000, 2, 6, 1, 0),
            second(12_000, 0, 2, 4, 3),
            second(13_000, 0, 0, 2, 4),
            second(14_000, 0, 0, 0, 0),
        ];
        let told: Vec<String> = stages(&series, Millis(10_000), Millis(13_600))
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            told,
            [
                "arrival 2.0 s (-1.0 to +1.0)",
                "waiting 3.0 s (-1.0 to +2.0)",
                "admission 3.0 s (+0.0 to +3.0)",
                "selling 2.0 s (+1.0 to +3.0)",
                "drain 0.6 s (+3.0 to +3.6)",
            ]
        );
        assert_eq!(stages(&series[..1], Millis(0), Millis(0)), []);
    }
}
