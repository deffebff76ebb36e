//! Two lines that are always there: what, in which phase, how long to go, how fresh, where; and
//! what the drill is doing, where a recording stands, or whose sale this is.

use super::{cells, left, timeline};
use crate::{
    picture::{Source, Stage},
    text::{fit, grouped},
    tui::{
        face::clock,
        state::{App, Freshness},
    },
};
use ratatui::text::{Line, Span};

pub(super) fn lines(app: &App, width: u16) -> Vec<Line<'static>> {
    vec![sale(app, width), context(app, width)]
}

fn sale(app: &App, width: u16) -> Line<'static> {
    let picture = app.shown();
    let theme = app.theme;
    let right = [
        broken(app),
        steering(app),
        Span::raw("  "),
        freshness(app),
        Span::raw(" "),
        Span::styled(
            format!(" {} ", picture.environment.word()),
            theme.banner(&picture.environment),
        ),
    ];
    let mut facts = Vec::new();
    if let Some(snapshot) = &picture.snapshot {
        let (glyph, word, style) = theme.phase(snapshot.phase);
        facts.push(Span::styled(format!("{glyph} {word}"), style));
        facts.push(Span::raw("  "));
    }
    if let Some(opens_at) = picture.opens_at {
        facts.push(Span::styled(clock(app.shown_now(), opens_at), theme.strong()));
        facts.push(Span::raw("  "));
    }
    // The name gives way first: phase, clock and banner must stay on the narrowest screen.
    let taken: usize = facts.iter().chain(&right).map(Span::width).sum();
    let room = usize::from(width).saturating_sub(taken + 2);
    let name = left(app, &picture.title, cells(&picture.title).min(room));
    let gap = usize::from(width).saturating_sub(taken + cells(&name) + 2);
    let mut spans = vec![Span::styled(name, theme.strong()), Span::raw("  ")];
    spans.extend(facts);
    spans.push(Span::raw(" ".repeat(gap)));
    spans.extend(right);
    Line::from(spans)
}

/// A law seen broken is told on every screen, whatever else is on it.
fn broken(app: &App) -> Span<'static> {
    match app.laws.broken().count() {
        0 => Span::raw(""),
        1 => Span::styled("LAW BROKEN  ", app.theme.bad()),
        n => Span::styled(format!("{n} LAWS BROKEN  "), app.theme.bad()),
    }
}

/// Whether a key can change anything.
fn steering(app: &App) -> Span<'static> {
    if app.player.is_some() {
        return Span::styled("recording", app.theme.dim());
    }
    match (app.armed, app.read_only()) {
        (true, None) => Span::styled("STEERING", app.theme.warn()),
        _ => Span::styled("read-only", app.theme.dim()),
    }
}

fn freshness(app: &App) -> Span<'static> {
    let theme = app.theme;
    if app.frozen.is_some() {
        return Span::styled("FROZEN", theme.warn());
    }
    match app.freshness() {
        Freshness::None => Span::styled("no data yet", theme.dim()),
        Freshness::Live => Span::styled("live", theme.good()),
        Freshness::Stale(age) => Span::styled(format!("STALE, age {age}"), theme.warn()),
        Freshness::Lost(age) => Span::styled(format!("LOST, age {age}"), theme.bad()),
        Freshness::Final => Span::styled("final", theme.dim()),
    }
}

fn context(app: &App, width: u16) -> Line<'static> {
    let picture = app.shown();
    match &picture.source {
        Source::Drill => drill(app, width),
        Source::Replay { file } => match &app.player {
            Some(player) => timeline::line(app, player, file, width),
            None => Line::default(),
        },
        Source::Live { url } => live(app, url, width),
    }
}

/// Where people are real the whole line is the banner.
fn live(app: &App, url: &str, width: u16) -> Line<'static> {
    let environment = &app.shown().environment;
    if environment.is_tame() {
        return Line::styled(
            fit(url, usize::from(width), app.theme.ellipsis()),
            app.theme.dim(),
        );
    }
    let text = format!(
        " {}: real people, every change is felt.  {url}",
        environment.word()
    );
    Line::styled(
        left(app, &text, usize::from(width)),
        app.theme.banner(environment),
    )
}

fn drill(app: &App, width: u16) -> Line<'static> {
    let picture = app.shown();
    let theme = app.theme;
    let step = |stage: Stage| format!("step {} of {}", stage.number(), Stage::COUNT);
    let text = match (picture.stage, &picture.load) {
        (Stage::Done, _) => "the drill is over".to_owned(),
        (stage @ Stage::Load, Some(load)) => format!(
            "{}: {} of {} visitors have finished  {}",
            step(stage),
            grouped(load.finished),
            grouped(load.planned),
            picture.doing
        ),
        (stage, _) => format!("{}: {}  {}", step(stage), stage.words(), picture.doing),
    };
    Line::styled(
        fit(text.trim_end(), usize::from(width), theme.ellipsis()),
        theme.dim(),
    )
}
