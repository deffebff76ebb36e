//! Tier 1: joining the waiting room and polling as told.

use super::request::read;
use super::{Journey, Stage};
use crate::http::{Answer, Ask, Lost};
use crate::measure::{Counters, Outcome, Step, Up};
use crate::scenario::Behaviour;
use crate::wire::{Assigned, Checked, next_poll_ms};
use std::sync::Arc;
use std::time::{Duration, Instant};
use urr_core::audit::{JoinSeen, ServingSeen};
use uuid::Uuid;

/// A place in the waiting room and when to ask about it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    request: Uuid,
    next_poll: Instant,
}

/// What a poll said.
enum Said {
    Wait(Instant),
    Served(Arc<str>),
    /// The waiting room does not know the place.
    Unknown,
}

/// Times a place may be lost and asked for again before something is badly wrong.
const REJOINS_MAX: u32 = 20;
/// What the contract says when an answer does not (api-contract.md section 5).
const NEXT_POLL_DEFAULT_S: f64 = 5.0;

impl Journey {
    /// Joins and waits until the waiting room serves this place; the token is then in the passes.
    pub(super) async fn join_and_wait(&mut self) -> Stage<Up> {
        let due = self.arrival;
        let mut place = Box::pin(self.join(due)).await?;
        let in_line = Up::raise(&self.world.live, |counters| &counters.waiting);
        Counters::add(&self.world.live.counters.joined);
        let mut rejoins = 0;
        loop {
            self.wait_until(place.next_poll).await?;
            match Box::pin(self.poll(place)).await? {
                Said::Wait(next_poll) => place.next_poll = next_poll,
                Said::Served(token) => {
                    self.passes.vwr = Some(token);
                    Counters::add(&self.world.live.counters.served);
                    return Ok(in_line);
                }
                Said::Unknown if rejoins < REJOINS_MAX => {
                    rejoins += 1;
                    place = Box::pin(self.join(Instant::now())).await?;
                }
                Said::Unknown => return Err(Outcome::Failed),
            }
        }
    }

    /// A new tier-1 token for the same place, when the old one ended before the door opened.
    pub(super) async fn renew_place(&mut self) -> Stage<()> {
        let mut place = self.join(Instant::now()).await?;
        place.next_poll = Instant::now();
        loop {
            match self.poll(place).await? {
                Said::Served(token) => {
                    self.passes.vwr = Some(token);
                    return Ok(());
                }
                Said::Wait(next_poll) => {
                    place.next_poll = next_poll;
                    self.wait_until(next_poll).await?;
                }
                Said::Unknown => return Err(Outcome::Failed),
            }
        }
    }

    /// The id under which this visitor joins; the same for every join (law `one-place`).
    pub(super) fn visitor_key(&self) -> String {
        use crate::seed::{Dice, Purpose};
        let mut dice = Dice::new(self.world.seed, self.index, Purpose::Account);
        let tail = dice.next() & 0xffff_ffff;
        format!("anon-{}-{tail:08x}", base36(self.index))
    }

    async fn join(&mut self, due: Instant) -> Stage<Place> {
        /// Before the waiting room opens it knows no sale: ask again for at most this many times.
        const EARLY_MAX: u32 = 120;
        let joins = match *self.behaviour() {
            Behaviour::DoubleClicks { joins, .. } if self.position == 0 => joins,
            _ => 1,
        };
        let user = self.visitor_key();
        let body = serde_json::json!({ "userId": user }).to_string();
        let mut due = due;
        for _ in 0..EARLY_MAX {
            let ask = Ask::post(self.world.paths.assign.clone(), Some(body.clone()), &self.passes);
            let more: Vec<_> = (1..joins).map(|_| self.http.send(ask.clone())).collect();
            let (answer, more) = futures::join!(
                self.request(Step::Join, due, ask),
                futures::future::join_all(more)
            );
            let answer = answer?;
            match answer.status {
                200..=299 => {
                    let assigned: Assigned = read(&answer, Step::Join)?;
                    let wait = next_poll_ms(assigned.next_poll, assigned.next_poll_ms, NEXT_POLL_DEFAULT_S);
                    let request = assigned.request_id;
                    self.note_join(&user, &answer, &assigned, more);
                    return Ok(Place {
                        request,
                        next_poll: Instant::now() + Duration::from_millis(wait),
                    });
                }
                404 if !self.world.clock.is_closed() => {
                    due = Instant::now() + Duration::from_millis(self.dice.around_ms(1000));
                    self.wait_until(due).await?;
                }
                _ => return Err(Outcome::Refused),
            }
        }
        Err(Outcome::Refused)
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
        let mut joins = vec![seen(answer, assigned)];
        for answer in more.into_iter().flatten() {
            if let Ok(assigned) = serde_json::from_slice::<Assigned>(&answer.body) {
                joins.push(seen(&answer, &assigned));
            }
        }
        self.world
            .observer
            .note(|notes| joins.into_iter().for_each(|join| notes.join(join)));
        self.position = assigned.position;
    }

    async fn poll(&mut self, place: Place) -> Stage<Said> {
        let path = format!(
            "{}/{}?userId={}",
            self.world.paths.check,
            place.request,
            self.visitor_key()
        );
        let ask = Ask::get(path, &self.passes);
        let answer = self.request(Step::Poll, place.next_poll, ask).await?;
        if answer.status == 404 {
            return Ok(Said::Unknown);
        }
        if !(200..300).contains(&answer.status) {
            return Err(Outcome::Refused);
        }
        let checked: Checked = read(&answer, Step::Poll)?;
        self.note_poll(&answer, &checked);
        match (checked.admitted, checked.token) {
            (true, Some(token)) => Ok(Said::Served(token.into())),
            _ if checked.sold_out => Err(Outcome::SoldOut),
            // Admission needs both the word and the token (api-contract.md section 5).
            _ => {
                let wait = next_poll_ms(checked.next_poll, checked.next_poll_ms, NEXT_POLL_DEFAULT_S);
                Ok(Said::Wait(Instant::now() + Duration::from_millis(wait)))
            }
        }
    }

    fn note_poll(&self, answer: &Answer, checked: &Checked) {
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
