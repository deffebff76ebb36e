//! Tier 1: places, and when each visitor hears that it is served.
//!
//! The room's own clock decides, join by join, so an empty line saves up no more than its burst
//! here either. A place once given is only overtaken by time; so each visitor's instant can be
//! computed alone, and a million need no events.

use super::{
    Opening, Polls,
    dice::{Dice, Purpose},
    people::{Asks, Patience, People, Visit},
};
use crate::{
    draw::Seed,
    pacing::{Crowd, next_poll_ms},
    room::Room,
    sale::Ordering,
    time::Millis,
};

/// When nobody ever hears.
pub(super) const NEVER: i32 = i32::MAX;
/// Nobody asks more often than this while being served comes closer; a guard, not a figure.
const POLLS_MAX: u32 = 10_000;
/// Earlier polls do not change when somebody hears.
const FOLLOWED_MS: i64 = 120_000;

/// The line of an opening.
pub(super) struct Line {
    /// Each visitor's place, from 1; 0 for who never joined.
    pub(super) position: Vec<u32>,
    /// When each hears of being served, ms from the opening; [`NEVER`] if not before the close.
    pub(super) told: Vec<i32>,
    /// When each one's patience ends, ms from the opening; [`NEVER`] if it does not.
    pub(super) patience: Vec<i32>,
}

impl Line {
    pub(super) fn form(opening: &Opening, people: &People) -> Self {
        let mut line = Self {
            position: vec![0; people.len()],
            told: vec![NEVER; people.len()],
            patience: vec![NEVER; people.len()],
        };
        let mut room = opening.room();
        let early = line.draw_places(opening, people);
        room.issued = early.len() as u64;
        if room.is_undrawn() {
            // Which seed does not matter here: places are dealt by the opening's own dice.
            room = room.draw_closed(Seed::from_bytes([0; 32]), opening.sale.schedule.opens_at);
        }
        for &visitor in &early {
            line.serve(opening, people, &room, visitor as usize);
        }
        let opens_at = opening.sale.schedule.opens_at;
        for visitor in early_end(people)..people.len() {
            let now = opens_at.plus_ms(i64::from(people.arrive[visitor]));
            if !joins(opening, people, visitor) || room.admits_joins(now).is_err() {
                continue;
            }
            if let Some(clock) = room.reanchor_for_join(now) {
                room.clock = clock;
            }
            room.issued += 1;
            line.position[visitor] = u32::try_from(room.issued).unwrap_or(u32::MAX);
            line.serve(opening, people, &room, visitor);
        }
        line
    }

    /// Gives places to those who came before the opening: by the draw, or as they came. Who comes
    /// before the room opens stands at its door until it does.
    fn draw_places(&mut self, opening: &Opening, people: &People) -> Vec<u32> {
        let mut early: Vec<u32> = (0..early_end(people))
            .filter(|visitor| joins(opening, people, *visitor))
            .filter_map(|visitor| u32::try_from(visitor).ok())
            .collect();
        if opening.sale.ordering == Ordering::Shuffle {
            let mut dice = Dice::of(opening.seed, 0, Purpose::Draw);
            for last in (1..early.len()).rev() {
                early.swap(last, dice.below(last + 1));
            }
        }
        for (position, visitor) in (1_u32..).zip(&early) {
            self.position[*visitor as usize] = position;
        }
        early
    }

    /// Computes when `visitor`, who has a place in `room`, hears of being served, and until when
    /// he would wait.
    fn serve(&mut self, opening: &Opening, people: &People, room: &Room, visitor: usize) {
        let opens_at = opening.sale.schedule.opens_at;
        let from_opening = |at: Millis| i32::try_from(at.since(opens_at)).unwrap_or(NEVER);
        let position = u64::from(self.position[visitor]);
        let joined_at = opens_at
            .plus_ms(i64::from(people.arrive[visitor]))
            .max(room.pre_queue_at);
        let served_at = served_at(room, position).map(|at| at.max(joined_at));
        let leaves_at = patience_ends(opening, people, visitor, joined_at, served_at);
        self.patience[visitor] = leaves_at.map_or(NEVER, from_opening);
        let Some(served_at) = served_at else { return };
        let told_at = match (opening.polls, people.persona(opening, visitor).asks) {
            (Polls::Instant, _) => served_at,
            (Polls::Paced, Asks::Every(every_ms)) => {
                next_of(joined_at, i64::from(every_ms.max(1)), served_at)
            }
            (Polls::Paced, asks) => {
                let mut dice = Dice::of(opening.seed, visitor, Purpose::Polls);
                let at = heard_at(room, position, joined_at, served_at, &mut dice);
                asks.awake_at(joined_at, at)
            }
        };
        if told_at < room.closes_at {
            self.told[visitor] = from_opening(told_at);
        }
    }
}

impl Asks {
    /// The first instant from `at` on at which somebody who joined at `joined_at` can ask.
    fn awake_at(self, joined_at: Millis, at: Millis) -> Millis {
        let Self::Awake { on_ms, off_ms } = self else {
            return at;
        };
        let cycle_ms = (i64::from(on_ms) + i64::from(off_ms)).max(1);
        let into_cycle_ms = at.since(joined_at).rem_euclid(cycle_ms);
        if into_cycle_ms < i64::from(on_ms) {
            at
        } else {
            at.plus_ms(cycle_ms - into_cycle_ms)
        }
    }
}

/// The first instant from `until` on that is a multiple of `every_ms` after `from`.
fn next_of(from: Millis, every_ms: i64, until: Millis) -> Millis {
    let times = (until.since(from).max(1) + every_ms - 1) / every_ms;
    from.plus_ms(times * every_ms)
}

/// When the patience of `visitor` ends, if it does.
fn patience_ends(
    opening: &Opening,
    people: &People,
    visitor: usize,
    joined_at: Millis,
    served_at: Option<Millis>,
) -> Option<Millis> {
    let mut dice = Dice::of(opening.seed, visitor, Purpose::Patience);
    match &people.persona(opening, visitor).patience {
        Patience::Endless => None,
        Patience::Lasts(spread) => Some(joined_at.plus_ms(spread.draw(&mut dice))),
        Patience::Shown(points) => {
            // Before the opening nobody is shown a wait from it on.
            let placed_at = joined_at.max(opening.sale.schedule.opens_at);
            let shown_ms = served_at.map_or(f64::INFINITY, |at| at.since(placed_at) as f64);
            (shown_ms > bears_ms(points, dice.unit())).then_some(placed_at)
        }
    }
}

/// The shown wait that somebody who threw `unit` still bears.
fn bears_ms(points: &[(u32, f64)], unit: f64) -> f64 {
    let mut before: Option<(f64, f64)> = None;
    for (shown_ms, left) in points {
        let (shown_ms, left) = (f64::from(*shown_ms), *left);
        if unit < left {
            let (from_ms, from) = before.unwrap_or((shown_ms, 0.0));
            return from_ms + (shown_ms - from_ms) * ((unit - from) / (left - from)).clamp(0.0, 1.0);
        }
        before = Some((shown_ms, left));
    }
    f64::INFINITY
}

/// How many came before the opening.
fn early_end(people: &People) -> usize {
    people.arrive.partition_point(|at| *at < 0)
}

fn joins(opening: &Opening, people: &People, visitor: usize) -> bool {
    !matches!(people.visit(opening, visitor), Visit::Elsewhere)
}

/// The first instant at which `room` serves `position`: the inverse of its clock.
fn served_at(room: &Room, position: u64) -> Option<Millis> {
    let ahead = position.saturating_sub(room.clock.base);
    let wait_ms = match (ahead, u64::from(room.clock.rate_per_s)) {
        (0, _) => 0,
        (_, 0) => return None,
        (ahead, rate) => ahead.saturating_mul(1000).div_ceil(rate),
    };
    let at = room.clock.since.plus_ms(i64::try_from(wait_ms).ok()?);
    let at = at.max(room.opens_at);
    (at < room.closes_at).then_some(at)
}

/// The first poll at or after `served_at` of somebody who joined at `joined_at` and asks as told.
fn heard_at(room: &Room, position: u64, joined_at: Millis, served_at: Millis, dice: &mut Dice) -> Millis {
    let waited_ms = served_at.since(joined_at);
    // Long waits are picked up where the last polls happen, at a random moment between two.
    let mut now = if waited_ms > FOLLOWED_MS {
        served_at
            .plus_ms(-FOLLOWED_MS / 2)
            .plus_ms(-dice_ms(dice, FOLLOWED_MS / 2))
    } else {
        joined_at
    };
    for _ in 0..POLLS_MAX {
        let crowd = Crowd {
            waiting: room.issued.saturating_sub(room.raw(now)),
            rate_per_s: room.clock.rate_per_s,
            budget_per_s: room.poll_budget_per_s,
            until_open_ms: room.opens_at.since(now),
        };
        let distance = position.saturating_sub(room.raw(now)).max(1);
        let next_ms = next_poll_ms(distance, &crowd, dice.unit());
        now = now.plus_ms(i64::try_from(next_ms).unwrap_or(i64::MAX));
        if now >= served_at {
            return now;
        }
    }
    served_at
}

fn dice_ms(dice: &mut Dice, below: i64) -> i64 {
    dice.below(usize::try_from(below).unwrap_or(0)) as i64
}
