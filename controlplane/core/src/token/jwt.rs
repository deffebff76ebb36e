//! The one JWT envelope of both tiers: HS256, signature first, then meaning.

use super::{Invalid, Keyring};
use crate::time::Millis;
use jsonwebtoken::{Algorithm, Header, Validation, errors::ErrorKind};
use serde::{Deserialize, Serialize};
use std::sync::LazyLock;

/// Claims of either tier as they stand on the wire; what is required of them is the tier's affair.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Wire {
    pub(super) sub: String,
    pub(super) uid: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) tier: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) pos: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) epoch: Option<u32>,
    pub(super) iat: i64,
    pub(super) exp: i64,
}

/// Only HS256 (the edge verifies nothing else), and no clock: expiry is checked against `now`.
static SIGNATURE_ONLY: LazyLock<Validation> = LazyLock::new(|| {
    let mut validation = Validation::new(Algorithm::HS256);
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    validation
});

static HEADER: LazyLock<Header> = LazyLock::new(|| Header::new(Algorithm::HS256));

/// Signs with the ring's first key.
pub(super) fn sign(keys: &Keyring, wire: &Wire) -> String {
    // Encoding strings and integers and an HMAC of any input cannot fail; if it ever did, an
    // empty token is refused by every verifier.
    jsonwebtoken::encode(&HEADER, wire, &keys.signer().sign).unwrap_or_default()
}

/// The claims of a token that one of the ring's keys signed, whatever they say.
pub(super) fn open(keys: &Keyring, token: &str) -> Result<Wire, Invalid> {
    let mut refusal = Invalid::Malformed;
    for key in keys.verifiers() {
        match jsonwebtoken::decode::<Wire>(token, &key.verify, &SIGNATURE_ONLY) {
            Ok(data) => return Ok(data.claims),
            Err(error) => {
                refusal = match error.kind() {
                    ErrorKind::InvalidSignature | ErrorKind::InvalidAlgorithm => Invalid::BadSignature,
                    _ => Invalid::Malformed,
                }
            }
        }
    }
    Err(refusal)
}

/// Expired from the very second in `exp` on.
pub(super) fn check_expiry(exp_s: i64, now: Millis) -> Result<(), Invalid> {
    if now.0 >= exp_s.saturating_mul(1000) {
        Err(Invalid::Expired)
    } else {
        Ok(())
    }
}
