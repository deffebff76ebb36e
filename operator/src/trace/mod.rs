//! What every look saw and decided, written down, so that another version can be asked what it would have
//! decided: `operator run --trace FILE` writes, `operator replay FILE` asks.
//!
//! Looks that keep a sale as its spec says are written down; the few that refuse, abort or close one follow
//! from the spec alone. The file is bounded, and written by the leader only.

mod again;
pub mod look;
mod recorder;
mod replay;
mod settings;

pub use look::{Answer, Decided, Look, Saw};
pub use recorder::Recorder;
pub use replay::{Args, Difference, Replayed, replay};
pub use settings::Settings;
