//! What every change understands: who, why, and how sure.

use crate::output::Format;
use clap::{Args, ValueEnum};

/// Flags of verbs that change something.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ChangeArgs {
    /// Why; it goes into the audit log. Asked for on a terminal.
    #[arg(long, short, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    /// Who; it goes into the audit log [default: the user of this terminal].
    #[arg(long, env = "TICKETCTL_ACTOR", value_name = "NAME")]
    pub(crate) actor: Option<String>,
    /// Do not ask whether to go on.
    #[arg(long, short)]
    pub(crate) yes: bool,
    /// The sale's name, instead of typing it when asked: for changes that cannot be undone.
    #[arg(long, value_name = "NAME")]
    pub(crate) confirm: Option<String>,
    /// Only say what would change: `client` from what is known here, `server` after asking the
    /// server to check it.
    #[arg(
        long,
        value_enum,
        default_value_t,
        num_args = 0..=1,
        default_missing_value = "client",
        require_equals = true,
        value_name = "WHERE"
    )]
    pub(crate) dry_run: DryRun,
}

/// Whether, and by whom, a change is only tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum DryRun {
    /// It is made.
    #[default]
    None,
    /// Checked here.
    Client,
    /// Checked by the server.
    Server,
}

/// A sale that is changed, and how what came of it is told.
#[derive(Debug, Args)]
pub(crate) struct ChangedSale {
    /// Its name or id; without one the only sale there is.
    pub(crate) sale: Option<String>,
    #[command(flatten)]
    pub(crate) change: ChangeArgs,
    /// table, json, yaml or jsonpath='{.path}'.
    #[arg(long, short, default_value_t = Format::Table, value_name = "FORMAT")]
    pub(crate) output: Format,
}
