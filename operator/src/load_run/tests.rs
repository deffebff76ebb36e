//! A run, its sale and its scenario, for tests of the parts.

use super::decide::START_NOTICE_MS;
use super::orders::Orders;
use super::seen::{JobSeen, Seen};
use crate::mapping;
use serde_json::json;
use urr_api::{LoadRun, TicketSale};
use urr_core::time::Millis;
use urr_loadgen::Scenario;
use urr_loadgen::segments::handover;

/// A hundred seats and a hundred visitors, over in 40 s; opens 5 s after its start.
pub(crate) const SCENARIO: &str = include_str!("../../tests/rehearsal.yaml");
/// When the sale opens: 2026-12-01T11:00:00Z.
pub(crate) const OPENS_AT: Millis = Millis(1_796_122_800_000);

/// Two runners that have ten minutes to be ready.
pub(crate) fn run() -> LoadRun {
    serde_json::from_value(json!({
        "apiVersion": "urr.guru/v1alpha1",
        "kind": "LoadRun",
        "metadata": {"name": "rehearsal", "namespace": "n", "uid": "u-1", "generation": 1,
            "creationTimestamp": "2026-12-01T10:00:00Z"},
        "spec": {
            "saleRef": {"name": "club-night"},
            "scenario": {"configMap": "scenarios", "key": "good.yaml"},
            "runners": 2
        }
    }))
    .unwrap()
}

pub(crate) fn sale() -> TicketSale {
    let mut spec = mapping::tests::spec();
    spec.seats = 100;
    TicketSale::new("club-night", spec)
}

/// Sale and scenario are there, nothing else.
pub(crate) fn seen() -> Seen {
    Seen {
        sale: Some(sale()),
        scenario_text: Some(SCENARIO.to_owned()),
        ..Seen::default()
    }
}

pub(crate) fn scenario() -> Scenario {
    Scenario::parse("good.yaml", SCENARIO).unwrap()
}

pub(crate) fn orders(runners: u32) -> Orders {
    let seed = scenario().seed;
    let due = OPENS_AT.plus_ms(-5000);
    Orders {
        run_uid: "u-1".into(),
        job: super::names::job(&run()),
        runners,
        seed,
        fingerprint: handover::fingerprint(SCENARIO, seed),
        sale: mapping::sale("club-night", &sale().spec).unwrap(),
        target_url: "http://gateway:3001".into(),
        due,
        ready_by: due,
        start_by: due.plus_ms(START_NOTICE_MS),
        hand_in_bytes_max: handover::budget(runners),
    }
}

pub(crate) fn job(ready: u32) -> JobSeen {
    JobSeen {
        uid: "j-1".into(),
        is_ours: true,
        ready,
        succeeded: 0,
        failed: 0,
        lost_indexes: Vec::new(),
        ended: None,
        is_let_go: false,
        ended_because: None,
    }
}

/// Orders and Job are there too.
pub(crate) fn waiting(ready: u32) -> Seen {
    Seen {
        orders: Some(orders(2)),
        job: Some(job(ready)),
        ..seen()
    }
}
