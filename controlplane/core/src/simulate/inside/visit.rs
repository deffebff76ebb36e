//! A visit from the first look at the map to the door: seats are seen, reached for, held, paid, lost.

use super::super::{
    people::{Buying, Visit},
    slots::Step,
    track::What,
};
use super::{Fate, Inside};

/// Seats lost to quicker people before somebody goes home. As the rehearsal's visitors do.
const RACES_MAX: u8 = 10;
/// Looks at a full hall before somebody goes home, and the mean pause between two.
const EMPTY_LOOKS_MAX: u8 = 3;
const EMPTY_PAUSE_MS: f64 = 1500.0;
/// Refused payments before somebody goes home.
const DECLINES_MAX: u8 = 3;

impl<'a> Inside<'a> {
    pub(super) fn look(&mut self, now: i64, slot: u32) {
        let Some(buying) = self.buying(slot) else { return };
        let (free, taken, all_sold) = (self.free, self.taken, self.out.sold_out_ms.is_some());
        let visit = self.slots.get(slot);
        if free >= u64::from(visit.group) {
            visit.saw_free = free;
            visit.saw_taken = taken;
            let after_ms = buying.reach.draw(&mut visit.dice);
            return self.go_on(slot, now + after_ms, Step::Reach(slot));
        }
        if visit.empty_looks >= EMPTY_LOOKS_MAX || all_sold {
            return self.leave_at(slot, now, Fate::FoundItSoldOut);
        }
        visit.empty_looks += 1;
        #[expect(clippy::cast_possible_truncation, reason = "at most 2250")]
        let pause_ms = (EMPTY_PAUSE_MS * (0.5 + visit.dice.unit())) as i64;
        self.look_again(slot, now + pause_ms, buying);
    }

    /// Seats are chosen at random among those seen free, so each that went meanwhile was the
    /// chosen one with the same probability.
    pub(super) fn reach(&mut self, now: i64, slot: u32) {
        let Some(buying) = self.buying(slot) else { return };
        let (free, taken) = (self.free, self.taken);
        let visit = self.slots.get(slot);
        let group = u64::from(visit.group);
        let gone = (taken - visit.saw_taken) as f64 / visit.saw_free.max(1) as f64;
        let all_there = (1.0 - gone).max(0.0).powf(group as f64);
        if free < group || !visit.dice.happens(all_there) {
            visit.races += 1;
            if visit.races >= RACES_MAX {
                return self.leave_at(slot, now, Fate::LostRace);
            }
            return self.look_again(slot, now, buying);
        }
        let hold_ms = i64::from(self.opening.sale.admission.hold_ttl_s) * 1000;
        visit.holds_until = Some(now + hold_ms);
        let abandons = visit.dice.happens(buying.abandons);
        let pay_ms = buying.pay.draw(&mut visit.dice);
        self.free -= group;
        self.held += group;
        self.taken += group;
        self.track.add(now, What::Held, i64::try_from(group).unwrap_or(0));
        if abandons {
            let silence_ms = i64::from(self.opening.sale.admission.silence_s) * 1000;
            return self.leave_at(slot, now + silence_ms, Fate::Abandoned);
        }
        self.go_on(slot, now + pay_ms, Step::Pay(slot));
    }

    pub(super) fn pay(&mut self, now: i64, slot: u32) {
        let Some(buying) = self.buying(slot) else { return };
        let visit = self.slots.get(slot);
        if visit.holds_until.is_none() {
            return self.leave_at(slot, now, Fate::HoldLost);
        }
        if visit.dice.happens(buying.declined) {
            visit.declines += 1;
            if visit.declines >= DECLINES_MAX {
                return self.leave_at(slot, now, Fate::PaymentRefused);
            }
            let again_ms = buying.pay.draw(&mut visit.dice);
            return self.go_on(slot, now + again_ms, Step::Pay(slot));
        }
        visit.holds_until = None;
        let seats = u64::from(visit.group);
        self.held -= seats;
        self.sold += seats;
        let by = i64::try_from(seats).unwrap_or(0);
        self.track.add(now, What::Held, -by);
        self.track.add(now, What::Sold, by);
        if self.sold >= u64::from(self.opening.sale.seats) {
            self.out.sold_out_ms = Some(now);
        }
        self.leave_at(slot, now, Fate::Bought);
    }

    fn buying(&mut self, slot: u32) -> Option<&'a Buying> {
        let visitor = self.slots.get(slot).visitor as usize;
        match self.people.visit(self.opening, visitor) {
            Visit::Buys(buying) => Some(buying),
            // Only buyers are given these steps.
            Visit::Looks(_) | Visit::Elsewhere => None,
        }
    }

    pub(super) fn look_again(&mut self, slot: u32, from_ms: i64, buying: &Buying) {
        let after_ms = buying.look.draw(&mut self.slots.get(slot).dice);
        self.go_on(slot, from_ms + after_ms, Step::Look(slot));
    }

    /// Plans the next step, unless the slot ends before it.
    fn go_on(&mut self, slot: u32, at_ms: i64, step: Step) {
        let visit = self.slots.get(slot);
        let ends_at = visit.ends_at;
        if at_ms > ends_at {
            return self.leave_at(slot, ends_at, Fate::TimedOut);
        }
        // Who will come too late to pay does not keep the seats until then.
        if matches!(step, Step::Pay(_))
            && let Some(until) = visit.holds_until.take_if(|until| *until < at_ms)
        {
            self.agenda.add(until, Step::Return(visit.group));
        }
        self.agenda.add(at_ms, step);
    }

    pub(super) fn leave_at(&mut self, slot: u32, at_ms: i64, fate: Fate) {
        let visit = self.slots.get(slot);
        let timed_out = at_ms > visit.ends_at;
        visit.leaves_as = if timed_out { Fate::TimedOut } else { fate };
        let at_ms = at_ms.min(visit.ends_at);
        self.agenda.add(at_ms, Step::Leave(slot));
    }

    pub(super) fn leave(&mut self, now: i64, slot: u32) {
        let visit = self.slots.get(slot);
        self.out.fates[visit.visitor as usize] = visit.leaves_as;
        let (holds_until, group) = (visit.holds_until, visit.group);
        self.slots.remove(slot);
        self.active -= 1;
        self.track.add(now, What::Active, -1);
        if let Some(until) = holds_until {
            self.agenda.add(until.max(now), Step::Return(group));
        }
    }
}
