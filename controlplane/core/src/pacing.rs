//! Pacing is a budget: the server chooses when each visitor asks again (design.md section 4).
//!
//! Whoever is near the front is asked back about when he will be served; all others share what
//! is left of the budget. The sum over the whole line never exceeds it, so fourteen million
//! waiters cost what a hundred thousand cost. Getting this wrong is a self-made denial of service.
//!
//! The plan for a visitor `due` seconds before being served is
//! `interval = clamp(stretch * due / 2, stretch * 1 s, far)`: halving the distance with each poll
//! survives a rate that changes on the way. With one visitor at every distance that costs
//! `2 * rate * (1 + ln far) / stretch + waiting / far` polls a second; `stretch` and `far` are the
//! smallest that keep each half (or less) within the budget. The jitter only ever lengthens.
//!
//! A line that stands is paced as if it moved: nobody knows when it goes on, and then its front must
//! be awake. Else the first of a held sale would come a minute late, as no-shows.

/// Nobody is asked back sooner.
const NEAREST_S: f64 = 1.0;
/// Base interval of everybody far away while the budget has room. Jitter doubles it at most, which
/// keeps polls within the 60 s that clients clamp to (api-contract.md section 6).
const FAR_S: f64 = 30.0;
/// An opening this near is waited for in one go.
const WAKE_WITHIN_S: f64 = 60.0;
/// A line without a rate is paced as if it moved at this many positions a second per poll of the
/// budget: as fast as half the budget bears for the near, whatever the crowd.
const STANDING_RATE_PER_BUDGET: f64 = 1.0 / 40.0;
/// What even the largest crowd at the smallest budget is told at most.
const LONGEST_MS: f64 = 86_400_000.0;

/// The line as far as pacing cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crowd {
    /// People in line.
    pub waiting: u64,
    /// Positions served per second once the line moves, also while it is held; 0: nobody knows.
    pub rate_per_s: u32,
    /// Polls per second all of them together may cost; 0 counts as 1.
    pub budget_per_s: u32,
    /// Milliseconds until the line starts to move; 0 or less once it does.
    pub until_open_ms: i64,
}

impl Crowd {
    /// Positions per second that the crowd is paced by.
    fn paced_rate_per_s(&self) -> f64 {
        match self.rate_per_s {
            0 => f64::from(self.budget_per_s.max(1)) * STANDING_RATE_PER_BUDGET,
            rate_per_s => f64::from(rate_per_s),
        }
    }
}

/// The two numbers a crowd's budget comes down to.
struct Shares {
    stretch: f64,
    far_s: f64,
}

impl Shares {
    #[expect(clippy::cast_precision_loss, reason = "crowds are far below 2^52")]
    fn of(crowd: &Crowd) -> Self {
        let budget = f64::from(crowd.budget_per_s.max(1));
        let waiting = crowd.waiting as f64;
        // With at least half the budget for the far, `far` is at most this, hence `near` at most that.
        let far_at_half_s = (2.0 * waiting / budget).max(FAR_S);
        let near_per_s = 2.0 * crowd.paced_rate_per_s() * (1.0 + far_at_half_s.ln());
        if near_per_s <= budget / 2.0 {
            let far_s = (waiting / (budget - near_per_s)).max(FAR_S);
            Self { stretch: 1.0, far_s }
        } else {
            let stretch = near_per_s / (budget / 2.0);
            Self {
                stretch,
                far_s: far_at_half_s.max(stretch * NEAREST_S),
            }
        }
    }

    fn interval_s(&self, due_s: f64) -> f64 {
        (self.stretch * due_s / 2.0).clamp(self.stretch * NEAREST_S, self.far_s)
    }
}

/// When, in seconds, the visitor will be served as things stand.
#[expect(
    clippy::cast_precision_loss,
    reason = "distances and delays are far below 2^52"
)]
fn due_s(distance: u64, crowd: &Crowd) -> f64 {
    let until_open_s = crowd.until_open_ms.max(0) as f64 / 1000.0;
    until_open_s + distance as f64 / crowd.paced_rate_per_s()
}

/// Milliseconds until a visitor with `distance` people to be served up to and including himself
/// should ask again. `jitter` is a fresh uniform draw from `0..1` (clamped); it spreads crowds
/// that joined in the same second over a whole interval.
///
/// Between 1 s and 60 s unless the budget needs more. Who will be served within a minute of an
/// opening still ahead, or within two seconds in a moving line, is woken right then.
#[must_use]
pub fn next_poll_ms(distance: u64, crowd: &Crowd, jitter: f64) -> u64 {
    let due_s = due_s(distance, crowd);
    let interval_s = Shares::of(crowd).interval_s(due_s);
    let wake = (crowd.until_open_ms > 0 && due_s <= WAKE_WITHIN_S) || due_s <= 2.0 * NEAREST_S;
    let planned_s = if wake {
        // Rounded up below, so that the poll comes just after the instant and not just before.
        due_s.max(interval_s)
    } else {
        interval_s
            * (1.0
                + if jitter.is_nan() {
                    0.0
                } else {
                    jitter.clamp(0.0, 1.0)
                })
    };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to 1 s..1 day"
    )]
    let ms = (planned_s * 1000.0).ceil().clamp(NEAREST_S * 1000.0, LONGEST_MS) as u64;
    ms
}

/// Milliseconds until somebody should ask again who waits for a draw: nobody knows who will be at
/// the front, so once the opening is near all are asked back right after it, spread over the
/// time in which the budget bears them all.
#[must_use]
pub fn next_poll_before_draw_ms(crowd: &Crowd, jitter: f64) -> u64 {
    #[expect(clippy::cast_precision_loss, reason = "crowds and delays are far below 2^52")]
    let (waiting, until_open_s) = (crowd.waiting as f64, crowd.until_open_ms.max(0) as f64 / 1000.0);
    if until_open_s > WAKE_WITHIN_S {
        // As far from being served as the last in line.
        return next_poll_ms(crowd.waiting.max(1), crowd, jitter)
            .min(crowd.until_open_ms.unsigned_abs().saturating_add(1000));
    }
    let spread_s = (waiting / f64::from(crowd.budget_per_s.max(1))).max(NEAREST_S);
    let jitter = if jitter.is_nan() {
        0.0
    } else {
        jitter.clamp(0.0, 1.0)
    };
    let planned_s = until_open_s.max(NEAREST_S / 2.0) + jitter * spread_s;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to 1 s..1 day"
    )]
    let ms = (planned_s * 1000.0).ceil().clamp(NEAREST_S * 1000.0, LONGEST_MS) as u64;
    ms
}

/// The longest that anybody of the crowd is told to be silent, by [`next_poll_ms`] or
/// [`next_poll_before_draw_ms`]: a poll of the far with the whole jitter, or somebody woken for the
/// opening.
#[must_use]
pub fn longest_ms(crowd: &Crowd) -> u64 {
    let Shares { stretch, far_s } = Shares::of(crowd);
    #[expect(clippy::cast_precision_loss, reason = "crowds are far below 2^52")]
    let drawn_s =
        WAKE_WITHIN_S + (crowd.waiting as f64 / f64::from(crowd.budget_per_s.max(1))).max(NEAREST_S);
    let longest_s = (2.0 * far_s.max(stretch * NEAREST_S)).max(drawn_s);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to 1 s..1 day"
    )]
    let ms = (longest_s * 1000.0).ceil().clamp(NEAREST_S * 1000.0, LONGEST_MS) as u64;
    ms
}

/// Polls per second the whole crowd costs in expectation, if every distance `1..=waiting` is held
/// by one visitor and jitter is at its shortest. Never above the budget; the load model and the
/// tests use it.
#[must_use]
pub fn expected_polls_per_s(crowd: &Crowd) -> f64 {
    (1..=crowd.waiting)
        .map(|distance| {
            #[expect(clippy::cast_precision_loss, reason = "at most a day in ms")]
            let ms = next_poll_ms(distance, crowd, 0.0) as f64;
            1000.0 / ms
        })
        .sum()
}

/// Seconds until the visitor is served at `rate_per_s`, rounded up. A standing line (rate 0)
/// is told as if it moved at 1 a second: clients need a number, and this one errs to the long side.
#[must_use]
pub fn estimated_wait_s(distance: u64, rate_per_s: u32) -> u64 {
    distance.div_ceil(u64::from(rate_per_s.max(1)))
}

/// Tier 2's poll spacing in seconds by place in its line (api-contract.md section 6).
#[must_use]
pub const fn tier2_next_poll_s(position: u64) -> u32 {
    match position {
        0 => 3,
        1..=1000 => 1,
        1001..=5000 => 5,
        5001..=10_000 => 10,
        10_001..=100_000 => 30,
        _ => 60,
    }
}
