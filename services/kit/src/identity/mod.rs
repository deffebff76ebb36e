//! Who is calling. The gateway verifies the token and says so in `X-User-*` headers; behind it
//! nobody else may set them, and nobody reads a token again (law `no-back-door`).

mod guard;
mod tokens;

pub use guard::{InternalGuard, require_internal};
pub use tokens::{
    ACCESS_TTL_S, AccessTokens, REFRESH_TTL_S, Refresh, RefreshClaims, TokenError, denied_token_key,
};

use crate::error::ApiError;
use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};
use std::convert::Infallible;
use std::fmt;
use uuid::Uuid;

/// Header with the caller's id.
pub const USER_ID: HeaderName = HeaderName::from_static("x-user-id");
/// Header with the caller's e-mail address.
pub const USER_EMAIL: HeaderName = HeaderName::from_static("x-user-email");
/// Header with the caller's role.
pub const USER_ROLE: HeaderName = HeaderName::from_static("x-user-role");

/// What a person may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// A visitor.
    #[default]
    User,
    /// Somebody of the house.
    Admin,
}

impl Role {
    /// `user` or `admin`, as on the wire and in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Admin => "admin",
        }
    }

    /// The role of that name; anything but `admin` is a visitor.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        if text.eq_ignore_ascii_case("admin") {
            Self::Admin
        } else {
            Self::User
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A verified caller. As an extractor: 401 when there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The user's id.
    pub user_id: Uuid,
    /// The user's e-mail address.
    pub email: String,
    /// What the user may do.
    pub role: Role,
}

/// A verified caller with the role admin. As an extractor: 401 without a caller, 403 for others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admin(pub Identity);

/// A caller who may be anonymous.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptionalIdentity(pub Option<Identity>);

/// Writes `identity` into headers for the service behind. Only the gateway does this.
pub fn write_headers(headers: &mut HeaderMap, identity: &Identity) {
    strip_headers(headers);
    // A UUID and a role are always valid header values; an e-mail address with control characters
    // is not and is left out.
    if let Ok(id) = HeaderValue::from_str(&identity.user_id.to_string()) {
        headers.insert(USER_ID, id);
    }
    if let Ok(email) = HeaderValue::from_bytes(identity.email.as_bytes()) {
        headers.insert(USER_EMAIL, email);
    }
    headers.insert(USER_ROLE, HeaderValue::from_static(identity.role.as_str()));
}

/// Removes every header that claims an identity. The gateway does this to every request first.
pub fn strip_headers(headers: &mut HeaderMap) {
    for name in [USER_ID, USER_EMAIL, USER_ROLE] {
        headers.remove(name);
    }
}

/// The identity the gateway wrote, if any.
#[must_use]
pub fn read_headers(headers: &HeaderMap) -> Option<Identity> {
    let text = |name: &HeaderName| {
        headers
            .get(name)
            .map(|value| String::from_utf8_lossy(value.as_bytes()))
    };
    Some(Identity {
        user_id: text(&USER_ID)?.parse().ok()?,
        email: text(&USER_EMAIL).unwrap_or_default().into_owned(),
        role: text(&USER_ROLE).map_or(Role::User, |role| Role::parse(&role)),
    })
}

impl<S: Send + Sync> FromRequestParts<S> for Identity {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        read_headers(&parts.headers).ok_or_else(|| ApiError::unauthorized("Authentication required"))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Admin {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let identity = Identity::from_request_parts(parts, state).await?;
        match identity.role {
            Role::Admin => Ok(Self(identity)),
            Role::User => Err(ApiError::forbidden("Admin role required")),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for OptionalIdentity {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(Self(read_headers(&parts.headers)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_survives_the_headers() {
        let identity = Identity {
            user_id: Uuid::new_v4(),
            email: "김@urr.kr".to_owned(),
            role: Role::Admin,
        };
        let mut headers = HeaderMap::new();
        write_headers(&mut headers, &identity);
        assert_eq!(read_headers(&headers), Some(identity));
    }

    #[test]
    fn writing_replaces_every_claim_that_was_there() {
        let mut headers = HeaderMap::new();
        headers.append(USER_ROLE, HeaderValue::from_static("admin"));
        headers.append(USER_ROLE, HeaderValue::from_static("admin"));
        let identity = Identity {
            user_id: Uuid::new_v4(),
            email: "a\nb".to_owned(),
            role: Role::User,
        };
        write_headers(&mut headers, &identity);
        assert_eq!(headers.get_all(USER_ROLE).iter().count(), 1);
        assert_eq!(read_headers(&headers).unwrap().role, Role::User);
        strip_headers(&mut headers);
        assert_eq!(read_headers(&headers), None);
    }
}
