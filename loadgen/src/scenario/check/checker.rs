//! The tools every check uses: each refuses what is impossible, says what would be possible, and
//! goes on with a harmless value, so that all problems of a file are found in one round.

use crate::scenario::error::{Place, Problem};
use crate::scenario::schema::At;
use crate::scenario::units::{Count, Rate, Share, Span};

/// Gathers problems; a check that fails reports here and goes on with a harmless value.
#[derive(Default)]
pub(super) struct Checker {
    pub(super) problems: Vec<Problem>,
}

impl Checker {
    pub(super) fn refuse<T>(
        &mut self,
        field: &str,
        at: &At<T>,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        let place = Place::from(at.referenced);
        self.problems.push(Problem {
            at: (place.line > 0).then_some(place),
            field: field.to_owned(),
            problem: problem.into(),
            remedy: remedy.into(),
        });
    }

    /// A count within `least..=most`.
    pub(super) fn count(&mut self, field: &str, at: &At<Count>, least: u64, most: u64) -> u64 {
        let n = at.value.n;
        if n < least || n > most {
            self.refuse(
                field,
                at,
                format!("{n} is not possible"),
                format!("use a number from {least} to {most}"),
            );
            return least;
        }
        n
    }

    pub(super) fn count_u32(&mut self, field: &str, at: &At<Count>, least: u32, most: u32) -> u32 {
        let n = self.count(field, at, u64::from(least), u64::from(most));
        u32::try_from(n).unwrap_or(most)
    }

    pub(super) fn count_u8(&mut self, field: &str, at: &At<Count>, least: u8, most: u8) -> u8 {
        let n = self.count(field, at, u64::from(least), u64::from(most));
        u8::try_from(n).unwrap_or(most)
    }

    pub(super) fn or_count_u32(&mut self, field: &str, at: Option<&At<Count>>, default: u32) -> u32 {
        at.map_or(default, |at| self.count_u32(field, at, 0, 10_000_000))
    }

    /// A duration of at least `least_ms`.
    pub(super) fn span(&mut self, field: &str, at: &At<Span>, least_ms: i64) -> i64 {
        const DAY_MS: i64 = 86_400_000;
        let ms = at.value.ms;
        if ms < least_ms || ms > DAY_MS {
            self.refuse(
                field,
                at,
                format!("{} is not possible", at.value),
                format!("use a duration from {} to 24h", Span { ms: least_ms }),
            );
            return least_ms;
        }
        ms
    }

    pub(super) fn span_u32(&mut self, field: &str, at: &At<Span>, least_ms: i64) -> u32 {
        u32::try_from(self.span(field, at, least_ms)).unwrap_or(u32::MAX)
    }

    /// Whole seconds, because the stores keep whole seconds.
    pub(super) fn seconds(&mut self, field: &str, at: Option<&At<Span>>, default: u32) -> u32 {
        let Some(at) = at else { return default };
        let ms = self.span(field, at, 1000);
        if ms % 1000 != 0 {
            self.refuse(
                field,
                at,
                format!("{} is not a whole number of seconds", at.value),
                "the stores keep whole seconds; round it",
            );
        }
        u32::try_from(ms / 1000).unwrap_or(u32::MAX)
    }

    pub(super) fn rate(&mut self, field: &str, at: &At<Rate>) -> u32 {
        if at.value.per_s == 0 {
            self.refuse(field, at, "a rate of 0/s lets nobody in", "use at least 1/s");
            return 1;
        }
        at.value.per_s
    }

    /// Shares of one list add up to the whole.
    pub(super) fn shares<T>(&mut self, field: &str, at: &At<T>, shares: &[Share]) {
        let sum: u64 = shares.iter().map(|share| u64::from(share.ppm)).sum();
        if shares.is_empty() {
            self.refuse(field, at, "the list is empty", "add at least one entry");
        } else if sum != u64::from(Share::WHOLE_PPM) {
            let off = Share {
                ppm: u32::try_from(sum.abs_diff(u64::from(Share::WHOLE_PPM))).unwrap_or(u32::MAX),
            };
            let (sum, direction) = (
                Share {
                    ppm: u32::try_from(sum).unwrap_or(u32::MAX),
                },
                if sum > u64::from(Share::WHOLE_PPM) {
                    "take away"
                } else {
                    "add"
                },
            );
            self.refuse(
                field,
                at,
                format!("shares add up to {sum}, not 100%"),
                format!("{direction} {off}"),
            );
        }
    }
}
