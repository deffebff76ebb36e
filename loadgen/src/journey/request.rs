//! Sending a request as a polite person does: again after an error, later each time, not for ever.

use super::{Journey, Stage};
use crate::http::{Answer, Ask, Lost};
use crate::measure::{Counters, Outcome, Sample, Step, Verdict};
use crate::seed::Dice;
use crate::wire::ComeAgain;
use std::time::{Duration, Instant};

/// How errors are retried. The defaults outlast a service that is killed and started again within
/// half a minute, and end well before a person would have gone for good.
#[derive(Debug, Clone, Copy)]
pub struct Backoff {
    /// Wait after the first error.
    pub first: Duration,
    /// Longest wait.
    pub most: Duration,
    /// Sendings in all.
    pub attempts: u32,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            first: Duration::from_millis(250),
            most: Duration::from_secs(5),
            attempts: 14,
        }
    }
}

impl Backoff {
    /// Longest `Retry-After` obeyed, the rate limiter's window.
    const OBEYED: Duration = Duration::from_secs(60);

    /// Wait before sending number `attempt` (from 1): doubled each time, spread by half, never
    /// sooner than the server asked.
    #[must_use]
    pub fn wait(&self, attempt: u32, asked: Option<Duration>, dice: &mut Dice) -> Duration {
        let doubled = self
            .first
            .saturating_mul(2_u32.saturating_pow(attempt.saturating_sub(1).min(16)));
        let spread = doubled.min(self.most).mul_f64(0.5 + dice.unit());
        spread.max(asked.unwrap_or_default().min(Self::OBEYED))
    }
}

/// The wait a refusal asks for, by header or by the contract's body field.
fn asked_wait(answer: &Answer) -> Option<Duration> {
    let in_body = || {
        serde_json::from_slice::<ComeAgain>(&answer.body)
            .ok()?
            .retry_after
    };
    let seconds = answer.retry_after_s.or_else(in_body)?;
    Some(Duration::from_secs(u64::from(seconds)))
}

/// Whether sending the same request again may help.
const fn worth_retrying(status: u16) -> bool {
    matches!(status, 429 | 500 | 502 | 503 | 504)
}

/// What an answer means for the figures.
pub(super) const fn verdict(step: Step, status: u16) -> Verdict {
    match (step, status) {
        (_, 200..=299) => Verdict::Fine,
        // The back door is expected to be shut.
        (Step::Intrude, 400..=499) => Verdict::Declined,
        (_, 429) => Verdict::Failed,
        // Seat taken, hold over, token over, not open: answers, not errors.
        (
            Step::Join
            | Step::Poll
            | Step::Queue
            | Step::QueuePoll
            | Step::SeatMap
            | Step::Hold
            | Step::Prepare
            | Step::Confirm,
            400..=499,
        ) => Verdict::Declined,
        _ => Verdict::Failed,
    }
}

/// What came of one sending in line.
pub(super) enum Reply {
    Answer(Answer),
    /// Nothing worth reading: to be sent again at that moment.
    Again(Instant),
}

impl Journey {
    /// Sends `ask`, meant for `due`, once. A visitor in line rests before the next try, which costs
    /// nothing; `standing.tries` remembers how many there were.
    pub(super) async fn ask_in_line(&mut self, step: Step, due: Instant, ask: Ask) -> Stage<Reply> {
        let result = self.http.send(ask).await;
        self.measure(step, due, &result);
        let asked = match result {
            Ok(answer) if !worth_retrying(answer.status) => {
                self.standing.tries = 0;
                return Ok(Reply::Answer(answer));
            }
            Ok(answer) => asked_wait(&answer),
            Err(Lost::NoSlot) if step == Step::Join => return Err(Outcome::Dropped),
            Err(_) => None,
        };
        let backoff = self.world.backoff;
        self.standing.tries = self.standing.tries.saturating_add(1);
        let tries = u32::from(self.standing.tries);
        if tries >= backoff.attempts {
            return Err(self.give_up(step));
        }
        Counters::add(&self.world.live.counters.retries);
        Ok(Reply::Again(
            Instant::now() + backoff.wait(tries, asked, &mut self.standing.dice),
        ))
    }

    fn give_up(&self, step: Step) -> Outcome {
        tracing::debug!(visitor = self.index(), step = step.name(), "gave up on a request");
        Outcome::Failed
    }

    /// Sends `ask`, meant for `due`, until something comes back that is worth reading.
    ///
    /// Each sending is measured from the moment it was due: the first from `due`, a repeat from
    /// the end of its wait.
    pub(super) async fn request(&mut self, step: Step, mut due: Instant, ask: Ask) -> Stage<Answer> {
        let backoff = self.world.backoff;
        for attempt in 1.. {
            let result = self.http.send(ask.clone()).await;
            self.measure(step, due, &result);
            let asked = match result {
                Ok(answer) if !worth_retrying(answer.status) => return Ok(answer),
                Ok(answer) => asked_wait(&answer),
                Err(Lost::NoSlot) if step == Step::Join => return Err(Outcome::Dropped),
                Err(_) => None,
            };
            if attempt >= backoff.attempts {
                break;
            }
            due = Instant::now() + backoff.wait(attempt, asked, &mut self.standing.dice);
            self.stay_until(due).await?;
            Counters::add(&self.world.live.counters.retries);
        }
        Err(self.give_up(step))
    }

    /// Sends `ask` once and reads nothing into the answer: leaving, staying active.
    pub(super) async fn mention(&mut self, step: Step, ask: Ask) {
        let due = Instant::now();
        let result = self.http.send(ask).await;
        self.measure(step, due, &result);
    }

    pub(super) fn measure(&self, step: Step, due: Instant, result: &Result<Answer, Lost>) {
        let now = Instant::now();
        let (sent, status, verdict) = match result {
            Ok(answer) => (answer.sent, answer.status, verdict(step, answer.status)),
            Err(lost) => match lost.sent() {
                Some(sent) => (sent, 0, Verdict::Failed),
                // Never sent, so it has no latency; it is counted as dropped.
                None => return,
            },
        };
        self.world.record(&Sample {
            step,
            lane: self.lane(),
            response: now.saturating_duration_since(due),
            service: now.saturating_duration_since(sent),
            status,
            verdict,
        });
    }
}

/// Reads a JSON answer; one that cannot be read ends the journey.
pub(super) fn read<'a, T: serde::Deserialize<'a>>(answer: &'a Answer, step: Step) -> Stage<T> {
    readable(serde_json::from_slice(&answer.body), answer.status, step)
}

/// What was read of an answer to `step`; one that cannot be read ends the journey.
pub(super) fn readable<T>(read: Result<T, serde_json::Error>, status: u16, step: Step) -> Stage<T> {
    read.map_err(|error| {
        tracing::warn!(step = step.name(), status, %error, "unreadable answer");
        Outcome::Failed
    })
}
