//! A visitor's look at a section: what the generator reads of the answer, against the whole of it read
//! into types of its own.

use crate::table::Row;
use anyhow::ensure;
use serde::Deserialize;
use serde_json::json;
use std::{
    hint::black_box,
    time::{Duration, Instant},
};
use urr_loadgen::seat_map::SeatMap;
use uuid::Uuid;

/// Its name in the table.
pub(crate) const KEY: &str = "map_read_vs_whole";
/// A section of the million's hall.
const SEATS: u32 = 260;
/// And how many such sections it has.
const SECTIONS: u32 = 240;
/// How long each reads, by turns.
const SPAN: Duration = Duration::from_millis(250);
const TURNS: usize = 6;

/// All that is in the answer.
#[derive(Deserialize)]
#[expect(dead_code, reason = "read to be measured")]
struct Whole {
    event: Event,
    seats: Vec<Seat>,
    sections: Vec<Section>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "read to be measured")]
struct Event {
    id: Uuid,
    title: String,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "read to be measured")]
struct Seat {
    id: Uuid,
    section: String,
    row_number: i32,
    seat_number: i32,
    seat_label: String,
    grade: Option<String>,
    price: i64,
    status: String,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "read to be measured")]
struct Section {
    name: String,
    total: u64,
    available: u64,
    price: i64,
}

/// Maps read in a second of CPU.
pub(crate) fn read() -> anyhow::Result<Row> {
    let answer = answer();
    let map = SeatMap::read(&answer)?;
    ensure!(map.free.len() == SEATS as usize / 2, "half of the seats are free");
    let ours = || SeatMap::read(black_box(&answer)).map(|map| map.free.len());
    let whole = || serde_json::from_slice::<Whole>(black_box(&answer)).map(|map| map.seats.len());
    let (mut value, mut baseline) = (0.0_f64, 0.0_f64);
    for _ in 0..TURNS {
        value = value.max(per_s(ours)?);
        baseline = baseline.max(per_s(whole)?);
    }
    Ok(Row {
        name: KEY,
        value,
        unit: "maps/s",
        baseline_name: "the whole map, typed",
        baseline,
    })
}

fn per_s(read: impl Fn() -> Result<usize, serde_json::Error>) -> anyhow::Result<f64> {
    let began = Instant::now();
    let mut maps = 0_u32;
    while began.elapsed() < SPAN {
        black_box(read()?);
        maps += 1;
    }
    Ok(f64::from(maps) / began.elapsed().as_secs_f64())
}

/// As booking answers for one section, half of whose seats are taken.
fn answer() -> Vec<u8> {
    let seat = |n: u32| {
        json!({
            "id": Uuid::from_u128(u128::from(n) << 64 | 7), "section": "Section 117", "row_number": n / 20,
            "seat_number": n % 20, "seat_label": format!("Section 117-{}-{}", n / 20, n % 20), "grade": "R",
            "price": 132_000, "status": if n.is_multiple_of(2) { "available" } else { "held" },
        })
    };
    let section =
        |n: u32| json!({"name": format!("Section {n}"), "total": SEATS, "available": n, "price": 132_000});
    let map = json!({
        "event": {"id": Uuid::nil(), "title": "A million"},
        "seats": (0..SEATS).map(seat).collect::<Vec<_>>(),
        "sections": (0..SECTIONS).map(section).collect::<Vec<_>>(),
    });
    map.to_string().into_bytes()
}
