//! A visitor's key in the waiting room's ledger: sixteen bytes instead of a name.
//!
//! The ledger of a sale lists keys in the order of their positions; a replica holds a million of
//! them in memory, and joining twice gives the same place because both joins make the same key
//! (law `one-place`). It is a truncated SHA-256 over sale and name: two names that collide by
//! chance are not to be expected among 10^12 visitors, and finding a pair on purpose costs 2^64
//! hashes and wins one place for two names. The sale is part of it, so that the ledgers of two
//! sales do not tell who was at both. What breaks if it changes: every stored ledger.

use crate::sale::SaleId;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use sha2::{Digest as _, Sha256};
use std::fmt;

/// Bytes of a key.
pub const KEY_BYTES: usize = 16;

/// Who took a place. Who gave no name has a random one: nobody will ask for that place again but
/// with its request id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VisitorKey(pub [u8; KEY_BYTES]);

impl VisitorKey {
    /// The key of the visitor `name` in the lines of `sale`.
    #[must_use]
    pub fn of(sale: SaleId, name: &str) -> Self {
        let digest = Sha256::new()
            .chain_update(b"urr-visitor-1")
            .chain_update(sale.as_bytes())
            .chain_update(name.as_bytes())
            .finalize();
        let mut key = [0; KEY_BYTES];
        key.copy_from_slice(&digest[..KEY_BYTES]);
        Self(key)
    }
}

impl fmt::Display for VisitorKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Serialize for VisitorKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for VisitorKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        crate::hex::parse(&text)
            .map(Self)
            .ok_or_else(|| D::Error::custom("a visitor key is 32 hexadecimal digits"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_one_key_in_a_sale_and_another_in_the_next() {
        let (a, b) = (SaleId::from_u128(1), SaleId::from_u128(2));
        assert_eq!(VisitorKey::of(a, "kim"), VisitorKey::of(a, "kim"));
        assert_ne!(VisitorKey::of(a, "kim"), VisitorKey::of(a, "lee"));
        assert_ne!(VisitorKey::of(a, "kim"), VisitorKey::of(b, "kim"));
    }

    #[test]
    fn a_key_is_hexadecimal_in_json() {
        let key = VisitorKey::of(SaleId::from_u128(1), "kim");
        let json = serde_json::to_string(&key).unwrap();
        assert_eq!(json.len(), 34);
        assert_eq!(serde_json::from_str::<VisitorKey>(&json).unwrap(), key);
        assert!(serde_json::from_str::<VisitorKey>("\"xyz\"").is_err());
    }
}
