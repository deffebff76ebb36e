//! One file per verb: its arguments and what it does. `Ok` is how it ended, an [`Failure`] is
//! printed on stderr with its remedy.

pub(crate) mod apply;
pub(crate) mod completion;
pub(crate) mod config;
pub(crate) mod describe;
pub(crate) mod doctor;
pub(crate) mod drill;
pub(crate) mod explain;
pub(crate) mod get;
pub(crate) mod load;
pub(crate) mod man;
pub(crate) mod plan;
pub(crate) mod preflight;
pub(crate) mod report;
pub(crate) mod schedule;
pub(crate) mod simulate;
pub(crate) mod steer;
pub(crate) mod top;
pub(crate) mod undo;
pub(crate) mod validate;
pub(crate) mod verify;
pub(crate) mod version;
pub(crate) mod wait;
pub(crate) mod watch;

use crate::{
    cli::{Cli, Command, called_as},
    exit::Exit,
    failure::Failure,
    output::Format,
};
use serde_json::Value;
use std::{ffi::OsString, future::Future, io::Write as _, process::ExitCode, time::Duration};

/// Carries out what was asked.
pub(crate) fn run(cli: Cli) -> ExitCode {
    let mut globals = cli.globals;
    globals.as_plugin = called_as(std::env::args_os().next()) != "ticketctl";
    match cli.command {
        Command::Urr { args } => {
            let name = std::iter::once(OsString::from("urr"));
            urr::cli::main(name.chain(args))
        }
        Command::Drill(args) => on_runtime_until(drill::run(args), DRILL_GRACE),
        Command::Watch(args) => on_runtime_until(watch::run(args, globals), GRACE),
        Command::Validate(args) => at_once(validate::run(&args)),
        Command::Plan(args) => at_once(plan::run(&args)),
        Command::Simulate(args) => at_once(simulate::run(&args)),
        Command::Report(args) => at_once(report::run(&args)),
        Command::Explain(args) => at_once(explain::run(&args)),
        Command::Completion(args) => at_once(completion::run(&args)),
        Command::Config(args) => at_once(config::run(&args, &globals)),
        Command::Man(args) => at_once(man::run(&args)),
        Command::Doctor(args) => at_once(doctor::run(&args, &globals)),
        Command::Get(args) => on_runtime(Box::pin(get::run(args, globals)) as Work),
        Command::Describe(args) => on_runtime(Box::pin(describe::run(args, globals))),
        Command::Apply(args) => on_runtime(Box::pin(apply::run(args, globals))),
        Command::Open(args) => on_runtime(Box::pin(schedule::open(args, globals))),
        Command::Close(args) => on_runtime(Box::pin(schedule::close(args, globals))),
        Command::Top(args) => on_runtime(Box::pin(top::run(args, globals))),
        Command::Pause(args) => on_runtime(Box::pin(steer::pause(args, globals))),
        Command::Resume(args) => on_runtime(Box::pin(steer::resume(args, globals))),
        Command::Drain(args) => on_runtime(Box::pin(steer::drain(args, globals))),
        Command::Rate(args) => on_runtime(Box::pin(steer::rate(args, globals))),
        Command::Cap(args) => on_runtime(Box::pin(steer::cap(args, globals))),
        Command::Undo(args) => on_runtime(Box::pin(undo::run(args, globals))),
        Command::Load(args) => on_runtime(Box::pin(load::run(args, globals))),
        Command::Verify(args) => on_runtime(Box::pin(verify::run(args, globals))),
        Command::Preflight(args) => on_runtime(Box::pin(preflight::run(args, globals))),
        Command::Wait(args) => on_runtime(Box::pin(wait::run(args, globals))),
        Command::Version(args) => on_runtime(Box::pin(version::run(args, globals))),
    }
}

/// A thread that is stuck in a system call must not hold the exit up.
const GRACE: Duration = Duration::from_secs(2);
/// A drill interrupted while it makes a database waits for that thread: it has a directory to remove,
/// and on a busy machine it is not quick.
const DRILL_GRACE: Duration = Duration::from_secs(30);

/// A verb that speaks to somebody. Boxed: the largest of them is thirty times the smallest.
type Work = std::pin::Pin<Box<dyn Future<Output = Done>>>;

/// How a verb ended.
pub(crate) type Done = Result<Exit, Failure>;

fn at_once(done: Done) -> ExitCode {
    match done {
        Ok(exit) => exit.into(),
        Err(failure) => {
            complain(&format!("error: {failure}"));
            failure.exit.into()
        }
    }
}

fn on_runtime(command: Work) -> ExitCode {
    let told = async move {
        match command.await {
            Ok(exit) => exit,
            Err(failure) => {
                complain(&format!("error: {failure}"));
                failure.exit
            }
        }
    };
    on_runtime_until(told, GRACE)
}

/// Runs on this very thread (see `drill::fleet`: children live as long as the thread that started
/// them), with workers for everything that is spawned.
fn on_runtime_until(command: impl Future<Output = Exit>, grace: Duration) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(&format!("cannot start the async runtime: {error}"));
            return Exit::Failure.into();
        }
    };
    let exit = runtime.block_on(command);
    runtime.shutdown_timeout(grace);
    exit.into()
}

/// A line of data. A closed pipe is the reader's choice, not our failure.
pub(crate) fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Text of data that ends its own lines.
pub(crate) fn print(text: &str) {
    let _ = write!(std::io::stdout(), "{text}");
}

/// A message to the person.
pub(crate) fn complain(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Prints `document` as asked, or what `people` read.
pub(crate) fn show(
    format: &Format,
    document: &Value,
    people: impl FnOnce() -> String,
) -> Result<(), Failure> {
    match format.document(document)? {
        Some(text) => say(&text),
        None => print(&people()),
    }
    Ok(())
}

/// Something serializable as a document.
pub(crate) fn document(value: &impl serde::Serialize) -> Result<Value, Failure> {
    serde_json::to_value(value)
        .map_err(|error| Failure::new(Exit::Failure, "the answer could not be printed").because(&error))
}
