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
    /// There is no such thing: sale, file, field.
    NotFound,
    /// It is not in a state for that, or somebody was faster.
    Conflict,
    /// Nobody answered, or not in time.
    Unreachable,
    /// Not allowed: a wrong token, no rights.
    Denied,
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
            Self::NotFound => 3,
            Self::Conflict => 4,
            Self::Unreachable => 5,
            Self::Denied => 6,
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
