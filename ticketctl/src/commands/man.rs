//! `ticketctl man`: the manual page, in roff.

use super::{Done, print};
use crate::{
    cli::{Cli, EXIT_CODES},
    exit::Exit,
    failure::Failure,
};
use clap::CommandFactory as _;
use std::path::PathBuf;

/// Which page.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  ticketctl man | man -l -
  ticketctl man --dir /usr/local/share/man/man1")]
pub(crate) struct Args {
    /// The page of this verb instead of the whole program's.
    pub(crate) verb: Option<String>,
    /// Write all pages into this directory instead.
    #[arg(long, value_name = "DIR", conflicts_with = "verb")]
    pub(crate) dir: Option<PathBuf>,
}

/// Prints a page, or writes them all.
pub(crate) fn run(args: &Args) -> Done {
    let mut program = Cli::command();
    program.build();
    if let Some(dir) = &args.dir {
        let written = std::fs::create_dir_all(dir).and_then(|()| {
            std::fs::write(dir.join("ticketctl.1"), page(&program)?)?;
            for verb in program.get_subcommands().filter(|verb| !verb.is_hide_set()) {
                let file = format!("ticketctl-{}.1", verb.get_name());
                std::fs::write(dir.join(file), page(&named(verb))?)?;
            }
            Ok(())
        });
        return match written {
            Ok(()) => Ok(Exit::Ok),
            Err(error) => Err(Failure::new(
                Exit::Failure,
                format!("cannot write pages to {}", dir.display()),
            )
            .because(&error)),
        };
    }
    let command = match &args.verb {
        None => program,
        Some(verb) => match program.find_subcommand(verb).filter(|verb| !verb.is_hide_set()) {
            Some(verb) => named(verb),
            None => {
                return Err(Failure::new(Exit::NotFound, format!("there is no verb `{verb}`"))
                    .remedy("`ticketctl --help` lists them"));
            }
        },
    };
    let page = page(&command)
        .map_err(|error| Failure::new(Exit::Failure, "the page could not be written").because(&error))?;
    print(&page);
    Ok(Exit::Ok)
}

fn named(verb: &clap::Command) -> clap::Command {
    let name = format!("ticketctl-{}", verb.get_name());
    // Pages of verbs stand alone, so each says what its exit codes mean.
    verb.clone()
        .name(name.clone())
        .display_name(name)
        .after_long_help(EXIT_CODES)
}

fn page(command: &clap::Command) -> std::io::Result<String> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut page)?;
    Ok(String::from_utf8_lossy(&page).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_as_it_was_reviewed() {
        let mut program = Cli::command();
        program.build();
        insta::assert_snapshot!(page(&program).unwrap());
    }

    #[test]
    fn every_verb_has_a_page() {
        let dir = tempfile::tempdir().unwrap();
        let args = Args {
            verb: None,
            dir: Some(dir.path().to_owned()),
        };
        assert_eq!(run(&args), Ok(Exit::Ok));
        assert!(dir.path().join("ticketctl-verify.1").exists());
        assert!(!dir.path().join("ticketctl-urr.1").exists());
    }
}
