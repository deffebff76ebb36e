//! An act as a call of the line's script: keys and arguments in the script's order.

use super::{Defaults, Guards, Life, Place, View};
use redis::{Script, ScriptInvocation};
use std::sync::LazyLock;
use urr_core::{sale::SaleId, time::Millis};
use urr_kit::{Redis, state::limits::limits_key};
use uuid::Uuid;

/// One script, written in parts that each hold one idea.
const LINE_PARTS: &str = concat!(
    include_str!("../line/known.lua"),
    include_str!("../line/log.lua"),
    include_str!("../line/leave.lua"),
    include_str!("../line/admit.lua"),
    include_str!("../line/join.lua"),
    include_str!("../line/recover.lua"),
    include_str!("../line/act.lua"),
    include_str!("../line/answer.lua"),
);
static LINE: LazyLock<Script> = LazyLock::new(|| Script::new(LINE_PARTS));

/// What is done to a line.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Act<'a> {
    /// Get in line, or go in if there is room and one's turn.
    Join(Uuid, Option<Place>),
    /// Get in line at a place that this line gave before Redis lost it.
    Rejoin(Uuid, Place),
    /// Show that one is still there, and look.
    Touch(Uuid),
    /// Give up the place or the slot.
    Leave(Uuid),
    /// Give up the slot because its user had paid by then.
    Release(Uuid, Millis),
    /// These users who wait have shown that they are there.
    Heard(&'a [Uuid]),
    /// Take out who is gone, let in whose turn it is.
    Tick,
    /// Take out everybody.
    Clear,
    /// Only look.
    Look,
    /// Look how a user stands, without that being a sign of life.
    LookFor(Uuid),
    /// Look, and measure where in the line which places stand.
    Survey,
    /// Let a closed, empty sale's keys expire.
    Retire,
    /// Tell what is remembered of the line as it was in another life.
    Revive(&'a View),
}

impl Act<'_> {
    /// Whether nobody waits for it.
    pub(super) const fn is_the_tickers(self) -> bool {
        matches!(self, Self::Tick | Self::Survey | Self::Heard(_) | Self::Retire)
    }
}

/// What a caller brings along besides a place.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Proof {
    /// The end of a genuine entry token of this user for this sale.
    pub(crate) entry_until: Option<Millis>,
    /// The client says it is a phone: it may be silent for longer.
    pub(crate) is_phone: bool,
}

/// What a replica knows of a line before it calls.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Knows {
    pub(super) life: Option<Life>,
    pub(super) has_limits: bool,
}

/// Everything a call depends on.
pub(super) struct Call<'a> {
    pub(super) sale: SaleId,
    pub(super) act: Act<'a>,
    pub(super) proof: Proof,
    pub(super) now: Millis,
    pub(super) knows: Knows,
}

pub(super) fn prepare(
    redis: &Redis,
    defaults: &Defaults,
    guards: Guards,
    call: &Call<'_>,
) -> ScriptInvocation<'static> {
    let (op, user, place) = match call.act {
        Act::Join(user, place) => ("join", Some(user), place),
        Act::Rejoin(user, place) => ("join", Some(user), Some(place)),
        Act::Touch(user) => ("touch", Some(user), None),
        Act::Leave(user) => ("leave", Some(user), None),
        Act::Release(user, _) => ("release", Some(user), None),
        Act::Heard(_) => ("heard", None, None),
        Act::Tick => ("tick", None, None),
        Act::Clear => ("clear", None, None),
        Act::Look => ("look", None, None),
        Act::LookFor(user) => ("look", Some(user), None),
        Act::Survey => ("survey", None, None),
        Act::Retire => ("retire", None, None),
        Act::Revive(_) => ("revive", None, None),
    };
    let mut to = LINE.prepare_invoke();
    for name in ["queue", "active", "seen", "active-seen"] {
        to.key(key(redis, call.sale, name));
    }
    to.key(redis.key(&limits_key(call.sale)));
    for name in ["claims", "log", "state", "threshold"] {
        to.key(key(redis, call.sale, name));
    }
    let number = |number: Option<i64>| number.map(|number| number.to_string()).unwrap_or_default();
    let guarded = |flag: bool| u8::from(flag && !guards.recovery_off);
    to.arg(op)
        .arg(call.now.0)
        .arg(user.map(|user| user.to_string()).unwrap_or_default())
        .arg(place.map(|place| place.position.to_string()).unwrap_or_default())
        .arg(place.map(|place| place.epoch.to_string()).unwrap_or_default())
        .arg(u8::from(matches!(call.act, Act::Rejoin(..))))
        .arg(number(call.proof.entry_until.map(|until| until.0)))
        .arg(u8::from(call.proof.is_phone))
        .arg(defaults.rate_per_s)
        .arg(defaults.burst)
        .arg(defaults.cap)
        .arg(defaults.silence_s)
        .arg(defaults.active_ttl_s)
        .arg(defaults.token_ttl_s)
        .arg(defaults.seen_ttl_s)
        .arg(defaults.phone_silence_s)
        .arg(defaults.line_max)
        .arg(defaults.moves_max)
        .arg(guards.letters())
        .arg(number(call.knows.life.map(|life| life.born)))
        .arg(birth_mark())
        .arg(guarded(call.knows.has_limits));
    match call.act {
        Act::Release(_, paid_at) => {
            to.arg(paid_at.0);
        }
        Act::Heard(users) => {
            for user in users {
                to.arg(user.to_string());
            }
        }
        Act::Revive(seen) => {
            to.arg(seen.watermark)
                .arg(seen.active)
                .arg(seen.seq)
                .arg(seen.life.epoch)
                .arg(seen.opened_at.0)
                .arg(seen.admitted_total);
        }
        _ => {}
    }
    to
}

/// The un-prefixed name of a key of a line. Braces are literal: the cluster's hash tag (R-QUE-14).
pub(crate) fn key(redis: &Redis, sale: SaleId, name: &str) -> String {
    redis.key(&format!("{{{sale}}}:{name}"))
}

/// A number that no other line's life has; Redis keeps it exactly, being below 2^53.
fn birth_mark() -> u64 {
    (Uuid::new_v4().as_u64_pair().1 & ((1 << 52) - 1)) | 1
}
