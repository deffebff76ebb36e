//! One visitor's way from the street to a ticket, written once for every client.
//!
//! Waiting is what most visitors do most of the time, so it is what must be small: the outer
//! future keeps only what waiting needs, each request and the stages behind the door are boxed and
//! exist only while they run. A test holds a waiting visitor to 600 bytes.

mod account;
mod door;
mod inside;
mod intruder;
mod line;
mod request;
mod world;

pub(crate) use account::register;
pub use account::{Account, RealAccount};
pub use request::Backoff;
pub use world::{Paths, RunClock, World};

use crate::http::{Http, Passes};
use crate::measure::{Counters, Lane, Outcome, Sample, Step, Up, Verdict};
use crate::observe::WaitSeen;
use crate::scenario::Behaviour;
use crate::seed::{Dice, Purpose};
use std::sync::Arc;
use std::time::Instant;

/// A stage's result: what it yields, or how the journey ends.
pub(crate) type Stage<T> = Result<T, Outcome>;

/// A visitor about to come.
#[derive(Debug)]
pub struct Visitor {
    /// Which of the crowd; browsers count on from its end.
    pub index: u64,
    /// Which persona of the scenario.
    pub persona: usize,
    /// The account it registers for real, if it does.
    pub account: Option<RealAccount>,
}

/// A visitor on the way.
pub(crate) struct Journey {
    pub(crate) world: Arc<World>,
    pub(crate) http: Arc<dyn Http>,
    pub(crate) index: u64,
    pub(crate) persona: usize,
    pub(crate) dice: Dice,
    pub(crate) account: Option<RealAccount>,
    pub(crate) passes: Passes,
    /// When the visitor meant to arrive.
    pub(crate) arrival: Instant,
    /// Place in the waiting room; 0 before joining.
    pub(crate) position: u64,
}

/// Walks `visitor`, who means to arrive at `arrival`, and counts how it ends.
///
/// Not an `async fn`: those keep their arguments twice, and this is what a million of are kept.
pub fn travel(
    world: Arc<World>,
    http: Arc<dyn Http>,
    visitor: Visitor,
    arrival: Instant,
) -> impl Future<Output = Outcome> + Send + 'static {
    let mut journey = Journey {
        dice: Dice::new(world.seed, visitor.index, Purpose::Journey),
        http,
        index: visitor.index,
        persona: visitor.persona,
        account: visitor.account,
        passes: Passes::default(),
        arrival,
        position: 0,
        world,
    };
    async move {
        Counters::add(&journey.world.live.counters.arrived);
        let under_way = Up::raise(&journey.world.live, |counters| &counters.under_way);
        let outcome = match journey.walk().await {
            Ok(outcome) | Err(outcome) => outcome,
        };
        drop(under_way);
        journey.world.live.counters.end(outcome);
        outcome
    }
}

impl Journey {
    async fn walk(&mut self) -> Stage<Outcome> {
        if matches!(self.behaviour(), Behaviour::Intrudes { .. }) {
            return Box::pin(self.intrude()).await;
        }
        let in_line = self.join_and_wait().await?;
        Box::pin(self.enter(in_line)).await
    }

    /// From the waiting room's door on.
    async fn enter(&mut self, in_line: Up) -> Stage<Outcome> {
        let account = self.account().await?;
        let entry = self.pass_door().await?;
        drop(in_line);
        Counters::add(&self.world.live.counters.admitted);
        let _inside = Up::raise(&self.world.live, |counters| &counters.inside);
        self.note_wait();
        self.be_inside(account, entry).await
    }

    pub(crate) fn behaviour(&self) -> &Behaviour {
        &self.world.personas[self.persona].behaviour
    }

    pub(crate) fn lane(&self) -> Lane {
        self.http.lane()
    }

    /// The moment this visitor's patience ends, if it does.
    pub(crate) fn patience_ends(&self) -> Option<Instant> {
        let Behaviour::GivesUp { patience_ms } = *self.behaviour() else {
            return None;
        };
        // Dice of its own: asked twice, patience must be the same.
        let mut dice = Dice::new(self.world.seed, self.index, Purpose::Persona);
        dice.next();
        Some(self.arrival + std::time::Duration::from_millis(dice.around_ms(patience_ms)))
    }

    /// Sleeps in line until `until`; ends the journey when the line is over or patience is.
    pub(crate) async fn wait_until(&self, until: Instant) -> Stage<()> {
        let gives_up = self.patience_ends().filter(|end| *end < until);
        let until = gives_up.unwrap_or(until);
        tokio::select! {
            biased;
            () = self.world.line_over.cancelled() => {
                return Err(self.world.line_outcome());
            }
            () = tokio::time::sleep_until(until.into()) => {}
        }
        if gives_up.is_some() {
            Err(Outcome::GaveUp)
        } else {
            Ok(())
        }
    }

    /// Sleeps inside until `until`; ends the journey when the run is over.
    pub(crate) async fn stay_until(&self, until: Instant) -> Stage<()> {
        tokio::select! {
            () = self.world.over.cancelled() => Err(Outcome::StillWaiting),
            () = tokio::time::sleep_until(until.into()) => Ok(()),
        }
    }

    /// Notes that the visitor was let in, and how long that took.
    fn note_wait(&self) {
        let waited = self.arrival.elapsed();
        self.world.record(&Sample {
            step: Step::Wait,
            lane: self.lane(),
            response: waited,
            service: waited,
            status: 200,
            verdict: Verdict::Fine,
        });
        let wait = WaitSeen {
            arrived_us: self.world.clock.us_from_opening(self.arrival),
            waited_ms: u32::try_from(waited.as_millis()).unwrap_or(u32::MAX),
            position: self.position,
        };
        self.world.observer.note(|notes| notes.wait(wait));
    }
}

#[cfg(test)]
mod tests;
