//! Kubernetes' quantities (`500m`, `1.5Gi`, `2e3`) as numbers that add up exactly.
//!
//! In billionths: the finest that Kubernetes keeps, and what is finer is rounded up as it does. The largest
//! quantity there is, 2^63 - 1, times a billion is a ten-billionth of what an `i128` holds.

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

/// Billionths in one.
const ONE: u128 = 1_000_000_000;
/// Kubernetes caps quantities here.
const MOST: u128 = i64::MAX as u128 * ONE;
/// Bytes in a MiB: from here on a whole number is told in MiB where it is one.
const MEBI: u128 = 1 << 20;

/// An amount of a resource; never below zero, since nobody asks for less than nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Amount {
    billionths: u128,
}

impl Amount {
    /// `None` of what is no quantity, or one below zero.
    #[must_use]
    pub(super) fn of(quantity: &Quantity) -> Option<Self> {
        let text = quantity.0.trim();
        let text = text.strip_prefix('+').unwrap_or(text);
        let end = text
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(text.len());
        let (digits, unit) = text.split_at(end);
        let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
        if whole.is_empty() && part.is_empty() || part.contains('.') {
            return None;
        }
        let (times, over) = scale(unit)?;
        // All digits as one number, which is `10^part.len()` times too large.
        let over = over.checked_mul(10_u128.checked_pow(u32::try_from(part.len()).ok()?)?)?;
        let number: u128 = [whole, part].concat().parse().ok()?;
        let billionths = number.checked_mul(times)?.checked_mul(ONE)?.div_ceil(over);
        Some(Self {
            billionths: billionths.min(MOST),
        })
    }

    /// Both together.
    #[must_use]
    pub(super) const fn plus(self, other: Self) -> Self {
        let sum = self.billionths.saturating_add(other.billionths);
        Self {
            billionths: if sum > MOST { MOST } else { sum },
        }
    }

    /// As Kubernetes reads it.
    #[must_use]
    pub(super) fn quantity(self) -> Quantity {
        let n = self.billionths;
        Quantity(if n.is_multiple_of(ONE * MEBI) && n > 0 {
            format!("{}Mi", n / ONE / MEBI)
        } else if n.is_multiple_of(ONE) {
            (n / ONE).to_string()
        } else if n.is_multiple_of(1_000_000) {
            format!("{}m", n / 1_000_000)
        } else if n.is_multiple_of(1000) {
            format!("{}u", n / 1000)
        } else {
            format!("{n}n")
        })
    }
}

/// What a unit multiplies with and divides by.
fn scale(unit: &str) -> Option<(u128, u128)> {
    Some(match unit {
        "" => (1, 1),
        "n" => (1, 1_000_000_000),
        "u" => (1, 1_000_000),
        "m" => (1, 1000),
        "k" => (1000, 1),
        "M" => (1_000_000, 1),
        "G" => (1_000_000_000, 1),
        "T" => (1_000_000_000_000, 1),
        "P" => (1_000_000_000_000_000, 1),
        "E" => (1_000_000_000_000_000_000, 1),
        "Ki" => (1 << 10, 1),
        "Mi" => (1 << 20, 1),
        "Gi" => (1 << 30, 1),
        "Ti" => (1 << 40, 1),
        "Pi" => (1 << 50, 1),
        "Ei" => (1 << 60, 1),
        _ => {
            let exponent: i32 = unit.strip_prefix(['e', 'E'])?.parse().ok()?;
            let power = 10_u128.checked_pow(exponent.unsigned_abs())?;
            if exponent < 0 { (1, power) } else { (power, 1) }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn amount(text: &str) -> Option<Amount> {
        Amount::of(&Quantity(text.to_owned()))
    }

    #[test]
    fn a_quantity_is_read_as_kubernetes_writes_it() {
        for (one, other) in [
            ("0.5", "500m"),
            ("1Gi", "1073741824"),
            ("1.5Gi", "1536Mi"),
            ("1e3", "1k"),
            ("2E", "2e18"),
            ("5e-1", "500m"),
            ("+3", "3"),
            (".5", "500m"),
            ("1.", "1"),
            ("0.1n", "1n"),
        ] {
            assert_eq!(amount(one), amount(other), "{one} and {other}");
            assert!(amount(one).is_some(), "{one}");
        }
        for none in ["", ".", "-1", "1.2.3", "1X", "1e", "m", "1Mib", "e3", "1e99"] {
            assert_eq!(amount(none), None, "{none}");
        }
    }

    #[test]
    fn a_sum_is_told_in_the_plainest_unit_that_holds_it() {
        let sum = |texts: &[&str]| {
            let amounts = texts.iter().map(|text| amount(text).unwrap());
            amounts.fold(Amount::default(), Amount::plus).quantity().0
        };
        assert_eq!(sum(&["500m", "1.5"]), "2");
        assert_eq!(sum(&["250m", "1"]), "1250m");
        assert_eq!(sum(&["1Gi", "512Mi"]), "1536Mi");
        assert_eq!(sum(&["1Gi", "1"]), "1073741825");
        assert_eq!(sum(&[]), "0");
        assert_eq!(sum(&["8E", "8E"]), i64::MAX.to_string(), "the most there is");
    }

    proptest! {
        /// What is written is what was meant, to the last billionth.
        #[test]
        fn nothing_is_lost_on_the_way_out_and_back(billionths in 0..MOST) {
            let amount = Amount { billionths };
            prop_assert_eq!(Amount::of(&amount.quantity()), Some(amount));
        }

        /// No text makes it panic.
        #[test]
        fn any_text_is_a_quantity_or_none(text in "[0-9.+eEkKmMGiunTP -]{0,40}") {
            let _ = amount(&text);
        }
    }
}
