//! What an opening is expected to be like, and how far that was from what happened.

mod compare;
mod drawing;
mod opening;

pub(crate) use compare::{Comparison, FILE, forecast_vs_outcome, line};
pub(crate) use drawing::{draw, from_opening, span};
pub(crate) use opening::of_scenario;
