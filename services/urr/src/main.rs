//! The one binary of the services: `urr <service>` or `urr all`.

use std::process::ExitCode;

fn main() -> ExitCode {
    urr::cli::main(std::env::args_os())
}
