//! Tier 2's arithmetic: how many of those who wait may go in now, and the log of who did.
//!
//! The queue's Lua script does exactly this sum inside Redis and is held to it by a conformance
//! test, so a change here is a change of that script. Integers only: milli-tokens and
//! milliseconds, so that both compute the same number to the last digit.

use crate::time::Millis;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A token bucket: what is left of the rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Bucket {
    /// Thousandths of an admission saved up; `0..=burst * 1000` after every [`admit`].
    pub tokens_milli: i64,
    /// Up to when the rate has been credited. Never goes back.
    pub at: Millis,
}

impl Bucket {
    /// The bucket of a line that opens at `opens_at`: it holds the burst, because nobody has been
    /// let in before, and earns nothing until then.
    #[must_use]
    pub fn at_opening(opens_at: Millis, limits: Limits) -> Self {
        Self {
            tokens_milli: limits.depth_milli(),
            at: opens_at,
        }
    }
}

/// What admission is bounded by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// People let in per second.
    pub rate_per_s: u32,
    /// Unused admissions that may be saved up. Counts as 1 when 0: a bucket that cannot hold one
    /// whole token would let nobody in.
    pub burst: u32,
    /// People inside at once.
    pub cap: u32,
}

impl Limits {
    /// What the bucket can hold, in milli-tokens.
    #[must_use]
    pub fn depth_milli(self) -> i64 {
        i64::from(self.burst.max(1)) * 1000
    }

    /// How often, in milliseconds, admission must run so that a bucket of 2 or more loses no rate:
    /// the time in which half the burst is earned, between 10 ms and the 1 s of R-QUE-03.
    #[must_use]
    pub fn tick_ms(self) -> u64 {
        let half_burst_ms = u64::from(self.burst.max(1)) * 500 / u64::from(self.rate_per_s.max(1));
        half_burst_ms.clamp(10, 1000)
    }
}

/// How many of `waiting` may go in at `now` while `active` are inside, and the bucket afterwards:
/// `min(saved rate, free slots, waiting)`.
///
/// A clock that steps back earns nothing and takes nothing. Lowering the burst takes what no
/// longer fits.
#[must_use]
pub fn admit(bucket: Bucket, limits: Limits, now: Millis, waiting: u64, active: u64) -> (u64, Bucket) {
    let elapsed_ms = now.since(bucket.at).max(0);
    let earned_milli = elapsed_ms.saturating_mul(i64::from(limits.rate_per_s));
    let tokens_milli = bucket
        .tokens_milli
        .max(0)
        .saturating_add(earned_milli)
        .min(limits.depth_milli());
    let whole_tokens = u64::try_from(tokens_milli / 1000).unwrap_or(0);
    let free_slots = u64::from(limits.cap).saturating_sub(active);
    let admitted = whole_tokens.min(free_slots).min(waiting);
    // `admitted <= whole_tokens`, which came from an i64 divided by 1000.
    let spent_milli = i64::try_from(admitted).unwrap_or(i64::MAX).saturating_mul(1000);
    let after = Bucket {
        tokens_milli: tokens_milli - spent_milli,
        at: bucket.at.max(now),
    };
    (admitted, after)
}

/// What happened to the line, as the script logged it in the same step in which it acted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum LogKind {
    /// The sale's first step at or after `opensAt`.
    Open,
    /// A user took a place in tier 2.
    Enqueue,
    /// A user went in.
    Admit,
    /// A user's slot came back, or a queued user left.
    Leave,
    /// Other limits hold from here on.
    Limits,
    /// Redis had lost the line; what stands before this is what its replicas remembered.
    Revive,
    /// A user who had gone in before the line was lost takes the same slot again.
    Resume,
}

impl LogKind {
    /// The name in the stream's `k` field.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Enqueue => "enqueue",
            Self::Admit => "admit",
            Self::Leave => "leave",
            Self::Limits => "limits",
            Self::Revive => "revive",
            Self::Resume => "resume",
        }
    }

    /// The kind of a stream's `k` field, `None` for a name this version does not know.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Every kind there is.
    pub const ALL: [Self; 7] = [
        Self::Open,
        Self::Enqueue,
        Self::Admit,
        Self::Leave,
        Self::Limits,
        Self::Revive,
        Self::Resume,
    ];
}

/// One line of the admission log `{eventId}:log`: the audit's evidence for tier 2.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LogEntry {
    /// What happened.
    pub kind: LogKind,
    /// When, by the line's clock: the latest instant any acting service has named, so it never goes
    /// back within a log.
    pub at: Millis,
    /// To whom; absent for `open`.
    pub user: Option<Uuid>,
    /// The place they came with; absent where none is known.
    pub position: Option<u64>,
    /// People inside after the step, as the script counted them.
    pub active_after: u64,
    /// The cap in force.
    pub cap: u32,
    /// The rate in force.
    pub rate_per_s: u32,
    /// Why a slot came back (`left`, `paid`, `silent`, `expired`) or other detail.
    pub reason: Option<String>,
}
