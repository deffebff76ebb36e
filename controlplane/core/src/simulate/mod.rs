//! An opening that happens only in numbers: who comes, when each is served, who gets a seat, when
//! the last one is gone.
//!
//! A discrete-event model of the same house: tier 1 is [`crate::room::Room`] itself, polls are
//! [`crate::pacing`]'s, tier 2 is [`crate::admission::admit`]. What people do (how long they think,
//! when they lose patience, who walks away) is given as distributions. Nothing here is measured,
//! so a forecast is only as good as those figures; a drill compares it with what happened and
//! prints the model's error. Pure and seeded: the same opening gives the same forecast, on every
//! machine. A million visitors take seconds, because only those inside need events: the line is
//! computed visitor by visitor, and who finds it sold out costs nothing more.
//!
//! Left out on purpose: the time requests take. The model answers "what do schedule, rate, cap and
//! people's patience add up to"; whether the machines keep up is what a drill is for.

mod arrivals;
mod dice;
mod inside;
mod line;
mod people;
mod slots;
mod spread;
mod track;
mod usual;
mod verdict;

pub use arrivals::Arrivals;
pub use people::{Asks, Buying, Patience, Persona, Visit};
pub use spread::{Shape, Spread};
pub use usual::Usual;
pub use verdict::{Fates, Forecast, Point, Quantiles, WaitTenth};

use crate::{capacity::bearable_rate_per_s, room::Room, sale::Sale};
use inside::Inside;
use line::Line;
use track::Track;

/// An opening to simulate.
#[derive(Debug, Clone, PartialEq)]
pub struct Opening {
    /// Schedule, seats, rate, cap and all other limits.
    pub sale: Sale,
    /// Replicas that are ready throughout; the rate is bounded by what they bear.
    pub ready_replicas: u32,
    /// When people come.
    pub arrivals: Arrivals,
    /// As whom; weights, not necessarily adding up to one.
    pub personas: Vec<Persona>,
    /// How soon people hear of their turn.
    pub polls: Polls,
    /// Everything random follows from this.
    pub seed: u64,
}

/// How soon people hear of their turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Polls {
    /// When they ask as they were told to: the house's pacing.
    Paced,
    /// At once. For comparing the model with textbooks.
    Instant,
}

impl Opening {
    /// People per second that are let in.
    #[must_use]
    pub fn rate_per_s(&self) -> u32 {
        let bearable = bearable_rate_per_s(self.ready_replicas, self.sale.capacity.rate_per_replica);
        self.sale.admission.rate_per_s.min(bearable)
    }

    /// The waiting room of this opening, still empty.
    fn room(&self) -> Room {
        let mut room = Room::new(&self.sale, 1);
        room.clock.rate_per_s = self.rate_per_s();
        room
    }
}

/// Runs `opening` from the first arrival to the last visitor out.
#[must_use]
pub fn simulate(opening: &Opening) -> Forecast {
    let people = people::gather(opening);
    let line = Line::form(opening, &people);
    let mut track = Track::new(&people);
    let inside = Inside::run(opening, &people, &line, &mut track);
    verdict::conclude(opening, &people, &line, &inside, track)
}
