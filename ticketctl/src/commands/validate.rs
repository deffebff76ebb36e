//! `ticketctl validate`: is this scenario one?

use super::{complain, say};
use crate::{
    exit::Exit,
    text::{duration_s, grouped},
};
use std::{error::Error, path::PathBuf};
use urr_loadgen::Scenario;

/// Checks every file, all of them even when the first is bad.
pub(crate) fn run(files: &[PathBuf]) -> Exit {
    let mut exit = Exit::Ok;
    for file in files {
        match Scenario::load(file) {
            Ok(scenario) => say(&format!(
                "{}: ok, \"{}\": {} visitors for {} seats, opens after {}",
                file.display(),
                scenario.title,
                grouped(u64::from(scenario.crowd.visitors) + u64::from(scenario.browsers)),
                grouped(scenario.seats()),
                duration_s(scenario.sale.opens_in_ms.max(0).unsigned_abs() / 1000),
            )),
            Err(error) => {
                complain(&with_causes(&error));
                exit = Exit::BadInput;
            }
        }
    }
    exit
}

/// An error and what caused it, on one line each way the error itself wants it.
pub(crate) fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}
