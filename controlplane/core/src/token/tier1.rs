//! Tier 1's token: the waiting room let this visitor through (R-VWR-05).
//!
//! It carries the position and its epoch, which is what orders tier 2: the client never says where
//! it stood (api-contract.md section 15.1).

use super::{Invalid, Keyring, jwt};
use crate::{sale::SaleId, time::Millis};

/// The tier that this token opens.
pub const TIER: u8 = 1;

/// What the token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// The sale it is for.
    pub sub: SaleId,
    /// The visitor key under which the place was taken.
    pub uid: String,
    /// Always [`TIER`].
    pub tier: u8,
    /// The place in the line.
    pub pos: u64,
    /// Which activation of the line.
    pub epoch: u32,
    /// Issued at, seconds since 1970.
    pub iat: i64,
    /// Expires at, seconds since 1970.
    pub exp: i64,
}

impl Claims {
    /// Claims for a place, valid from `now` for `ttl_s` seconds.
    #[must_use]
    pub fn new(sale: SaleId, visitor: &str, pos: u64, epoch: u32, now: Millis, ttl_s: u32) -> Self {
        let iat = now.0.div_euclid(1000);
        Self {
            sub: sale,
            uid: visitor.to_owned(),
            tier: TIER,
            pos,
            epoch,
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
            uid: claims.uid.clone(),
            tier: Some(claims.tier),
            pos: Some(claims.pos),
            epoch: Some(claims.epoch),
            iat: claims.iat,
            exp: claims.exp,
        },
    )
}

/// The claims of a token that lets its bearer pass tier 1 of `sale` at `now`. Whether
/// its epoch is the current one is for the caller to compare.
///
/// # Errors
/// [`Invalid`], the first reason that applies: form and signature, tier, sale, expiry.
pub fn verify(keys: &Keyring, token: &str, sale: SaleId, now: Millis) -> Result<Claims, Invalid> {
    let wire = jwt::open(keys, token)?;
    if wire.tier != Some(TIER) {
        return Err(Invalid::WrongTier);
    }
    let claims = Claims {
        sub: wire.sub.parse().map_err(|_| Invalid::Malformed)?,
        uid: wire.uid,
        tier: TIER,
        pos: wire.pos.ok_or(Invalid::Malformed)?,
        epoch: wire.epoch.ok_or(Invalid::Malformed)?,
        iat: wire.iat,
        exp: wire.exp,
    };
    if claims.sub != sale {
        return Err(Invalid::OtherSale);
    }
    jwt::check_expiry(claims.exp, now)?;
    Ok(claims)
}
