//! From arrived to sold: one bar per step, and who left beside the way.

use super::{empty, left};
use crate::{
    picture::{Aside, FunnelStep},
    text::{grouped, percent},
    tui::state::App,
};
use ratatui::text::{Line, Span};

const LABEL: usize = 9;
const COUNT: usize = 10;
const PERCENT: usize = 6;

pub(super) fn lines(app: &App, width: u16, height: u16) -> Vec<Line<'static>> {
    let Some(load) = &app.shown().load else {
        return empty(app, "no visitor has arrived yet");
    };
    let mut lines = steps(app, &load.funnel, width);
    let room = usize::from(height).saturating_sub(lines.len());
    // On tall screens a blank line separates the way from what lies beside it.
    if room > load.asides.len() {
        lines.push(Line::default());
    }
    lines.extend(asides(app, &load.asides, width, room));
    lines
}

/// The steps alone, each against the first.
pub(super) fn steps(app: &App, funnel: &[FunnelStep], width: u16) -> Vec<Line<'static>> {
    let whole = funnel.first().map_or(0, |s| s.count);
    let fixed = u16::try_from(LABEL + COUNT + PERCENT + 1).unwrap_or(u16::MAX);
    let bar = width.saturating_sub(fixed);
    funnel
        .iter()
        .map(|step| {
            let share = percent(step.count, whole)
                .map(|p| format!("{p:>3} %"))
                .unwrap_or_default();
            Line::from(vec![
                Span::styled(left(app, &step.label, LABEL), app.theme.dim()),
                Span::styled(format!("{:>COUNT$}", grouped(step.count)), app.theme.strong()),
                Span::raw(format!("{share:>PERCENT$} ")),
                Span::styled(app.theme.bar_text(step.count, whole, bar), app.theme.bar()),
            ])
        })
        .collect()
}

/// What lies beside the way: one per line if there is room, else packed.
pub(super) fn asides(app: &App, asides: &[Aside], width: u16, room: usize) -> Vec<Line<'static>> {
    let span = |a: &Aside| {
        let style = if a.alarming && a.count > 0 {
            app.theme.bad()
        } else {
            app.theme.dim()
        };
        let sign = if a.alarming && a.count > 0 { "! " } else { "" };
        (sign, style)
    };
    if room > asides.len() {
        return asides
            .iter()
            .map(|a| {
                let (sign, style) = span(a);
                Line::from(Span::styled(
                    format!(
                        "{}{:>count$}",
                        left(app, &format!("{sign}{}", a.label), LABEL + 4),
                        grouped(a.count),
                        count = COUNT - 4
                    ),
                    style,
                ))
            })
            .collect();
    }
    // Packed: the alarming first, and nothing that did not happen.
    let mut packed: Vec<&Aside> = asides.iter().filter(|a| a.count > 0).collect();
    packed.sort_by_key(|a| !a.alarming);
    let mut lines: Vec<Line<'static>> = Vec::new();
    for a in packed {
        let (sign, style) = span(a);
        let text = format!("{sign}{} {}", a.label, grouped(a.count));
        match lines.last_mut() {
            Some(line) if line.width() + 2 + text.chars().count() <= usize::from(width) => {
                line.push_span(Span::raw("  "));
                line.push_span(Span::styled(text, style));
            }
            _ => lines.push(Line::from(Span::styled(text, style))),
        }
    }
    lines.truncate(room);
    lines
}
