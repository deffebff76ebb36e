//! Who stands in line, as far as tier 1 knows: a name the browser made up, or nobody.
//!
//! Tier 1 takes people without login (R-VWR-01), so this is a key for idempotency (law
//! `one-place`), not an identity: whoever knows both the name and the request id holds the place.

use urr_core::{sale::SaleId, visitor::VisitorKey};
use uuid::Uuid;

/// What api-contract.md calls a visitor that gave no name.
pub(crate) const ANONYMOUS: &str = "anonymous";

/// Longest accepted name. `anon-{base36}-{8 hex}`, UUIDs and e-mail addresses fit; the bound
/// keeps tokens inside a cookie and keys far below DynamoDB's 2 KB.
const NAME_CHARS_MAX: usize = 128;

/// A visitor of one sale, by the name in the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Visitor<'a> {
    /// Gave no name: every join is a new place.
    Anonymous,
    /// Gave a name: joining again gives the same place.
    Named(&'a str),
}

/// The name cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("userId must be 1 to {NAME_CHARS_MAX} letters, digits or . _ : @ + -")]
pub(crate) struct BadName;

impl<'a> Visitor<'a> {
    /// Reads the `userId` of a request; absent, empty and `anonymous` mean the same.
    pub(crate) fn parse(name: Option<&'a str>) -> Result<Self, BadName> {
        match name {
            None | Some("" | ANONYMOUS) => Ok(Self::Anonymous),
            Some(name) if is_plain(name) => Ok(Self::Named(name)),
            Some(_) => Err(BadName),
        }
    }

    /// The name tokens are bound to.
    pub(crate) const fn as_str(self) -> &'a str {
        match self {
            Self::Anonymous => ANONYMOUS,
            Self::Named(name) => name,
        }
    }

    /// The visitor's key in the ledgers of `sale`; a fresh one for who gave no name.
    pub(crate) fn key(self, sale: SaleId) -> VisitorKey {
        match self {
            Self::Anonymous => VisitorKey(*Uuid::new_v4().as_bytes()),
            Self::Named(name) => VisitorKey::of(sale, name),
        }
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
}
