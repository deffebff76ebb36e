//! One visitor's way from the street to a ticket, written once for every client.
//!
//! Waiting is what most visitors do most of the time, so it is what must be small: who waits in
//! line is a [`Standing`] and nothing else. It is taken up again for one [`Turn`] at a time; only
//! behind the door is a visitor a future from one step to the next.

mod account;
mod door;
mod grab;
mod inside;
mod intruder;
mod line;
mod lottery;
mod manner;
mod pay;
mod request;
mod standing;
mod world;

pub(crate) use account::register;
pub use account::{Account, RealAccount};
pub(crate) use line::Turn;
pub(crate) use lottery::watch_draw;
pub use request::Backoff;
pub(crate) use standing::Standing;
pub use world::{Paths, RunClock, World};

use crate::http::{Http, Passes};
use crate::measure::{Counters, Lane, Outcome, Sample, Step, Up, Verdict};
use crate::observe::WaitSeen;
use crate::scenario::Behaviour;
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
    pub(crate) standing: Standing,
    pub(crate) account: Option<RealAccount>,
    pub(crate) passes: Passes,
}

/// Walks `visitor`, who means to arrive at `arrival`, and counts how it ends: the journey of a
/// browser, which sleeps where the crowd rests in the engine's shelf.
pub async fn travel(world: Arc<World>, http: Arc<dyn Http>, visitor: Visitor, arrival: Instant) -> Outcome {
    let arrival_us = world.clock.us_from_start(arrival);
    let standing = Standing::new(world.seed, visitor.index, visitor.persona, arrival_us);
    standing.arrive(&world);
    let mut journey = Journey::resume(world, http, standing);
    journey.account = visitor.account;
    let outcome = match journey.walk().await {
        Ok(outcome) | Err(outcome) => outcome,
    };
    journey.standing.end(&journey.world, outcome);
    outcome
}

impl Journey {
    /// The visitor who stood at `standing`.
    pub(crate) fn resume(world: Arc<World>, http: Arc<dyn Http>, standing: Standing) -> Self {
        Self {
            world,
            http,
            standing,
            account: None,
            passes: Passes::default(),
        }
    }

    async fn walk(&mut self) -> Stage<Outcome> {
        if !self.intrudes() {
            self.stand_in_line(self.arrival()).await?;
        }
        Box::pin(self.go_in()).await
    }

    /// Whether this visitor tries the back door and never stands in line.
    pub(crate) fn intrudes(&self) -> bool {
        matches!(self.behaviour(), Behaviour::Intrudes { .. })
    }

    /// Everything after the line: the door and what is behind it, or the back door.
    pub(crate) async fn go_in(&mut self) -> Stage<Outcome> {
        if self.intrudes() {
            return self.intrude().await;
        }
        Counters::add(&self.world.live.counters.served);
        self.enter().await
    }

    /// From the waiting room's door on.
    async fn enter(&mut self) -> Stage<Outcome> {
        let account = self.account().await?;
        let entry = self.pass_door().await?;
        self.step_out_of_line();
        Counters::add(&self.world.live.counters.admitted);
        self.world.tally.admitted(self.standing.persona);
        let _inside = Up::raise(&self.world.live, |counters| &counters.inside);
        self.note_wait();
        self.be_inside(account, entry).await
    }

    pub(crate) fn behaviour(&self) -> &Behaviour {
        &self.world.crowd.personas[usize::from(self.standing.persona)].behaviour
    }

    pub(crate) fn lane(&self) -> Lane {
        self.http.lane()
    }

    /// Which of the crowd.
    pub(crate) fn index(&self) -> u64 {
        u64::from(self.standing.index)
    }

    /// When the visitor meant to arrive.
    pub(crate) fn arrival(&self) -> Instant {
        self.world.clock.from_start(self.standing.arrival_us)
    }

    /// Joined for the first time: stands in line now.
    fn step_into_line(&mut self) {
        if !std::mem::replace(&mut self.standing.joined, true) {
            Counters::add(&self.world.live.counters.joined);
            Counters::add(&self.world.live.counters.waiting);
            self.standing.in_line = true;
        }
    }

    fn step_out_of_line(&mut self) {
        if std::mem::take(&mut self.standing.in_line) {
            Counters::sub(&self.world.live.counters.waiting);
        }
    }

    /// The moment this visitor's patience ends, if it does.
    pub(crate) fn patience_ends(&self) -> Option<Instant> {
        let Behaviour::GivesUp { patience_ms } = *self.behaviour() else {
            return None;
        };
        let patience = self.nerve().around_ms(patience_ms);
        Some(self.arrival() + std::time::Duration::from_millis(patience))
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
        let waited = self.arrival().elapsed();
        self.world.record(&Sample {
            step: Step::Wait,
            lane: self.lane(),
            response: waited,
            service: waited,
            status: 200,
            verdict: Verdict::Fine,
        });
        let wait = WaitSeen {
            arrived_us: self.world.clock.us_from_opening(self.arrival()),
            waited_ms: u32::try_from(waited.as_millis()).unwrap_or(u32::MAX),
            position: self.standing.position,
            persona: self.standing.persona,
        };
        self.world.observer.note(|notes| notes.wait(wait));
    }
}

#[cfg(test)]
mod tests;
