//! Tier 2: who is let in when. What becomes of them and of the seats is in `visit`.
//!
//! The only part that needs events. At every instant active <= cap, because admission is
//! [`crate::admission::admit`] itself.

mod visit;

use super::{
    Opening, Polls,
    dice::{Dice, Purpose},
    line::{Line, NEVER},
    people::{People, Visit},
    slots::{Agenda, Slot, Slots, Step},
    track::{Track, What},
};
use crate::{
    admission::{Bucket, Limits, admit},
    last_seats::{self, Seats},
    pacing::tier2_next_poll_s,
    time::Millis,
};
use std::{cmp::Reverse, collections::BinaryHeap};

/// How a visit ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// Not (yet) let in.
    Outside,
    Bought,
    Looked,
    FoundItSoldOut,
    LostRace,
    HoldLost,
    PaymentRefused,
    Abandoned,
    GaveUp,
    TimedOut,
}

/// Everybody's way through the door.
pub(super) struct Inside<'a> {
    opening: &'a Opening,
    people: &'a People,
    line: &'a Line,
    track: &'a mut Track,
    limits: Limits,
    bucket: Bucket,
    agenda: Agenda,
    slots: Slots,
    /// Who has stepped up, by place.
    waiting: BinaryHeap<Reverse<(u32, u32)>>,
    next_tick: Option<i64>,
    active: u64,
    free: u64,
    held: u64,
    sold: u64,
    /// Seats ever held: how fast they go while somebody makes up his mind.
    taken: u64,
    stepped_up: Vec<StepUp>,
    out: Outcome,
}

/// When somebody stepped up, and how often they ask since.
#[derive(Debug, Clone, Copy, Default)]
struct StepUp {
    at_ms: i32,
    every_ms: u32,
}

/// What came of everybody.
pub(super) struct Outcome {
    /// By visitor.
    pub(super) fates: Vec<Fate>,
    /// When each heard of being let in, ms from the opening; [`NEVER`] if not.
    pub(super) let_in: Vec<i32>,
    pub(super) sold: u64,
    pub(super) sold_out_ms: Option<i64>,
    pub(super) ended_ms: i64,
}

impl<'a> Inside<'a> {
    pub(super) fn run(
        opening: &'a Opening,
        people: &'a People,
        line: &'a Line,
        track: &'a mut Track,
    ) -> Outcome {
        let admission = &opening.sale.admission;
        let limits = Limits {
            rate_per_s: opening.rate_per_s(),
            burst: admission.burst,
            cap: admission.cap,
        };
        let inside = Self {
            opening,
            people,
            line,
            track,
            limits,
            bucket: Bucket::at_opening(Millis(0), limits),
            agenda: Agenda::default(),
            slots: Slots::default(),
            waiting: BinaryHeap::new(),
            next_tick: None,
            active: 0,
            free: u64::from(opening.sale.seats),
            held: 0,
            sold: 0,
            taken: 0,
            stepped_up: vec![StepUp::default(); people.len()],
            out: Outcome {
                fates: vec![Fate::Outside; people.len()],
                let_in: vec![NEVER; people.len()],
                sold: 0,
                sold_out_ms: None,
                ended_ms: 0,
            },
        };
        inside.play()
    }

    fn play(mut self) -> Outcome {
        let mut coming: Vec<u64> = (0..self.people.len())
            .filter(|visitor| self.line.told[*visitor] != NEVER)
            .map(|visitor| u64::from(self.line.told[visitor].unsigned_abs()) << 32 | visitor as u64)
            .collect();
        coming.sort_unstable();
        let closes_ms = self.closes_ms();
        let mut coming = coming.into_iter().peekable();
        loop {
            let door_open = self.out.sold_out_ms.is_none();
            let arrival = coming
                .peek()
                .filter(|_| door_open)
                .map(|packed| i64::try_from(packed >> 32).unwrap_or(0));
            let tick = self.next_tick.filter(|at| door_open && *at < closes_ms);
            let due = self.agenda.next_at();
            let Some(now) = [due, arrival, tick].into_iter().flatten().min() else {
                break;
            };
            self.out.ended_ms = now;
            if due == Some(now) {
                if let Some((now, step)) = self.agenda.pop() {
                    self.step(now, step);
                }
            } else if arrival == Some(now) {
                if let Some(packed) = coming.next() {
                    self.step_up(now, (packed & 0xffff_ffff) as usize);
                }
            } else {
                self.admit(now);
            }
        }
        self.out.sold = self.sold;
        self.out
    }

    fn closes_ms(&self) -> i64 {
        let schedule = &self.opening.sale.schedule;
        schedule.closes_at.since(schedule.opens_at)
    }

    /// `visitor` comes from tier 1.
    fn step_up(&mut self, now: i64, visitor: usize) {
        if i64::from(self.line.patience[visitor]) < now {
            return;
        }
        self.stepped_up[visitor] = StepUp {
            at_ms: i32::try_from(now).unwrap_or(NEVER),
            every_ms: match self.opening.polls {
                Polls::Instant => 0,
                Polls::Paced => tier2_next_poll_s(self.waiting.len() as u64 + 1) * 1000,
            },
        };
        let id = u32::try_from(visitor).unwrap_or(u32::MAX);
        self.waiting.push(Reverse((self.line.position[visitor], id)));
        self.admit(now);
    }

    /// Lets in whom rate, burst and cap allow; whoever lost patience meanwhile is passed over.
    fn admit(&mut self, now: i64) {
        let at = Millis(now);
        let limits = self.limits_now();
        let waiting = self.waiting.len() as u64;
        let (may, _) = admit(self.bucket, limits, at, waiting, self.active);
        let mut live = Vec::new();
        while (live.len() as u64) < may
            && let Some(Reverse((_, visitor))) = self.waiting.pop()
        {
            if i64::from(self.line.patience[visitor as usize]) >= now {
                live.push(visitor);
            }
        }
        let spent = live.len() as u64;
        self.bucket = admit(self.bucket, limits, at, spent, self.active).1;
        for visitor in live {
            self.let_in(now, visitor);
        }
        let tick_ms = i64::try_from(limits.tick_ms()).unwrap_or(1000);
        self.next_tick = (!self.waiting.is_empty()).then(|| (now.div_euclid(tick_ms) + 1) * tick_ms);
    }

    /// As the control plane writes them while the last seats go.
    fn limits_now(&self) -> Limits {
        let seats = Seats {
            capacity: u64::from(self.opening.sale.seats),
            left: self.free + self.held,
        };
        match last_seats::bounds(seats) {
            None => self.limits,
            Some(last) => Limits {
                rate_per_s: self.limits.rate_per_s.min(last.rate_per_s),
                cap: self.limits.cap.min(last.cap),
                ..self.limits
            },
        }
    }

    fn let_in(&mut self, now: i64, visitor: u32) {
        let index = visitor as usize;
        self.active += 1;
        self.track.add(now, What::Active, 1);
        self.track.add(now, What::Admitted, 1);
        let hears_at = self.hears_at(now, index);
        let patience_ends = i64::from(self.line.patience[index]);
        let mut dice = Dice::of(self.opening.seed, index, Purpose::Visit);
        let visit = self.people.visit(self.opening, index);
        let group = match visit {
            Visit::Buys(buying) => {
                let pick = dice.weighted(buying.groups.iter().map(|(_, weight)| *weight));
                buying.groups.get(pick).map_or(1, |(size, _)| u32::from(*size))
            }
            _ => 0,
        };
        let slot = self.slots.add(Slot {
            visitor,
            dice,
            ends_at: now + i64::from(self.opening.sale.admission.active_ttl_s) * 1000,
            group,
            saw_free: 0,
            saw_taken: 0,
            races: 0,
            empty_looks: 0,
            declines: 0,
            holds_until: None,
            leaves_as: Fate::TimedOut,
        });
        if patience_ends < hears_at {
            return self.leave_at(slot, patience_ends.max(now), Fate::GaveUp);
        }
        self.out.let_in[index] = i32::try_from(hears_at).unwrap_or(NEVER);
        match visit {
            Visit::Buys(buying) => self.look_again(slot, hears_at, buying),
            Visit::Looks(stay) => {
                let stay_ms = stay.draw(&mut self.slots.get(slot).dice);
                self.leave_at(slot, hears_at + stay_ms, Fate::Looked);
            }
            Visit::Elsewhere => self.leave_at(slot, hears_at, Fate::Looked),
        }
    }

    /// When somebody let in at `now` asks next.
    fn hears_at(&self, now: i64, visitor: usize) -> i64 {
        let StepUp { at_ms, every_ms } = self.stepped_up[visitor];
        let since_ms = now - i64::from(at_ms);
        match i64::from(every_ms) {
            0 => now,
            every_ms => i64::from(at_ms) + (since_ms + every_ms - 1) / every_ms * every_ms,
        }
    }

    fn step(&mut self, now: i64, step: Step) {
        match step {
            Step::Look(slot) => self.look(now, slot),
            Step::Reach(slot) => self.reach(now, slot),
            Step::Pay(slot) => self.pay(now, slot),
            Step::Leave(slot) => self.leave(now, slot),
            Step::Return(seats) => {
                self.held -= u64::from(seats);
                self.free += u64::from(seats);
                self.track.add(now, What::Held, -i64::from(seats));
            }
        }
    }
}
