//! Several sales as one picture. Pure.
//!
//! People, seats and rates add up; whatever does not add up is told as the worst of them. A single
//! sale's picture is its own, unchanged.

use std::collections::BTreeMap;
use urr_core::{
    crowd::{CrowdView, StepLatency},
    sale::{Phase, Sale},
    snapshot::{EventLine, QueueView, RoomView, SeatsView, SectionView, Snapshot},
};
use urr_loadgen::report::foretold::{Figure, Foretold};

/// Warnings shown of all sales together: more than a screen has lines for.
const WARNINGS_MAX: usize = 20;
/// Events kept of all sales together: what an event pane shows without scrolling.
const EVENTS_MAX: usize = 60;

/// The newest pictures of several sales, by short name, as one that is called `title`.
pub(super) fn snapshot(title: &str, sales: &[(&str, &Snapshot)]) -> Option<Snapshot> {
    let (_, first) = sales.first()?;
    if sales.len() == 1 {
        return Some((*first).clone());
    }
    let all = || sales.iter().map(|(_, snapshot)| *snapshot);
    let warnings = sales.iter().flat_map(|(name, snapshot)| {
        snapshot
            .warnings
            .iter()
            .map(move |warning| format!("{name}: {warning}"))
    });
    let mut events: Vec<EventLine> = sales
        .iter()
        .flat_map(|(name, snapshot)| {
            snapshot.events.iter().map(move |event| EventLine {
                text: format!("{name}: {}", event.text),
                ..event.clone()
            })
        })
        .collect();
    events.sort_by_key(|event| event.at);
    events.drain(..events.len().saturating_sub(EVENTS_MAX));
    Some(Snapshot {
        name: title.to_owned(),
        at: all().map(|s| s.at).max()?,
        phase: phase(all().map(|s| s.phase)),
        closes_at: all().map(|s| s.closes_at).max()?,
        room: all()
            .map(|s| s.room.clone())
            .collect::<Option<Vec<_>>>()
            .map(|rooms| room(&rooms)),
        queue: all()
            .map(|s| s.queue.clone())
            .collect::<Option<Vec<_>>>()
            .map(|queues| queue(&queues)),
        seats: seats(sales),
        warnings: warnings.take(WARNINGS_MAX).collect(),
        events,
        // Each rate follows by itself; of their sum nothing can be said.
        pace: None,
        crowd: None,
        ..(*first).clone()
    })
}

/// Where most is going on.
fn phase(phases: impl Iterator<Item = Phase>) -> Phase {
    let busy = |phase: &Phase| match phase {
        Phase::Open => 5,
        Phase::Paused => 4,
        Phase::PreQueue => 3,
        Phase::Scheduled => 2,
        Phase::SoldOut => 1,
        Phase::Closed => 0,
    };
    phases.max_by_key(busy).unwrap_or(Phase::Scheduled)
}

fn room(rooms: &[RoomView]) -> RoomView {
    let sum = |of: fn(&RoomView) -> u64| rooms.iter().map(of).sum();
    RoomView {
        epoch: rooms.iter().map(|room| room.epoch).max().unwrap_or(0),
        issued: sum(|room| room.issued),
        serving: sum(|room| room.serving),
        rate_per_s: rooms.iter().map(|room| room.rate_per_s).sum(),
        drain_s: rooms.iter().filter_map(|room| room.drain_s).max(),
    }
}

fn queue(queues: &[QueueView]) -> QueueView {
    let sum = |of: fn(&QueueView) -> u64| queues.iter().map(of).sum();
    QueueView {
        waiting: sum(|queue| queue.waiting),
        active: sum(|queue| queue.active),
        cap: queues.iter().map(|queue| queue.cap).sum(),
        rate_per_s: queues.iter().map(|queue| queue.rate_per_s).sum(),
        admitted_total: sum(|queue| queue.admitted_total),
        paused: queues.iter().all(|queue| queue.paused),
    }
}

/// All seats; the sections are the sales.
fn seats(sales: &[(&str, &Snapshot)]) -> Option<SeatsView> {
    let mut all = SeatsView {
        capacity: 0,
        free: 0,
        held: 0,
        sold: 0,
        sections: Vec::with_capacity(sales.len()),
    };
    for (name, snapshot) in sales {
        let seats = snapshot.seats.as_ref()?;
        all.capacity += seats.capacity;
        all.free += seats.free;
        all.held += seats.held;
        all.sold += seats.sold;
        all.sections.push(SectionView {
            name: (*name).to_owned(),
            capacity: seats.capacity,
            held: seats.held,
            sold: seats.sold,
        });
    }
    Some(all)
}

/// The visitors' side of several sales; of a percentile, which cannot be added, the worst.
pub(super) fn crowd(sales: Vec<CrowdView>) -> CrowdView {
    let mut sales = sales.into_iter();
    let mut all = sales.next().unwrap_or_default();
    for sale in sales {
        all.planned += sale.planned;
        all.finished += sale.finished;
        for (sum, step) in all.funnel.iter_mut().zip(&sale.funnel) {
            sum.count += step.count;
        }
        for (sum, aside) in all.asides.iter_mut().zip(&sale.asides) {
            sum.count += aside.count;
        }
        for step in sale.latency {
            match all.latency.iter_mut().find(|sum| sum.name == step.name) {
                Some(sum) => add(sum, &step),
                None => all.latency.push(step),
            }
        }
    }
    all
}

fn add(sum: &mut StepLatency, step: &StepLatency) {
    sum.count += step.count;
    sum.errors += step.errors;
    sum.p50_ms = sum.p50_ms.max(step.p50_ms);
    sum.p95_ms = sum.p95_ms.max(step.p95_ms);
    sum.p99_ms = sum.p99_ms.max(step.p99_ms);
    for (sum, n) in sum.buckets.iter_mut().zip(&step.buckets) {
        *sum += n;
    }
}

/// Several sales that open together, as the report of all of them calls it.
pub(super) fn sale(title: &str, sales: &[&Sale]) -> Option<Sale> {
    let mut all = (*sales.first()?).clone();
    title.clone_into(&mut all.name);
    if sales.len() > 1 {
        // Each follows its services by itself, within bounds of its own; their sum follows nothing.
        all.admission.adaptive = None;
    }
    for sale in &sales[1..] {
        all.seats += sale.seats;
        all.expected_visitors += sale.expected_visitors;
        all.admission.rate_per_s += sale.admission.rate_per_s;
        all.admission.cap += sale.admission.cap;
        all.capacity.replicas += sale.capacity.replicas;
    }
    Some(all)
}

/// Forecasts of several sales: people and seats add up, of what takes time the mean is told. Each
/// sale's own is in its own report.
pub(super) fn foretold(sales: &[Foretold]) -> Foretold {
    let Some(first) = sales.first() else {
        return Foretold::default();
    };
    let figures = first.figures.iter().enumerate().map(|(nth, like)| {
        let of_sales = || sales.iter().filter_map(|sale| sale.figures.get(nth));
        let adds_up = like.unit != "s";
        let whole = |of: fn(&Figure) -> Option<f64>| -> Option<f64> {
            let sum: f64 = of_sales().map(of).sum::<Option<f64>>()?;
            Some(if adds_up { sum } else { sum / sales.len() as f64 })
        };
        let (forecast, outcome) = (whole(|figure| figure.forecast), whole(|figure| figure.outcome));
        let error_percent = match (forecast, outcome) {
            (Some(forecast), Some(outcome)) if outcome != 0.0 => Some((forecast - outcome) / outcome * 100.0),
            _ => None,
        };
        Figure {
            name: if adds_up {
                like.name.clone()
            } else {
                format!("{}, mean", like.name)
            },
            unit: like.unit.clone(),
            forecast,
            outcome,
            error_percent,
            within: match error_percent {
                Some(error) => error.abs() <= first.promised_percent,
                None => forecast == outcome,
            },
        }
    });
    Foretold {
        figures: figures.collect(),
        promised_percent: first.promised_percent,
        sold: curve(sales.iter().map(|sale| sale.sold.as_slice())),
        let_in: curve(sales.iter().map(|sale| sale.let_in.as_slice())),
    }
}

/// The sum of curves that only rise, at every instant at which one of them does.
fn curve<'a>(curves: impl Iterator<Item = &'a [(i64, u64)]>) -> Vec<(i64, u64)> {
    let mut rises: BTreeMap<i64, u64> = BTreeMap::new();
    for curve in curves {
        let mut before = 0;
        for (at, n) in curve {
            *rises.entry(*at).or_default() += n.saturating_sub(before);
            before = *n;
        }
    }
    let mut sum = 0;
    let risen = rises.into_iter().map(|(at, more)| {
        sum += more;
        (at, sum)
    });
    risen.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use urr_core::{crowd::FunnelStep, time::Millis};

    fn of(id: u128, at: i64, phase: Phase, sold: u64, warning: &str) -> Snapshot {
        Snapshot {
            at: Millis(at),
            phase,
            queue: Some(QueueView {
                waiting: 7,
                active: 3,
                cap: 10,
                rate_per_s: 5,
                admitted_total: 20,
                paused: id == 1,
            }),
            seats: Some(SeatsView {
                capacity: 100,
                free: 100 - sold,
                held: 0,
                sold,
                sections: Vec::new(),
            }),
            warnings: vec![warning.to_owned()],
            ..Snapshot::unknown(uuid::Uuid::from_u128(id))
        }
    }

    #[test]
    fn one_sale_is_shown_as_it_is() {
        let alone = of(1, 5, Phase::Open, 3, "x");
        assert_eq!(snapshot("All", &[("a", &alone)]), Some(alone));
        assert_eq!(snapshot("All", &[]), None);
    }

    #[test]
    fn people_and_seats_add_up_and_warnings_say_whose_they_are() {
        let (a, b) = (of(1, 5, Phase::SoldOut, 100, "x"), of(2, 4, Phase::Open, 30, "y"));
        let all = snapshot("All", &[("a", &a), ("b", &b)]).unwrap();
        assert_eq!(
            (all.name.as_str(), all.at, all.phase),
            ("All", Millis(5), Phase::Open)
        );
        let queue = all.queue.unwrap();
        assert_eq!(
            (queue.waiting, queue.active, queue.cap, queue.paused),
            (14, 6, 20, false)
        );
        let seats = all.seats.unwrap();
        assert_eq!((seats.capacity, seats.free, seats.sold), (200, 70, 130));
        assert_eq!(seats.sections[1].name, "b");
        assert_eq!(all.warnings, ["a: x", "b: y"]);
        assert_eq!(all.room, None, "half a picture is none");
    }

    #[test]
    fn of_percentiles_the_worst_is_told() {
        let view = |count, p95_ms| CrowdView {
            planned: 10,
            funnel: vec![FunnelStep {
                label: "arrived".into(),
                count,
            }],
            latency: vec![StepLatency {
                name: "poll".to_owned(),
                count,
                errors: 0,
                p50_ms: 1.0,
                p95_ms,
                p99_ms: 9.0,
                buckets: vec![count, 0],
            }],
            ..CrowdView::default()
        };
        let all = crowd(vec![view(3, 5.0), view(4, 2.0)]);
        assert_eq!((all.planned, all.funnel[0].count), (20, 7));
        assert_eq!((all.latency[0].p95_ms, all.latency[0].buckets[0]), (5.0, 7));
    }

    #[test]
    fn forecasts_add_up_where_they_can() {
        let of = |seats, wait| Foretold {
            figures: vec![
                Figure {
                    name: "seats sold".to_owned(),
                    unit: "seats".to_owned(),
                    forecast: Some(seats),
                    outcome: Some(100.0),
                    error_percent: None,
                    within: true,
                },
                Figure {
                    name: "median wait".to_owned(),
                    unit: "s".to_owned(),
                    forecast: wait,
                    outcome: Some(10.0),
                    error_percent: None,
                    within: true,
                },
            ],
            promised_percent: 15.0,
            sold: vec![(0, 1), (1000, 5)],
            let_in: vec![(500, 2)],
        };
        let all = foretold(&[of(90.0, Some(10.0)), of(100.0, Some(12.0))]);
        assert_eq!(
            (all.figures[0].forecast, all.figures[0].outcome),
            (Some(190.0), Some(200.0))
        );
        assert_eq!(
            (all.figures[1].forecast, all.figures[1].within),
            (Some(11.0), true)
        );
        assert_eq!(all.sold, [(0, 2), (1000, 10)]);
        assert_eq!(
            foretold(&[of(90.0, None), of(1.0, Some(1.0))]).figures[1].forecast,
            None
        );
    }
}
