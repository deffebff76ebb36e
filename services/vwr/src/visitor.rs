//! Who stands in line, as far as tier 1 knows: a name the browser made up, or nobody.
//!
//! Tier 1 takes people without login (R-VWR-01), so this is a key for idempotency (law
//! `one-place`), not an identity: whoever knows both the name and the request id holds the place.

use std::{fmt::Write as _, sync::Arc};
use urr_core::sale::SaleId;

/// What api-contract.md calls a visitor that gave no name.
pub(crate) const ANONYMOUS: &str = "anonymous";

/// Longest accepted name. `anon-{base36}-{8 hex}`, UUIDs and e-mail addresses fit; the bound
/// keeps tokens inside a cookie and keys far below DynamoDB's 2 KB.
const NAME_CHARS_MAX: usize = 128;

/// A visitor of one sale.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Visitor {
    /// Gave no name: every join is a new place.
    Anonymous,
    /// Gave a name: joining again gives the same place.
    Named(Arc<str>),
}

/// The name cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("userId must be 1 to {NAME_CHARS_MAX} letters, digits or . _ : @ + -")]
pub(crate) struct BadName;

impl Visitor {
    /// Reads the `userId` of a request; absent, empty and `anonymous` mean the same.
    pub(crate) fn parse(name: Option<&str>) -> Result<Self, BadName> {
        match name {
            None | Some("" | ANONYMOUS) => Ok(Self::Anonymous),
            Some(name) if is_plain(name) => Ok(Self::Named(name.into())),
            Some(_) => Err(BadName),
        }
    }

    /// The name tokens are bound to.
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Anonymous => ANONYMOUS,
            Self::Named(name) => name,
        }
    }

    /// The key of this visitor's place in the positions table. A new epoch is a new line, so it
    /// is part of the key; an anonymous place is nobody's but the position's.
    pub(crate) fn place_key(&self, sale: SaleId, epoch: u32, position: u64) -> String {
        let mut key = format!("{sale}:{epoch}:");
        // Writing to a String does not fail.
        let _ = match self {
            Self::Anonymous => write!(key, "p:{position}"),
            Self::Named(name) => write!(key, "u:{name}"),
        };
        key
    }
}

fn is_plain(name: &str) -> bool {
    name.len() <= NAME_CHARS_MAX
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"._:@+-".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_clients_use_are_accepted() {
        for name in [
            "anon-lx2k9-0a1b2c3d",
            "6f1f2a52-5f43-4f0e-9d6a-2b3f8b0f1d11",
            "a@b.kr",
        ] {
            assert_eq!(Visitor::parse(Some(name)).unwrap().as_str(), name);
        }
    }

    #[test]
    fn no_name_is_anonymous() {
        for name in [None, Some(""), Some("anonymous")] {
            assert_eq!(Visitor::parse(name), Ok(Visitor::Anonymous));
        }
    }

    #[test]
    fn a_name_that_is_long_or_strange_is_refused() {
        let long = "x".repeat(NAME_CHARS_MAX + 1);
        for name in [long.as_str(), "a b", "a\nb", "<b>", "김철수", "a/b"] {
            assert_eq!(Visitor::parse(Some(name)), Err(BadName));
        }
    }

    #[test]
    fn one_visitor_has_one_key_per_line() {
        let sale = SaleId::from_u128(1);
        let named = Visitor::parse(Some("kim")).unwrap();
        assert_eq!(named.place_key(sale, 1, 5), named.place_key(sale, 1, 6));
        assert_ne!(named.place_key(sale, 1, 5), named.place_key(sale, 2, 5));
        assert_ne!(
            Visitor::Anonymous.place_key(sale, 1, 5),
            Visitor::Anonymous.place_key(sale, 1, 6)
        );
    }
}
