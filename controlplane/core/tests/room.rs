//! monotone-serving and the burst bound, against a model of the store that holds the record.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use proptest::prelude::*;
use urr_core::testing::{OPENS_AT, sale};
use urr_core::{
    draw::Seed,
    pacing::{Crowd, next_poll_ms},
    room::{COPY_AGE_MS, Mode, Refusal, Room},
    sale::Ordering,
    time::Millis,
};

/// The store as `kit::state::rooms` writes it: conditions on what is stored, not on what was read.
struct Store {
    room: Room,
    /// Every record there has been since the instant it was written, oldest first.
    versions: Vec<(Millis, Room)>,
}

impl Store {
    fn new(room: Room, now: Millis) -> Self {
        Self {
            versions: vec![(now, room.clone())],
            room,
        }
    }

    /// What a replica may still have cached at `now` if its copy is `age_ms` old.
    fn copy(&self, now: Millis, age_ms: i64) -> Room {
        let read_at = now.plus_ms(-age_ms);
        let newest = self
            .versions
            .iter()
            .rev()
            .find(|(written_at, _)| *written_at <= read_at);
        newest.unwrap_or(&self.versions[0]).1.clone()
    }

    fn write(&mut self, room: Room, now: Millis) {
        self.room = room.clone();
        self.versions.push((now, room));
    }

    /// `append`: refused unless mode and epoch are those seen, and when it re-anchors, unless
    /// revision, issued and since are too.
    fn join(&mut self, seen: &Room, n: u64, now: Millis) -> bool {
        if seen.admits_joins(now).is_err() || (seen.mode, seen.epoch) != (self.room.mode, self.room.epoch) {
            return false;
        }
        let mut next = self.room.clone();
        if let Some(clock) = seen.reanchor_for_join(now) {
            let current = |room: &Room| (room.revision, room.issued, room.clock.since);
            if current(seen) != current(&self.room) {
                return false;
            }
            next.clock = clock;
            next.revision += 1;
        }
        next.issued += n;
        self.write(next, now);
        true
    }

    /// `close_draw`: refused unless the revision is the one seen; copies the store's own count.
    fn close_draw(&mut self, seen: &Room, now: Millis) {
        if seen.revision != self.room.revision {
            return;
        }
        let mut next = seen.draw_closed(Seed::from_bytes([1; 32]), now);
        next.issued = self.room.issued;
        next.draw.drawn = Some(self.room.issued);
        self.write(next, now);
    }

    /// `replace`: refused unless the revision is the one seen; leaves `issued` alone.
    fn replace(&mut self, seen: &Room, next: &Room, now: Millis) -> bool {
        if seen.revision != self.room.revision {
            return false;
        }
        self.write(
            Room {
                issued: self.room.issued,
                ..next.clone()
            },
            now,
        );
        true
    }
}

#[derive(Debug, Clone)]
enum Act {
    Join { n: u64, copy_age_ms: i64 },
    Rate { rate_per_s: u32, copy_age_ms: i64 },
    Pause { copy_age_ms: i64 },
    Resume { copy_age_ms: i64 },
    Drain,
    CloseDraw { copy_age_ms: i64 },
    Wait,
}

/// Copies as old as a replica keeps them, and ones far older that only the conditions stop.
fn copy_age() -> impl Strategy<Value = i64> {
    prop_oneof![4 => Just(0_i64), 4 => 0..COPY_AGE_MS, 1 => 0..60_000_i64]
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        8 => (1..500_u64, copy_age()).prop_map(|(n, copy_age_ms)| Act::Join { n, copy_age_ms }),
        4 => (0..400_u32, copy_age()).prop_map(|(rate_per_s, copy_age_ms)| Act::Rate { rate_per_s, copy_age_ms }),
        2 => copy_age().prop_map(|copy_age_ms| Act::Pause { copy_age_ms }),
        3 => copy_age().prop_map(|copy_age_ms| Act::Resume { copy_age_ms }),
        1 => Just(Act::Drain),
        4 => copy_age().prop_map(|copy_age_ms| Act::CloseDraw { copy_age_ms }),
        4 => Just(Act::Wait),
    ]
}

fn perform(store: &mut Store, act: &Act, now: Millis) {
    match *act {
        Act::Join { n, copy_age_ms } => {
            let seen = store.copy(now, copy_age_ms);
            store.join(&seen, n, now);
        }
        Act::Rate {
            rate_per_s,
            copy_age_ms,
        } => {
            let seen = store.copy(now, copy_age_ms);
            store.replace(&seen, &seen.with_rate(rate_per_s, now), now);
        }
        Act::Pause { copy_age_ms } => {
            let seen = store.copy(now, copy_age_ms);
            store.replace(&seen, &seen.paused(now), now);
        }
        Act::Resume { copy_age_ms } => {
            let seen = store.copy(now, copy_age_ms);
            store.replace(&seen, &seen.resumed(now), now);
        }
        Act::Drain => {
            let seen = store.room.clone();
            store.replace(&seen, &seen.draining(now), now);
        }
        Act::CloseDraw { copy_age_ms } => {
            let seen = store.copy(now, copy_age_ms);
            if seen.draw_is_due(now) {
                store.close_draw(&seen, now);
            }
        }
        Act::Wait => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// monotone-serving, R-VWR-04: the counter of the stored record never goes back and
    /// never passes the last place, whatever is done to it by whomever with whatever copy.
    #[test]
    fn serving_never_goes_back_and_never_passes_issued(
        acts in prop::collection::vec((act(), 0..3_000_i64), 1..60),
        start_ms in -20_000..5_000_i64,
        has_draw: bool,
    ) {
        let mut now = OPENS_AT.plus_ms(start_ms);
        let mut sale = sale();
        if has_draw {
            sale.ordering = Ordering::Shuffle;
        }
        let mut store = Store::new(Room::new(&sale, 1), now);
        let mut served = 0;
        for (act, pause_ms) in acts {
            now = now.plus_ms(pause_ms);
            let before = store.room.serving(now);
            prop_assert!(before >= served, "time alone moved the line back");
            perform(&mut store, &act, now);
            served = store.room.serving(now);
            prop_assert!(served >= before, "{:?} moved the line from {} to {}", act, before, served);
            prop_assert!(served <= store.room.issued);
            if now < OPENS_AT || store.room.is_undrawn() {
                prop_assert_eq!(served, 0, "somebody was served before the opening or the draw");
            }
        }
    }

    /// What any replica with a copy up to `COPY_AGE_MS` old says is never more than what all say
    /// `COPY_AGE_MS` later: who was told that he is served stays served.
    #[test]
    fn no_copy_in_use_is_ahead_of_what_is_said_a_copy_age_later(
        acts in prop::collection::vec((act(), 0..1_500_i64), 1..60),
    ) {
        let mut now = OPENS_AT.plus_ms(-2_000);
        let mut store = Store::new(Room::new(&sale(), 1), now);
        let mut said: Vec<(Millis, u64)> = Vec::new();
        for (act, pause_ms) in acts {
            now = now.plus_ms(pause_ms);
            perform(&mut store, &act, now);
            let ages = [0, COPY_AGE_MS / 2, COPY_AGE_MS];
            let answers = ages.map(|age| store.copy(now, age).serving(now));
            let settled = said.iter().filter(|(at, _)| now.since(*at) > COPY_AGE_MS).map(|(_, served)| *served).max();
            for answer in answers {
                prop_assert!(answer >= settled.unwrap_or(0), "{} after {:?}", answer, settled);
            }
            said.extend(answers.map(|answer| (now, answer)));
        }
    }

    /// After however long an idle line, no window sees more people served than the burst and the
    /// rate allow.
    #[test]
    fn no_more_than_the_burst_is_saved_up(
        joins in prop::collection::vec((1..200_u64, 0..120_000_i64), 1..40),
        rate_per_s in 1..200_u32,
        burst in 0..100_u32,
        window_ms in 1..10_000_i64,
    ) {
        let mut sale = sale();
        sale.admission.rate_per_s = rate_per_s;
        sale.admission.burst = burst;
        let mut now = OPENS_AT;
        let mut store = Store::new(Room::new(&sale, 1), now);
        for (n, idle_ms) in joins {
            now = now.plus_ms(idle_ms);
            let before = store.room.serving(now);
            prop_assert!(store.join(&store.room.clone(), n, now), "a fresh copy's join was refused");
            let allowed = u64::from(burst) + (u64::from(rate_per_s) * window_ms.unsigned_abs()).div_ceil(1000);
            let later = store.room.serving(now.plus_ms(window_ms));
            prop_assert!(later - before <= allowed, "{} in {} ms, {} allowed", later - before, window_ms, allowed);
        }
    }

    /// A controller that adjusts the rate every second or so neither stops nor speeds the line.
    #[test]
    fn adjusting_a_slow_rate_often_keeps_the_line_moving(every_ms in COPY_AGE_MS..3_000) {
        let mut room = Room::new(&sale(), 1);
        room.issued = 10_000;
        let mut now = OPENS_AT;
        for step in 0..200 {
            now = now.plus_ms(every_ms);
            room = room.with_rate(2 + step % 2, now);
        }
        // 10 a second until the first adjustment takes effect. From then on 2 from each slow-down's
        // effect to the next speed-up, 100 times, and 3 in between.
        let at_2_ms = 100 * (every_ms - COPY_AGE_MS);
        let at_3_ms = 99 * (every_ms + COPY_AGE_MS);
        let expected = (10 * (every_ms + COPY_AGE_MS) + 2 * at_2_ms + 3 * at_3_ms) / 1000;
        let served = i64::try_from(room.serving(now)).unwrap();
        prop_assert!((served - expected).abs() <= 5, "{} instead of {}", served, expected);
    }
}

#[test]
fn the_line_opens_by_the_clock_alone() {
    let mut room = Room::new(&sale(), 7);
    room.issued = 100;
    assert_eq!(room.serving(OPENS_AT.plus_ms(-1)), 0);
    assert_eq!(room.serving(OPENS_AT), 0);
    assert_eq!(room.serving(OPENS_AT.plus_ms(100)), 1);
    assert_eq!(room.serving(OPENS_AT.plus_s(5)), 50);
    assert_eq!(room.waiting(OPENS_AT.plus_s(5)), 50);
    assert_eq!(room.serving(OPENS_AT.plus_s(60)), 100);
}

#[test]
fn a_pause_holds_the_line_until_it_is_resumed() {
    let mut room = Room::new(&sale(), 1);
    room.issued = 1_000;
    let paused = room.paused(OPENS_AT.plus_s(10));
    // Copies of the moving clock stay in use for up to a second.
    assert_eq!(paused.serving(OPENS_AT.plus_s(10)), 110);
    assert_eq!(paused.serving(OPENS_AT.plus_s(600)), 110);
    let resumed = paused.resumed(OPENS_AT.plus_s(600));
    assert_eq!(resumed.serving(OPENS_AT.plus_s(601)), 120);
    assert_eq!((resumed.revision, resumed.epoch), (3, 1));
}

#[test]
fn a_pause_before_the_opening_holds_the_opening() {
    let mut room = Room::new(&sale(), 1);
    room.issued = 1_000;
    let held = room.paused(OPENS_AT.plus_s(-60));
    assert_eq!(held.serving(OPENS_AT.plus_s(60)), 0);
    let early = held.resumed(OPENS_AT.plus_s(-30));
    assert_eq!(early.serving(OPENS_AT), 0);
    assert_eq!(early.serving(OPENS_AT.plus_s(1)), 10);
    let late = held.resumed(OPENS_AT.plus_s(60));
    assert_eq!(late.serving(OPENS_AT.plus_s(61)), 10);
}

#[test]
fn joins_are_refused_by_time_and_mode_each_with_its_reason() {
    let room = Room::new(&sale(), 1);
    let in_time = OPENS_AT;
    assert_eq!(room.admits_joins(OPENS_AT.plus_s(-301)), Err(Refusal::NotYet));
    assert_eq!(room.admits_joins(OPENS_AT.plus_s(-300)), Ok(()));
    assert_eq!(room.admits_joins(OPENS_AT.plus_s(3600)), Err(Refusal::Closed));
    assert_eq!(
        room.draining(in_time).admits_joins(in_time),
        Err(Refusal::Draining)
    );
    assert_eq!(room.paused(in_time).admits_joins(in_time), Ok(()));
    assert_eq!(
        room.deactivated(in_time).admits_joins(in_time),
        Err(Refusal::Inactive)
    );
    assert_eq!(room.deactivated(in_time).resumed(in_time).mode, Mode::Inactive);
}

#[test]
fn nobody_is_served_after_the_close() {
    let mut room = Room::new(&sale(), 1);
    room.issued = 1_000_000;
    let at_close = room.serving(OPENS_AT.plus_s(3600));
    assert_eq!(room.serving(OPENS_AT.plus_s(999_999)), at_close);
}

/// Numbers that nobody has shown yet are given out again only after their holders had to ask.
#[test]
fn a_lost_record_takes_nobody_new_until_everybody_in_a_line_of_that_length_has_asked() {
    for (held, budget_per_s) in [(1, 5000), (50_000, 5000), (800_000, 5000), (800_000, 500)] {
        let mut lost = Room::new(&sale(), 2);
        lost.poll_budget_per_s = budget_per_s;
        let now = OPENS_AT.plus_s(9);
        let restored = lost.restored(held, now);
        let crowd = Crowd {
            waiting: held,
            rate_per_s: lost.clock.rate_per_s,
            budget_per_s,
            until_open_ms: 0,
        };
        let asked_at = now.plus_ms(next_poll_ms(held, &crowd, 1.0).try_into().unwrap());
        let until = restored.restoring_until.unwrap();
        assert!(until > asked_at && until >= now.plus_s(65), "{held}");
        assert_eq!(
            restored.admits_joins(now.plus_s(64)),
            Err(Refusal::Restoring),
            "{held}"
        );
        assert_eq!(restored.issued, held);
    }
}

#[test]
fn an_opening_can_be_moved_until_it_happens() {
    let sale = sale();
    let mut later = sale.schedule;
    later.opens_at = OPENS_AT.plus_s(600);
    let mut room = Room::new(&sale, 1);
    room.issued = 50;
    let moved = room.with_schedule(&later, OPENS_AT.plus_s(-1));
    assert_eq!(moved.serving(OPENS_AT.plus_s(600)), 0);
    assert_eq!(moved.serving(OPENS_AT.plus_s(601)), 10);
    let too_late = room.with_schedule(&later, OPENS_AT.plus_s(1));
    assert_eq!(too_late.serving(OPENS_AT.plus_s(2)), 20);
}

#[test]
fn the_record_is_camel_case_and_comes_back_the_same() {
    let room = Room::new(&sale(), 3);
    let json = serde_json::to_string(&room).unwrap();
    assert!(
        json.contains("\"pollBudgetPerS\"") && json.contains("\"mode\":\"active\""),
        "{json}"
    );
    assert_eq!(serde_json::from_str::<Room>(&json).unwrap(), room);
}
