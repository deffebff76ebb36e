//! The places of the terminal: views that fill the screen, and panes of mission control.

/// What fills the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum View {
    /// Everything at a glance.
    Mission,
    /// The waiting room.
    Room,
    /// Seats by section.
    Seats,
    /// Latency, heatmap, service levels.
    Latency,
    /// Services and laws.
    Health,
    /// Warnings and events.
    Events,
    /// How a drill ended.
    Verdict,
}

impl View {
    /// All, by number from 1.
    pub(crate) const ALL: [Self; 7] = [
        Self::Mission,
        Self::Room,
        Self::Seats,
        Self::Latency,
        Self::Health,
        Self::Events,
        Self::Verdict,
    ];

    /// The word after `:view`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Mission => "mission",
            Self::Room => "room",
            Self::Seats => "seats",
            Self::Latency => "latency",
            Self::Health => "health",
            Self::Events => "events",
            Self::Verdict => "verdict",
        }
    }

    /// What a person calls it.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Mission => "mission control",
            Self::Room => "waiting room",
            Self::Seats => "seats by section",
            Self::Latency => "latency and service levels",
            Self::Health => "services and laws",
            Self::Events => "warnings and events",
            Self::Verdict => "verdict",
        }
    }

    /// By name or number.
    pub(crate) fn named(text: &str) -> Option<Self> {
        let by_name = Self::ALL.into_iter().find(|view| view.name() == text);
        by_name.or_else(|| Self::numbered(text.parse().ok()?))
    }

    /// By number from 1.
    pub(crate) fn numbered(n: u8) -> Option<Self> {
        Self::ALL.get(usize::from(n).checked_sub(1)?).copied()
    }
}

/// A pane of mission control.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pane {
    /// From arrived to sold.
    Funnel,
    /// The waiting room.
    Room,
    /// Service levels.
    Slo,
    /// The heatmap.
    Heat,
    /// Seats.
    Seats,
    /// Services and laws.
    Health,
    /// Warnings and events.
    Events,
}

impl Pane {
    /// All, in the order in which Tab goes through them.
    pub(crate) const ALL: [Self; 7] = [
        Self::Funnel,
        Self::Room,
        Self::Slo,
        Self::Heat,
        Self::Seats,
        Self::Health,
        Self::Events,
    ];

    /// The view that says more about it.
    pub(crate) const fn view(self) -> View {
        match self {
            Self::Funnel | Self::Room => View::Room,
            Self::Slo | Self::Heat => View::Latency,
            Self::Seats => View::Seats,
            Self::Health => View::Health,
            Self::Events => View::Events,
        }
    }

    /// The pane `by` further on.
    pub(crate) fn step(self, on: bool) -> Self {
        let at = Self::ALL.iter().position(|pane| *pane == self).unwrap_or(0);
        let n = Self::ALL.len();
        Self::ALL[(at + if on { 1 } else { n - 1 }) % n]
    }
}
