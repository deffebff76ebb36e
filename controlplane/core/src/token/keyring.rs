//! Keys and their rotation: the first signs, all verify.
//!
//! Rotating takes three roll-outs, each finished before the next begins, because while one is under
//! way a replica that has it signs what another that does not must verify:
//! 1. the new secret *second*, everywhere: all verify with it, nobody signs with it;
//! 2. the two swapped: new tokens are signed with the new one, and all know it already;
//! 3. once the longest lifetime of a token has passed, the old one dropped. Places have no
//!    lifetime of their own: wait until the sales that were open have closed.
//!
//! Put first at once, the new secret refuses people at every replica that does not have it yet. Two
//! keys are enough, and a bound on what one forged token can cost to refuse.

use hmac::{Hmac, KeyInit, Mac as _};
use jsonwebtoken::{DecodingKey, EncodingKey};
use sha2::Sha256;
use std::{fmt, sync::Arc};
use thiserror::Error;

/// Shortest secret accepted: the security of HMAC-SHA256 is bounded by it (R-SEC-01).
pub const SECRET_BYTES_MIN: usize = 32;
/// One that signs, one that is on its way out.
pub const KEYS_MAX: usize = 2;

/// Why a set of secrets cannot be used. Never contains the secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum WeakSecret {
    /// None was given.
    #[error("no secret given")]
    Missing,
    /// One has fewer than [`SECRET_BYTES_MIN`] bytes.
    #[error(
        "secret {index} has {bytes} bytes, at least {SECRET_BYTES_MIN} are needed (openssl rand -base64 48)"
    )]
    TooShort {
        /// Which, from 1.
        index: usize,
        /// Its length.
        bytes: usize,
    },
    /// One consists of one repeated character, so it was typed and not drawn.
    #[error("secret {index} is one repeated character (openssl rand -base64 48)")]
    Monotonous {
        /// Which, from 1.
        index: usize,
    },
    /// More than [`KEYS_MAX`].
    #[error("{0} secrets given, at most {KEYS_MAX} are in force at once")]
    TooMany(usize),
}

/// One secret, prepared for every use.
pub(super) struct Key {
    /// HMAC state with the key already absorbed: cloning it saves two compressions per token.
    pub(super) mac: Hmac<Sha256>,
    pub(super) sign: EncodingKey,
    pub(super) verify: DecodingKey,
}

/// The secrets in force. Cheap to clone; its `Debug` shows no secret.
#[derive(Clone)]
pub struct Keyring {
    signer: Arc<Key>,
    retiring: Option<Arc<Key>>,
}

impl Keyring {
    /// A ring of one or two raw UTF-8 secrets; the first signs.
    ///
    /// # Errors
    /// [`WeakSecret`] if none is given, one is too weak, or there are more than two.
    pub fn new(secrets: &[impl AsRef<str>]) -> Result<Self, WeakSecret> {
        let key = |index: usize| -> Result<Option<Arc<Key>>, WeakSecret> {
            let Some(secret) = secrets.get(index) else {
                return Ok(None);
            };
            let bytes = secret.as_ref().as_bytes();
            let too_short = WeakSecret::TooShort {
                index: index + 1,
                bytes: bytes.len(),
            };
            if bytes.len() < SECRET_BYTES_MIN {
                return Err(too_short);
            }
            if bytes.iter().all(|byte| *byte == bytes[0]) {
                return Err(WeakSecret::Monotonous { index: index + 1 });
            }
            Ok(Some(Arc::new(Key {
                // HMAC takes keys of any length; this branch cannot be taken.
                mac: Hmac::new_from_slice(bytes).map_err(|_| too_short)?,
                sign: EncodingKey::from_secret(bytes),
                verify: DecodingKey::from_secret(bytes),
            })))
        };
        if secrets.len() > KEYS_MAX {
            return Err(WeakSecret::TooMany(secrets.len()));
        }
        Ok(Self {
            signer: key(0)?.ok_or(WeakSecret::Missing)?,
            retiring: key(1)?,
        })
    }

    /// 32 bytes that only who has a key of the ring can compute from the joined `parts`, one for
    /// each key, the signer's first. For secrets that must not be stored; `parts` must begin with
    /// a label of their own, which no token's message begins with.
    pub(crate) fn derive(&self, parts: &[&[u8]]) -> Vec<[u8; 32]> {
        let message = parts.concat();
        self.verifiers()
            .map(|key| {
                let mut mac = key.mac.clone();
                mac.update(&message);
                mac.finalize().into_bytes().into()
            })
            .collect()
    }

    pub(super) fn signer(&self) -> &Key {
        &self.signer
    }

    pub(super) fn verifiers(&self) -> impl Iterator<Item = &Key> {
        std::iter::once(&*self.signer).chain(self.retiring.as_deref())
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring")
            .field("keys", &self.verifiers().count())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "0123456789abcdef0123456789abcdef";

    #[test]
    fn weak_secrets_are_refused_by_number_and_not_shown() {
        let refused = |secrets: &[&str]| Keyring::new(secrets).unwrap_err();
        assert_eq!(refused(&[]), WeakSecret::Missing);
        assert_eq!(refused(&["short"]), WeakSecret::TooShort { index: 1, bytes: 5 });
        assert_eq!(refused(&[GOOD, ""]), WeakSecret::TooShort { index: 2, bytes: 0 });
        assert_eq!(refused(&[&"x".repeat(64)]), WeakSecret::Monotonous { index: 1 });
        assert_eq!(refused(&[GOOD, GOOD, GOOD]), WeakSecret::TooMany(3));
        assert!(!refused(&["hunter2"]).to_string().contains("hunter2"));
        assert!(!format!("{:?}", Keyring::new(&[GOOD]).unwrap()).contains("0123"));
    }
}
