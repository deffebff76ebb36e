//! `ticketctl completion`: a shell's completion script.

use super::{Done, print};
use crate::{cli::Cli, exit::Exit};
use clap::CommandFactory as _;

/// For which shell.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  source <(ticketctl completion bash)
  ticketctl completion zsh > ~/.zfunc/_ticketctl
  ticketctl completion fish > ~/.config/fish/completions/ticketctl.fish")]
pub(crate) struct Args {
    /// Which shell.
    pub(crate) shell: clap_complete::Shell,
}

/// Prints it.
pub(crate) fn run(args: &Args) -> Done {
    print(&script(args.shell));
    Ok(Exit::Ok)
}

fn script(shell: clap_complete::Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "ticketctl", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_are_as_they_were_reviewed() {
        // One of each kind; the others are made from the same command.
        insta::assert_snapshot!("bash", script(clap_complete::Shell::Bash));
        insta::assert_snapshot!("fish", script(clap_complete::Shell::Fish));
    }

    #[test]
    fn every_shell_has_one_and_no_hidden_verb_is_offered_as_an_own_word() {
        use clap::ValueEnum as _;
        for shell in clap_complete::Shell::value_variants() {
            assert!(script(*shell).contains("preflight"), "{shell}");
        }
    }
}
