//! Numbers and instants as people read them; one place, so that the terminal, the progress lines
//! and the summary never disagree about what "34 s" or "5,000" looks like.

use urr_core::time::Millis;
pub(crate) use urr_core::time::duration_s;

/// `812004` as `812,004`.
pub(crate) fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// Time to or since the opening, to the tenth: `T-00:00:12.3`, `T+00:07:42.0`.
pub(crate) fn countdown(now: Millis, opens_at: Millis) -> String {
    let since_ms = now.since(opens_at);
    let sign = if since_ms < 0 { '-' } else { '+' };
    // Before the instant the shown tenth is rounded up, so that T-0.0 is never shown early.
    let tenths = if since_ms < 0 {
        since_ms.unsigned_abs().div_ceil(100)
    } else {
        since_ms.unsigned_abs() / 100
    };
    let (s, tenth) = (tenths / 10, tenths % 10);
    format!("T{sign}{:02}:{:02}:{:02}.{tenth}", s / 3600, s / 60 % 60, s % 60)
}

/// The same for a log line, where hours are rare and room is scarce: `T+07:42.0`.
pub(crate) fn log_time(at: Millis, opens_at: Millis) -> String {
    let full = countdown(at, opens_at);
    match full.get(2..5) {
        Some("00:") => format!("{}{}", &full[..2], &full[5..]),
        _ => full,
    }
}

/// An instant in the zone of UTC: `2026-12-01 11:00:00Z`.
pub(crate) fn instant(at: Millis) -> String {
    chrono::DateTime::<chrono::Utc>::from_timestamp_millis(at.0).map_or_else(
        || at.0.to_string(),
        |at| at.format("%Y-%m-%d %H:%M:%SZ").to_string(),
    )
}

/// Milliseconds as an age: `0.4 s`, `12 s`, `3 min`.
pub(crate) fn age(ms: i64) -> String {
    let ms = ms.max(0).unsigned_abs();
    if ms < 10_000 {
        format!("{}.{} s", ms / 1000, ms / 100 % 10)
    } else {
        duration_s(ms / 1000)
    }
}

/// A latency: `0.8 ms`, `38 ms`, `1.20 s`.
pub(crate) fn latency_ms(ms: f64) -> String {
    if ms < 10.0 {
        format!("{ms:.1} ms")
    } else if ms < 1000.0 {
        format!("{ms:.0} ms")
    } else {
        format!("{:.2} s", ms / 1000.0)
    }
}

/// `part` of `whole` in percent, rounded down; `None` of nothing.
pub(crate) fn percent(part: u64, whole: u64) -> Option<u64> {
    part.saturating_mul(100).checked_div(whole)
}

/// `text` cut to `width` characters, the cut shown by `…` (`~` in ASCII).
pub(crate) fn fit(text: &str, width: usize, ellipsis: char) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let mut out: String = text.chars().take(width.saturating_sub(1)).collect();
    if width > 0 {
        out.push(ellipsis);
    }
    out
}

/// The same with the beginning cut away: of a path the end tells more.
pub(crate) fn fit_end(text: &str, width: usize, ellipsis: char) -> String {
    let long = text.chars().count();
    if long <= width {
        return text.to_owned();
    }
    let kept = width.saturating_sub(1);
    let end = text.chars().skip(long - kept);
    (width > 0).then_some(ellipsis).into_iter().chain(end).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_keeps_its_beginning_and_a_long_path_its_end() {
        assert_eq!(fit("abcdef", 4, '~'), "abc~");
        assert_eq!(fit_end("abcdef", 4, '~'), "~def");
        assert_eq!(
            (fit_end("abc", 3, '~').as_str(), fit_end("abc", 0, '~').as_str()),
            ("abc", "")
        );
    }

    #[test]
    fn thousands_are_grouped() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_000), "1,000");
        assert_eq!(grouped(1_234_567), "1,234,567");
    }

    #[test]
    fn the_countdown_reaches_zero_at_the_opening_and_not_before() {
        let opens = Millis(1_000_000);
        assert_eq!(countdown(Millis(987_700), opens), "T-00:00:12.3");
        assert_eq!(countdown(Millis(999_999), opens), "T-00:00:00.1");
        assert_eq!(countdown(opens, opens), "T+00:00:00.0");
        assert_eq!(countdown(opens.plus_ms(462_099), opens), "T+00:07:42.0");
        assert_eq!(log_time(opens.plus_ms(462_099), opens), "T+07:42.0");
        assert_eq!(log_time(opens.plus_s(3_601), opens), "T+01:00:01.0");
    }

    #[test]
    fn durations_read_like_speech() {
        assert_eq!(age(432), "0.4 s");
        assert_eq!(age(-5), "0.0 s");
        assert_eq!(age(12_900), "12 s");
        assert_eq!(latency_ms(0.84), "0.8 ms");
        assert_eq!(latency_ms(1_204.0), "1.20 s");
    }

    #[test]
    fn a_cut_is_shown() {
        assert_eq!(fit("Standing left", 8, '…'), "Standin…");
        assert_eq!(fit("Floor", 8, '…'), "Floor");
        assert_eq!(fit("Floor", 0, '…'), "");
    }
}
