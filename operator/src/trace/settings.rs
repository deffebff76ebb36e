//! Where looks are written down.

use std::path::PathBuf;

/// Settings of the trace.
#[derive(clap::Args, Clone, Debug, Default)]
// Two groups named after their type would collide on one command line.
#[group(skip)]
pub struct Settings {
    /// Writes what every look at a sale saw and decided into this file, for `operator replay`.
    #[arg(long = "trace", env = "OPERATOR_TRACE", value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// How long that file gets, in MiB, before it is put aside as FILE.1; there are never more than the
    /// two.
    #[arg(
        long = "trace-mib",
        env = "OPERATOR_TRACE_MIB",
        default_value_t = 64,
        value_name = "MIB",
        value_parser = clap::value_parser!(u64).range(1..=4096)
    )]
    pub mib: u64,
}
