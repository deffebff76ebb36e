//! One file per verb.

mod drill;
mod validate;
mod watch;

use crate::{
    cli::{Cli, Command},
    exit::Exit,
};
use std::{ffi::OsString, future::Future, io::Write as _, process::ExitCode};

/// Carries out what was asked.
pub(crate) fn run(cli: Cli) -> ExitCode {
    match cli.command {
        Command::Drill(args) => on_runtime(drill::run(args)),
        Command::Validate { files } => validate::run(&files).into(),
        Command::Watch(args) => on_runtime(watch::run(args)),
        Command::Version => {
            say(&format!("ticketctl {}", env!("CARGO_PKG_VERSION")));
            ExitCode::SUCCESS
        }
        Command::Urr { args } => {
            let name = std::iter::once(OsString::from("urr"));
            urr::cli::main(name.chain(args))
        }
    }
}

/// Runs on this very thread (see `drill::fleet`: children live as long as the thread that started
/// them), with workers for everything that is spawned.
fn on_runtime(command: impl Future<Output = Exit>) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(&format!("cannot start the async runtime: {error}"));
            return Exit::Failure.into();
        }
    };
    let exit = runtime.block_on(command);
    // A thread that is stuck in a system call must not hold the exit up.
    runtime.shutdown_timeout(std::time::Duration::from_secs(2));
    exit.into()
}

/// A line of data. A closed pipe is the reader's choice, not our failure.
pub(crate) fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// A message to the person.
pub(crate) fn complain(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
