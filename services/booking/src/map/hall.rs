//! What stays as it is while seats come and go: the sections, and every seat's JSON but for its
//! status. A map is asked for several times by everybody who is let in, so nothing that stays is
//! serialised twice.

use crate::store::seating::{Plan, SeatRow};
use serde::Serialize;
use std::collections::HashMap;
use uuid::Uuid;

/// A hall, ready to be written.
pub(super) struct Hall {
    /// Changes when the seats are made anew.
    pub(super) generation: Uuid,
    pub(super) sections: Vec<Block>,
    /// `{"id":..,"title":..}`.
    pub(super) event: String,
    /// The layout as the contract gives it.
    pub(super) layout: String,
    /// All seats one after another, each up to where its status goes.
    text: String,
    /// Where each seat's text ends.
    ends: Vec<usize>,
}

/// One section: its name and where its seats stand in the hall's order.
pub(super) struct Block {
    pub(super) name: String,
    pub(super) price: i64,
    pub(super) seats: Vec<usize>,
}

/// A seat without its status, which follows.
#[derive(Serialize)]
struct SeatJson<'a> {
    id: Uuid,
    section: &'a str,
    row_number: i32,
    seat_number: i32,
    seat_label: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    grade: Option<&'a str>,
    price: i64,
}

impl Hall {
    pub(super) fn new(event: Uuid, plan: &Plan) -> Self {
        let mut sections: Vec<Block> = Vec::new();
        let mut index: HashMap<&str, usize> = HashMap::new();
        let mut text = String::new();
        let mut ends = Vec::with_capacity(plan.seats.len());
        for (at, seat) in plan.seats.iter().enumerate() {
            // A section may come in several blocks of rows; to people it is one.
            let block = *index.entry(&seat.section).or_insert_with(|| {
                sections.push(Block {
                    name: seat.section.clone(),
                    price: seat.price,
                    seats: Vec::new(),
                });
                sections.len() - 1
            });
            sections[block].seats.push(at);
            text.push_str(&opened(seat));
            ends.push(text.len());
        }
        Self {
            generation: plan.generation,
            sections,
            event: serde_json::json!({ "id": event, "title": plan.title }).to_string(),
            layout: plan.layout.to_string(),
            text,
            ends,
        }
    }

    /// Seats in it.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The JSON of seat `at` up to its status: `{..,"status":"`.
    pub(super) fn seat(&self, at: usize) -> &str {
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.text[start..self.ends[at]]
    }
}

fn opened(seat: &SeatRow) -> String {
    let mut json = super::json(&SeatJson {
        id: seat.id,
        section: &seat.section,
        row_number: seat.row_number,
        seat_number: seat.seat_number,
        seat_label: &seat.seat_label,
        grade: seat.grade.as_deref(),
        price: seat.price,
    });
    json.pop();
    json.push_str(",\"status\":\"");
    json
}
