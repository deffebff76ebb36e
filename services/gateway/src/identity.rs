//! Who calls: the access token in the header, else in the cookie (R-GW-02).
//!
//! Identity headers that come from outside are stripped before anything else looks at the
//! request; only what a valid access token says is written back (law `no-back-door`). A refresh
//! token is no access token (quirk 5), which `AccessTokens::verify_access` sees to.

use axum::http::{HeaderMap, HeaderValue, header};
use urr_core::time::Millis;
use urr_kit::identity::{AccessTokens, Identity, strip_headers, write_headers};

/// Strips what the caller claims, verifies what he can prove, and writes that.
pub(crate) fn establish(headers: &mut HeaderMap, tokens: &AccessTokens, now: Millis) -> Option<Identity> {
    strip_headers(headers);
    adopt_cookie(headers);
    let identity = bearer(headers).and_then(|token| tokens.verify_access(token, now).ok())?;
    write_headers(headers, &identity);
    Some(identity)
}

/// A present `Authorization` header wins even if it is invalid; otherwise the cookie speaks.
fn adopt_cookie(headers: &mut HeaderMap) {
    if headers.contains_key(header::AUTHORIZATION) {
        return;
    }
    let Some(token) = cookie(headers, "access_token") else {
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

fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, value)| *key == name && !value.is_empty())
        .map(|(_, value)| value)
}
