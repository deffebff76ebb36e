//! What can be asked of `ticketctl`.

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::{ffi::OsString, path::PathBuf};
use uuid::Uuid;

const EXIT_CODES: &str = "\
Exit codes:
  0    all well
  1    something failed that is none of the below
  2    bad input: arguments, scenario, something missing on this machine
  97   the load generator was saturated: the run proves nothing
  98   a law is broken
  99   thresholds missed
  130  interrupted";

/// Rehearse, watch and steer a ticket opening.
#[derive(Debug, Parser)]
#[command(name = "ticketctl", version, about, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Rehearse an opening on this machine: real engines, real services, simulated visitors, and
    /// an audit of every law at the end.
    #[command(after_help = EXIT_CODES)]
    Drill(DrillArgs),
    /// Check scenario files without running them.
    Validate {
        /// The files.
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Follow a sale of a running control API, a line at a time.
    Watch(WatchArgs),
    /// Print the version.
    Version,
    /// Run a service in this process (how a drill starts its parts).
    #[command(hide = true, disable_help_flag = true)]
    Urr {
        /// The command line of `urr`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
}

/// A drill.
#[derive(Debug, Args)]
pub(crate) struct DrillArgs {
    /// The scenario, e.g. scenarios/club-night.yaml.
    pub(crate) file: PathBuf,
    /// Lines of progress on stderr instead of the screen; the default without a terminal.
    #[arg(long)]
    pub(crate) plain: bool,
    /// Where the run's files go [default: runs/NAME-TIME].
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Keep the logs of a run that failed or was interrupted.
    #[arg(long)]
    pub(crate) keep: bool,
    /// Another seed than the scenario's; the same seed gives the same crowd.
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Record every snapshot to this file too, one JSON document a line.
    #[arg(long, value_name = "FILE")]
    pub(crate) record: Option<PathBuf>,
    /// Look for PostgreSQL and Redis here and nowhere else.
    #[arg(long, value_name = "DIR", env = "URR_ENGINES_DIR")]
    pub(crate) engines_dir: Option<PathBuf>,
    /// Close the screen as soon as the verdict stands, without waiting for a key.
    #[arg(long)]
    pub(crate) exit_when_done: bool,
}

/// A sale to follow.
#[derive(Debug, Args)]
pub(crate) struct WatchArgs {
    /// The sale's id.
    pub(crate) sale: Uuid,
    /// Base URL of the control API.
    #[arg(long, env = "TICKETCTL_CONTROL_URL", value_name = "URL")]
    pub(crate) url: String,
    /// File with the control API's token (never on the command line: others can read that).
    #[arg(long, env = "TICKETCTL_TOKEN_FILE", value_name = "FILE")]
    pub(crate) token_file: PathBuf,
    /// How a snapshot is printed.
    #[arg(long, short = 'o', value_enum, default_value_t = Output::Text)]
    pub(crate) output: Output,
}

/// How `watch` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// A sentence a second, for people and screen readers.
    Text,
    /// Every snapshot as one JSON document a line.
    Json,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_help_names_every_exit_code() {
        let help = Cli::command().render_long_help().to_string();
        for code in ["0 ", "1 ", "2 ", "97", "98", "99", "130"] {
            assert!(help.contains(code), "{code} in\n{help}");
        }
        assert!(
            !help.contains("urr "),
            "the way a drill starts its parts is hidden"
        );
    }

    #[test]
    fn what_follows_urr_is_the_services_own_command_line() {
        let cli = Cli::try_parse_from(["ticketctl", "urr", "all", "--listen", "x", "--help"]).unwrap();
        let Command::Urr { args } = cli.command else {
            panic!()
        };
        assert_eq!(args, ["all", "--listen", "x", "--help"]);
    }
}
