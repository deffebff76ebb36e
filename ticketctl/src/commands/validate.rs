//! `ticketctl validate`: is this a scenario, is this a sale? By the very rules that will be asked
//! later, without anything running.

use super::{Done, complain, say};
use crate::{
    exit::Exit,
    source::{self, Source},
    text::{duration_s, grouped, instant},
};
use std::path::PathBuf;
use urr_loadgen::Scenario;

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
        Source::Scenario(scenario) => {
            let each = scenario.each();
            let visitors = |sale: &Scenario| u64::from(sale.crowd.visitors) + u64::from(sale.browsers);
            let sales = match each.len() {
                1 => String::new(),
                n => format!("{n} sales, "),
            };
            format!(
                "\"{}\": {sales}{} visitors for {} seats, opens after {}",
                scenario.title,
                grouped(each.iter().map(visitors).sum()),
                grouped(each.iter().map(Scenario::seats).sum()),
                duration_s(scenario.sale.opens_in_ms.max(0).unsigned_abs() / 1000),
            )
        }
        Source::Sale(sale, _) => format!(
            "\"{}\": {} people expected for {} seats, opens {}",
            sale.name,
            grouped(sale.expected_visitors),
            grouped(u64::from(sale.seats)),
            instant(sale.schedule.opens_at),
        ),
    }
}
