//! The sale and the room that tests start from, here and in other crates (feature `testing`).

use crate::{
    room::Room,
    sale::{AdmissionSettings, CapacitySettings, Ordering, Sale, Schedule},
    time::Millis,
};
use uuid::Uuid;

/// 2026-12-01T11:00:00Z, the opening of the tests' sale.
pub const OPENS_AT: Millis = Millis(1_796_122_800_000);

/// A sound sale: 100 seats, 10 a second, a cap of 50, open for an hour, pre-queue 5 minutes before.
#[must_use]
pub fn sale() -> Sale {
    sale_that_opens(OPENS_AT)
}

/// The same at another time.
#[must_use]
pub fn sale_that_opens(opens_at: Millis) -> Sale {
    Sale {
        id: Uuid::from_u128(0x5a1e),
        name: "Club night".into(),
        schedule: Schedule {
            pre_queue_at: opens_at.plus_s(-300),
            opens_at,
            closes_at: opens_at.plus_s(3600),
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

/// The first line of the sale that opens then, without a burst: whom it lets in is a matter of seconds.
#[must_use]
pub fn room_that_opens(opens_at: Millis) -> Room {
    let mut room = Room::new(&sale_that_opens(opens_at), 1);
    room.clock.burst = 0;
    room
}
