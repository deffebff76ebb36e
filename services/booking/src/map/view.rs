//! The map at one instant, and its JSON: made when somebody asks for it, kept while nothing changes.

use super::hall::Hall;
use super::letters::Letters;
use bytes::Bytes;
use serde::Serialize;
use std::sync::{Arc, OnceLock};
use urr_core::snapshot::{SeatsView, SectionView};
use urr_core::time::Millis;

/// A seat map at one instant.
pub struct View {
    pub(super) read_at: Millis,
    pub(super) hall: Arc<Hall>,
    pub(super) letters: Arc<Letters>,
    drawn: Arc<Drawn>,
}

/// What is told of `letters`, as far as it was asked for.
struct Drawn {
    counts: Vec<Counts>,
    summary: OnceLock<String>,
    whole: OnceLock<Bytes>,
    sections: Vec<OnceLock<Bytes>>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    free: u64,
    held: u64,
    sold: u64,
}

/// A section in the summary every answer carries.
#[derive(Serialize)]
struct Line<'a> {
    name: &'a str,
    total: u64,
    available: u64,
    price: i64,
}

impl View {
    pub(super) fn new(read_at: Millis, hall: Arc<Hall>, letters: Arc<Letters>) -> Self {
        let counts: Vec<_> = hall
            .sections
            .iter()
            .map(|block| count(&block.seats, letters.as_bytes()))
            .collect();
        let sections = counts.iter().map(|_| OnceLock::new()).collect();
        Self {
            read_at,
            hall,
            letters,
            drawn: Arc::new(Drawn {
                counts,
                summary: OnceLock::new(),
                whole: OnceLock::new(),
                sections,
            }),
        }
    }

    /// The same, as it was found again at `read_at`.
    pub(super) fn unchanged(&self, read_at: Millis, letters: Arc<Letters>) -> Self {
        Self {
            read_at,
            hall: Arc::clone(&self.hall),
            letters,
            drawn: Arc::clone(&self.drawn),
        }
    }

    /// The answer for the whole hall, with its layout.
    #[must_use]
    pub fn whole(&self) -> Bytes {
        self.drawn
            .whole
            .get_or_init(|| self.render(0..self.hall.len(), true))
            .clone()
    }

    /// The answer for one section, without the layout, which is all other sections'; `None` when the
    /// hall has none of that name.
    #[must_use]
    pub fn section(&self, name: &str) -> Option<Bytes> {
        let at = self.hall.sections.iter().position(|block| block.name == name)?;
        let seats = self.hall.sections[at].seats.iter().copied();
        Some(
            self.drawn
                .sections
                .get(at)?
                .get_or_init(|| self.render(seats, false))
                .clone(),
        )
    }

    /// Counts for the live picture of the sale.
    #[must_use]
    pub fn summary(&self) -> SeatsView {
        let counts = &self.drawn.counts;
        let sum = |of: fn(&Counts) -> u64| counts.iter().map(of).sum();
        let (free, held, sold) = (sum(|c| c.free), sum(|c| c.held), sum(|c| c.sold));
        SeatsView {
            capacity: free + held + sold,
            free,
            held,
            sold,
            sections: self
                .hall
                .sections
                .iter()
                .zip(counts)
                .map(|(block, counts)| SectionView {
                    name: block.name.clone(),
                    capacity: counts.total(),
                    held: counts.held,
                    sold: counts.sold,
                })
                .collect(),
        }
    }

    fn render(&self, seats: impl ExactSizeIterator<Item = usize>, with_layout: bool) -> Bytes {
        let summary = self.drawn.summary.get_or_init(|| self.lines());
        let hall = &self.hall;
        let mut body = String::with_capacity(seats.len() * 200 + summary.len() + hall.layout.len() + 256);
        body.push_str("{\"event\":");
        body.push_str(&hall.event);
        if with_layout {
            body.push_str(",\"layout\":");
            body.push_str(&hall.layout);
        }
        body.push_str(",\"sections\":");
        body.push_str(summary);
        body.push_str(",\"seats\":[");
        for (count, at) in seats.enumerate() {
            if count > 0 {
                body.push(',');
            }
            body.push_str(hall.seat(at));
            body.push_str(match self.letters.as_bytes().get(at) {
                Some(b'r') => "reserved\"}",
                Some(b'l') => "locked\"}",
                _ => "available\"}",
            });
        }
        body.push_str("]}");
        body.into()
    }

    fn lines(&self) -> String {
        let lines: Vec<_> = self
            .hall
            .sections
            .iter()
            .zip(&self.drawn.counts)
            .map(|(block, counts)| Line {
                name: &block.name,
                total: counts.total(),
                available: counts.free,
                price: block.price,
            })
            .collect();
        super::json(&lines)
    }
}

impl Counts {
    const fn total(self) -> u64 {
        self.free + self.held + self.sold
    }
}

fn count(seats: &[usize], letters: &[u8]) -> Counts {
    let mut counts = Counts::default();
    for seat in seats {
        match letters.get(*seat) {
            Some(b'r') => counts.sold += 1,
            Some(b'l') => counts.held += 1,
            _ => counts.free += 1,
        }
    }
    counts
}
