//! Quantities as scenario files write them: always with their unit.
//!
//! `5` seconds or minutes? `0.3` of what? A rehearsal that guesses is worthless, so every quantity
//! carries its unit (`250ms`, `100/s`, `30%`, `99000 KRW`) and a missing or foreign one is refused
//! with the spelling that would have been right. Each type has its own visitor: an untagged enum
//! would answer every mistake with "data did not match any variant".

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer, Visitor};
use std::borrow::Cow;
use std::fmt;

/// A span of time in milliseconds, written `250ms`, `5s`, `2m` or `1h`; negative where a field
/// counts relative to the opening (`-4s`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// Milliseconds.
    pub ms: i64,
}

/// Things per second, written `100/s` or `6000/min`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rate {
    /// Per second.
    pub per_s: u32,
}

/// A part of a whole, written `30%` or `2.5%`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Share {
    /// Parts per million, so that shares add up exactly.
    pub ppm: u32,
}

/// Korean won, written `99000 KRW` or `99_000 KRW`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Won {
    /// Whole won.
    pub krw: u32,
}

/// A count of people or things: a whole number, `50000` or `50_000`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Count {
    /// How many.
    pub n: u64,
}

impl Share {
    /// The whole.
    pub const WHOLE_PPM: u32 = 1_000_000;

    /// Between 0 and 1.
    #[must_use]
    pub fn fraction(self) -> f64 {
        f64::from(self.ppm) / f64::from(Self::WHOLE_PPM)
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", f64::from(self.ppm) / 10_000.0)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ms {
            ms if ms % 60_000 == 0 && ms != 0 => write!(f, "{}m", ms / 60_000),
            ms if ms % 1000 == 0 => write!(f, "{}s", ms / 1000),
            ms => write!(f, "{ms}ms"),
        }
    }
}

/// What a quantity must look like, and how its text is read.
trait Quantity: Sized {
    /// For messages: "a duration with its unit, such as `5s` or `250ms`".
    const SHAPE: &'static str;
    /// For editors: what the text matches. Wider than [`Quantity::read`], which has the last word.
    const PATTERN: &'static str;
    /// `None` when the text is not of this shape.
    fn read(text: &str) -> Option<Self>;
}

/// Splits `-12.5ms` into its number and its unit.
fn number_and_unit(text: &str) -> Option<(f64, &str)> {
    let text = text.trim();
    let end = text
        .find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '_' | '-')))
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let number: f64 = number.replace('_', "").parse().ok()?;
    number.is_finite().then_some((number, unit.trim()))
}

/// `value` as a whole number of type `T`, refused when it has a fraction or does not fit.
fn whole<T: TryFrom<i64>>(value: f64) -> Option<T> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if value.fract() != 0.0 || value.abs() > EXACT {
        return None;
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "whole and within 2^53, checked above"
    )]
    T::try_from(value as i64).ok()
}

impl Quantity for Span {
    const SHAPE: &'static str = "a duration with its unit, such as `5s`, `250ms` or `2m`";
    const PATTERN: &'static str = r"^-?[0-9_.]+ *(ms|s|m|min|h)$";

    fn read(text: &str) -> Option<Self> {
        let (number, unit) = number_and_unit(text)?;
        let scale = match unit {
            "ms" => 1.0,
            "s" => 1000.0,
            "m" | "min" => 60_000.0,
            "h" => 3_600_000.0,
            _ => return None,
        };
        whole(number * scale).map(|ms| Self { ms })
    }
}

impl Quantity for Rate {
    const SHAPE: &'static str = "a rate per second, such as `100/s`";
    const PATTERN: &'static str = r"^[0-9_.]+ *(/s|/m|/min)$";

    fn read(text: &str) -> Option<Self> {
        let (number, unit) = number_and_unit(text)?;
        let per_s = match unit {
            "/s" => number,
            "/min" | "/m" => number / 60.0,
            _ => return None,
        };
        whole(per_s).map(|per_s| Self { per_s })
    }
}

impl Quantity for Share {
    const SHAPE: &'static str = "a share from 0% to 100%, such as `30%`";
    const PATTERN: &'static str = r"^[0-9_.]+ *%$";

    fn read(text: &str) -> Option<Self> {
        let (number, unit) = number_and_unit(text)?;
        let ppm: u32 = whole((number * 10_000.0).round())?;
        (unit == "%" && ppm <= Self::WHOLE_PPM).then_some(Self { ppm })
    }
}

impl Quantity for Won {
    const SHAPE: &'static str = "an amount in Korean won, such as `99000 KRW`";
    const PATTERN: &'static str = r"^[0-9_]+ *(KRW|₩|won)$";

    fn read(text: &str) -> Option<Self> {
        let (number, unit) = number_and_unit(text)?;
        match unit {
            "KRW" | "₩" | "won" => whole(number).map(|krw| Self { krw }),
            _ => None,
        }
    }
}

impl Quantity for Count {
    const SHAPE: &'static str = "a whole number, such as `5000`";
    const PATTERN: &'static str = r"^[0-9_]+$";

    fn read(text: &str) -> Option<Self> {
        let (number, unit) = number_and_unit(text)?;
        let n: i64 = whole(number)?;
        unit.is_empty().then_some(())?;
        u64::try_from(n).ok().map(|n| Self { n })
    }
}

/// Reads any [`Quantity`] from a YAML scalar, quoted or plain.
struct QuantityVisitor<Q>(std::marker::PhantomData<Q>);

impl<Q: Quantity> Visitor<'_> for QuantityVisitor<Q> {
    type Value = Q;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Q::SHAPE)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Q, E> {
        Q::read(text).ok_or_else(|| E::custom(format!("expected {}, found `{text}`", Q::SHAPE)))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Q, E> {
        self.visit_str(&value.to_string())
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Q, E> {
        self.visit_str(&value.to_string())
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Q, E> {
        self.visit_str(&value.to_string())
    }
}

macro_rules! deserialize_quantity {
    ($($name:ty),*) => {$(
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str(QuantityVisitor(std::marker::PhantomData))
            }
        }
    )*};
}

deserialize_quantity!(Span, Rate, Share, Won, Count);

macro_rules! quantity_schema {
    ($($name:ty),*) => {$(
        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({
                    "type": ["string", "number"],
                    "description": <$name as Quantity>::SHAPE,
                    "pattern": <$name as Quantity>::PATTERN,
                })
            }
        }
    )*};
}

quantity_schema!(Span, Rate, Share, Won, Count);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_carry_their_unit() {
        assert_eq!(Span::read("5s"), Some(Span { ms: 5000 }));
        assert_eq!(Span::read("-250ms"), Some(Span { ms: -250 }));
        assert_eq!(Span::read("1.5m"), Some(Span { ms: 90_000 }));
        assert_eq!(Rate::read("100/s"), Some(Rate { per_s: 100 }));
        assert_eq!(Rate::read("6000/min"), Some(Rate { per_s: 100 }));
        assert_eq!(Share::read("2.5%"), Some(Share { ppm: 25_000 }));
        assert_eq!(Won::read("99_000 KRW"), Some(Won { krw: 99_000 }));
        assert_eq!(Count::read("50_000"), Some(Count { n: 50_000 }));
    }

    #[test]
    fn wrong_units_and_impossible_numbers_are_not_quantities() {
        for text in ["5", "5 parsecs", "s", "", "1e9s", "--5s", "NaN s"] {
            assert_eq!(Span::read(text), None, "{text}");
        }
        for text in ["100", "100/day", "-1/s", "0.5/s"] {
            assert_eq!(Rate::read(text), None, "{text}");
        }
        for text in ["30", "101%", "-1%"] {
            assert_eq!(Share::read(text), None, "{text}");
        }
        for text in ["99000", "99 USD", "0.5 KRW", "-1 KRW"] {
            assert_eq!(Won::read(text), None, "{text}");
        }
        for text in ["12 people", "1.5", "-1"] {
            assert_eq!(Count::read(text), None, "{text}");
        }
    }
}
