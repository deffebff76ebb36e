//! Headers that are between two neighbours and go no further (RFC 9110 section 7.6.1).
//!
//! Passing them on lets a caller speak to the connection behind the proxy: a forwarded
//! `Transfer-Encoding` or `Connection: X-User-Id` is how requests are smuggled and headers removed.

use axum::http::{HeaderMap, HeaderName, header};

const ALWAYS: [HeaderName; 7] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// Removes them, and those `Connection` names.
pub(crate) fn strip(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named.into_iter().filter(may_be_named).chain(ALWAYS) {
        headers.remove(name);
    }
}

/// What is end to end stays, whatever a caller names: else `Connection: x-user-id` would undo what
/// the entry wrote.
fn may_be_named(name: &HeaderName) -> bool {
    !name.as_str().starts_with("x-user-")
        && !matches!(
            *name,
            header::AUTHORIZATION
                | header::COOKIE
                | header::HOST
                | header::CONTENT_LENGTH
                | header::CONTENT_TYPE
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn neighbours_words_go_no_further_and_identity_stays() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "close, x-debug, X-User-Id"),
            ("x-debug", "1"),
            ("x-user-id", "somebody"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("accept", "*/*"),
        ] {
            headers.append(name, HeaderValue::from_static(value));
        }
        strip(&mut headers);
        let mut left: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["accept", "x-user-id"]);
    }
}
