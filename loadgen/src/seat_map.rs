//! A section's seats as a visitor looks at them (api-contract.md section 9).
//!
//! Everybody who is let in reads a map of tens of kilobytes two or three times, and wants one seat of it. So
//! nothing is copied out of the answer but where the free seats' names stand in it, and only the
//! chosen ones are read as what they are.

use serde::de::{Deserializer, SeqAccess, Visitor};
use serde::{Deserialize, de};
use std::borrow::Cow;
use std::fmt;

/// What a visitor sees of a section, borrowed from the answer. Unknown fields are ignored, as the web
/// client does.
#[derive(Debug, Deserialize)]
pub struct SeatMap<'a> {
    /// The free seats' ids, as written, in the section's order.
    #[serde(borrow, default, rename = "seats", deserialize_with = "free_only")]
    pub free: Vec<Cow<'a, str>>,
    /// All sections of the hall.
    #[serde(borrow, default)]
    pub sections: Vec<SectionLine<'a>>,
}

/// One section of the summary.
#[derive(Debug, Deserialize)]
pub struct SectionLine<'a> {
    /// Its name, as on the tickets.
    #[serde(borrow)]
    pub name: Cow<'a, str>,
    /// Seats in it that are free.
    pub available: u64,
}

impl<'a> SeatMap<'a> {
    /// Reads an answer to `GET /api/v1/seats/events/{sale}`.
    ///
    /// # Errors
    /// When it is no map.
    pub fn read(body: &'a [u8]) -> Result<Self, serde_json::Error> {
        // Looked through once and not again for each of its thousands of strings.
        let text = std::str::from_utf8(body).map_err(de::Error::custom)?;
        serde_json::from_str(text)
    }
}

/// One seat of the map.
#[derive(Deserialize)]
struct Seat<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    status: Cow<'a, str>,
}

fn free_only<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Cow<'de, str>>, D::Error> {
    struct FreeOnly;

    impl<'de> Visitor<'de> for FreeOnly {
        type Value = Vec<Cow<'de, str>>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list of seats")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seats: A) -> Result<Self::Value, A::Error> {
            let mut free = Vec::new();
            while let Some(Seat { id, status }) = seats.next_element()? {
                if status == "available" {
                    free.push(id);
                }
            }
            Ok(free)
        }
    }

    deserializer.deserialize_seq(FreeOnly)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAP: &str = r#"{"event":{"id":"x","title":"밤"},"seats":[
        {"id":"00000000-0000-0000-0000-000000000001","section":"A","price":50000,"status":"available"},
        {"status":"held","id":"00000000-0000-0000-0000-000000000002","row_number":1},
        {"id":"00000000-0000-0000-0000-00000000000\u0033","grade":null,"status":"availab\u006ce"}],
        "sections":[{"name":"A","total":4,"available":3,"price":50000},{"name":"스탠딩 \"나\"","available":0}]}"#;

    #[test]
    fn the_free_seats_are_what_a_visitor_sees() {
        let map = SeatMap::read(MAP.as_bytes()).unwrap();
        assert_eq!(
            map.free,
            [
                "00000000-0000-0000-0000-000000000001",
                "00000000-0000-0000-0000-000000000003"
            ]
        );
        let sections: Vec<(&str, u64)> = (map.sections.iter())
            .map(|line| (line.name.as_ref(), line.available))
            .collect();
        assert_eq!(sections, [("A", 3), ("스탠딩 \"나\"", 0)]);
    }

    #[test]
    fn nothing_is_copied_out_of_the_answer() {
        let map = SeatMap::read(MAP.as_bytes()).unwrap();
        assert!(matches!(map.free[0], Cow::Borrowed(_)));
        assert!(matches!(map.sections[0].name, Cow::Borrowed(_)));
    }

    #[test]
    fn what_is_no_map_is_refused_and_what_says_nothing_is_empty() {
        let nothing = SeatMap::read(b"{}").unwrap();
        assert_eq!((nothing.free.len(), nothing.sections.len()), (0, 0));
        for wrong in [
            &b"[1]"[..],
            b"{\"seats\":[{\"id\":\"x\"}]}",
            b"\xff",
            b"{\"seats\":{}}",
        ] {
            assert!(SeatMap::read(wrong).is_err(), "{wrong:?}");
        }
    }
}
