//! The sale that this crate's integration tests start from.
#![allow(dead_code, unreachable_pub)]

use urr_core::{
    sale::{AdmissionSettings, CapacitySettings, Ordering, Sale, Schedule},
    time::Millis,
};
use uuid::Uuid;

/// 2026-12-01T11:00:00Z.
pub const OPENS_AT: Millis = Millis(1_796_122_800_000);

/// 100 seats, 10 a second, open for an hour, pre-queue 5 minutes before.
pub fn sale() -> Sale {
    Sale {
        id: Uuid::from_u128(0x5a1e),
        name: "Club night".into(),
        schedule: Schedule {
            pre_queue_at: OPENS_AT.plus_s(-300),
            opens_at: OPENS_AT,
            closes_at: OPENS_AT.plus_s(3600),
        },
        ordering: Ordering::Fifo,
        seats: 100,
        expected_visitors: 500,
        admission: AdmissionSettings {
            rate_per_s: 10,
            cap: 50,
            burst: 5,
            ..AdmissionSettings::default()
        },
        capacity: CapacitySettings {
            rate_per_replica: 5,
            replicas: 4,
        },
    }
}
