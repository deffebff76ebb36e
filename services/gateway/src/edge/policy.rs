//! The edge's judgement: rules, and what people without a pass are told.

use super::{Config, paths, rooms::RoomWatch, rules::Rule, sales::ActiveSales};
use crate::guard::{Need, PASS_COOKIE, Policy, Waived};
use axum::{
    body::Body,
    http::{HeaderValue, Method, Response, StatusCode, header, request::Parts},
    response::IntoResponse,
};
use std::{fmt::Write as _, sync::Arc};
use urr_core::{
    sale::SaleId,
    time::Millis,
    token::{Keyring, tier1},
};
use urr_kit::ApiError;

/// How long a renewed pass is good: as long as a new one (R-VWR-05).
const PASS_S: i64 = 600;

/// A way back that is longer is not offered: it would not fit into everybody's headers.
const RETURN_BYTES_MAX: usize = 2048;

pub(super) struct EdgePolicy {
    rules: Vec<Rule>,
    sales: Arc<ActiveSales>,
    room: Arc<RoomWatch>,
    /// Signs renewals.
    keys: Keyring,
    session_max_s: i64,
    secure: bool,
    domain: Option<String>,
}

impl EdgePolicy {
    pub(super) fn new(
        rules: Vec<Rule>,
        sales: Arc<ActiveSales>,
        room: Arc<RoomWatch>,
        keys: Keyring,
        config: &Config,
    ) -> Self {
        Self {
            rules,
            sales,
            room,
            keys,
            session_max_s: config.edge_session_max_s.into(),
            secure: config.edge_secure_cookies,
            domain: config.page.page_cookie_domain.clone(),
        }
    }
}

impl Policy for EdgePolicy {
    fn need(&self, method: &Method, path: &str) -> Result<Option<Need>, Box<Response<Body>>> {
        let segments = paths::segments(path)
            .map_err(|_| Box::new(ApiError::bad_request("This address is ambiguous").into_response()))?;
        // A browser asks ahead without cookies whether it may ask; the answer costs nobody a seat.
        if *method == Method::OPTIONS {
            return Ok(None);
        }
        // The first rule that fits: specific ones are written before general ones.
        Ok(self
            .rules
            .iter()
            .find_map(|rule| rule.need(&segments, |sale| self.sales.has(sale))))
    }

    fn waives(&self, sale: SaleId) -> Option<Waived> {
        if self.room.is_off(sale) {
            Some(Waived::RoomOff)
        } else {
            self.room.fails_open().then_some(Waived::FailOpen)
        }
    }

    /// People are sent to the page; programs are told where it is (quirk 31: a redirected API call
    /// ends in a parser's error).
    fn refuse(&self, asked: &Parts, need: Need) -> Response<Body> {
        let (what, to) = match need {
            Need::Pass(sale) => ("Waiting room pass required", format!("/vwr/{sale}")),
            Need::Entry(Some(sale)) => ("Queue entry token required", format!("/queue/{sale}")),
            Need::Entry(None) => ("Queue entry token required", "/queue".to_owned()),
        };
        let mut response = if is_navigation(asked) {
            let to = match way_back(asked) {
                Some(back) => format!("{to}?return={back}"),
                None => to,
            };
            let mut response = StatusCode::FOUND.into_response();
            if let Ok(to) = HeaderValue::from_str(&to) {
                response.headers_mut().insert(header::LOCATION, to);
            }
            response
        } else {
            ApiError::forbidden(what)
                .with_field("redirectTo", to)
                .into_response()
        };
        let no_store = HeaderValue::from_static("no-store");
        response.headers_mut().insert(header::CACHE_CONTROL, no_store);
        response
    }

    /// Who is at work is not sent back into the line after ten minutes. The pass keeps the instant
    /// it was first given; from there on it lives at most as long as a session may.
    fn renew(&self, claims: &tier1::Claims, now: Millis) -> Option<String> {
        let now_s = now.0.div_euclid(1000);
        let end_s = claims.iat.saturating_add(self.session_max_s);
        let exp = now_s.saturating_add(PASS_S).min(end_s);
        // Half of it is left: nothing to do yet. And none is made shorter than it is.
        if claims.exp.saturating_sub(now_s) > PASS_S / 2 || exp <= claims.exp {
            return None;
        }
        let renewed = tier1::Claims {
            exp,
            ..claims.clone()
        };
        let mut cookie = format!(
            "{PASS_COOKIE}={}; Path=/; Max-Age={}; SameSite=Strict",
            tier1::issue(&self.keys, &renewed),
            exp - now_s
        );
        if let Some(domain) = &self.domain {
            // Writing to a String does not fail.
            let _ = write!(cookie, "; Domain={domain}");
        }
        if self.secure {
            cookie.push_str("; Secure");
        }
        Some(cookie)
    }

    fn is_void(&self, claims: &tier1::Claims) -> bool {
        self.room.is_void(claims.sub, claims.epoch)
    }

    fn reads_cookies(&self) -> bool {
        true
    }
}

/// Whether a person's browser is going somewhere, as opposed to a program asking for something.
fn is_navigation(asked: &Parts) -> bool {
    if !matches!(asked.method, Method::GET | Method::HEAD) {
        return false;
    }
    let text = |name: &str| asked.headers.get(name).and_then(|value| value.to_str().ok());
    match text("sec-fetch-mode") {
        Some(mode) => mode == "navigate",
        None => text("accept").is_some_and(|accepts| accepts.contains("text/html")),
    }
}

/// The path and query asked for, encoded as one query value.
fn way_back(asked: &Parts) -> Option<String> {
    let path = asked.uri.path_and_query()?.as_str();
    let mut encoded = String::with_capacity(path.len() + 16);
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    (encoded.len() <= RETURN_BYTES_MAX).then_some(encoded)
}
