//! How the screen writes instants and spans: as exact as they matter now, no more.

use crate::text::duration_s;
use urr_core::time::Millis;

/// The last seconds before the opening, in which every millisecond is shown.
const EXACT_MS: u64 = 10_000;
/// The last minutes, in which tenths are.
const CLOSE_MS: u64 = 600_000;

/// Time to or since the opening: whole seconds far from it, tenths in the last ten minutes,
/// milliseconds in the last ten seconds and the first ten after.
pub(crate) fn clock(now: Millis, opens_at: Millis) -> String {
    let since_ms = now.since(opens_at);
    let ms = since_ms.unsigned_abs();
    let before = since_ms < 0;
    let sign = if before { '-' } else { '+' };
    let step = match ms {
        0..EXACT_MS => 1,
        EXACT_MS..CLOSE_MS if before => 100,
        _ => 1000,
    };
    // Before the instant what is shown is rounded up, so that zero is never shown early.
    let ms = if before {
        ms.div_ceil(step) * step
    } else {
        ms / step * step
    };
    let s = ms / 1000;
    let whole = match s / 86_400 {
        0 => format!("T{sign}{:02}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60),
        days => format!(
            "T{sign}{days}d {:02}:{:02}:{:02}",
            s / 3600 % 24,
            s / 60 % 60,
            s % 60
        ),
    };
    match step {
        1 => format!("{whole}.{:03}", ms % 1000),
        100 => format!("{whole}.{}", ms / 100 % 10),
        _ => whole,
    }
}

/// A forecast: as coarse as it deserves.
pub(crate) fn about(s: u64) -> String {
    match s {
        0..90 => duration_s(s),
        90..5_400 => format!("{} min", s.div_ceil(60)),
        _ => format!("{} h {} min", s / 3600, s / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_shows_what_matters() {
        let opens = Millis(1_000_000_000);
        let at = |ms| clock(opens.plus_ms(ms), opens);
        assert_eq!(at(-9_999), "T-00:00:09.999");
        assert_eq!(at(-1), "T-00:00:00.001");
        assert_eq!(at(0), "T+00:00:00.000");
        assert_eq!(at(3_417), "T+00:00:03.417");
        assert_eq!(at(-10_001), "T-00:00:10.1", "rounded up: zero is never early");
        assert_eq!(at(-3_600_001), "T-01:00:01");
        assert_eq!(at(12_345), "T+00:00:12");
        assert_eq!(at(-200_000_000), "T-2d 07:33:20");
    }

    #[test]
    fn forecasts_are_coarse() {
        assert_eq!(about(34), "34 s");
        assert_eq!(about(2_040), "34 min");
        assert_eq!(about(7_380), "2 h 3 min");
    }
}
