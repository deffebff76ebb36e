//! The entry token: this user is inside this sale (R-QUE-09). What no-back-door hangs on.
//!
//! The gateway checks that it is genuine, alive and the caller's; booking checks again, and that
//! it is for the event being booked (api-contract.md section 15.4).

use super::{Invalid, Keyring, jwt};
use crate::{sale::SaleId, time::Millis};
use uuid::Uuid;

/// What the token says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claims {
    /// The sale it is for.
    pub sub: SaleId,
    /// Whose it is.
    pub uid: Uuid,
    /// Issued at, seconds since 1970.
    pub iat: i64,
    /// Expires at, seconds since 1970.
    pub exp: i64,
}

impl Claims {
    /// Claims for a user, valid from `now` for `ttl_s` seconds.
    #[must_use]
    pub fn new(sale: SaleId, user: Uuid, now: Millis, ttl_s: u32) -> Self {
        let iat = now.0.div_euclid(1000);
        Self {
            sub: sale,
            uid: user,
            iat,
            exp: iat + i64::from(ttl_s),
        }
    }
}

/// The signed token.
#[must_use]
pub fn issue(keys: &Keyring, claims: &Claims) -> String {
    jwt::sign(
        keys,
        &jwt::Wire {
            sub: claims.sub.to_string(),
            uid: claims.uid.to_string(),
            tier: None,
            pos: None,
            epoch: None,
            iat: claims.iat,
            exp: claims.exp,
        },
    )
}

/// The claims of a token that lets `user` book in `sale` at `now`.
///
/// # Errors
/// [`Invalid`], the first reason that applies: form and signature, tier, expiry, sale, visitor.
pub fn verify(keys: &Keyring, token: &str, sale: SaleId, user: Uuid, now: Millis) -> Result<Claims, Invalid> {
    let claims = verify_any_sale(keys, token, now)?;
    if claims.sub != sale {
        return Err(Invalid::OtherSale);
    }
    if claims.uid != user {
        return Err(Invalid::OtherVisitor);
    }
    Ok(claims)
}

/// The claims of a genuine, living entry token, for a door that does not yet know the sale (the
/// gateway). The caller compares `uid` with who is calling.
///
/// # Errors
/// [`Invalid`], the first reason that applies: form and signature, tier, expiry.
pub fn verify_any_sale(keys: &Keyring, token: &str, now: Millis) -> Result<Claims, Invalid> {
    let wire = jwt::open(keys, token)?;
    if wire.tier.is_some() {
        return Err(Invalid::WrongTier);
    }
    let claims = Claims {
        sub: wire.sub.parse().map_err(|_| Invalid::Malformed)?,
        uid: wire.uid.parse().map_err(|_| Invalid::Malformed)?,
        iat: wire.iat,
        exp: wire.exp,
    };
    jwt::check_expiry(claims.exp, now)?;
    Ok(claims)
}
