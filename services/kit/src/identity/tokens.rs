//! Access and refresh tokens (api-contract.md section 4).
//!
//! The algorithm follows the key's length as upstream's library does, so tokens of either
//! implementation verify with the other. `type` is checked: a refresh token is not an access token
//! (quirk 5). Expiry is compared with the `now` that is handed in, without leeway.

use super::{Identity, Role};
use crate::secrets::Secrets;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;
use std::sync::Arc;
use urr_core::time::Millis;
use uuid::Uuid;

/// Lifetime of an access token, seconds.
pub const ACCESS_TTL_S: i64 = 1800;
/// Lifetime of a refresh token, seconds.
pub const REFRESH_TTL_S: i64 = 604_800;

/// The Redis key that denies an access token while it exists (without the installation's prefix).
/// The token itself stays out of Redis. Auth writes it on logging out; whoever verifies tokens, the
/// gateway above all, asks for it (R-GW-02).
#[must_use]
pub fn denied_token_key(token: &str) -> String {
    let mut key = "token:denied:".to_owned();
    for byte in Sha256::digest(token.as_bytes()) {
        // Writing to a String does not fail.
        let _ = write!(key, "{byte:02x}");
    }
    key
}

/// Why a token is no good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not a token, or its claims are not ours.
    #[error("the token is malformed")]
    Malformed,
    /// Signed by somebody else, or with another algorithm.
    #[error("the token's signature is wrong")]
    BadSignature,
    /// Its time is over.
    #[error("the token has expired")]
    Expired,
    /// A refresh token where an access token is wanted, or the other way round.
    #[error("the token is of the wrong type")]
    WrongType,
}

/// A new refresh token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refresh {
    /// What the client keeps; the database keeps its hash.
    pub token: String,
    /// When it stops being good.
    pub expires_at: Millis,
}

/// What a verified refresh token says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefreshClaims {
    /// Whose it is.
    pub user_id: Uuid,
    /// The family it rotates in; reuse revokes the family.
    pub family: Uuid,
    /// This token among its family.
    pub jti: Uuid,
    /// When it stops being good.
    pub expires_at: Millis,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Access,
    Refresh,
}

/// The claims of both tokens. Upstream's tokens carry further ones, which are ignored.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Claims {
    sub: Uuid,
    user_id: Uuid,
    #[serde(rename = "type")]
    kind: Option<Kind>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    role: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    family_id: Option<Uuid>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    jti: Option<Uuid>,
    iat: i64,
    exp: i64,
}

/// Issues and verifies access and refresh tokens. Cheap to clone.
#[derive(Clone)]
pub struct AccessTokens {
    keys: Arc<Keys>,
    access_ttl_s: i64,
    refresh_ttl_s: i64,
}

struct Keys {
    header: Header,
    signing: EncodingKey,
    verifying: DecodingKey,
    validation: Validation,
}

impl AccessTokens {
    /// Tokens signed with `secrets.jwt`, living as long as the contract says.
    #[must_use]
    pub fn new(secrets: &Secrets) -> Self {
        let key = secrets.jwt.as_bytes();
        let algorithm = match key.len() {
            ..48 => Algorithm::HS256,
            48..64 => Algorithm::HS384,
            _ => Algorithm::HS512,
        };
        let mut validation = Validation::new(algorithm);
        // Expiry is ours to judge, against the clock that was handed in.
        validation.validate_exp = false;
        validation.required_spec_claims.clear();
        Self {
            keys: Arc::new(Keys {
                header: Header::new(algorithm),
                signing: EncodingKey::from_secret(key),
                verifying: DecodingKey::from_secret(key),
                validation,
            }),
            access_ttl_s: ACCESS_TTL_S,
            refresh_ttl_s: REFRESH_TTL_S,
        }
    }

    /// The same keys with other lifetimes, in seconds.
    #[must_use]
    pub fn with_ttl_s(mut self, access_ttl_s: i64, refresh_ttl_s: i64) -> Self {
        self.access_ttl_s = access_ttl_s;
        self.refresh_ttl_s = refresh_ttl_s;
        self
    }

    /// An access token for `identity`.
    #[must_use]
    pub fn issue_access(&self, identity: &Identity, now: Millis) -> String {
        let issued_s = now.0.div_euclid(1000);
        self.sign(&Claims {
            sub: identity.user_id,
            user_id: identity.user_id,
            kind: Some(Kind::Access),
            email: Some(identity.email.clone()),
            role: Some(identity.role.as_str().to_owned()),
            family_id: None,
            jti: None,
            iat: issued_s,
            exp: issued_s.saturating_add(self.access_ttl_s),
        })
    }

    /// A refresh token for `user_id` in `family`, with a fresh `jti`.
    #[must_use]
    pub fn issue_refresh(&self, user_id: Uuid, family: Uuid, now: Millis) -> Refresh {
        let issued_s = now.0.div_euclid(1000);
        let exp = issued_s.saturating_add(self.refresh_ttl_s);
        let token = self.sign(&Claims {
            sub: user_id,
            user_id,
            kind: Some(Kind::Refresh),
            email: None,
            role: None,
            family_id: Some(family),
            jti: Some(Uuid::new_v4()),
            iat: issued_s,
            exp,
        });
        Refresh {
            token,
            expires_at: Millis(exp.saturating_mul(1000)),
        }
    }

    /// Who holds this access token.
    ///
    /// # Errors
    /// See [`TokenError`].
    pub fn verify_access(&self, token: &str, now: Millis) -> Result<Identity, TokenError> {
        let claims = self.verify(token, Kind::Access, now)?;
        Ok(Identity {
            user_id: claims.user_id,
            email: claims.email.unwrap_or_default(),
            role: claims.role.map_or(Role::User, |role| Role::parse(&role)),
        })
    }

    /// What this refresh token says. Whether it was used before only the database knows.
    ///
    /// # Errors
    /// See [`TokenError`].
    pub fn verify_refresh(&self, token: &str, now: Millis) -> Result<RefreshClaims, TokenError> {
        let claims = self.verify(token, Kind::Refresh, now)?;
        Ok(RefreshClaims {
            user_id: claims.user_id,
            family: claims.family_id.ok_or(TokenError::Malformed)?,
            jti: claims.jti.ok_or(TokenError::Malformed)?,
            expires_at: Millis(claims.exp.saturating_mul(1000)),
        })
    }

    #[expect(
        clippy::expect_used,
        reason = "HMAC with a checked key over plain claims cannot fail"
    )]
    fn sign(&self, claims: &Claims) -> String {
        encode(&self.keys.header, claims, &self.keys.signing).expect("HMAC signing")
    }

    fn verify(&self, token: &str, wanted: Kind, now: Millis) -> Result<Claims, TokenError> {
        use jsonwebtoken::errors::ErrorKind;
        let claims = decode::<Claims>(token, &self.keys.verifying, &self.keys.validation)
            .map_err(|error| match error.kind() {
                ErrorKind::InvalidSignature
                | ErrorKind::InvalidAlgorithm
                | ErrorKind::InvalidAlgorithmName => TokenError::BadSignature,
                _ => TokenError::Malformed,
            })?
            .claims;
        if claims.kind != Some(wanted) {
            return Err(TokenError::WrongType);
        }
        if claims.sub != claims.user_id {
            return Err(TokenError::Malformed);
        }
        if now.0 >= claims.exp.saturating_mul(1000) {
            return Err(TokenError::Expired);
        }
        Ok(claims)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;

    const NOW: Millis = Millis(1_780_000_000_000);

    fn with_key_bytes(bytes: usize) -> AccessTokens {
        let base = Secrets::generate().unwrap().to_env();
        let key: Vec<u8> = (0..bytes).map(|i| u8::try_from(i % 251).unwrap()).collect();
        let jwt = base64::engine::general_purpose::STANDARD.encode(key);
        let secrets = Secrets::from_lookup(|name| {
            if name == "JWT_SECRET" {
                return Some(jwt.clone());
            }
            base.iter()
                .find(|(known, _)| known == name)
                .map(|(_, value)| value.clone())
        })
        .unwrap();
        AccessTokens::new(&secrets)
    }

    fn someone() -> Identity {
        Identity {
            user_id: Uuid::new_v4(),
            email: "a@b.kr".to_owned(),
            role: Role::Admin,
        }
    }

    #[test]
    fn the_algorithm_follows_the_key_length() {
        for (bytes, name) in [
            (32, "HS256"),
            (47, "HS256"),
            (48, "HS384"),
            (63, "HS384"),
            (64, "HS512"),
        ] {
            let tokens = with_key_bytes(bytes);
            let who = someone();
            let token = tokens.issue_access(&who, NOW);
            let header = jsonwebtoken::decode_header(&token).unwrap();
            assert_eq!(format!("{:?}", header.alg), name);
            assert_eq!(tokens.verify_access(&token, NOW), Ok(who));
        }
    }

    #[test]
    fn a_refresh_token_is_not_an_access_token() {
        // Law no-back-door; api-contract section 15 quirk 5.
        let tokens = with_key_bytes(32);
        let who = someone();
        let refresh = tokens.issue_refresh(who.user_id, Uuid::new_v4(), NOW);
        assert_eq!(
            tokens.verify_access(&refresh.token, NOW),
            Err(TokenError::WrongType)
        );
        let access = tokens.issue_access(&who, NOW);
        assert_eq!(tokens.verify_refresh(&access, NOW), Err(TokenError::WrongType));
    }

    #[test]
    fn a_refresh_token_names_its_family_and_its_end() {
        let tokens = with_key_bytes(32);
        let (user, family) = (Uuid::new_v4(), Uuid::new_v4());
        let refresh = tokens.issue_refresh(user, family, NOW);
        let claims = tokens.verify_refresh(&refresh.token, NOW).unwrap();
        assert_eq!((claims.user_id, claims.family), (user, family));
        assert_eq!(claims.expires_at, refresh.expires_at);
        assert_eq!(refresh.expires_at, NOW.plus_s(REFRESH_TTL_S));
    }

    #[test]
    fn expiry_is_judged_by_the_given_clock() {
        let tokens = with_key_bytes(32);
        let token = tokens.issue_access(&someone(), NOW);
        assert!(
            tokens
                .verify_access(&token, NOW.plus_s(ACCESS_TTL_S).plus_ms(-1))
                .is_ok()
        );
        let late = tokens.verify_access(&token, NOW.plus_s(ACCESS_TTL_S));
        assert_eq!(late, Err(TokenError::Expired));
    }

    #[test]
    fn a_tampered_or_foreign_token_is_refused() {
        let (ours, theirs) = (with_key_bytes(32), with_key_bytes(33));
        let token = theirs.issue_access(&someone(), NOW);
        assert_eq!(ours.verify_access(&token, NOW), Err(TokenError::BadSignature));
        assert_eq!(ours.verify_access("not a token", NOW), Err(TokenError::Malformed));
        // `alg: none` is not an algorithm we know.
        let encode = |text: &str| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text);
        let unsigned = format!("{}.{}.", encode(r#"{"alg":"none","typ":"JWT"}"#), encode("{}"));
        assert!(ours.verify_access(&unsigned, NOW).is_err());
        // Another HMAC than the key's length calls for.
        let long = with_key_bytes(64).issue_access(&someone(), NOW);
        assert_eq!(ours.verify_access(&long, NOW), Err(TokenError::BadSignature));
    }
}
