//! How long core takes to simulate an opening of a million visitors, on one core.

use crate::table::Row;
use std::{hint::black_box, time::Instant};
use urr_core::{
    sale::{AdmissionSettings, CapacitySettings, Ordering, Sale, Schedule},
    simulate::{Opening, Usual, simulate},
    time::Millis,
};
use uuid::Uuid;

/// Whoever asks "will it hold?" waits no longer than this.
const PROMISED_S: f64 = 10.0;
/// The fastest of so many: the others were disturbed.
const RUNS: u32 = 3;

/// A million people, half of them early and drawn, for 60,000 seats.
pub(crate) fn million() -> Row {
    let opens_at = Millis(1_796_122_800_000);
    let sale = Sale {
        id: Uuid::nil(),
        name: "A million people, 60,000 seats".to_owned(),
        schedule: Schedule {
            pre_queue_at: opens_at.plus_s(-600),
            opens_at,
            closes_at: opens_at.plus_s(7200),
        },
        ordering: Ordering::Shuffle,
        seats: 60_000,
        expected_visitors: 1_000_000,
        admission: AdmissionSettings {
            rate_per_s: 1200,
            cap: 60_000,
            burst: 600,
            ..AdmissionSettings::default()
        },
        capacity: CapacitySettings {
            rate_per_replica: 60,
            replicas: 20,
        },
    };
    let opening = Opening::usual(sale, Usual::default(), 1);
    let fastest_s = (0..RUNS)
        .map(|_| {
            let began = Instant::now();
            black_box(simulate(black_box(&opening)));
            began.elapsed().as_secs_f64()
        })
        .fold(f64::INFINITY, f64::min);
    Row {
        name: "simulate_million_s",
        value: fastest_s,
        unit: "s",
        baseline_name: "what somebody who asks waits at most",
        baseline: PROMISED_S,
    }
}
