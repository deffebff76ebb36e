//! Laws judged while the sale runs, from its snapshots alone.
//!
//! Weaker than the audit, which reads the stores: a snapshot every half second can catch a law
//! broken, never prove it held. So the verdicts are *seen broken*, *not seen broken*, or *only the
//! audit can tell*. A law once seen broken stays so, with the instant: what was red at 12:03 is
//! not green at 12:04.

use crate::{
    capacity::bearable_rate_per_s,
    law::Law,
    room::COPY_AGE_MS,
    snapshot::{SeatsView, Snapshot},
    time::Millis,
};

/// How long after readiness fell the applied rate may still be the old one: the control plane's
/// period and the age of every replica's copy.
const RATE_LAG_MS: i64 = 2 * COPY_AGE_MS + 1_000;

/// How a law looks from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// Looked at this often, never broken.
    Holding {
        /// Snapshots that could have shown it broken.
        looks: u64,
    },
    /// Was broken; first at this instant, in these words.
    Broken {
        /// When it was first seen.
        at: Millis,
        /// What was seen.
        detail: String,
    },
    /// Snapshots cannot show it.
    AuditOnly,
}

/// Watches the laws of one sale.
#[derive(Debug, Clone, Default)]
pub struct Watch {
    looks: [u64; JUDGED.len()],
    broken: [Option<(Millis, String)>; JUDGED.len()],
    last: Option<Last>,
    over_capacity_since: Option<Millis>,
}

/// The laws a snapshot can show broken.
const JUDGED: [Law; 5] = [
    Law::NoOversell,
    Law::HardCap,
    Law::MonotoneServing,
    Law::CapacityFirst,
    Law::OnePlace,
];

#[derive(Debug, Clone, Copy)]
struct Last {
    at: Millis,
    epoch: u32,
    serving: u64,
    issued: u64,
    active: u64,
}

impl Watch {
    /// Looks at the next snapshot; an older one than the last is ignored.
    pub fn look(&mut self, snapshot: &Snapshot) {
        if self.last.is_some_and(|last| snapshot.at < last.at) {
            return;
        }
        self.seats(snapshot);
        self.cap(snapshot);
        self.line(snapshot);
        self.capacity(snapshot);
        let before = self.last;
        let room = snapshot.room.as_ref();
        self.last = Some(Last {
            at: snapshot.at,
            epoch: room.map_or_else(|| before.map_or(0, |b| b.epoch), |r| r.epoch),
            serving: room.map_or_else(|| before.map_or(0, |b| b.serving), |r| r.serving),
            issued: room.map_or_else(|| before.map_or(0, |b| b.issued), |r| r.issued),
            active: snapshot
                .queue
                .as_ref()
                .map_or_else(|| before.map_or(0, |b| b.active), |q| q.active),
        });
    }

    /// How `law` looks so far.
    #[must_use]
    pub fn seen(&self, law: Law) -> Seen {
        let Some(index) = JUDGED.iter().position(|judged| *judged == law) else {
            return Seen::AuditOnly;
        };
        match &self.broken[index] {
            Some((at, detail)) => Seen::Broken {
                at: *at,
                detail: detail.clone(),
            },
            None => Seen::Holding {
                looks: self.looks[index],
            },
        }
    }

    /// Laws seen broken, in the house's order.
    pub fn broken(&self) -> impl Iterator<Item = Law> + '_ {
        Law::ALL
            .into_iter()
            .filter(|law| matches!(self.seen(*law), Seen::Broken { .. }))
    }

    fn judge(&mut self, law: Law, at: Millis, broken: Option<String>) {
        let Some(index) = JUDGED.iter().position(|judged| *judged == law) else {
            return;
        };
        self.looks[index] += 1;
        if let (Some(detail), None) = (broken, &self.broken[index]) {
            self.broken[index] = Some((at, detail));
        }
    }

    fn seats(&mut self, snapshot: &Snapshot) {
        let Some(seats) = &snapshot.seats else { return };
        self.judge(Law::NoOversell, snapshot.at, oversold(seats));
    }

    /// A lowered cap puts nobody out, so above it the number inside may only fall.
    fn cap(&mut self, snapshot: &Snapshot) {
        let Some(queue) = &snapshot.queue else { return };
        let cap = u64::from(queue.cap);
        let before = self.last.map_or(0, |last| last.active);
        let broken = queue.active > cap && queue.active > before;
        let detail = broken.then(|| format!("{} inside, the cap is {cap}", queue.active));
        self.judge(Law::HardCap, snapshot.at, detail);
    }

    fn line(&mut self, snapshot: &Snapshot) {
        let Some(room) = &snapshot.room else { return };
        let before = self.last.filter(|last| last.epoch == room.epoch);
        let passed = (room.serving > room.issued)
            .then(|| format!("serves {}, but only {} were issued", room.serving, room.issued));
        let back = before
            .filter(|last| room.serving < last.serving)
            .map(|last| format!("serves {}, had served {}", room.serving, last.serving));
        self.judge(Law::MonotoneServing, snapshot.at, passed.or(back));
        let lost = before
            .filter(|last| room.issued < last.issued)
            .map(|last| format!("{} positions issued, had been {}", room.issued, last.issued));
        self.judge(Law::OnePlace, snapshot.at, lost);
    }

    fn capacity(&mut self, snapshot: &Snapshot) {
        let (Some(capacity), Some(room)) = (&snapshot.capacity, &snapshot.room) else {
            return;
        };
        let bearable = bearable_rate_per_s(capacity.ready_replicas, capacity.rate_per_replica);
        if room.rate_per_s <= bearable {
            self.over_capacity_since = None;
            return self.judge(Law::CapacityFirst, snapshot.at, None);
        }
        let since = *self.over_capacity_since.get_or_insert(snapshot.at);
        let detail = (snapshot.at.since(since) > RATE_LAG_MS).then(|| {
            format!(
                "the line moves at {}/s, ready capacity bears {bearable}/s",
                room.rate_per_s
            )
        });
        self.judge(Law::CapacityFirst, snapshot.at, detail);
    }
}

fn oversold(seats: &SeatsView) -> Option<String> {
    let counted = seats.free + seats.held + seats.sold;
    if counted != seats.capacity {
        return Some(format!(
            "{} free + {} held + {} sold is {counted}, not the capacity of {}",
            seats.free, seats.held, seats.sold, seats.capacity
        ));
    }
    let section = seats
        .sections
        .iter()
        .find(|section| section.held + section.sold > section.capacity)?;
    Some(format!(
        "section {}: {} held + {} sold of {}",
        section.name, section.held, section.sold, section.capacity
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::{CapacityView, QueueView, RoomView};

    fn at(ms: i64) -> Snapshot {
        Snapshot {
            at: Millis(ms),
            room: Some(RoomView {
                epoch: 1,
                issued: 1_000,
                serving: 100,
                rate_per_s: 10,
                drain_s: Some(90),
            }),
            queue: Some(QueueView {
                waiting: 0,
                active: 30,
                cap: 40,
                rate_per_s: 10,
                admitted_total: 100,
                paused: false,
            }),
            seats: Some(SeatsView {
                capacity: 60,
                free: 40,
                held: 10,
                sold: 10,
                sections: Vec::new(),
            }),
            capacity: Some(CapacityView {
                ready_replicas: 2,
                desired_replicas: 2,
                rate_per_replica: 5,
            }),
            ..Snapshot::unknown(uuid::Uuid::nil())
        }
    }

    fn broken(change: impl Fn(&mut Snapshot)) -> Vec<Law> {
        let mut watch = Watch::default();
        watch.look(&at(0));
        assert_eq!(watch.broken().count(), 0);
        let mut next = at(500);
        change(&mut next);
        watch.look(&next);
        watch.look(&at(1_000));
        watch.broken().collect()
    }

    #[test]
    fn each_judged_law_can_be_seen_broken_and_stays_so() {
        assert_eq!(broken(|_| {}), []);
        assert_eq!(broken(|s| s.seats.as_mut().unwrap().sold = 11), [Law::NoOversell]);
        assert_eq!(broken(|s| s.queue.as_mut().unwrap().active = 41), [Law::HardCap]);
        assert_eq!(
            broken(|s| s.room.as_mut().unwrap().serving = 99),
            [Law::MonotoneServing]
        );
        assert_eq!(broken(|s| s.room.as_mut().unwrap().issued = 999), [Law::OnePlace]);
    }

    #[test]
    fn a_lowered_cap_is_no_broken_cap_while_people_leave() {
        let mut watch = Watch::default();
        watch.look(&at(0));
        for (ms, active) in [(500, 30), (1_000, 28), (1_500, 20)] {
            let mut next = at(ms);
            let queue = next.queue.as_mut().unwrap();
            (queue.cap, queue.active) = (10, active);
            watch.look(&next);
        }
        assert_eq!(watch.seen(Law::HardCap), Seen::Holding { looks: 4 });
    }

    #[test]
    fn the_rate_may_follow_lost_capacity_within_its_lag_and_no_later() {
        let mut watch = Watch::default();
        for ms in [0, 500, 3_000] {
            let mut next = at(ms);
            next.capacity.as_mut().unwrap().ready_replicas = 1;
            watch.look(&next);
            assert_eq!(watch.broken().count(), 0, "at {ms}");
        }
        let mut next = at(3_500);
        next.capacity.as_mut().unwrap().ready_replicas = 1;
        watch.look(&next);
        assert_eq!(watch.broken().collect::<Vec<_>>(), [Law::CapacityFirst]);
    }

    #[test]
    fn a_new_line_may_begin_at_nothing_and_what_is_missing_is_not_judged() {
        let mut watch = Watch::default();
        watch.look(&at(0));
        let mut next = at(500);
        let room = next.room.as_mut().unwrap();
        (room.epoch, room.issued, room.serving) = (2, 0, 0);
        watch.look(&next);
        next.at = Millis(1_000);
        next.room = None;
        next.seats = None;
        watch.look(&next);
        assert_eq!(watch.broken().count(), 0);
        assert_eq!(watch.seen(Law::NoOversell), Seen::Holding { looks: 2 });
        assert_eq!(watch.seen(Law::Fenced), Seen::AuditOnly);
    }
}
