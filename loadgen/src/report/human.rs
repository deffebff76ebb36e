//! Figures as people read them.

use urr_core::time::Millis;

/// `1.2 ms`, `340 µs`, `2.35 s`, `1 min 20 s`.
#[must_use]
pub fn micros(us: u64) -> String {
    match us {
        0..1000 => format!("{us} µs"),
        1000..10_000 => format!("{:.1} ms", thousandths(us)),
        10_000..1_000_000 => format!("{} ms", us / 1000),
        1_000_000..60_000_000 => format!("{:.2} s", thousandths(us / 1000)),
        _ => {
            let s = us / 1_000_000;
            format!("{} min {} s", s / 60, s % 60)
        }
    }
}

/// Milliseconds the same way.
#[must_use]
pub fn millis(ms: u64) -> String {
    micros(ms.saturating_mul(1000))
}

/// `12,345`.
#[must_use]
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `512 B`, `3.4 MiB`, `1.25 GiB`.
#[must_use]
pub fn bytes(n: u64) -> String {
    const KIB: f64 = 1024.0;
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let n_f = n as f64;
    match n {
        0..1024 => format!("{n} B"),
        1024..1_048_576 => format!("{:.0} KiB", n_f / KIB),
        1_048_576..1_073_741_824 => format!("{:.1} MiB", n_f / (KIB * KIB)),
        _ => format!("{:.2} GiB", n_f / (KIB * KIB * KIB)),
    }
}

/// `14:03:07.250` where the reader is.
#[must_use]
pub fn clock_time(at: Millis) -> String {
    chrono::DateTime::from_timestamp_millis(at.0).map_or_else(
        || format!("{} ms since 1970", at.0),
        |time| {
            time.with_timezone(&chrono::Local)
                .format("%H:%M:%S%.3f")
                .to_string()
        },
    )
}

/// `text` with every instant in ms since 1970 that is within a day of `near` as a clock time. The
/// audit's findings are written for machines and people alike; people read clocks.
#[must_use]
pub fn with_clock_times(text: &str, near: Millis) -> String {
    const DAY_MS: u64 = 86_400_000;
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(|ch: char| ch.is_ascii_digit()) {
        let (before, from) = rest.split_at(start);
        let end = from.find(|ch: char| !ch.is_ascii_digit()).unwrap_or(from.len());
        let (digits, after) = from.split_at(end);
        out.push_str(before);
        let part_of_a_word = before.ends_with(|ch: char| ch.is_alphanumeric() || ch == '-');
        match digits.parse().map(Millis) {
            Ok(at) if digits.len() == 13 && !part_of_a_word && at.since(near).unsigned_abs() < DAY_MS => {
                out.push_str(&clock_time(at));
            }
            _ => out.push_str(digits),
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

/// `₩99,000`.
#[must_use]
pub fn won(krw: u64) -> String {
    format!("₩{}", count(krw))
}

/// `33.3 %` of `whole`; `–` when there is no whole.
#[must_use]
pub fn percent(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "–".to_owned();
    }
    #[expect(clippy::cast_precision_loss, reason = "counts stay below 2^53")]
    let share = part as f64 * 100.0 / whole as f64;
    if share == 0.0 || share == 100.0 {
        format!("{share:.0} %")
    } else {
        format!("{share:.1} %")
    }
}

/// `2026-11-21 14:03:07 UTC`.
#[must_use]
pub fn instant(at: Millis) -> String {
    chrono::DateTime::from_timestamp_millis(at.0).map_or_else(
        || format!("{} ms since 1970", at.0),
        |time| time.format("%Y-%m-%d %H:%M:%S UTC").to_string(),
    )
}

/// `T+12.3 s` or `T-4.0 s` from the opening.
#[must_use]
pub fn from_opening(ms: i64) -> String {
    let sign = if ms < 0 { '−' } else { '+' };
    format!("T{sign}{:.1} s", thousandths(ms.unsigned_abs()))
}

fn thousandths(n: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "durations stay below 2^53")]
    let n = n as f64;
    n / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_in_a_sentence_become_clock_times_and_other_numbers_stay() {
        let near = Millis(1_795_000_000_000);
        let text = "admitting user 1795000000123-a at 1795000000123 made 501 inside, cap 500";
        let told = with_clock_times(text, near);
        assert!(told.contains(&format!(
            "at {} made 501 inside, cap 500",
            clock_time(Millis(1_795_000_000_123))
        )));
        let far = "1695000000123 and 17950000001234 stay";
        assert_eq!(with_clock_times(far, near), far);
        assert!(clock_time(near).ends_with(".000"), "{}", clock_time(near));
    }

    #[test]
    fn figures_read_as_people_say_them() {
        assert_eq!(micros(340), "340 µs");
        assert_eq!(micros(1234), "1.2 ms");
        assert_eq!(micros(99_900), "99 ms");
        assert_eq!(micros(2_350_000), "2.35 s");
        assert_eq!(micros(80_000_000), "1 min 20 s");
        assert_eq!(won(99_000), "₩99,000");
        assert_eq!(
            [bytes(512), bytes(2048), bytes(5_400_000), bytes(3_221_225_472)],
            ["512 B", "2 KiB", "5.1 MiB", "3.00 GiB"]
        );
        assert_eq!(
            [count(0), count(999), count(1_000_000)],
            ["0", "999", "1,000,000"]
        );
        assert_eq!(
            [percent(1, 3), percent(3, 3), percent(0, 0)],
            ["33.3 %", "100 %", "–"]
        );
        assert_eq!(
            [from_opening(-4000), from_opening(12_340)],
            ["T−4.0 s", "T+12.3 s"]
        );
    }
}
