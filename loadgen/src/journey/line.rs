//! Tier 1: joining the waiting room and polling as told, one turn at a time.
//!
//! Between two turns nothing of a visitor exists but its [`Standing`](super::standing::Standing): a million of them wait, so
//! no turn may sleep. What a visitor does next is a [`Turn`]; the engine keeps the crowd's standings
//! in its shelf, a browser simply sleeps.

use super::request::{Reply, read};
use super::{Journey, Stage};
use crate::http::{Answer, Ask, Lost};
use crate::measure::{Outcome, Step};
use crate::observe::PlaceSeen;
use crate::scenario::Behaviour;
use crate::wire::{Assigned, Checked, next_poll_ms};
use std::time::{Duration, Instant};
use urr_core::audit::{JoinSeen, PlaceTold, ServingSeen};

/// What comes after a turn in line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Nothing to do before this moment, at which the next turn is due.
    Rest(Instant),
    /// The waiting room has served this place; its token is in the passes.
    Served,
}

/// Of those who join before a draw one of so many is noted for the auditor.
const NOTED_EARLY: u64 = 16;
/// Times a place may be lost and asked for again before something is badly wrong.
const REJOINS_MAX: u8 = 20;
/// Before the waiting room opens it knows no sale: ask again for at most this many times.
const EARLY_MAX: u8 = 120;
/// What the contract says when an answer does not (api-contract.md section 5).
const NEXT_POLL_DEFAULT_S: f64 = 5.0;

impl Journey {
    /// One turn in line, meant for `due`: joins, or asks how far the line is.
    pub(crate) async fn turn(&mut self, due: Instant) -> Stage<Turn> {
        if self.patience_ends().is_some_and(|end| end <= due) {
            return Err(Outcome::GaveUp);
        }
        if self.standing.place.is_nil() {
            return self.join(due).await;
        }
        if self.world.line_over.is_cancelled() {
            return Err(self.world.line_outcome());
        }
        if self.reopens(due) {
            // A page that is opened asks at once; a phone told to come later would be asleep by then,
            // and at every awakening again.
            return match self.join(due).await? {
                Turn::Rest(_) if self.standing.tries == 0 => Ok(Turn::Rest(Instant::now())),
                turn => Ok(turn),
            };
        }
        self.poll(due).await
    }

    /// Takes turns until the waiting room serves this place, sleeping in between.
    pub(super) async fn stand_in_line(&mut self, mut due: Instant) -> Stage<()> {
        loop {
            match Box::pin(self.turn(due)).await? {
                Turn::Served => return Ok(()),
                Turn::Rest(until) => {
                    self.wait_until(until).await?;
                    due = until;
                }
            }
        }
    }

    /// A new tier-1 token for the same place, when the old one ended before the door opened.
    pub(super) async fn renew_place(&mut self) -> Stage<()> {
        self.standing.forget_place();
        self.stand_in_line(Instant::now()).await
    }

    /// The id under which this visitor joins; the same for every join (law `one-place`).
    pub(super) fn visitor_key(&self) -> String {
        use crate::seed::{Dice, Purpose};
        let mut dice = Dice::new(self.world.seed, self.index(), Purpose::Account);
        let tail = dice.next() & 0xffff_ffff;
        format!("anon-{}-{tail:08x}", base36(self.index()))
    }

    async fn join(&mut self, due: Instant) -> Stage<Turn> {
        let joins = match *self.behaviour() {
            Behaviour::DoubleClicks { joins, .. } if self.standing.position == 0 => joins,
            _ => 1,
        };
        let user = self.visitor_key();
        // The key is letters, digits and dashes: nothing to escape.
        let body = format!(r#"{{"userId":"{user}"}}"#);
        let ask = Ask::post(self.world.paths.assign.clone(), Some(body), &self.passes);
        let more: Vec<_> = (1..joins).map(|_| self.http.send(ask.clone())).collect();
        let (reply, more) = if more.is_empty() {
            (self.ask_in_line(Step::Join, due, ask).await?, Vec::new())
        } else {
            let (reply, more) = futures::join!(
                self.ask_in_line(Step::Join, due, ask),
                futures::future::join_all(more)
            );
            (reply?, more)
        };
        let answer = match reply {
            Reply::Answer(answer) => answer,
            Reply::Again(at) => return Ok(Turn::Rest(at)),
        };
        match answer.status {
            200..=299 => {
                let assigned: Assigned = read(&answer, Step::Join)?;
                let wait = next_poll_ms(assigned.next_poll, assigned.next_poll_ms, NEXT_POLL_DEFAULT_S);
                self.note_join(&user, &answer, &assigned, more);
                self.standing.place = assigned.request_id;
                self.step_into_line();
                if assigned.placed {
                    self.placed_at(assigned.position);
                    self.bears(assigned.eta_p50_s.or(assigned.estimated_wait))?;
                }
                let told = Instant::now() + Duration::from_millis(wait);
                Ok(Turn::Rest(self.comes_back(told)))
            }
            404 if !self.world.clock.is_closed() && self.standing.early < EARLY_MAX => {
                self.standing.early += 1;
                let wait = self.standing.dice.around_ms(1000);
                Ok(Turn::Rest(Instant::now() + Duration::from_millis(wait)))
            }
            _ => Err(Outcome::Refused),
        }
    }

    /// Notes every place this visitor was told, for the auditor to compare.
    fn note_join(
        &mut self,
        user: &str,
        answer: &Answer,
        assigned: &Assigned,
        more: Vec<Result<Answer, Lost>>,
    ) {
        let clock = self.world.clock;
        let answered_at = clock.now();
        let seen = |answer: &Answer, assigned: &Assigned| JoinSeen {
            visitor: user.to_owned(),
            sent_at: clock.millis(answer.sent),
            answered_at,
            position: assigned.position,
            request_id: Some(assigned.request_id),
        };
        let mut joins = Vec::with_capacity(1 + more.len());
        // Before the draw nobody has a place to compare.
        if assigned.placed {
            joins.push(seen(answer, assigned));
        }
        for answer in more.into_iter().flatten() {
            if let Ok(assigned) = serde_json::from_slice::<Assigned>(&answer.body)
                && assigned.placed
            {
                joins.push(seen(&answer, &assigned));
            }
        }
        if !joins.is_empty() {
            self.world
                .observer
                .note(|notes| joins.into_iter().for_each(|join| notes.join(join)));
        }
        if !self.standing.joined {
            let sent_ms = clock.us_from_start(answer.sent) / 1000;
            let took_ms = answer.sent.elapsed().as_millis();
            self.standing.joined_ms = u32::try_from(sent_ms).unwrap_or(u32::MAX);
            self.standing.joining_ms = u16::try_from(took_ms).unwrap_or(u16::MAX);
        }
    }

    /// Notes the place that this visitor keeps, the first time it is told.
    fn placed_at(&mut self, position: u64) {
        self.standing.position = position;
        if std::mem::replace(&mut self.standing.placed, true) {
            return;
        }
        let clock = self.world.clock;
        let sent_us = clock.us_from_opening(clock.from_start(u64::from(self.standing.joined_ms) * 1000));
        let seen = PlaceSeen {
            sent_us,
            answered_us: sent_us + i64::from(self.standing.joining_ms) * 1000,
            position,
        };
        let told = self.world.drawn.then_some(PlaceTold {
            request_id: self.standing.place,
            position,
        });
        self.world.observer.note(|notes| {
            notes.place(seen);
            // What proves a draw; in a line without one the joins say as much.
            if let Some(told) = told {
                notes.told(told);
            }
        });
    }

    /// Who joined before the draw had no place to compare then; now there is one. Of some, because a
    /// million names would be most of the generator's memory, and whoever comes late is noted anyway.
    fn note_early_join(&self, position: u64) {
        if !self.index().is_multiple_of(NOTED_EARLY) {
            return;
        }
        let clock = self.world.clock;
        let sent = clock.from_start(u64::from(self.standing.joined_ms) * 1000);
        let sent_at = clock.millis(sent);
        let join = JoinSeen {
            visitor: self.visitor_key(),
            sent_at,
            // Both were cut to whole milliseconds; later than it was accuses nobody.
            answered_at: sent_at.plus_ms(i64::from(self.standing.joining_ms) + 2),
            position,
            request_id: Some(self.standing.place),
        };
        self.world.observer.note(|notes| notes.join(join));
    }

    async fn poll(&mut self, due: Instant) -> Stage<Turn> {
        let path = format!(
            "{}/{}?userId={}",
            self.world.paths.check,
            self.standing.place,
            self.visitor_key()
        );
        let ask = Ask::get(path, &self.passes);
        let answer = match self.ask_in_line(Step::Poll, due, ask).await? {
            Reply::Answer(answer) => answer,
            Reply::Again(at) => return Ok(Turn::Rest(at)),
        };
        if answer.status == 404 {
            // The waiting room does not know the place.
            if self.standing.rejoins >= REJOINS_MAX {
                return Err(Outcome::Failed);
            }
            self.standing.rejoins += 1;
            self.standing.forget_place();
            return Ok(Turn::Rest(Instant::now()));
        }
        if !(200..300).contains(&answer.status) {
            return Err(Outcome::Refused);
        }
        let checked: Checked<'_> = read(&answer, Step::Poll)?;
        self.note_poll(&answer, &checked);
        if checked.placed && checked.position > 0 && !self.standing.placed {
            self.placed_at(checked.position);
            self.note_early_join(checked.position);
        }
        match (checked.admitted, checked.token) {
            (true, Some(token)) => {
                self.passes.vwr = Some(token.into());
                Ok(Turn::Served)
            }
            _ if checked.sold_out => Err(Outcome::SoldOut),
            // Admission needs both the word and the token (api-contract.md section 5).
            _ => {
                if checked.placed {
                    self.bears(checked.eta_p50_s.or(checked.estimated_wait))?;
                }
                let wait = next_poll_ms(checked.next_poll, checked.next_poll_ms, NEXT_POLL_DEFAULT_S);
                let told = Instant::now() + Duration::from_millis(wait);
                Ok(Turn::Rest(self.comes_back(told)))
            }
        }
    }

    fn note_poll(&self, answer: &Answer, checked: &Checked<'_>) {
        let clock = self.world.clock;
        let seen = ServingSeen {
            sent_at: clock.millis(answer.sent),
            answered_at: clock.now(),
            serving: checked.serving_counter,
            issued: checked.total_in_queue,
            epoch: checked.epoch,
            revision: checked.revision,
        };
        self.world.observer.served(seen);
    }
}

/// `n` in base 36, as the web client writes anonymous ids.
fn base36(mut n: u64) -> String {
    const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let mut text = Vec::new();
    loop {
        text.push(DIGITS[usize::try_from(n % 36).unwrap_or(0)]);
        n /= 36;
        if n == 0 {
            break;
        }
    }
    text.iter().rev().map(|digit| char::from(*digit)).collect()
}
