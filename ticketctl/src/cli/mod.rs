//! What can be asked of `ticketctl`: the verbs and what all of them understand. What a verb takes
//! stands beside what it does, in `commands`.

mod change;
mod reach;

pub(crate) use change::{ChangeArgs, ChangedSale, DryRun};
pub(crate) use reach::{Globals, duration};

use crate::commands::{
    apply, completion, config, describe, doctor, drill, explain, get, load, man, plan, preflight, report,
    schedule, simulate, steer, top, validate, verify, version, wait, watch,
};
use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use std::ffi::OsString;

/// What the exit codes mean; a contract with scripts.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0    all well
  1    something failed that is none of the below
  2    bad input: arguments, a file, something missing on this machine
  3    there is no such sale, run, file or field
  4    not possible now: the sale is in another state, or somebody was faster
  5    nobody answered, or not in time
  6    not allowed: wrong token, missing rights
  97   the load generator was saturated: the run proves nothing
  98   a law is broken, or the order of a sale is not proven
  99   thresholds missed
  130  interrupted";

const EXAMPLES: &str = "\
Examples:
  ticketctl drill scenarios/club-night.yaml    rehearse an opening on this machine
  ticketctl simulate scenarios/arena.yaml      the same, in numbers only
  ticketctl plan sale.yaml                     timeline, replicas, expected waits
  ticketctl get                                all sales of the running drill or the cluster
  ticketctl rate 1200 --reason 'p99 is fine'   let in 1,200 a second
  ticketctl verify runs/club-night-...         prove the order of a finished sale

Where: a control API given by --control, else the cluster given by --context, --namespace or
--kubeconfig, else the drill that runs on this machine, else the cluster of the kubeconfig.";

/// Rehearse, watch, steer and verify a ticket opening.
#[derive(Debug, Parser)]
#[command(
    name = "ticketctl",
    version,
    about,
    before_long_help = EXAMPLES,
    after_long_help = EXIT_CODES,
    disable_help_subcommand = true,
    infer_subcommands = true,
    subcommand_help_heading = "Verbs",
    subcommand_value_name = "VERB"
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) globals: Globals,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List sales.
    #[command(visible_alias = "ls")]
    Get(get::Args),
    /// Everything about a sale: terms, plan, figures, audit log.
    #[command(visible_alias = "desc")]
    Describe(describe::Args),
    /// Announce sales, or change them, from files.
    Apply(apply::Args),
    /// Check TicketSales and scenarios without running anything.
    #[command(visible_alias = "lint")]
    Validate(validate::Args),
    /// What will happen when: timeline, replicas, rate, expected waits and sell-out.
    Plan(plan::Args),
    /// Run an opening in numbers only and draw it.
    #[command(visible_alias = "sim")]
    Simulate(simulate::Args),
    /// Open a sale now instead of at its instant.
    Open(schedule::OpenArgs),
    /// Follow a sale.
    #[command(visible_alias = "w")]
    Watch(watch::Args),
    /// The busiest figures of every sale.
    Top(top::Args),
    /// Hold the line: nobody is let in any more.
    Pause(ChangedSale),
    /// Let the line go on.
    Resume(ChangedSale),
    /// Let in so many people a second.
    Rate(steer::RateArgs),
    /// Let so many people be inside at once.
    Cap(steer::CapArgs),
    /// Take nobody new; who stands in line is still let in.
    Drain(ChangedSale),
    /// End a sale now.
    Close(schedule::CloseArgs),
    /// Take back the last change by hand.
    Undo(ChangedSale),
    /// Rehearse an opening on this machine: real engines, real services, simulated visitors, and
    /// an audit of every law at the end.
    #[command(visible_alias = "rehearse")]
    Drill(drill::Args),
    /// Send a scenario's visitors to services that run already.
    Load(load::Args),
    /// What came of a finished drill.
    Report(report::Args),
    /// Prove the order of a finished sale, or name the first violation.
    Verify(verify::Args),
    /// Everything that must be true before a sale opens.
    #[command(visible_alias = "pre")]
    Preflight(preflight::Args),
    /// Whether this machine can host a drill.
    Doctor(doctor::Args),
    /// What a field means.
    Explain(explain::Args),
    /// Wait until something is true of a sale.
    Wait(wait::Args),
    /// Settings in force with their origins, and the places there are to speak to.
    Config(config::Args),
    /// Print a shell's completion script.
    Completion(completion::Args),
    /// Print the manual page.
    Man(man::Args),
    /// Print the version.
    Version(version::Args),
    /// Run a service in this process (how a drill starts its parts).
    #[command(hide = true, disable_help_flag = true)]
    Urr {
        /// The command line of `urr`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
}

/// What was asked on the command line; exits where that is help, or nonsense.
pub(crate) fn parse() -> Cli {
    let command = Cli::command().bin_name(called_as(std::env::args_os().next()));
    Cli::from_arg_matches(&command.get_matches()).unwrap_or_else(|error| error.exit())
}

/// The name this program was called by: `kubectl ticketsale` as a plugin.
pub(crate) fn called_as(arg0: Option<OsString>) -> &'static str {
    if is_called(arg0, "kubectl-ticketsale") {
        "kubectl ticketsale"
    } else {
        "ticketctl"
    }
}

/// Whether kubectl asks what may be typed after `kubectl ticketsale`.
pub(crate) fn completes_for_kubectl(arg0: Option<OsString>) -> bool {
    is_called(arg0, "kubectl_complete-ticketsale")
}

fn is_called(arg0: Option<OsString>, name: &str) -> bool {
    let path = arg0.map(std::path::PathBuf::from);
    let stem = path.as_deref().and_then(std::path::Path::file_stem);
    stem.is_some_and(|stem| stem == name)
}

#[cfg(test)]
mod tests;
