//! Service levels: what is promised of a step, what it does, how fast its budget burns.

use super::{data, empty, left};
use crate::{
    text::latency_ms,
    tui::state::{App, Burn},
};
use ratatui::{
    style::Style,
    text::{Line, Span},
};

/// Burns this fast (in thousandths) are looked at soon, and now.
const WARN_MILLI: u64 = 1_000;
const BAD_MILLI: u64 = 6_000;

pub(super) fn lines(app: &App, width: u16, height: u16) -> Vec<Line<'static>> {
    let Some(load) = &app.shown().load else {
        return empty(app, "nobody measures the visitors' side here");
    };
    if app.burns.is_empty() {
        return empty(app, "no request has been answered yet");
    }
    // The promise gives way before the word: a status is never a colour alone.
    let (promise, budget) = (width >= 46, width >= 58);
    let name = if budget { 13 } else { 12 };
    let mut head = format!("{}{:>9} ", left(app, "", name), "p95");
    if promise {
        head.push_str(&format!("{:>9} ", "promise"));
    }
    head.push_str(&format!("{:>6} ", "burn"));
    if budget {
        head.push_str(&format!("{:>9} ", "budget"));
    }
    let mut lines = vec![Line::styled(head, app.theme.dim())];
    for burn in app.burns.iter().take(usize::from(height).saturating_sub(1)) {
        let p95 = load
            .latency
            .iter()
            .find(|step| step.name == burn.slo.step)
            .map(|step| step.p95_ms);
        let (sign, word, style) = grade(app, burn);
        let mut spans = vec![
            Span::styled(format!("{sign} "), style),
            Span::styled(left(app, burn.slo.step, name - 2), app.theme.dim()),
            Span::styled(
                format!("{:>9} ", p95.map(latency_ms).unwrap_or_default()),
                data(app),
            ),
        ];
        if promise {
            let text = format!("{:>9} ", format!("< {}", bound(burn.slo.bound_ms)));
            spans.push(Span::styled(text, app.theme.dim()));
        }
        spans.push(Span::styled(format!("{:>6} ", burnt(burn)), style));
        if budget {
            spans.push(Span::styled(format!("{:>9} ", left_of(burn)), data(app)));
        }
        spans.push(Span::styled(word, style));
        lines.push(Line::from(spans));
    }
    lines
}

/// Glyph, word and style of a promise in the last minute.
pub(super) fn grade(app: &App, burn: &Burn) -> (&'static str, &'static str, Style) {
    let theme = app.theme;
    match burn.slo.burn_milli(burn.minute) {
        None => (" ", "quiet", theme.dim()),
        Some(BAD_MILLI..) => (theme.glyph("✘", "x"), "BROKEN", theme.bad()),
        Some(WARN_MILLI..) => ("!", "at risk", theme.warn()),
        Some(_) => (theme.glyph("✔", "+"), "OK", theme.good()),
    }
}

/// `0.4x`: how fast the budget burns in the last minute.
pub(super) fn burnt(burn: &Burn) -> String {
    match burn.slo.burn_milli(burn.minute) {
        Some(milli) => format!("{}.{}x", milli / 1000, milli / 100 % 10),
        None => "-".to_owned(),
    }
}

/// `98 % left` of the budget of the whole run.
pub(super) fn left_of(burn: &Burn) -> String {
    match burn.slo.budget_left_percent(burn.so_far) {
        Some(percent) => format!("{percent:>3} % left"),
        None => String::new(),
    }
}

/// A promise's bound.
pub(super) fn bound(ms: u32) -> String {
    if ms.is_multiple_of(1_000) {
        format!("{} s", ms / 1_000)
    } else {
        format!("{ms} ms")
    }
}
