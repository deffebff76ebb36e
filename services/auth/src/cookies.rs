//! The two cookies of C§4. The refresh cookie's path is `/api`, which covers both `/api/auth` and
//! `/api/v1/auth`: with upstream's `/api/auth` browsers never sent it (C§15.6).

use axum::http::{HeaderMap, HeaderValue, header};

use crate::Config;
use crate::sessions::Session;

pub(crate) const ACCESS: &str = "access_token";
pub(crate) const REFRESH: &str = "refresh_token";

#[derive(Clone)]
pub(crate) struct Cookies {
    secure: bool,
    access_ttl_s: u32,
    refresh_ttl_s: u32,
}

impl Cookies {
    pub(crate) const fn new(config: &Config) -> Self {
        Self {
            secure: config.cookie_secure,
            access_ttl_s: config.jwt_expiration_seconds,
            refresh_ttl_s: config.jwt_refresh_expiration_seconds,
        }
    }

    pub(crate) fn of(&self, session: &Session) -> HeaderMap {
        self.headers(
            &session.access,
            self.access_ttl_s,
            &session.refresh,
            self.refresh_ttl_s,
        )
    }

    pub(crate) fn cleared(&self) -> HeaderMap {
        self.headers("", 0, "", 0)
    }

    fn headers(&self, access: &str, access_s: u32, refresh: &str, refresh_s: u32) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value, path, age_s) in [
            (ACCESS, access, "/", access_s),
            (REFRESH, refresh, "/api", refresh_s),
        ] {
            let secure = if self.secure { "; Secure" } else { "" };
            let cookie =
                format!("{name}={value}; Path={path}; Max-Age={age_s}; HttpOnly{secure}; SameSite=Lax");
            // A JWT is ASCII without separators, so this cannot fail; if it did, the body still
            // carries the tokens.
            if let Ok(cookie) = HeaderValue::from_str(&cookie) {
                headers.append(header::SET_COOKIE, cookie);
            }
        }
        headers
    }
}

/// The value of a cookie the browser sent.
pub(crate) fn sent<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, value)| *key == name && !value.is_empty())
        .map(|(_, value)| value)
}
