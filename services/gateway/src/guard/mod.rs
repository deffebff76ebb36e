//! What stands before a door (R-GW-04, R-GW-12): a call shows a pass or an entry token, or is turned away
//! before it costs anybody behind the door anything.
//!
//! One implementation for both places that need it: the gateway asks for entry tokens on seats and
//! bookings, `urr edge` asks for passes on whatever paths of a foreign origin it was told. Nothing
//! here asks a store: a token says all there is to say. Booking checks again (law `no-back-door`).

mod layer;

pub(crate) use layer::{GuardLayer, Guarded};

use crate::cookie;
use axum::{
    body::Body,
    http::{HeaderMap, Method, Request, Response, request::Parts},
};
use urr_core::{
    sale::SaleId,
    time::Millis,
    token::{Keyring, entry, tier1},
};
use urr_kit::identity::{Identity, read_headers};

/// The cookie and header that carry tier 1's pass (api-contract.md section 4).
pub(crate) const PASS_COOKIE: &str = "urr-vwr-token";
const PASS_HEADER: &str = "x-vwr-token";
const ENTRY_COOKIE: &str = "urr-entry-token";
const ENTRY_HEADER: &str = "x-queue-entry-token";

/// Several cookies of one name are possible (a host's and its parent domain's); more are not honest.
const TOKENS_MAX: usize = 4;

/// What a call has to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// Tier 1's pass for this sale: the waiting room let this visitor through.
    Pass(SaleId),
    /// An entry token, for this sale if it is known by the path.
    Entry(Option<SaleId>),
}

/// Why a door stays open for somebody who shows nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Waived {
    /// The sale's waiting room is switched off: nobody waits (R-VWR-07).
    RoomOff,
    /// The waiting room is down, and the operator prefers a crowd to a closed door.
    FailOpen,
}

/// Which calls need what, and how those are answered who do not have it.
pub(crate) trait Policy: Send + Sync + 'static {
    /// What this call has to show; `Err` answers a path that cannot be judged.
    fn need(&self, method: &Method, path: &str) -> Result<Option<Need>, Box<Response<Body>>>;

    /// Whether a pass for this sale is not asked for just now.
    fn waives(&self, _sale: SaleId) -> Option<Waived> {
        None
    }

    /// The answer to somebody without it.
    fn refuse(&self, parts: &Parts, need: Need) -> Response<Body>;

    /// A longer pass for one who is at work behind the door, as a `Set-Cookie` value.
    fn renew(&self, _claims: &tier1::Claims, _now: Millis) -> Option<String> {
        None
    }

    /// Whether a genuine pass is of a line that was ended on purpose: it lets nobody in any more.
    fn is_void(&self, _claims: &tier1::Claims) -> bool {
        false
    }

    /// Whether cookies count. Where the browser's script copies them into headers they do not.
    fn reads_cookies(&self) -> bool;
}

/// The keys tokens are checked with.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    /// Of passes. Without them no pass is good.
    pub(crate) pass: Option<Keyring>,
    /// Of entry tokens.
    pub(crate) entry: Option<Keyring>,
}

/// What became of a call at the door.
pub(crate) enum Verdict {
    /// It asks for nothing that is guarded.
    Open,
    /// It showed what it needs; a pass may be renewed.
    Shown { renewed: Option<String> },
    /// It showed nothing and may go on nevertheless.
    Waived(Waived),
    /// It may not go on.
    Refused(Box<Response<Body>>),
}

/// Judges a call at `now`.
pub(crate) fn judge(policy: &impl Policy, keys: &Keys, request: &Request<Body>, now: Millis) -> Verdict {
    let need = match policy.need(request.method(), request.uri().path()) {
        Ok(None) => return Verdict::Open,
        Ok(Some(need)) => need,
        Err(answer) => return Verdict::Refused(answer),
    };
    let shown = match need {
        Need::Pass(sale) => {
            shown_pass(policy, keys, request.headers(), sale, now).map(|claims| Verdict::Shown {
                renewed: policy.renew(&claims, now),
            })
        }
        Need::Entry(sale) => shows_entry(policy, keys, request.headers(), sale, now)
            .then_some(Verdict::Shown { renewed: None }),
    };
    let waived = || match need {
        Need::Pass(sale) => policy.waives(sale).map(Verdict::Waived),
        // Entry is never waived: behind it are seats (law no-back-door).
        Need::Entry(_) => None,
    };
    shown.or_else(waived).unwrap_or_else(|| {
        let mut asked = Request::new(());
        asked.method_mut().clone_from(request.method());
        asked.uri_mut().clone_from(request.uri());
        asked.headers_mut().clone_from(request.headers());
        let (parts, ()) = asked.into_parts();
        Verdict::Refused(Box::new(policy.refuse(&parts, need)))
    })
}

fn shown_pass(
    policy: &impl Policy,
    keys: &Keys,
    headers: &HeaderMap,
    sale: SaleId,
    now: Millis,
) -> Option<tier1::Claims> {
    let ring = keys.pass.as_ref()?;
    tokens(policy, headers, PASS_COOKIE, PASS_HEADER)
        .filter_map(|token| tier1::verify(ring, token, sale, now).ok())
        .find(|claims| !policy.is_void(claims))
}

fn shows_entry(
    policy: &impl Policy,
    keys: &Keys,
    headers: &HeaderMap,
    sale: Option<SaleId>,
    now: Millis,
) -> bool {
    let Some(ring) = &keys.entry else { return false };
    let caller: Option<Identity> = read_headers(headers);
    tokens(policy, headers, ENTRY_COOKIE, ENTRY_HEADER)
        .filter_map(|token| entry::verify_any_sale(ring, token, now).ok())
        .any(|claims| {
            sale.is_none_or(|sale| sale == claims.sub)
                && caller.as_ref().is_none_or(|caller| caller.user_id == claims.uid)
        })
}

fn tokens<'a>(
    policy: &impl Policy,
    headers: &'a HeaderMap,
    cookie: &'static str,
    header: &'static str,
) -> impl Iterator<Item = &'a str> {
    let cookies = policy.reads_cookies().then(|| cookie::all(headers, cookie));
    let header = headers.get(header).and_then(|value| value.to_str().ok());
    cookies.into_iter().flatten().chain(header).take(TOKENS_MAX)
}
