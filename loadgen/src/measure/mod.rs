//! What is measured of a run: latencies per step, what became of people, what each second looked
//! like, and whether the generator kept its own promises.
//!
//! Two latencies are kept: *response* counts from the moment the visitor meant to act (arrival,
//! told poll, end of thinking), *service* from the moment the request was sent. A stalled server
//! shows in the first even when the generator stalls with it; the second says how much of it was
//! the server.

mod counters;
mod live;
mod step;
mod tally;
mod view;

pub use counters::{Counters, Funnel, Outcome, Up};
pub use live::Live;
pub use step::{Lane, Latency, Sample, Step, StepSummary, Verdict};
pub use tally::StepTally;
pub use view::{LiveView, Second, StepView};
