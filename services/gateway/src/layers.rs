//! What every answer gets: cross-origin rules, security headers, compression, a body limit.
//!
//! One stack, applied once: a router boxes each layer it is given by itself, and those boxes cost
//! more than a whole poll.

use crate::Config;
use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::{HeaderName, HeaderValue, Method, Response, header},
};
use std::time::Duration;
use tower::ServiceBuilder;
use tower_http::{
    compression::{
        CompressionLayer,
        predicate::{DefaultPredicate, Predicate, SizeAbove},
    },
    cors::{AllowOrigin, CorsLayer},
    limit::RequestBodyLimitLayer,
};
use urr_kit::StartError;

/// Below this a compressed body saves nothing (R-GW-09).
const COMPRESS_FROM_BYTES: u64 = 1024;

const SECURITY: [(&str, &str); 5] = [
    ("strict-transport-security", "max-age=31536000; includeSubDomains"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("x-xss-protection", "0"),
    ("referrer-policy", "strict-origin-when-cross-origin"),
];

pub(crate) fn apply(router: Router, config: &Config) -> Result<Router, StartError> {
    let stack = ServiceBuilder::new()
        .layer(cors(config)?)
        .map_response(with_security_headers)
        .layer(
            CompressionLayer::new()
                .compress_when(DefaultPredicate::new().and(SizeAbove::new(COMPRESS_FROM_BYTES))),
        )
        .layer(DefaultBodyLimit::disable())
        .layer(RequestBodyLimitLayer::new(config.body_bytes_max));
    Ok(router.layer(stack))
}

/// The waiting room's share: it answers small bodies to everybody, without identity.
pub(crate) fn apply_to_waiting_room(router: Router, config: &Config) -> Result<Router, StartError> {
    let stack = ServiceBuilder::new()
        .layer(cors(config)?)
        .map_response(with_security_headers);
    Ok(router.layer(stack))
}

fn with_security_headers<B>(mut response: Response<B>) -> Response<B> {
    let headers = response.headers_mut();
    for (name, value) in SECURITY {
        headers
            .entry(HeaderName::from_static(name))
            .or_insert(HeaderValue::from_static(value));
    }
    response
}

fn cors(config: &Config) -> Result<CorsLayer, StartError> {
    let origins = config
        .cors_allowed_origins
        .iter()
        .map(|origin| {
            HeaderValue::from_str(origin.trim()).map_err(|_invalid| StartError::BadSetting {
                variable: "CORS_ALLOWED_ORIGINS",
                problem: format!("`{origin}` is no origin; write e.g. https://www.example.com"),
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    Ok(CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_credentials(true)
        .allow_methods([
            Method::GET,
            Method::POST,
            Method::PUT,
            Method::DELETE,
            Method::PATCH,
            Method::OPTIONS,
        ])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            HeaderName::from_static("x-queue-entry-token"),
        ])
        .max_age(Duration::from_secs(3600)))
}
