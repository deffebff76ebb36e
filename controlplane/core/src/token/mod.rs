//! The tokens that carry a visitor's rights: a place in the line, passage to tier 2, entry.
//!
//! All are MACs under a [`Keyring`] that the issuing service holds; verifying needs no store. Each
//! is bound to one sale and one visitor, and none can be taken for another even under the same key:
//! JWTs tell tiers apart by their `tier` claim, and a place's MAC starts with a label no JWT can
//! start with. Formats are on the wire (api-contract.md section 4): old tokens must stay valid for
//! their lifetime through a rolling release.

pub mod entry;
mod jwt;
pub mod keyring;
pub mod place;
pub mod tier1;

pub use keyring::{Keyring, WeakSecret};

use thiserror::Error;

/// Why a token does not give the right it claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Invalid {
    /// Not a token of this kind at all.
    #[error("token is malformed")]
    Malformed,
    /// Not signed by any key in force, or altered.
    #[error("token signature does not verify")]
    BadSignature,
    /// Past its expiry.
    #[error("token has expired")]
    Expired,
    /// Genuine, but for another sale.
    #[error("token is for another sale")]
    OtherSale,
    /// Genuine, but another visitor's.
    #[error("token belongs to another visitor")]
    OtherVisitor,
    /// Genuine, but it opens another door.
    #[error("token is of another tier")]
    WrongTier,
}
