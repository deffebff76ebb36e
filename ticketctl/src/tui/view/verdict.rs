//! After the run: every law with what was checked, every threshold, and where the report is.

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

pub(super) fn draw(frame: &mut Frame<'_>, app: &App, verdict: &Verdict, area: Rect) {
    let lines = headline(app, verdict, area.width);
    let height = u16::try_from(lines.len() + 1).unwrap_or(2);
    let [head, body] = Layout::vertical([Constraint::Length(height), Constraint::Min(0)]).areas(area);
    frame.render_widget(Paragraph::new(lines), head);
    if area.width >= 100 {
        let [l, r] = Layout::horizontal([Constraint::Fill(3), Constraint::Fill(2)]).areas(body);
        framed(frame, app, l, "laws, with facts checked", |width| {
            laws(app, verdict, width)
        });
        framed(frame, app, r, "thresholds and outcome", |width| {
            let mut lines = thresholds(app, verdict, width);
            lines.push(Line::default());
            lines.extend(funnel::steps(app, &verdict.funnel, width));
            lines.extend(funnel::asides(app, &verdict.asides, width, 3));
            lines.push(Line::default());
            lines.extend(files(app, verdict, width));
            lines
        });
    } else {
        let mut lines = laws(app, verdict, body.width);
        lines.extend(thresholds(app, verdict, body.width));
        lines.extend(files(app, verdict, body.width));
        let room = usize::from(body.height);
        if lines.len() > room {
            lines.truncate(room.saturating_sub(1));
            lines.push(Line::styled(
                "more in the summary that follows this screen",
                app.theme.dim(),
            ));
        }
        frame.render_widget(Paragraph::new(lines), body);
    }
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
