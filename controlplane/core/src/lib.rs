//! The pure domain of URR: what a sale is, when it opens, how its line moves, who is let in, and
//! what must hold afterwards.
//!
//! Every decision here is a function of its arguments. There is no clock, no randomness, no I/O
//! and no async in this crate: `now` and observations come in, decisions go out, and the rooms
//! around it execute them. That is what makes a drill, a cluster and a property test run the same
//! code. If something in here starts to need a socket, it belongs to another room.
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)
)]

pub mod adaptive;
pub mod admission;
pub mod advice;
pub mod audit;
pub mod capacity;
pub mod change;
pub mod commit;
pub mod crowd;
pub mod draw;
pub mod effect;
pub mod forecast;
pub mod gate;
pub mod hex;
pub mod last_seats;
pub mod law;
pub mod lead;
pub mod live;
pub mod load_consent;
pub mod pacing;
pub mod plan;
pub mod presale;
pub mod pulse;
pub mod rate_steps;
pub mod room;
pub mod sale;
pub mod scaling;
pub mod seating;
pub mod simulate;
pub mod slo;
pub mod snapshot;
pub mod terms;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod time;
pub mod token;
pub mod turnout;
pub mod verify;
pub mod visitor;
