//! Guards that can be switched off, to show that a test of theirs notices.
//!
//! A sweep over crash points proves nothing until it has failed once on an operator that is broken. As in
//! the services (`urr_kit::sabotage`, on which the operator does not depend) the switch exists only in
//! builds with the feature `sabotage`; in every other build [`is_off`] is the constant `false` and the
//! compiler removes the branch. Never ship a build with the feature.

/// A guard that a sabotaged operator may do without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Guard {
    /// A count and the memory of what was there before are one write.
    OneWrite,
    /// The claim to lead is checked before every write, and who loses it ends.
    Claim,
}

impl Guard {
    /// The guard's name as `URR_SABOTAGE` spells it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OneWrite => "one-write",
            Self::Claim => "claim",
        }
    }
}

/// Whether `guard` is switched off in this process (`URR_SABOTAGE`, a comma-separated list, read
/// once).
#[cfg(feature = "sabotage")]
#[must_use]
pub fn is_off(guard: Guard) -> bool {
    static OFF: std::sync::LazyLock<Vec<String>> = std::sync::LazyLock::new(|| {
        let off = std::env::var("URR_SABOTAGE").unwrap_or_default();
        off.split(',').map(|name| name.trim().to_owned()).collect()
    });
    OFF.iter().any(|name| name == guard.name())
}

/// Whether `guard` is switched off: never, in a build without the feature `sabotage`.
#[cfg(not(feature = "sabotage"))]
#[must_use]
pub const fn is_off(_guard: Guard) -> bool {
    false
}
