//! Tier 2: stepping up to the door with the waiting room's token until the entry token is given.

use super::request::read;
use super::{Journey, Stage};
use crate::http::Ask;
use crate::measure::{Outcome, Step};
use crate::wire::{Queued, next_poll_ms};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Times a visitor steps up anew after being forgotten or having a token run out.
const STEP_UPS_MAX: u32 = 20;
/// The contract's default (api-contract.md section 6).
const NEXT_POLL_DEFAULT_S: f64 = 3.0;

/// What the door said.
enum Door {
    Open(Arc<str>),
    Wait(Instant),
    /// Not in the line (any more): step up again.
    StepUp,
    /// The waiting room's token is not (or no longer) good: get a new one for the same place.
    Renew,
}

impl Journey {
    /// Steps up and waits; yields the entry token.
    pub(super) async fn pass_door(&mut self) -> Stage<Arc<str>> {
        let mut due = Instant::now();
        let mut said = Door::StepUp;
        let mut step_ups = 0;
        loop {
            said = match said {
                Door::Open(token) => return Ok(token),
                Door::Wait(at) => {
                    if let Err(outcome) = self.wait_until(at).await {
                        self.leave().await;
                        return Err(outcome);
                    }
                    due = at;
                    let ask = Ask::get(self.world.paths.queue_status.clone(), &self.passes);
                    self.ask_door(Step::QueuePoll, due, ask).await?
                }
                Door::StepUp | Door::Renew if step_ups >= STEP_UPS_MAX => return Err(Outcome::Refused),
                Door::Renew => {
                    self.renew_place().await?;
                    due = Instant::now();
                    Door::StepUp
                }
                Door::StepUp => {
                    if step_ups > 0 {
                        due = Instant::now() + Duration::from_millis(self.standing.dice.around_ms(500));
                        self.wait_until(due).await?;
                    }
                    step_ups += 1;
                    let ask = Ask::post(self.world.paths.queue_check.clone(), None, &self.passes);
                    self.ask_door(Step::Queue, due, ask).await?
                }
            };
        }
    }

    async fn ask_door(&mut self, step: Step, due: Instant, ask: Ask) -> Stage<Door> {
        let answer = self.request(step, due, ask).await?;
        match answer.status {
            200..=299 => {}
            401 | 403 => return Ok(Door::Renew),
            404 if !self.world.clock.is_closed() => return Ok(Door::StepUp),
            _ => return Err(Outcome::Refused),
        }
        let queued: Queued = read(&answer, step)?;
        Ok(match (queued.status.as_str(), queued.entry_token) {
            ("active", Some(token)) => Door::Open(token.into()),
            _ if queued.sale_state.as_deref() == Some("soldOut") => {
                self.leave().await;
                return Err(Outcome::SoldOut);
            }
            ("not_in_queue", _) => Door::StepUp,
            _ => {
                let wait = next_poll_ms(queued.next_poll, queued.next_poll_ms, NEXT_POLL_DEFAULT_S);
                Door::Wait(self.comes_back(Instant::now() + Duration::from_millis(wait)))
            }
        })
    }

    /// A fresh entry token for a slot that still lasts, or `None` when the slot is gone.
    pub(super) async fn renew_entry(&mut self) -> Stage<Option<Arc<str>>> {
        let ask = Ask::get(self.world.paths.queue_status.clone(), &self.passes);
        let answer = self.request(Step::QueuePoll, Instant::now(), ask).await?;
        if !(200..300).contains(&answer.status) {
            return Ok(None);
        }
        let queued: Queued = read(&answer, Step::QueuePoll)?;
        Ok(queued
            .entry_token
            .filter(|_| queued.status == "active")
            .map(Into::into))
    }

    /// Gives the place or slot back.
    pub(super) async fn leave(&mut self) {
        let ask = Ask::post(self.world.paths.queue_leave.clone(), None, &self.passes);
        self.mention(Step::Leave, ask).await;
    }
}
