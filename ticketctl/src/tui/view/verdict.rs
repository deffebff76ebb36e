//! After the run: every law with what was checked, every threshold, how an adaptive rate moved, and where
//! the report is.

mod rate;

use super::{ASCII_BORDER, funnel, left, wrap};
use crate::{
    exit::Exit,
    picture::{LawLine, LawVerdict, ThresholdLine, Verdict},
    text::{duration_s, fit, fit_end, grouped},
    tui::state::App,
};
use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::Style,
    text::{Line, Span},
    widgets::{Block, Borders, Paragraph},
};

/// Columns from which on laws and thresholds stand side by side.
const WIDE: u16 = 100;

pub(super) fn draw(frame: &mut Frame<'_>, app: &App, verdict: &Verdict, area: Rect) {
    let mut lines = headline(app, verdict, area.width);
    let height = u16::try_from(lines.len() + 1).unwrap_or(2);
    let [head, body] = Layout::vertical([Constraint::Length(height), Constraint::Min(0)]).areas(area);
    let told_below = if area.width >= WIDE {
        wide(frame, app, verdict, body)
    } else {
        narrow(frame, app, verdict, body);
        false
    };
    if let Some(rate) = verdict.rate.as_ref().filter(|_| !told_below) {
        lines.push(rate::headline(app, rate, area.width));
    }
    frame.render_widget(Paragraph::new(lines), head);
}

/// Laws left, the rest right; under the laws how the rate moved, which is told unless there is no room.
fn wide(frame: &mut Frame<'_>, app: &App, verdict: &Verdict, area: Rect) -> bool {
    let [l, r] = Layout::horizontal([Constraint::Fill(3), Constraint::Fill(2)]).areas(area);
    let inner = l.width.saturating_sub(2);
    let laws = laws(app, verdict, inner);
    let under = l.height.saturating_sub(framed_height(laws.len()));
    let rate = verdict
        .rate
        .as_ref()
        .filter(|rate| under >= framed_height(1 + rate.steps.len().min(2)));
    let [top, bottom] = match rate {
        Some(_) => Layout::vertical([Constraint::Min(0), Constraint::Length(under)]).areas(l),
        None => [l, Rect::ZERO],
    };
    framed(frame, app, top, "laws, with facts checked", |_| laws);
    if let Some(rate) = rate {
        framed(
            frame,
            app,
            bottom,
            "how the rate followed the services",
            |width| {
                let sentence = wrap(&rate.sentence(), usize::from(width), app.theme.ellipsis());
                let mut lines: Vec<_> = sentence.into_iter().map(Line::from).collect();
                let room = usize::from(under).saturating_sub(2 + lines.len());
                lines.extend(rate::steps(app, rate, width, room));
                lines
            },
        );
    }
    framed(frame, app, r, "thresholds and outcome", |width| {
        let mut lines = thresholds(app, verdict, width);
        lines.push(Line::default());
        lines.extend(funnel::steps(app, &verdict.funnel, width));
        lines.extend(funnel::asides(app, &verdict.asides, width, 3));
        lines.push(Line::default());
        lines.extend(files(app, verdict, width));
        lines
    });
    rate.is_some()
}

/// One column. The files give way to the rate's steps, but for the first and the word that more follows.
fn narrow(frame: &mut Frame<'_>, app: &App, verdict: &Verdict, area: Rect) {
    let mut lines = laws(app, verdict, area.width);
    lines.extend(thresholds(app, verdict, area.width));
    let room = usize::from(area.height);
    if let Some(rate) = &verdict.rate {
        let rows = room.saturating_sub(lines.len() + verdict.files.len().min(2));
        lines.extend(rate::steps(app, rate, area.width, rows));
    }
    lines.extend(files(app, verdict, area.width));
    if lines.len() > room {
        lines.truncate(room.saturating_sub(1));
        lines.push(Line::styled(
            "more in the summary that follows this screen",
            app.theme.dim(),
        ));
    }
    frame.render_widget(Paragraph::new(lines), area);
}

/// Rows of a frame around so many lines.
fn framed_height(lines: usize) -> u16 {
    u16::try_from(lines + 2).unwrap_or(u16::MAX)
}

fn framed(
    frame: &mut Frame<'_>,
    app: &App,
    area: Rect,
    title: &str,
    lines: impl FnOnce(u16) -> Vec<Line<'static>>,
) {
    let mut block = Block::new()
        .borders(Borders::ALL)
        .border_style(app.theme.dim())
        .title(Span::styled(format!(" {title} "), app.theme.strong()));
    if !app.theme.unicode {
        block = block.border_set(ASCII_BORDER);
    }
    let inner = block.inner(area);
    frame.render_widget(block, area);
    frame.render_widget(Paragraph::new(lines(inner.width)), inner);
}

/// The sentence, and up to two lines of reasons.
fn headline(app: &App, verdict: &Verdict, width: u16) -> Vec<Line<'static>> {
    let (sign, style) = match verdict.exit {
        Exit::Ok => (app.theme.glyph("✔", "OK"), app.theme.good()),
        _ => (app.theme.glyph("✘", "FAILED"), app.theme.bad()),
    };
    let mut lines = vec![Line::from(vec![
        Span::styled(format!("{sign} {}", verdict.headline), style),
        Span::styled(
            format!(
                "  in {}, exit {}",
                duration_s(verdict.took.as_secs()),
                verdict.exit.code()
            ),
            app.theme.dim(),
        ),
    ])];
    let reasons = wrap(
        &verdict.reasons.join("; "),
        usize::from(width),
        app.theme.ellipsis(),
    );
    lines.extend(
        reasons
            .into_iter()
            .take(2)
            .map(|reason| Line::styled(reason, app.theme.warn())),
    );
    lines
}

fn laws(app: &App, verdict: &Verdict, width: u16) -> Vec<Line<'static>> {
    verdict
        .laws
        .iter()
        .flat_map(|law| law_lines(app, law, width))
        .collect()
}

fn law_lines(app: &App, law: &LawLine, width: u16) -> Vec<Line<'static>> {
    let style = law_style(app, law.verdict);
    let sign = match law.verdict {
        LawVerdict::Held => app.theme.glyph("✔", "+"),
        LawVerdict::Broken => app.theme.glyph("✘", "x"),
        LawVerdict::Unproven => "?",
    };
    let checked = format!("{:>9}  ", grouped(law.checked));
    let used = 2 + 18 + 9 + checked.chars().count();
    let detail = fit(
        &law.detail,
        usize::from(width).saturating_sub(used),
        app.theme.ellipsis(),
    );
    let mut lines = vec![Line::from(vec![
        Span::styled(format!("{sign} "), style),
        Span::styled(format!("{:<18}", law.name), app.theme.strong()),
        Span::styled(format!("{:<9}", law.verdict.word()), style),
        Span::raw(checked),
        Span::styled(detail, app.theme.dim()),
    ])];
    if law.verdict == LawVerdict::Broken {
        for example in law.examples.iter().take(2) {
            let text = wrap(
                example,
                usize::from(width).saturating_sub(4),
                app.theme.ellipsis(),
            );
            lines.extend(
                text.into_iter()
                    .map(|part| Line::styled(format!("    {part}"), style)),
            );
        }
    }
    lines
}

fn law_style(app: &App, verdict: LawVerdict) -> Style {
    match verdict {
        LawVerdict::Held => app.theme.good(),
        LawVerdict::Broken => app.theme.bad(),
        LawVerdict::Unproven => app.theme.warn(),
    }
}

fn thresholds(app: &App, verdict: &Verdict, width: u16) -> Vec<Line<'static>> {
    if verdict.thresholds.is_empty() {
        return vec![Line::styled("the scenario sets no thresholds", app.theme.dim())];
    }
    let name = usize::from(width).saturating_sub(2 + 9 + 14).min(40);
    verdict
        .thresholds
        .iter()
        .map(|t: &ThresholdLine| {
            let (sign, word, style) = if t.met {
                (app.theme.glyph("✔", "+"), "met", app.theme.good())
            } else {
                (app.theme.glyph("✘", "x"), "MISSED", app.theme.bad())
            };
            Line::from(vec![
                Span::styled(format!("{sign} "), style),
                Span::raw(left(app, &t.rule, name)),
                Span::styled(format!(" {word:<8}"), style),
                Span::styled(t.actual.clone(), app.theme.dim()),
            ])
        })
        .collect()
}

fn files(app: &App, verdict: &Verdict, width: u16) -> Vec<Line<'static>> {
    verdict
        .files
        .iter()
        .map(|(what, path)| {
            Line::from(vec![
                Span::styled(format!("{what:<10}"), app.theme.dim()),
                Span::raw(fit_end(
                    &path.display().to_string(),
                    usize::from(width).saturating_sub(10),
                    app.theme.ellipsis(),
                )),
            ])
        })
        .collect()
}
