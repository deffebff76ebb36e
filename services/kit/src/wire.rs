//! Instants as the contract spells them in rows (api-contract.md section 1): UTC, three fraction
//! digits, numeric offset. One spelling for all services; clients parse it with JavaScript's `Date`.

use chrono::{DateTime, Utc};
use serde::Serializer;
use urr_core::time::Millis;

/// The instant as Postgres takes it. What no calendar can hold becomes its nearest end.
#[must_use]
pub fn at(instant: Millis) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(instant.0).unwrap_or(if instant.0 < 0 {
        DateTime::<Utc>::MIN_UTC
    } else {
        DateTime::<Utc>::MAX_UTC
    })
}

/// `2026-02-01T10:00:00.000+00:00`.
#[must_use]
pub fn text(instant: DateTime<Utc>) -> String {
    instant.format("%Y-%m-%dT%H:%M:%S%.3f+00:00").to_string()
}

/// For `#[serde(serialize_with = "urr_kit::wire::ts")]`.
///
/// # Errors
/// Only what the serializer itself reports.
pub fn ts<S: Serializer>(instant: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&text(*instant))
}

/// The same for an instant that may be missing; missing ones are `null`, not dropped.
///
/// # Errors
/// Only what the serializer itself reports.
pub fn ts_opt<S: Serializer>(instant: &Option<DateTime<Utc>>, serializer: S) -> Result<S::Ok, S::Error> {
    match instant {
        Some(instant) => ts(instant, serializer),
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_carry_three_fraction_digits_and_an_offset() {
        assert_eq!(
            text(at(Millis(1_769_940_000_000))),
            "2026-02-01T10:00:00.000+00:00"
        );
        assert_eq!(
            text(at(Millis(1_769_940_000_007))),
            "2026-02-01T10:00:00.007+00:00"
        );
    }
}
