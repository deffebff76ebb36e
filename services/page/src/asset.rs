//! One static file as HTTP wants it: strong validators, a compressed copy, the caller's choice.

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, Response, StatusCode, header},
};
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use sha2::{Digest as _, Sha256};
use std::{fmt::Write as _, io::Write as _};

/// A body, its compressed copy, and what identifies each. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Asset {
    kind: HeaderValue,
    /// The first 16 hexadecimal digits of the content's SHA-256.
    pub(crate) hash: String,
    plain: Encoded,
    gzip: Encoded,
}

#[derive(Clone, Debug)]
struct Encoded {
    body: Bytes,
    etag: HeaderValue,
}

impl Asset {
    /// Prepares `content` once; answers share it.
    pub(crate) fn new(kind: &'static str, content: String) -> std::io::Result<Self> {
        let mut hash = String::with_capacity(16);
        for byte in Sha256::digest(content.as_bytes()).iter().take(8) {
            // Writing to a String does not fail.
            let _ = write!(hash, "{byte:02x}");
        }
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(content.as_bytes())?;
        let gzip = encoder.finish()?;
        let tag = |suffix: &str| {
            HeaderValue::from_str(&format!("\"{hash}{suffix}\"")).map_err(std::io::Error::other)
        };
        Ok(Self {
            kind: HeaderValue::from_static(kind),
            plain: Encoded {
                body: content.into(),
                etag: tag("")?,
            },
            // Another encoding is another representation: a strong validator must differ.
            gzip: Encoded {
                body: gzip.into(),
                etag: tag("-gz")?,
            },
            hash,
        })
    }

    /// Bytes as written and as sent compressed.
    #[cfg(test)]
    pub(crate) fn sizes(&self) -> (usize, usize) {
        (self.plain.body.len(), self.gzip.body.len())
    }

    /// The answer to a GET or HEAD with these headers: 200, or 304 if the caller has it.
    pub(crate) fn answer(&self, asked: &HeaderMap, cache_control: &'static str) -> Response<Body> {
        let gzip = takes_gzip(asked);
        let chosen = if gzip { &self.gzip } else { &self.plain };
        let mut response = Response::new(Body::empty());
        let headers = response.headers_mut();
        headers.insert(header::ETAG, chosen.etag.clone());
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache_control));
        headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        if has_it(asked, &chosen.etag) {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            return response;
        }
        headers.insert(header::CONTENT_TYPE, self.kind.clone());
        if gzip {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        *response.body_mut() = Body::from(chosen.body.clone());
        response
    }
}

/// Whether `Accept-Encoding` has gzip with a weight above zero.
fn takes_gzip(asked: &HeaderMap) -> bool {
    let mut star = false;
    for item in listed(asked, &header::ACCEPT_ENCODING) {
        let mut parts = item.split(';').map(str::trim);
        let coding = parts.next().unwrap_or_default();
        let refused = parts.any(|part| {
            part.strip_prefix("q=")
                .and_then(|weight| weight.parse::<f32>().ok())
                .is_some_and(|weight| weight <= 0.0)
        });
        if coding.eq_ignore_ascii_case("gzip") {
            return !refused;
        }
        star |= coding == "*" && !refused;
    }
    star
}

/// `If-None-Match` compares weakly (RFC 9110 section 13.1.2): a proxy may have weakened ours.
fn has_it(asked: &HeaderMap, etag: &HeaderValue) -> bool {
    listed(asked, &header::IF_NONE_MATCH)
        .any(|tag| tag == "*" || tag.trim_start_matches("W/").as_bytes() == etag.as_bytes())
}

fn listed<'a>(headers: &'a HeaderMap, name: &header::HeaderName) -> impl Iterator<Item = &'a str> {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(','))
        .map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(name: header::HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn gzip_is_sent_to_those_who_take_it() {
        for (value, takes) in [
            ("gzip, deflate, br", true),
            ("br;q=1.0, gzip;q=0.8", true),
            ("GZIP", true),
            ("*", true),
            ("gzip;q=0", false),
            ("gzip;q=0, *", false),
            ("identity", false),
            ("", false),
        ] {
            assert_eq!(
                takes_gzip(&asked(header::ACCEPT_ENCODING, value)),
                takes,
                "{value}"
            );
        }
    }

    #[test]
    fn who_has_it_gets_304_and_no_body() {
        let asset = Asset::new("text/plain", "content".repeat(100)).unwrap();
        let first = asset.answer(&HeaderMap::new(), "public");
        let etag = first.headers()[header::ETAG].clone();
        assert!(etag.as_bytes().starts_with(b"\""), "the validator is strong");
        let mut again = HeaderMap::new();
        again.insert(header::IF_NONE_MATCH, etag.clone());
        assert_eq!(asset.answer(&again, "public").status(), StatusCode::NOT_MODIFIED);
        // The compressed copy is another representation.
        again.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        let compressed = asset.answer(&again, "public");
        assert_eq!(compressed.status(), StatusCode::OK);
        assert_ne!(compressed.headers()[header::ETAG], etag);
        assert!(has_it(&asked(header::IF_NONE_MATCH, "\"x\", *"), &etag));
    }
}
