//! A target's consent to be loaded: proof that who runs it expects the load.
//!
//! A generator that can send 50,000 people somewhere must not be pointed at a stranger's house by a
//! typing error. Beyond loopback it asks the target at [`PATH`] with a fresh nonce; only a target
//! that holds the secret its operator and the generator share can answer. The answer binds the
//! host that was asked, so one consenting house cannot speak for its neighbour. Reading an answer
//! proves nothing later: every nonce is new.

use crate::token::WeakSecret;
use hmac::{Hmac, KeyInit, Mac as _};
use sha2::Sha256;
use std::fmt::{self, Write as _};

/// Where a target is asked.
pub const PATH: &str = "/.well-known/urr-load-opt-in";
/// Environment variable of the shared secret, on both sides.
pub const SECRET_ENV: &str = "URR_LOAD_OPT_IN_SECRET";
/// Shortest and longest nonce that is answered; the bound keeps a stranger's question cheap.
pub const NONCE_CHARS: std::ops::RangeInclusive<usize> = 16..=128;
/// Keeps this MAC apart from every other use of the same secret.
const PURPOSE: &str = "urr load opt-in v1";

/// The shared secret, ready for use. Its `Debug` shows nothing.
#[derive(Clone)]
pub struct ConsentKey {
    mac: Hmac<Sha256>,
}

impl fmt::Debug for ConsentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ConsentKey(..)")
    }
}

impl ConsentKey {
    /// A key of at least 32 bytes that is not one repeated character.
    ///
    /// # Errors
    /// [`WeakSecret`] otherwise.
    pub fn new(secret: &str) -> Result<Self, WeakSecret> {
        // The rules for token secrets, and the same words for breaking them.
        crate::token::Keyring::new(&[secret])?;
        Ok(Self {
            // HMAC takes a key of any length.
            mac: Hmac::new_from_slice(secret.as_bytes()).map_err(|_| WeakSecret::Missing)?,
        })
    }

    /// The answer to `nonce` at `host` (`host` or `host:port`, as the asker wrote it), in hex; `None`
    /// when the nonce is not 16 to 128 letters, digits or dashes.
    #[must_use]
    pub fn prove(&self, host: &str, nonce: &str) -> Option<String> {
        let mac = self.absorb(host, nonce)?;
        let mut hex = String::with_capacity(64);
        for byte in mac.finalize().into_bytes() {
            // Writing to a String cannot fail.
            let _ = write!(hex, "{byte:02x}");
        }
        Some(hex)
    }

    /// Whether `proof` is the answer to `nonce` at `host`; in constant time.
    #[must_use]
    pub fn accepts(&self, host: &str, nonce: &str, proof: &str) -> bool {
        let Some(mac) = self.absorb(host, nonce) else {
            return false;
        };
        crate::hex::parse::<32>(proof).is_some_and(|bytes| mac.verify_slice(&bytes).is_ok())
    }

    fn absorb(&self, host: &str, nonce: &str) -> Option<Hmac<Sha256>> {
        let sound = NONCE_CHARS.contains(&nonce.len())
            && nonce
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        sound.then(|| {
            let mut mac = self.mac.clone();
            // A line each: a nonce has no line break, so no two questions read the same.
            mac.update(format!("{PURPOSE}\n{nonce}\n{}", host.to_ascii_lowercase()).as_bytes());
            mac
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONCE: &str = "6f0d7e0a-52a2-4d4e-9a52-0a2b1c3d4e5f";

    fn key(tail: &str) -> ConsentKey {
        ConsentKey::new(&format!("a secret of more than thirty-two bytes {tail}")).unwrap()
    }

    #[test]
    fn only_the_secrets_holder_answers_and_only_for_this_host_and_question() {
        let proof = key("one").prove("stage.example.org:8443", NONCE).unwrap();
        assert!(key("one").accepts("Stage.Example.org:8443", NONCE, &proof));
        assert!(!key("two").accepts("stage.example.org:8443", NONCE, &proof));
        assert!(!key("one").accepts("www.example.org", NONCE, &proof));
        assert!(!key("one").accepts("stage.example.org:8443", &NONCE.replace('6', "7"), &proof));
        for other in ["", "zz", &proof[2..], "é\u{301}"] {
            assert!(
                !key("one").accepts("stage.example.org:8443", NONCE, other),
                "{other}"
            );
        }
    }

    #[test]
    fn odd_questions_and_weak_secrets_are_refused() {
        assert_eq!(key("one").prove("h", "short"), None);
        assert_eq!(key("one").prove("h", "line\nbreaks are no part of it"), None);
        assert_eq!(key("one").prove("h", &"n".repeat(129)), None);
        assert!(ConsentKey::new("too short").is_err());
        assert_eq!(format!("{:?}", key("one")), "ConsentKey(..)");
    }
}
