//! `ticketctl`: rehearse, watch and steer an opening.
//!
//! `cli` says what can be asked, `commands` answers. `drill` hosts a whole opening on this
//! machine, `tui` and `plain` show it, `control` speaks to the control API. Data goes to stdout,
//! everything else to stderr; the exit codes in `exit` are a contract.
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)
)]

mod ask;
mod chart;
mod checks;
mod cli;
mod commands;
mod control;
mod drill;
mod evidence;
mod exit;
mod failure;
mod forecast;
mod output;
mod picture;
mod place;
mod plain;
mod rate;
mod recording;
mod running;
mod signals;
mod source;
mod stream;
mod summary;
mod text;
mod tui;

use std::process::ExitCode;

/// A fifth of an opening's CPU went into glibc's allocator (perf, arena.yaml, 2 cores).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let mut args = std::env::args_os();
    if cli::completes_for_kubectl(args.next()) {
        let typed: Vec<String> = args.map(|word| word.to_string_lossy().into_owned()).collect();
        return commands::completion::for_kubectl(&typed).into();
    }
    commands::run(cli::parse())
}
