//! Services and laws: what is ready, what was seen broken, and what only the audit can tell.

use super::{cut, data, empty, left, list};
use crate::{
    text::{grouped, log_time},
    tui::state::App,
};
use ratatui::text::{Line, Span};
use urr_core::{effect, law::Law, live::Seen, snapshot::ServiceView};

/// The longest name of a law, and a space.
const NAME: usize = 18;

/// A row of the view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Row {
    /// A service behind the door.
    Service(ServiceView),
    /// A law.
    Law(Law),
}

/// Rows that pass the filter: services, then laws.
pub(super) fn rows(app: &App) -> Vec<Row> {
    let services = app
        .shown()
        .snapshot
        .iter()
        .flat_map(|snapshot| &snapshot.services);
    let services = services
        .filter(|s| app.passes(&s.name))
        .cloned()
        .map(Row::Service);
    let laws = Law::ALL
        .into_iter()
        .filter(|law| app.passes(law.name()))
        .map(Row::Law);
    services.chain(laws).collect()
}

/// The view's list.
pub(super) fn list(app: &App, width: u16, height: u16) -> Vec<Line<'static>> {
    let mut lines = capacity(app, width);
    let rows = rows(app);
    if rows.is_empty() {
        lines.extend(empty(app, "nothing matches"));
        return lines;
    }
    let wide = usize::from(width).saturating_sub(NAME + 2);
    let rows = rows.iter().map(|row| match row {
        Row::Service(view) => service(app, view),
        Row::Law(law) => self::law(app, *law, wide),
    });
    let room = usize::from(height).saturating_sub(lines.len());
    let rows = list::lines(app, rows.collect(), width, room);
    lines.extend(rows);
    lines
}

/// The pane of mission control: what is wrong first, the rest counted.
pub(super) fn lines(app: &App, width: u16, height: u16) -> Vec<Line<'static>> {
    let mut lines = capacity(app, width);
    if let Some(snapshot) = &app.shown().snapshot {
        let room = usize::from(height).saturating_sub(lines.len() + 2);
        lines.extend(snapshot.services.iter().take(room).map(|view| service(app, view)));
    }
    lines.push(summary(app, width));
    let room = usize::from(height).saturating_sub(lines.len());
    let wide = usize::from(width).saturating_sub(NAME + 2);
    let broken = app.laws.broken().map(|law| self::law(app, law, wide));
    let holding = Law::ALL
        .into_iter()
        .filter(|law| matches!(app.laws.seen(*law), Seen::Holding { looks: 1.. }))
        .map(|law| self::law(app, law, wide));
    lines.extend(broken.chain(holding).take(room));
    for line in &mut lines {
        cut(line, usize::from(width), app.theme.ellipsis());
    }
    lines
}

fn capacity(app: &App, width: u16) -> Vec<Line<'static>> {
    let Some(snapshot) = &app.shown().snapshot else {
        return empty(app, "the control plane has not spoken yet");
    };
    let Some(view) = snapshot.capacity else {
        return Vec::new();
    };
    let headroom = effect::set_rate(snapshot).and_then(|rate| effect::headroom_percent(snapshot, rate));
    let style = if view.ready_replicas < view.desired_replicas {
        app.theme.bad()
    } else {
        data(app)
    };
    let line = Line::from(vec![
        Span::styled("capacity  ", app.theme.dim()),
        Span::styled(
            format!("{}/{} ready", view.ready_replicas, view.desired_replicas),
            style,
        ),
    ]);
    // What is left of it matters more than what it is in all.
    let headroom = headroom.map_or_else(String::new, |percent| format!(", headroom {percent} %"));
    let bears = effect::bearable(snapshot).map_or(0, u64::from);
    let whole = format!(", bears {}/s{headroom}", grouped(bears));
    let room = usize::from(width).saturating_sub(line.width());
    let rest = if whole.chars().count() <= room {
        whole
    } else {
        headroom
    };
    vec![fitting(line, Span::styled(rest, data(app)), width)]
}

/// `line` with `rest`, if there is room for all of it.
fn fitting(mut line: Line<'static>, rest: Span<'static>, width: u16) -> Line<'static> {
    if line.width() + rest.width() <= usize::from(width) {
        line.push_span(rest);
    }
    line
}

fn service(app: &App, view: &ServiceView) -> Line<'static> {
    let theme = app.theme;
    let (sign, word, style) = match view.ready {
        ready if ready >= view.desired => (theme.glyph("✔", "+"), "ready", theme.good()),
        0 => (theme.glyph("✘", "x"), "DOWN", theme.bad()),
        _ => ("!", "short", theme.warn()),
    };
    Line::from(vec![
        Span::styled(format!("{sign} "), style),
        Span::styled(left(app, &view.name, NAME), theme.dim()),
        Span::styled(format!("{}/{} ", view.ready, view.desired), data(app)),
        Span::styled(word, style),
    ])
}

/// `laws: 1 BROKEN, 4 hold so far, the audit decides`.
pub(super) fn summary(app: &App, width: u16) -> Line<'static> {
    let broken = app.laws.broken().count();
    let holding = Law::ALL
        .into_iter()
        .filter(|law| matches!(app.laws.seen(*law), Seen::Holding { looks: 1.. }))
        .count();
    let mut spans = vec![Span::styled("laws      ", app.theme.dim())];
    if broken > 0 {
        spans.push(Span::styled(format!("{broken} BROKEN, "), app.theme.bad()));
    }
    let style = if broken == 0 && holding > 0 {
        app.theme.good()
    } else {
        app.theme.dim()
    };
    spans.push(Span::styled(format!("{holding} hold so far"), style));
    let line = Line::from(spans);
    fitting(line, Span::styled(", the audit decides", app.theme.dim()), width)
}

fn law(app: &App, law: Law, room: usize) -> Line<'static> {
    let theme = app.theme;
    let (sign, text, style) = match app.laws.seen(law) {
        Seen::Broken { at, detail } => {
            let when = app
                .shown()
                .opens_at
                .map(|opens| log_time(at, opens))
                .unwrap_or_default();
            (
                theme.glyph("✘", "x"),
                format!("BROKEN {when}: {detail}"),
                theme.bad(),
            )
        }
        Seen::Holding { looks: 0 } => (" ", "not checked yet".to_owned(), theme.dim()),
        Seen::Holding { looks } => {
            let plural = if looks == 1 { "" } else { "s" };
            let text = format!("holds, {} check{plural}", grouped(looks));
            // The word is the news; how often it was looked at may give way.
            let text = if text.chars().count() > room {
                "holds".to_owned()
            } else {
                text
            };
            (theme.glyph("✔", "+"), text, theme.good())
        }
        Seen::AuditOnly => (" ", "only the audit can tell".to_owned(), theme.dim()),
    };
    Line::from(vec![
        Span::styled(format!("{sign} "), style),
        Span::styled(left(app, law.name(), NAME), theme.dim()),
        Span::styled(crate::text::fit(&text, room, theme.ellipsis()), style),
    ])
}
