//! How an adaptive rate followed the services, step by step: what there is room for, its falls first.

use super::super::wrap;
use crate::{
    rate::Followed,
    text::{fit, log_time},
    tui::state::App,
};
use ratatui::text::{Line, Span};
use urr_core::rate_steps::RateStep;

/// The sentence with its label, where there is no frame that bears a title.
pub(super) fn headline(app: &App, rate: &Followed, width: u16) -> Line<'static> {
    let room = usize::from(width).saturating_sub(5);
    Line::from(vec![
        Span::styled("rate ", app.theme.dim()),
        Span::raw(fit(&rate.sentence(), room, app.theme.ellipsis())),
    ])
}

/// At most `rows` lines of steps, in time order. Reasons are wrapped where all find room so, else cut;
/// steps that find none are counted.
pub(super) fn steps(app: &App, rate: &Followed, width: u16, rows: usize) -> Vec<Line<'static>> {
    let whole: Vec<_> = rate
        .steps
        .iter()
        .flat_map(|step| lines(app, rate, step, width, true))
        .collect();
    if whole.len() <= rows {
        return whole;
    }
    let (told, left_out) = if rate.steps.len() <= rows {
        (rate.steps.iter().collect(), 0)
    } else {
        let told = weightiest(&rate.steps, rows.saturating_sub(1));
        let left_out = rate.steps.len() - told.len();
        (told, left_out)
    };
    let mut shown: Vec<_> = told
        .into_iter()
        .flat_map(|step| lines(app, rate, step, width, false))
        .collect();
    if left_out > 0 && rows > 0 {
        let s = if left_out == 1 { "" } else { "s" };
        shown.push(Line::styled(
            format!("and {left_out} more step{s} in the summary that follows"),
            app.theme.dim(),
        ));
    }
    shown
}

/// `room` of `steps`, in time order: falls before rises, and the newest of either.
fn weightiest(steps: &[RateStep], room: usize) -> Vec<&RateStep> {
    let mut told: Vec<&RateStep> = steps.iter().rev().collect();
    told.sort_by_key(|step| !step.is_down());
    told.truncate(room);
    told.sort_by_key(|step| step.at);
    told
}

/// `T+00:17.1  242/s ▼ 150/s  reservations take ...`.
fn lines(app: &App, rate: &Followed, step: &RateStep, width: u16, wrapped: bool) -> Vec<Line<'static>> {
    let (sign, style) = if step.is_down() {
        (app.theme.glyph("▼", "v"), app.theme.warn())
    } else {
        (app.theme.glyph("▲", "^"), app.theme.good())
    };
    let dim = app.theme.dim();
    let per_s = rate.max_per_s.max(rate.start_per_s).to_string().len();
    let when = format!("{}  ", log_time(step.at, rate.opens_at));
    let from = format!("{:>per_s$}/s ", step.from_per_s);
    let to = format!("{sign} {:>per_s$}/s  ", step.to_per_s);
    let used = [&when, &from, &to].map(|part| part.chars().count()).iter().sum();
    let room = usize::from(width).saturating_sub(used);
    let ellipsis = app.theme.ellipsis();
    let mut why = if wrapped {
        wrap(&step.why, room, ellipsis)
    } else {
        vec![fit(&step.why, room, ellipsis)]
    }
    .into_iter();
    let first = Line::from(vec![
        Span::styled(when, dim),
        Span::raw(from),
        Span::styled(to, style),
        Span::styled(why.next().unwrap_or_default(), dim),
    ]);
    let rest = why.map(|part| Line::styled(format!("{}{part}", " ".repeat(used)), dim));
    std::iter::once(first).chain(rest).collect()
}
