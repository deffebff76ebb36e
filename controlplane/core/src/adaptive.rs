//! The rate that follows what the services bear: between two bounds, by three signs.
//!
//! It falls fast and rises slowly: a service that is over its limit gets worse by the second, and a line
//! that waits a minute longer does not. What it falls from is remembered as a ceiling and approached again
//! in ever smaller steps, so that a service that always bears the same is not driven to and fro. What is
//! not known changes nothing. Law `capacity-first` stands above it: whatever is decided here, the plan lets
//! in no more than ready capacity bears. Who sets a rate by hand overrules it.

use crate::pulse::Signs;
use crate::sale::Adaptive;
use crate::time::Millis;
use serde::{Deserialize, Serialize};

/// Time between two steps down: the signs' window has passed, so what is seen is the new rate's doing.
pub const FALL_EVERY_MS: i64 = 6_000;
/// Time between two steps up: who was let in has had time to reserve.
pub const RISE_EVERY_MS: i64 = 20_000;
/// Up to this part of its limit a sign is calm, in thousandths. Between this and the limit the rate stays.
const CALM: u64 = 800;
/// At the limit.
const FULL: u64 = 1000;
/// A step down leaves at least this part, and takes at least the rest from this one, in thousandths.
const FALL_TO_LEAST: u64 = 500;
const FALL_TO_MOST: u64 = 900;
/// Steps up from the lower bound to the upper one.
const STEPS: u32 = 20;
/// And no step up is more than one part in so many of the rate: what bears 5 a second is not tried with 25.
const STEP_PART: u32 = 5;
/// One part in so many of a ceiling is kept away from it: nearer is not worth the try.
const CEILING_PART: u32 = 10;
/// A ceiling is believed for this long; what limited the services may be gone.
const CEILING_MS: i64 = 900_000;

/// Where the adaptive rate stands; kept with the sale, so that it survives who decides it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pace {
    /// People per second.
    pub rate_per_s: u32,
    /// Since when.
    pub since: Millis,
    /// Why, as a sentence.
    pub reason: String,
    /// The lowest rate that was too much lately.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ceiling: Option<Ceiling>,
    /// The highest rate that was borne: the services were within their limits under it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub borne_per_s: Option<u32>,
}

/// A rate that was too much.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ceiling {
    /// People per second.
    pub rate_per_s: u32,
    /// When that was seen.
    pub at: Millis,
}

/// What the rate is decided from.
#[derive(Debug, Clone, Copy)]
pub struct Sight {
    /// The sale's own rate: where it starts.
    pub start_per_s: u32,
    /// What ready replicas bear.
    pub bearable_per_s: u32,
    /// What the services say; `None` when they say nothing.
    pub signs: Option<Signs>,
    /// The instant.
    pub now: Millis,
}

/// Where the rate leans, why, and the step that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bearing {
    /// What the signs ask for; a step is taken only after its time.
    pub lean: Lean,
    /// Why, for a line of a screen: `reservations p99 640 ms`.
    pub because: String,
    /// The step that is due now; `None` leaves everything as it is.
    pub step: Option<Pace>,
}

/// What the signs ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lean {
    /// A sign is over its limit.
    Falling,
    /// Neither.
    Holding,
    /// All signs are well below their limits.
    Rising,
}

impl Lean {
    /// The word for screens.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Falling => "falling",
            Self::Holding => "holding",
            Self::Rising => "rising",
        }
    }
}

impl Bearing {
    const fn holding(because: String) -> Self {
        Self {
            lean: Lean::Holding,
            because,
            step: None,
        }
    }
}

/// The next pace, or `None` to leave everything as it is. `pace` is the one in force; there is none before
/// the first step.
#[must_use]
pub fn next(settings: &Adaptive, pace: Option<&Pace>, sight: &Sight) -> Option<Pace> {
    bearing(settings, pace, sight).step
}

/// What is decided in this `sight`, and why. `pace` is the one in force; there is none before the first step.
#[must_use]
pub fn bearing(settings: &Adaptive, pace: Option<&Pace>, sight: &Sight) -> Bearing {
    let rate = pace.map_or(sight.start_per_s, |pace| pace.rate_per_s);
    let bounded = rate.clamp(settings.min_rate_per_s, settings.max_rate_per_s);
    let waited_ms = pace.map_or(i64::MAX, |pace| sight.now.since(pace.since));
    if bounded != rate {
        let step = Pace {
            rate_per_s: bounded,
            since: sight.now,
            reason: format!("{bounded}/s: adaptive.minRate and maxRate do not allow {rate}/s"),
            ceiling: pace.and_then(|pace| pace.ceiling),
            borne_per_s: pace.and_then(|pace| pace.borne_per_s),
        };
        return Bearing {
            lean: if bounded < rate {
                Lean::Falling
            } else {
                Lean::Rising
            },
            because: format!("{rate}/s is out of bounds"),
            step: Some(step),
        };
    }
    let Some(signs) = sight.signs else {
        return Bearing::holding("the services do not say how they feel".to_owned());
    };
    let Some(sign) = heaviest(settings, &signs) else {
        return Bearing::holding("too little happens to tell".to_owned());
    };
    // What is let in, and so what the signs are of.
    let real = rate.min(sight.bearable_per_s);
    if sign.load > FULL {
        let Some(step) = fall(settings, pace, real, &sign, sight.now) else {
            return Bearing::holding(format!("{}, and lower is not allowed", sign.short));
        };
        return Bearing {
            lean: Lean::Falling,
            because: sign.short,
            step: (waited_ms >= FALL_EVERY_MS).then_some(step),
        };
    }
    match rise(settings, pace, rate, &sign, sight) {
        Ok(step) => Bearing {
            lean: Lean::Rising,
            because: sign.short,
            step: (waited_ms >= RISE_EVERY_MS).then_some(step),
        },
        Err(because) => Bearing::holding(because),
    }
}

fn fall(settings: &Adaptive, pace: Option<&Pace>, real: u32, sign: &Sign, now: Millis) -> Option<Pace> {
    let part = (FULL * FULL / sign.load).clamp(FALL_TO_LEAST, FALL_TO_MOST);
    let wanted = u32::try_from(u64::from(real) * part / FULL).unwrap_or(real);
    // What was borne once and is not any more was not borne.
    let borne = pace
        .and_then(|pace| pace.borne_per_s)
        .filter(|borne| *borne < real);
    // A try that failed goes back to where it came from.
    let lower = wanted
        .min(real.saturating_sub(1))
        .max(borne.unwrap_or(0))
        .max(settings.min_rate_per_s);
    (lower < real).then(|| Pace {
        rate_per_s: lower,
        since: now,
        reason: format!("{lower}/s instead of {real}/s: {}", sign.whole),
        ceiling: Some(Ceiling {
            rate_per_s: real,
            at: now,
        }),
        borne_per_s: borne,
    })
}

/// The step up, or why there is none.
fn rise(
    settings: &Adaptive,
    pace: Option<&Pace>,
    rate: u32,
    sign: &Sign,
    sight: &Sight,
) -> Result<Pace, String> {
    // Without reservations there is no evidence that the next step would be borne.
    let is_tried = sight
        .signs
        .is_some_and(|signs| signs.reservation_p99_ms.is_some());
    if !is_tried {
        return Err("too few reserve to tell".to_owned());
    }
    if rate > sight.bearable_per_s {
        return Err(format!("ready capacity bears {}/s", sight.bearable_per_s));
    }
    if sign.load > CALM {
        return Err(sign.short.clone());
    }
    let ceiling = pace
        .and_then(|pace| pace.ceiling)
        .filter(|ceiling| sight.now.since(ceiling.at) < CEILING_MS && ceiling.rate_per_s > rate);
    let top = settings.max_rate_per_s.min(sight.bearable_per_s);
    let step = ((settings.max_rate_per_s - settings.min_rate_per_s) / STEPS)
        .min(rate / STEP_PART)
        .max(1);
    let below_ceiling = |Ceiling { rate_per_s, .. }: Ceiling| {
        let near = rate_per_s - (rate_per_s / CEILING_PART).max(1);
        near.min(rate + (rate_per_s - rate) / 2)
    };
    let higher = rate
        .saturating_add(step)
        .min(top)
        .min(ceiling.map_or(u32::MAX, below_ceiling));
    if higher <= rate {
        return Err(match ceiling {
            _ if rate >= settings.max_rate_per_s => "as high as allowed".to_owned(),
            Some(ceiling) if rate < top => format!("{}/s was too much", ceiling.rate_per_s),
            _ => format!("ready capacity bears {}/s", sight.bearable_per_s),
        });
    }
    let borne = pace.and_then(|pace| pace.borne_per_s).unwrap_or(0).max(rate);
    Ok(Pace {
        rate_per_s: higher,
        since: sight.now,
        reason: format!("{higher}/s: {}, and {rate}/s was borne", sign.whole),
        ceiling,
        borne_per_s: Some(borne),
    })
}

/// One of the signs against its limit.
struct Sign {
    /// How near the limit, in thousandths of it.
    load: u64,
    /// For a screen.
    short: String,
    /// For a log, with the limit.
    whole: String,
}

/// The sign that is nearest to its limit or farthest beyond.
fn heaviest(settings: &Adaptive, signs: &Signs) -> Option<Sign> {
    let sign = |value: Option<u32>, limit: u32, words: fn(u32, u32) -> [String; 2]| {
        value.map(|value| {
            let [short, whole] = words(value, limit);
            Sign {
                load: u64::from(value) * FULL / u64::from(limit.max(1)),
                short,
                whole,
            }
        })
    };
    let p99 = sign(
        signs.reservation_p99_ms,
        settings.reservation_p99_ms,
        |ms, limit| {
            [
                format!("reservations p99 {ms} ms"),
                format!("reservations take {ms} ms at the 99th percentile, {limit} are allowed"),
            ]
        },
    );
    let pool = sign(signs.pool_percent, settings.pool_percent, |percent, limit| {
        [
            format!("pools {percent} % full"),
            format!("connection pools are {percent} % full, {limit} are allowed"),
        ]
    });
    let errors = sign(
        signs.errors_per_thousand,
        settings.errors_per_thousand,
        |errors, limit| {
            [
                format!("{errors} of 1000 requests fail"),
                format!("{errors} of 1000 requests fail, {limit} are allowed"),
            ]
        },
    );
    [p99, pool, errors]
        .into_iter()
        .flatten()
        .max_by_key(|sign| sign.load)
}
