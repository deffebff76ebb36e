//! The one binary of the services: `urr <service>` or `urr all`.

use std::process::ExitCode;

/// A fifth of an opening's CPU went into glibc's allocator (perf, arena.yaml, 2 cores).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    urr::cli::main(std::env::args_os())
}
