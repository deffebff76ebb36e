//! Guards that can be switched off, to show that a test or the audit notices.
//!
//! A race test proves nothing until it has failed once with its guard off. The switch exists only
//! in builds with the feature `sabotage`; in every other build [`is_off`] is the constant `false`
//! and the compiler removes the branch. Never ship a build with the feature.

/// A guard that a sabotage run may switch off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Guard {
    /// The atomic cap check of tier-2 admission (law `hard-cap`).
    HardCap,
    /// The comparison of fencing tokens and revisions (law `fenced`).
    Fencing,
    /// Taking positions in blocks (law `fair-order`).
    GroupCommit,
    /// Rebuilding a line of tier 2 after Redis lost it (laws `fair-order`, `hard-cap`).
    Recovery,
}

impl Guard {
    /// The guard's name as `URR_SABOTAGE` spells it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::HardCap => "hard-cap",
            Self::Fencing => "fencing",
            Self::GroupCommit => "group-commit",
            Self::Recovery => "recovery",
        }
    }
}

/// Whether `guard` is switched off in this process (`URR_SABOTAGE`, a comma-separated list, read
/// once).
#[cfg(feature = "sabotage")]
#[must_use]
pub fn is_off(guard: Guard) -> bool {
    static OFF: std::sync::LazyLock<Vec<String>> = std::sync::LazyLock::new(|| {
        std::env::var("URR_SABOTAGE")
            .unwrap_or_default()
            .split(',')
            .map(|name| name.trim().to_owned())
            .collect()
    });
    OFF.iter().any(|name| name == guard.name())
}

/// Whether `guard` is switched off: never, in a build without the feature `sabotage`.
#[cfg(not(feature = "sabotage"))]
#[must_use]
pub const fn is_off(_guard: Guard) -> bool {
    false
}
