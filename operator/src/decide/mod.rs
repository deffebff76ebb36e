//! What one look decides, from what it saw: pure, like core, of which it is the part that speaks of
//! workloads. Time and observations come in; words, wishes and figures go out.

mod advice;
mod boundaries;
pub(crate) mod end;
mod lead;
mod line;
pub(crate) mod look;
mod observed;
mod places;
pub(crate) mod refusal;
mod rehearsal;
mod wishes;
mod word;

pub use advice::{adopted, advice, as_adopted, measured_at_ms};
pub use boundaries::{boundaries, next_due, reached};
pub use lead::{slack_s, terms};
pub use line::{is_line_due, line, measured};
pub use observed::{remembered, target_status};
pub use places::{peak, places, reserve_at};
pub use rehearsal::{REHEARSAL, held_for_rehearsal, lacks_rehearsal, rehearsed_by};
pub use wishes::wishes;
pub use word::{GATE, HOLD, ready_units, word};

use std::collections::HashMap;
use urr_api::TicketSaleStatus;
use urr_api::status::TargetStatus;

/// Seconds to ready seen in other sales, by target.
pub type Experience = HashMap<String, Vec<u32>>;

fn shown_target<'a>(shown: Option<&'a TicketSaleStatus>, name: &str) -> Option<&'a TargetStatus> {
    shown?.targets.iter().find(|target| target.name == name)
}

fn learned(shown: Option<&TicketSaleStatus>, target: &str) -> Vec<u32> {
    shown_target(shown, target)
        .map(|target| target.learned_seconds.iter().copied())
        .into_iter()
        .flatten()
        .filter_map(|seconds| u32::try_from(seconds).ok())
        .collect()
}

fn samples(shown: Option<&TicketSaleStatus>, elsewhere: &Experience, target: &str) -> Vec<u32> {
    let mut all = learned(shown, target);
    all.extend(elsewhere.get(target).into_iter().flatten());
    all
}

fn signed(value: u32) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}
