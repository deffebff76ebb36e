//! Requests and answers of the hot paths, taken apart and put together by hand.
//!
//! A waiting crowd is almost all polls, so what a poll costs is what the waiting room costs. Ids
//! are cut out of the path where they stand, numbers are written straight into the one buffer that
//! is sent, and nothing else is allocated. Every text written here is made by us from characters
//! that JSON does not escape.

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, Uri, header},
    response::Response,
};
use uuid::Uuid;

/// What only the one who asked may see, and only now.
pub(super) const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// A JSON object being written.
pub(super) struct Object(Vec<u8>);

impl Object {
    /// Room for any answer of ours, a token included.
    pub(super) fn new() -> Self {
        let mut bytes = Vec::with_capacity(768);
        bytes.push(b'{');
        Self(bytes)
    }

    fn name(&mut self, name: &'static str) {
        if self.0.len() > 1 {
            self.0.push(b',');
        }
        self.0.push(b'"');
        self.0.extend_from_slice(name.as_bytes());
        self.0.extend_from_slice(b"\":");
    }

    pub(super) fn number(&mut self, name: &'static str, value: u64) -> &mut Self {
        self.name(name);
        // The digits from the last to the first; 20 are the most.
        let (mut digits, mut at, mut left) = ([0_u8; 20], 20, value);
        loop {
            at -= 1;
            digits[at] = b'0' + u8::try_from(left % 10).unwrap_or(0);
            left /= 10;
            if left == 0 {
                break;
            }
        }
        self.0.extend_from_slice(&digits[at..]);
        self
    }

    /// An instant, ms.
    pub(super) fn instant(&mut self, name: &'static str, at: urr_core::time::Millis) -> &mut Self {
        self.number(name, u64::try_from(at.0).unwrap_or(0))
    }

    pub(super) fn flag(&mut self, name: &'static str, value: bool) -> &mut Self {
        self.name(name);
        self.0
            .extend_from_slice(if value { b"true".as_slice() } else { b"false" });
        self
    }

    /// Text that needs no escape.
    pub(super) fn plain(&mut self, name: &'static str, text: &str) -> &mut Self {
        debug_assert!(
            text.bytes()
                .all(|b| (b' '..=b'~').contains(&b) && b != b'"' && b != b'\\'),
            "{text} needs an escape"
        );
        self.name(name);
        self.0.push(b'"');
        self.0.extend_from_slice(text.as_bytes());
        self.0.push(b'"');
        self
    }

    pub(super) fn null(&mut self, name: &'static str) -> &mut Self {
        self.name(name);
        self.0.extend_from_slice(b"null");
        self
    }

    pub(super) fn id(&mut self, name: &'static str, id: Uuid) -> &mut Self {
        let mut buffer = Uuid::encode_buffer();
        self.plain(name, id.hyphenated().encode_lower(&mut buffer))
    }

    /// The finished answer; `cached` says for whom and how long it may be kept.
    pub(super) fn answer(mut self, cached: HeaderValue) -> Response {
        self.0.push(b'}');
        let mut response = Response::new(Body::from(self.0));
        *response.status_mut() = StatusCode::OK;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::CACHE_CONTROL, cached);
        response
    }
}

/// The segments of the path behind `prefix`.
pub(super) fn segments<'a>(uri: &'a Uri, prefix: &str) -> impl Iterator<Item = &'a str> {
    uri.path().strip_prefix(prefix).unwrap_or_default().split('/')
}

/// The value of `userId` in the query, as it stands there; `Err` when it is written with escapes.
pub(super) fn plain_user_id(uri: &Uri) -> Result<Option<&str>, ()> {
    let Some(query) = uri.query() else { return Ok(None) };
    let value = query.split('&').find_map(|pair| pair.strip_prefix("userId="));
    match value {
        // An escaped name of the parameter is an escape, too.
        _ if query.bytes().any(|b| b == b'%' || b == b'+') => Err(()),
        value => Ok(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_written_by_hand_is_json() {
        let mut object = Object::new();
        object
            .number("zero", 0)
            .number("most", u64::MAX)
            .flag("yes", true)
            .flag("no", false)
            .plain("text", "pre-queue")
            .null("nothing")
            .id("id", Uuid::nil());
        let response = object.answer(NO_STORE);
        assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
        let bytes = axum::body::to_bytes(response.into_body(), 1000).await.unwrap();
        let value: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(
            value,
            serde_json::json!({"zero": 0, "most": u64::MAX, "yes": true, "no": false, "text": "pre-queue",
                               "nothing": null, "id": Uuid::nil()})
        );
    }

    #[test]
    fn ids_are_cut_out_of_path_and_query() {
        let uri: Uri = "/vwr-api/vwr/check/a/b?x=1&userId=kim&y=2".parse().unwrap();
        assert_eq!(
            segments(&uri, "/vwr-api/vwr/check/").collect::<Vec<_>>(),
            ["a", "b"]
        );
        assert_eq!(plain_user_id(&uri), Ok(Some("kim")));
        for (query, expected) in [
            ("/c", Ok(None)),
            ("/c?user=x", Ok(None)),
            ("/c?userId=", Ok(Some(""))),
            ("/c?userId=a%40b", Err(())),
            ("/c?user%49d=a", Err(())),
        ] {
            assert_eq!(plain_user_id(&query.parse().unwrap()), expected, "{query}");
        }
    }
}
