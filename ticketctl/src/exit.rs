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
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
