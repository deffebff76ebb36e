//! Everything a key can be bound to, with the keys it has unless told otherwise.

/// What a key does while watching. Dialogs have fixed keys: Enter, Esc, Tab, the arrows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// One of the views, by number.
    View(u8),
    /// The next pane gets the keys.
    NextPane,
    /// The one before.
    PreviousPane,
    /// The row above.
    Up,
    /// The row below.
    Down,
    /// The first row.
    Top,
    /// The last row.
    Bottom,
    /// More about what is selected.
    Open,
    /// One step out.
    Back,
    /// Rows that contain a text.
    Filter,
    /// Type a command.
    Palette,
    /// All keys.
    Help,
    /// The screen stands still; in a replay, so does time.
    Freeze,
    /// The pane that has the keys fills the screen.
    Expand,
    /// Less time in a column.
    Finer,
    /// More time in a column.
    Coarser,
    /// Other colours.
    Theme,
    /// Steering on and off.
    Arm,
    /// Hold the line, or let it go.
    PauseResume,
    /// Propose a higher rate.
    RateUp,
    /// Propose a lower rate.
    RateDown,
    /// Type a rate.
    Rate,
    /// Type a cap.
    Cap,
    /// Propose to take the last change back.
    Undo,
    /// Replay: one snapshot on.
    StepOn,
    /// Replay: one snapshot back.
    StepBack,
    /// Replay: ten seconds on.
    SeekOn,
    /// Replay: ten seconds back.
    SeekBack,
    /// Replay: twice as fast.
    Faster,
    /// Replay: half as fast.
    Slower,
    /// Replay: the beginning.
    First,
    /// Replay: the end.
    Last,
    /// Leave.
    Quit,
}

/// An action with its name in configurations, its usual keys and what the help says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) action: Action,
    pub(crate) name: &'static str,
    pub(crate) keys: &'static [&'static str],
    pub(crate) says: &'static str,
}

const fn entry(
    action: Action,
    name: &'static str,
    keys: &'static [&'static str],
    says: &'static str,
) -> Entry {
    Entry {
        action,
        name,
        keys,
        says,
    }
}

/// All actions, in the order in which the help shows them.
pub(crate) const ENTRIES: [Entry; 39] = [
    entry(Action::View(1), "view-mission", &["1"], "mission control"),
    entry(Action::View(2), "view-room", &["2"], "waiting room"),
    entry(Action::View(3), "view-seats", &["3"], "seats by section"),
    entry(
        Action::View(4),
        "view-latency",
        &["4"],
        "latency and service levels",
    ),
    entry(Action::View(5), "view-health", &["5"], "services and laws"),
    entry(Action::View(6), "view-events", &["6"], "warnings and events"),
    entry(
        Action::View(7),
        "view-verdict",
        &["7"],
        "the verdict, after the end",
    ),
    entry(Action::NextPane, "next-pane", &["tab"], "next pane"),
    entry(
        Action::PreviousPane,
        "previous-pane",
        &["backtab"],
        "previous pane",
    ),
    entry(Action::Down, "down", &["j", "down"], "next row"),
    entry(Action::Up, "up", &["k", "up"], "previous row"),
    entry(Action::Top, "top", &["g"], "first row"),
    entry(Action::Bottom, "bottom", &["G"], "last row"),
    entry(Action::Open, "open", &["enter"], "more about the selected"),
    entry(Action::Back, "back", &["esc"], "one step out"),
    entry(Action::Filter, "filter", &["/"], "only rows that contain a text"),
    entry(Action::Palette, "command", &[":"], "type a command"),
    entry(
        Action::Freeze,
        "freeze",
        &["space", "f"],
        "freeze; in a replay: play, hold",
    ),
    entry(Action::Expand, "expand", &["e"], "one pane, full screen"),
    entry(Action::Finer, "finer", &["["], "less time per column"),
    entry(Action::Coarser, "coarser", &["]"], "more time per column"),
    entry(Action::Theme, "theme", &["t"], "other colours"),
    entry(Action::Help, "help", &["?", "h"], "these keys"),
    entry(Action::Quit, "quit", &["q"], "leave; a drill asks first"),
    entry(Action::Arm, "arm", &["S"], "steering on, off"),
    entry(Action::PauseResume, "pause", &["p"], "pause the line, resume it"),
    entry(Action::RateUp, "rate-up", &["+", "="], "rate up by 10 %"),
    entry(Action::RateDown, "rate-down", &["-", "_"], "rate down by 10 %"),
    entry(Action::Rate, "rate", &["r"], "type a rate"),
    entry(Action::Cap, "cap", &["c"], "type a cap"),
    entry(Action::Undo, "undo", &["u"], "take the last change back"),
    entry(Action::StepOn, "step-on", &["."], "replay: one snapshot on"),
    entry(Action::StepBack, "step-back", &[","], "replay: one snapshot back"),
    entry(Action::SeekOn, "seek-on", &["right", "l"], "replay: 10 s on"),
    entry(Action::SeekBack, "seek-back", &["left"], "replay: 10 s back"),
    entry(Action::Faster, "faster", &[">"], "replay: twice as fast"),
    entry(Action::Slower, "slower", &["<"], "replay: half as fast"),
    entry(Action::First, "first", &["home"], "replay: the beginning"),
    entry(Action::Last, "last", &["end"], "replay: the end"),
];
