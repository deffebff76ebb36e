//! The waiting room: how many wait, how fast they come and go, what is set and what is applied.

use super::{cut, data, empty, labelled};
use crate::{
    text::grouped,
    tui::{face::about, state::App, steer},
};
use ratatui::text::{Line, Span};
use urr_core::{
    adaptive::Lean,
    effect,
    snapshot::{PaceView, Snapshot},
    time::Millis,
};

const LABEL: usize = 9;

pub(super) fn lines(app: &App, width: u16, height: u16) -> Vec<Line<'static>> {
    let Some(snapshot) = &app.shown().snapshot else {
        return empty(app, "the control plane has not spoken yet");
    };
    let mut lines = vec![
        waiting(app, snapshot),
        inside(app, snapshot, width),
        rate(app, snapshot),
    ];
    lines.extend(lean(app, snapshot, width));
    lines.extend(sparks(app, width));
    if height > 6 {
        lines.extend(served(app, snapshot, width));
    }
    if height > 8 {
        lines.extend(forecast(app, snapshot, width));
    }
    for line in &mut lines {
        cut(line, usize::from(width), app.theme.ellipsis());
    }
    lines
}

/// How far the line is served.
pub(super) fn served(app: &App, snapshot: &Snapshot, width: u16) -> Option<Line<'static>> {
    let room = snapshot.room.as_ref()?;
    let text = format!("{} of {}", grouped(room.serving), grouped(room.issued));
    let epoch = format!(", epoch {}", room.epoch);
    let whole = LABEL + text.chars().count() + epoch.chars().count() <= usize::from(width);
    let text = if whole { text + &epoch } else { text };
    Some(labelled(
        app,
        "served",
        LABEL,
        vec![Span::styled(text, data(app))],
    ))
}

/// Where this leads if nothing is changed.
pub(super) fn forecast(app: &App, snapshot: &Snapshot, width: u16) -> Vec<Line<'static>> {
    let flow = app.flow();
    let mut lines = Vec::new();
    let mut say = |label: &str, text: String| {
        lines.push(labelled(app, label, LABEL, vec![Span::styled(text, data(app))]));
    };
    if let Some(in_a_minute) = effect::waiting_in(snapshot, flow, 60) {
        let joined = flow.joined_per_s.unwrap_or(0);
        let let_in = flow.let_in_per_s.unwrap_or(0);
        let then = match in_a_minute {
            0 => "nobody waiting in 1 min".to_owned(),
            n => format!("{} waiting in 1 min", grouped(n)),
        };
        let because = format!(" ({}/s in, {}/s out)", grouped(joined), grouped(let_in));
        let room = usize::from(width).saturating_sub(LABEL);
        let whole = then.chars().count() + because.chars().count() <= room;
        let text = if whole { then + &because } else { then };
        say("forecast", text);
    }
    if let Some(s) = effect::sold_out_s(snapshot, flow) {
        say("", format!("sold out in {}", about(s)));
    }
    lines
}

pub(super) fn waiting(app: &App, snapshot: &Snapshot) -> Line<'static> {
    let waiting = steer::waiting(snapshot);
    let eta = eta(app, snapshot, waiting);
    labelled(
        app,
        "waiting",
        LABEL,
        vec![
            Span::styled(
                format!("{:>8}", grouped(waiting)),
                data(app).patch(app.theme.strong()),
            ),
            Span::styled(eta, data(app)),
        ],
    )
}

/// When the last in line comes in, as far as anybody can know. Behind a full hall nobody can before
/// it has been measured how soon those inside leave.
pub(super) fn eta(app: &App, snapshot: &Snapshot, waiting: u64) -> String {
    let standing = snapshot.queue.as_ref().is_some_and(|q| q.paused)
        || snapshot.room.as_ref().is_some_and(|r| r.drain_s.is_none());
    match effect::wait_s(snapshot, app.flow()) {
        _ if waiting == 0 => String::new(),
        _ if standing => "   the line stands".to_owned(),
        Some(wait_s) => format!("   wait {}", about(wait_s)),
        None => "   as slots free up".to_owned(),
    }
}

pub(super) fn inside(app: &App, snapshot: &Snapshot, width: u16) -> Line<'static> {
    let Some(queue) = &snapshot.queue else {
        return labelled(
            app,
            "inside",
            LABEL,
            vec![Span::styled(
                "not known: the queue does not answer",
                app.theme.warn(),
            )],
        );
    };
    let cap = u64::from(queue.cap);
    let text = format!("{:>8} of {}", grouped(queue.active), grouped(cap));
    let used = LABEL + text.chars().count() + 3;
    let bar = width.saturating_sub(u16::try_from(used).unwrap_or(u16::MAX));
    let style = if queue.active > cap {
        app.theme.bad()
    } else {
        data(app)
    };
    labelled(
        app,
        "inside",
        LABEL,
        vec![
            Span::styled(text, style),
            Span::raw("  "),
            Span::styled(app.theme.bar_text(queue.active, cap, bar), app.theme.bar()),
        ],
    )
}

pub(super) fn rate(app: &App, snapshot: &Snapshot) -> Line<'static> {
    let per_s = |n: u32| format!("{}/s", grouped(u64::from(n)));
    let set = snapshot.queue.as_ref().map(|q| (q.rate_per_s, q.paused));
    let applied = snapshot.room.as_ref().map(|r| r.rate_per_s);
    let how = snapshot.pace.as_ref().map_or_else(|| "set".to_owned(), bounds);
    let mut spans = vec![Span::styled(
        match set {
            Some((rate, _)) => format!("{:>8} {how}", per_s(rate)),
            None => format!("{:>8} {how}", "?"),
        },
        data(app),
    )];
    match (set, applied) {
        (Some((_, true)), _) => {
            spans.push(Span::raw("   "));
            spans.push(Span::styled("PAUSED by an operator", app.theme.bad()));
        }
        (Some((set, false)), Some(applied)) if set != applied => {
            spans.push(Span::raw("   "));
            spans.push(Span::styled(
                format!("the line moves at {}", per_s(applied)),
                app.theme.warn(),
            ));
        }
        (_, Some(applied)) if snapshot.pace.is_none() => {
            spans.push(Span::styled(format!("   {} applied", per_s(applied)), data(app)));
        }
        _ => {}
    }
    labelled(app, "rate", LABEL, spans)
}

/// Between what an adaptive rate moves.
fn bounds(pace: &PaceView) -> String {
    let n = |n: u32| grouped(u64::from(n));
    format!("adaptive {}-{}", n(pace.min_rate_per_s), n(pace.max_rate_per_s))
}

/// Where an adaptive rate leans, and since when it stands where it does if there is room to say it.
pub(super) fn lean(app: &App, snapshot: &Snapshot, width: u16) -> Option<Line<'static>> {
    let pace = snapshot.pace.as_ref()?;
    let style = match pace.lean {
        Lean::Falling => app.theme.warn(),
        Lean::Holding | Lean::Rising => data(app),
    };
    let mut text = pace.because.clone();
    if let Some(since) = pace.since {
        let ago = format!(", moved {} ago", about(seconds_between(since, snapshot.at)));
        if LABEL + text.chars().count() + ago.chars().count() <= usize::from(width) {
            text.push_str(&ago);
        }
    }
    let line = vec![Span::styled(text, style)];
    Some(labelled(app, pace.lean.word(), LABEL, line))
}

fn seconds_between(then: Millis, now: Millis) -> u64 {
    u64::try_from(now.since(then) / 1000).unwrap_or(0)
}

fn sparks(app: &App, width: u16) -> Vec<Line<'static>> {
    let joined = app.history.per_s(app.scale, |second| second.joined);
    let let_in = app.history.per_s(app.scale, |second| second.let_in);
    let sold = app.history.per_s(app.scale, |second| second.sold);
    let room = usize::from(width).saturating_sub(LABEL + 9);
    // In and out share one scale: the line grows exactly where the upper one is higher.
    let top = joined
        .iter()
        .chain(&let_in)
        .rev()
        .take(room.saturating_mul(2))
        .copied()
        .max();
    let line = |label: &'static str, values: &[u64], top: Option<u64>| {
        labelled(
            app,
            label,
            LABEL,
            vec![
                Span::styled(app.theme.spark(values, room, top), app.theme.bar()),
                Span::raw(format!("{:>8}", grouped(values.last().copied().unwrap_or(0)))),
            ],
        )
    };
    vec![
        line("joined/s", &joined, top),
        line("let in/s", &let_in, top),
        line("sold/s", &sold, None),
    ]
}
