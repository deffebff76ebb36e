//! More about the selected row of a list: nothing cut, everything that is known.

use super::{data, events, health, list, seats, wrap};
use crate::{
    text::{grouped, percent},
    tui::state::{App, View},
};
use ratatui::text::{Line, Span};
use urr_core::{law::Law, live::Seen, snapshot::ServiceView};

pub(super) fn lines(app: &App, width: u16, _height: u16) -> Vec<Line<'static>> {
    match app.view {
        View::Seats => pick(app, seats::rows(app)).map(|section| section_lines(app, &section)),
        View::Health => pick(app, health::rows(app)).map(|row| match row {
            health::Row::Service(service) => service_lines(app, &service, width),
            health::Row::Law(law) => law_lines(app, law, width),
        }),
        View::Events => pick(app, events::rows(app)).map(|row| event_lines(app, row, width)),
        View::Mission | View::Room | View::Latency | View::Verdict => None,
    }
    .unwrap_or_default()
}

fn pick<T>(app: &App, mut rows: Vec<T>) -> Option<T> {
    let cursor = list::cursor(app, rows.len());
    (cursor < rows.len()).then(|| rows.swap_remove(cursor))
}

fn fact(app: &App, label: &'static str, text: String) -> Line<'static> {
    Line::from(vec![
        Span::styled(format!("{label:<14}"), app.theme.dim()),
        Span::styled(text, data(app)),
    ])
}

fn section_lines(app: &App, section: &urr_core::snapshot::SectionView) -> Vec<Line<'static>> {
    let share = |n: u64| match percent(n, section.capacity) {
        Some(percent) => format!("{:>9}  {percent:>3} %", grouped(n)),
        None => grouped(n),
    };
    let free = section.capacity.saturating_sub(section.held + section.sold);
    vec![
        Line::styled(section.name.clone(), app.theme.strong()),
        fact(app, "sold", share(section.sold)),
        fact(app, "held", share(section.held)),
        fact(app, "free", share(free)),
        fact(app, "all", format!("{:>9}", grouped(section.capacity))),
    ]
}

fn service_lines(app: &App, service: &ServiceView, width: u16) -> Vec<Line<'static>> {
    let text = if service.ready >= service.desired {
        "Every replica that the sale wants is ready."
    } else if service.ready == 0 {
        "It does not answer, so nobody is let in (law capacity-first): start it, or look at its log."
    } else {
        "The rate is bounded by what the ready replicas bear (law capacity-first): scale it up, or lower the rate."
    };
    let mut lines = vec![
        Line::styled(service.name.clone(), app.theme.strong()),
        fact(app, "ready", grouped(u64::from(service.ready))),
        fact(app, "wanted", grouped(u64::from(service.desired))),
    ];
    lines.extend(paragraph(app, text, width));
    lines
}

fn law_lines(app: &App, law: Law, width: u16) -> Vec<Line<'static>> {
    let mut lines = vec![Line::styled(law.name(), app.theme.strong())];
    lines.extend(paragraph(app, law.says(), width));
    let (text, style) = match app.laws.seen(law) {
        Seen::Broken { detail, .. } => (format!("Seen broken: {detail}."), app.theme.bad()),
        Seen::Holding { looks } => (
            format!(
                "{} snapshots could have shown it broken and none did. That is no proof: the audit reads the stores.",
                grouped(looks)
            ),
            app.theme.good(),
        ),
        Seen::AuditOnly => (
            "No snapshot can show it broken: the audit at the end of a drill judges it from the stores."
                .to_owned(),
            app.theme.dim(),
        ),
    };
    let text = wrap(&text, usize::from(width), app.theme.ellipsis());
    lines.extend(text.into_iter().map(|part| Line::styled(part, style)));
    lines
}

fn event_lines(app: &App, row: events::Row, width: u16) -> Vec<Line<'static>> {
    match row {
        events::Row::Warning(text, command) => {
            let mut lines = paragraph(app, &text, width);
            if let Some(command) = command {
                lines.push(fact(app, "would help", format!(":{command}")));
            }
            lines
        }
        events::Row::Event(event) => {
            let when = app
                .shown()
                .opens_at
                .map(|opens| crate::text::log_time(event.at, opens));
            let mut lines = vec![
                fact(app, "when", when.unwrap_or_default()),
                fact(app, "who", event.actor),
            ];
            lines.extend(paragraph(app, &event.text, width));
            lines
        }
    }
}

fn paragraph(app: &App, text: &str, width: u16) -> Vec<Line<'static>> {
    let text = if app.theme.unicode {
        text.to_owned()
    } else {
        text.replace('→', "->")
    };
    let text = wrap(&text, usize::from(width), app.theme.ellipsis());
    text.into_iter()
        .map(|part| Line::styled(part, data(app)))
        .collect()
}
