//! Who calls: the access token in the header, else in the cookie (R-GW-02).
//!
//! Identity headers that come from outside are stripped before anything else looks at the
//! request; only what a valid access token says is written back (law `no-back-door`). A refresh
//! token is no access token (quirk 5), which `AccessTokens::verify_access` sees to.

use crate::cookie;
use axum::http::{HeaderMap, HeaderValue, header};
use urr_core::time::Millis;
use urr_kit::identity::{AccessTokens, Identity, strip_headers, write_headers};

/// A caller who proved himself, and the token he did it with.
pub(crate) struct Caller {
    pub(crate) identity: Identity,
    pub(crate) token: String,
}

/// Strips what the caller claims, verifies what he can prove, and writes that.
pub(crate) fn establish(headers: &mut HeaderMap, tokens: &AccessTokens, now: Millis) -> Option<Caller> {
    strip_headers(headers);
    adopt_cookie(headers);
    let token = bearer(headers)?;
    let identity = tokens.verify_access(token, now).ok()?;
    let token = token.to_owned();
    write_headers(headers, &identity);
    Some(Caller { identity, token })
}

/// A present `Authorization` header wins even if it is invalid; otherwise the cookie speaks.
fn adopt_cookie(headers: &mut HeaderMap) {
    if headers.contains_key(header::AUTHORIZATION) {
        return;
    }
    let Some(token) = cookie::sent(headers, "access_token") else {
        return;
    };
    if let Ok(value) = HeaderValue::from_str(&format!("Bearer {token}")) {
        headers.insert(header::AUTHORIZATION, value);
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers
        .get(header::AUTHORIZATION)?
        .to_str()
        .ok()?
        .strip_prefix("Bearer ")
        .map(str::trim)
}
