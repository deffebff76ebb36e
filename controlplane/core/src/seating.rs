//! The hall: sections, rows and seats, and how they are labelled.
//!
//! The wire form is api-contract.md's `layout_config`. Labels end up on tickets and in seat tables,
//! so changing how a label is made orphans every seat that exists.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Seats one hall may have at most: twice the largest stadium, and a bound for what one request
/// can make the booking service insert.
pub const SEATS_MAX: u64 = 200_000;

/// A seat layout.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hall {
    /// In the order in which screens show them.
    pub sections: Vec<Section>,
}

/// A block of equal rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Section {
    /// As on the tickets.
    pub name: String,
    /// Number of rows.
    pub rows: u32,
    /// Seats in each row.
    pub seats_per_row: u32,
    /// KRW per seat.
    #[serde(rename = "price")]
    pub price_krw: u64,
    /// Number of the first row.
    #[serde(default = "first_row")]
    pub start_row: u32,
    /// Price grade such as `VIP`, if the hall has grades (R-CAT-05).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grade: Option<String>,
}

const fn first_row() -> u32 {
    1
}

/// One seat as it will be inserted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeatSpec<'a> {
    /// Its section's name.
    pub section: &'a str,
    /// Row, counted from the section's `start_row`.
    pub row_number: u32,
    /// Seat in the row, from 1.
    pub seat_number: u32,
    /// `{section}-{row}-{seat}`.
    pub label: String,
    /// KRW.
    pub price_krw: u64,
    /// The section's grade.
    pub grade: Option<&'a str>,
}

/// Why a layout cannot be built.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Flaw {
    /// No section at all.
    #[error("a hall needs at least one section")]
    NoSections,
    /// A section without a name, or one too long for the seat table (50 characters).
    #[error("section name {0:?} must have 1 to 50 characters")]
    BadName(String),
    /// Two sections would produce the same labels.
    #[error("section {0:?} appears with overlapping rows")]
    Overlap(String),
    /// A section with no seat in it.
    #[error("section {0:?} has no seats: rows and seatsPerRow must be at least 1")]
    EmptySection(String),
    /// More than [`SEATS_MAX`].
    #[error("{0} seats are more than the {SEATS_MAX} a hall may have")]
    TooManySeats(u64),
}

impl Hall {
    /// Number of seats.
    #[must_use]
    pub fn capacity(&self) -> u64 {
        self.sections
            .iter()
            .map(Section::capacity)
            .fold(0, u64::saturating_add)
    }

    /// All seats, section by section, row by row.
    pub fn seats(&self) -> impl Iterator<Item = SeatSpec<'_>> {
        self.sections.iter().flat_map(Section::seats)
    }

    /// Checks everything that would make two seats collide or a table refuse them.
    ///
    /// # Errors
    /// The first [`Flaw`] found.
    pub fn validate(&self) -> Result<(), Flaw> {
        if self.sections.is_empty() {
            return Err(Flaw::NoSections);
        }
        for (index, section) in self.sections.iter().enumerate() {
            if section.name.trim().is_empty() || section.name.chars().count() > 50 {
                return Err(Flaw::BadName(section.name.clone()));
            }
            if section.capacity() == 0 {
                return Err(Flaw::EmptySection(section.name.clone()));
            }
            if self.sections[..index]
                .iter()
                .any(|earlier| earlier.overlaps(section))
            {
                return Err(Flaw::Overlap(section.name.clone()));
            }
        }
        match self.capacity() {
            seats if seats > SEATS_MAX => Err(Flaw::TooManySeats(seats)),
            _ => Ok(()),
        }
    }
}

impl Section {
    /// Number of seats.
    #[must_use]
    pub fn capacity(&self) -> u64 {
        u64::from(self.rows) * u64::from(self.seats_per_row)
    }

    /// Its seats, row by row.
    pub fn seats(&self) -> impl Iterator<Item = SeatSpec<'_>> {
        (0..self.rows).flat_map(move |row| {
            let row_number = self.start_row.saturating_add(row);
            (1..=self.seats_per_row).map(move |seat_number| SeatSpec {
                section: &self.name,
                row_number,
                seat_number,
                label: format!("{}-{row_number}-{seat_number}", self.name),
                price_krw: self.price_krw,
                grade: self.grade.as_deref(),
            })
        })
    }

    fn overlaps(&self, other: &Self) -> bool {
        let end = |section: &Self| u64::from(section.start_row) + u64::from(section.rows);
        self.name == other.name
            && u64::from(self.start_row) < end(other)
            && u64::from(other.start_row) < end(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn section(name: &str, rows: u32, seats_per_row: u32, start_row: u32) -> Section {
        Section {
            name: name.into(),
            rows,
            seats_per_row,
            price_krw: 90_000,
            start_row,
            grade: None,
        }
    }

    #[test]
    fn labels_are_section_row_seat_and_unique() {
        let hall = Hall {
            sections: vec![
                section("A", 2, 3, 1),
                section("A", 1, 3, 3),
                section("B", 2, 2, 1),
            ],
        };
        hall.validate().unwrap();
        let labels: Vec<_> = hall.seats().map(|seat| seat.label).collect();
        assert_eq!(labels[0], "A-1-1");
        assert_eq!(labels[3], "A-2-1");
        assert_eq!(labels[6], "A-3-1");
        assert_eq!(labels.len() as u64, hall.capacity());
        assert_eq!(labels.iter().collect::<HashSet<_>>().len(), labels.len());
    }

    #[test]
    fn the_wire_form_is_the_contracts_layout_config() {
        let json = r#"{"sections":[{"name":"VIP","rows":5,"seatsPerRow":10,"price":150000,"startRow":1}]}"#;
        let hall: Hall = serde_json::from_str(json).unwrap();
        assert_eq!(hall.capacity(), 50);
        assert_eq!(hall.sections[0].price_krw, 150_000);
        assert_eq!(serde_json::to_string(&hall).unwrap(), json);
    }

    #[test]
    fn what_would_collide_or_be_empty_is_refused() {
        let flaw = |sections| Hall { sections }.validate().unwrap_err();
        assert_eq!(flaw(vec![]), Flaw::NoSections);
        assert_eq!(flaw(vec![section(" ", 1, 1, 1)]), Flaw::BadName(" ".into()));
        assert_eq!(flaw(vec![section("A", 0, 5, 1)]), Flaw::EmptySection("A".into()));
        assert_eq!(
            flaw(vec![section("A", 3, 5, 1), section("A", 2, 5, 3)]),
            Flaw::Overlap("A".into())
        );
        assert_eq!(
            flaw(vec![section("A", u32::MAX, u32::MAX, 1)]),
            Flaw::TooManySeats(u64::from(u32::MAX).pow(2))
        );
    }
}
