//! Two lines that are always there: what, in which phase, how long to go, where, how fresh; and
//! what the drill itself is doing.

use crate::{
    picture::Stage,
    text::{countdown, fit, grouped},
    tui::state::{App, Freshness},
};
use ratatui::text::{Line, Span};

pub(super) fn lines(app: &App, width: u16) -> Vec<Line<'static>> {
    vec![sale(app, width), drill(app, width)]
}

fn sale(app: &App, width: u16) -> Line<'static> {
    let picture = app.shown();
    let theme = app.theme;
    let right = [
        freshness(app),
        Span::raw(" "),
        Span::styled(format!(" {} ", picture.environment), theme.banner()),
    ];
    let mut left = Vec::new();
    if let Some(snapshot) = &picture.snapshot {
        let (glyph, word, style) = theme.phase(snapshot.phase);
        left.push(Span::styled(format!("{glyph} {word}"), style));
        left.push(Span::raw("  "));
    }
    if let Some(opens_at) = picture.opens_at {
        left.push(Span::styled(countdown(app.shown_now(), opens_at), theme.strong()));
        left.push(Span::raw("  "));
    }
    // The name gives way first: phase, countdown and banner must stay on the narrowest screen.
    let taken: usize = left.iter().chain(&right).map(Span::width).sum();
    let room = usize::from(width).saturating_sub(taken + 2);
    let name = fit(&picture.title, room, theme.ellipsis());
    let gap = usize::from(width).saturating_sub(taken + name.chars().count() + 2);
    let mut spans = vec![Span::styled(name, theme.strong()), Span::raw("  ")];
    spans.extend(left);
    spans.push(Span::raw(" ".repeat(gap)));
    spans.extend(right);
    Line::from(spans)
}

fn freshness(app: &App) -> Span<'static> {
    let theme = app.theme;
    if app.frozen.is_some() {
        return Span::styled("FROZEN", theme.warn());
    }
    match app.freshness() {
        Freshness::None => Span::styled("no data yet", theme.dim()),
        Freshness::Live(age) => Span::styled(format!("live, age {age}"), theme.good()),
        Freshness::Stale(age) => Span::styled(format!("STALE, age {age}"), theme.warn()),
        Freshness::Lost(age) => Span::styled(format!("LOST, age {age}"), theme.bad()),
        Freshness::Final => Span::styled("final", theme.dim()),
    }
}

fn drill(app: &App, width: u16) -> Line<'static> {
    let picture = app.shown();
    let theme = app.theme;
    let text = match (picture.stage, &picture.load) {
        (Stage::Done, _) => "the drill is over".to_owned(),
        (stage @ Stage::Load, Some(load)) => format!(
            "step {} of {}: {} of {} visitors have finished  {}",
            stage.number(),
            Stage::COUNT,
            grouped(load.finished),
            grouped(load.planned),
            picture.doing
        ),
        (stage, _) => format!(
            "step {} of {}: {}  {}",
            stage.number(),
            Stage::COUNT,
            stage.words(),
            picture.doing
        ),
    };
    Line::styled(
        fit(text.trim_end(), usize::from(width), theme.ellipsis()),
        theme.dim(),
    )
}
