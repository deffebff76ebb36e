//! What the process tells its caller. Scripts and CI branch on these numbers: never reuse one.

use std::process::ExitCode;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All well.
    Ok,
    /// Something failed that is neither the caller's input nor a verdict.
    Failure,
    /// The input cannot be used: arguments, scenario, missing prerequisite.
    BadInput,
    /// The generator itself could not keep up: the run proves nothing.
    Saturated,
    /// A law was broken, or could not be proven when it should have been.
    LawBroken,
    /// Latency or outcome thresholds were missed.
    ThresholdsFailed,
    /// Ended by Ctrl-C or SIGTERM.
    Interrupted,
}

impl Exit {
    /// The number.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Failure => 1,
            Self::BadInput => 2,
            Self::Saturated => 97,
            Self::LawBroken => 98,
            Self::ThresholdsFailed => 99,
            Self::Interrupted => 130,
        }
    }

    /// The exit of a finished run. A broken law beats everything (it stays true however slow the
    /// generator was); saturation beats thresholds (they were not measured fairly).
    pub(crate) const fn of_run(laws_hold: bool, saturated: bool, thresholds_met: bool) -> Self {
        match (laws_hold, saturated, thresholds_met) {
            (false, _, _) => Self::LawBroken,
            (true, true, _) => Self::Saturated,
            (true, false, false) => Self::ThresholdsFailed,
            (true, false, true) => Self::Ok,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_law_beats_saturation_beats_thresholds() {
        assert_eq!(Exit::of_run(false, true, false).code(), 98);
        assert_eq!(Exit::of_run(true, true, false).code(), 97);
        assert_eq!(Exit::of_run(true, false, false).code(), 99);
        assert_eq!(Exit::of_run(true, false, true).code(), 0);
    }
}
