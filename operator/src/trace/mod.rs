//! What every look saw and decided, written down, so that another version can be asked what it would have
//! decided: `operator run --trace FILE` writes, `operator replay FILE` asks.
//!
//! Every look at a sale that can be read is written down, by its kind; not looks that failed: they are made
//! again. The file is bounded, and written by the leader only.

mod again;
mod answer;
mod decided;
mod look;
mod recorder;
mod replay;
mod saw;
mod settings;

pub use answer::Answer;
pub use decided::{Decided, DecidedTarget};
pub use look::{Look, Unreadable};
pub use recorder::Recorder;
pub use replay::{Args, Difference, Replayed, replay};
pub use saw::{Ended, Heard, Kept, Kind, Refused, Saw};
pub use settings::Settings;
