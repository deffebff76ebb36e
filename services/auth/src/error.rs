//! The sentences of C§7. Most failures here are 400, which is upstream's wire.

use urr_kit::ApiError;

/// Deliberately the same whether the address or the password is wrong.
pub(crate) fn bad_login() -> ApiError {
    ApiError::bad_request("Invalid email or password")
}

/// Deliberately does not say that the address is taken.
pub(crate) fn taken() -> ApiError {
    ApiError::bad_request("Registration failed. Please try again or login.")
}

pub(crate) fn bad_refresh() -> ApiError {
    ApiError::bad_request("Invalid or expired refresh token")
}

pub(crate) fn bad_token() -> ApiError {
    ApiError::bad_request("Invalid or expired token")
}

pub(crate) fn no_user() -> ApiError {
    ApiError::bad_request("User not found")
}

pub(crate) fn not_authenticated() -> ApiError {
    ApiError::unauthorized("Authentication required")
}
