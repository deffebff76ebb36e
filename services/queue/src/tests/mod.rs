//! Tests of tier 2. The suite runs twice: on one server, and on a cluster of three nodes, where a
//! script or a command that needs keys of two nodes fails (R-QUE-14).

#[path = "suite/mod.rs"]
mod on_one_server;

#[path = "suite/mod.rs"]
#[expect(clippy::duplicate_mod, reason = "the same tests on another engine")]
mod on_a_cluster;

mod bounded;
mod clocks;
mod judged;
mod outage;
mod polls;
mod recovery;
mod slots;
mod terms;
mod told;

use on_one_server::OPENS_AT;

use crate::store::{Gate, Life, Standing, View};
use urr_core::time::Millis;

/// The numbers of a line in which nothing happens.
pub(crate) fn idle_view() -> View {
    View {
        standing: Standing::None,
        waiting: 0,
        active: 0,
        cap: 1000,
        rate_per_s: 10,
        burst: 10,
        gate: Gate::Open,
        paused: false,
        opens_at: Millis(0),
        token_ttl_s: 600,
        moved: 0,
        more: false,
        admitted_total: 0,
        window_ms: 0,
        window_admitted: 0,
        configured: true,
        life: Life {
            born: 1,
            clears: 0,
            epoch: 1,
        },
        watermark: 0,
        seq: 0,
        opened_at: Millis(0),
        recovering: false,
        behind_ms: 0,
        position: 0,
        line_now: Millis(0),
    }
}
