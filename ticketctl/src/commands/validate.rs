//! `ticketctl validate`: is this a scenario, is this a sale? By the very rules that will be asked
//! later, without anything running.

use super::{Done, complain, say};
use crate::{
    exit::Exit,
    source::{self, Source},
    text::{duration_s, grouped, instant},
};
use std::path::PathBuf;

/// What to check.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Scenarios and TicketSales; - for stdin.
    #[arg(required = true)]
    pub(crate) files: Vec<PathBuf>,
}

/// Checks every file, all of them even when the first is bad.
pub(crate) fn run(args: &Args) -> Done {
    let mut exit = Exit::Ok;
    for file in &args.files {
        match source::read_all(file) {
            Ok(sources) => {
                for source in sources {
                    say(&format!("{}: ok, {}", file.display(), tell(&source)));
                }
            }
            Err(error) => {
                complain(&error.to_string());
                exit = Exit::BadInput;
            }
        }
    }
    Ok(exit)
}

fn tell(source: &Source) -> String {
    match source {
        Source::Scenario(scenario) => format!(
            "\"{}\": {} visitors for {} seats, opens after {}",
            scenario.title,
            grouped(u64::from(scenario.crowd.visitors) + u64::from(scenario.browsers)),
            grouped(scenario.seats()),
            duration_s(scenario.sale.opens_in_ms.max(0).unsigned_abs() / 1000),
        ),
        Source::Sale(sale, _) => format!(
            "\"{}\": {} people expected for {} seats, opens {}",
            sale.name,
            grouped(sale.expected_visitors),
            grouped(u64::from(sale.seats)),
            instant(sale.schedule.opens_at),
        ),
    }
}
