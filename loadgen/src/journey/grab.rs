//! A script behind the door: no looking around, several holds at once, pays for all it gets.

use super::inside::{Held, Look, RACES_MAX};
use super::request::read;
use super::{Account, Journey, Stage};
use crate::http::Ask;
use crate::measure::{Counters, Outcome, Step};
use crate::wire::Reserved;
use std::time::Instant;
use uuid::Uuid;

impl Journey {
    /// Reaches for `reaches` bookings at once until some are held, and pays for every one.
    pub(super) async fn grab(&mut self, account: &Account, reaches: u8) -> Stage<Outcome> {
        let mut section = self.any_section();
        for _ in 0..RACES_MAX {
            let look = self.look(Instant::now(), &section, usize::from(reaches)).await?;
            let seats = match look {
                Look::Elsewhere(name) => {
                    section = name;
                    continue;
                }
                Look::Nothing => return Err(Outcome::SoldOut),
                Look::Seats(seats) => seats,
            };
            let held = self.reach_for_all(&seats).await;
            let mut best = None;
            for held in &held {
                let outcome = self.pay(account, held).await?;
                // One ticket is a success whatever became of the others.
                if best != Some(Outcome::Bought) {
                    best = Some(outcome);
                }
            }
            if let Some(outcome) = best {
                return Ok(outcome);
            }
        }
        Ok(Outcome::LostRace)
    }

    /// Holds tried at the same instant, one for each booking's worth of `seats`.
    async fn reach_for_all(&mut self, seats: &[Uuid]) -> Vec<Held> {
        let due = Instant::now();
        let sale = self.world.sale;
        let tries: Vec<(&[Uuid], Ask)> = seats
            .chunks(usize::from(self.world.seats_per_booking.max(1)))
            .map(|seats| {
                let body = serde_json::json!({
                    "eventId": sale, "seatIds": seats, "idempotencyKey": self.fresh_key(),
                });
                let path = self.world.paths.reserve.clone();
                (seats, Ask::post(path, Some(body.to_string()), &self.passes))
            })
            .collect();
        let sent = tries.iter().map(|(_, ask)| self.http.send(ask.clone()));
        let results = futures::future::join_all(sent).await;
        let mut won = Vec::new();
        for ((seats, _), result) in tries.iter().zip(results) {
            self.measure(Step::Hold, due, &result);
            let Ok(answer) = result else { continue };
            if (200..300).contains(&answer.status)
                && let Ok(Reserved { reservation }) = read(&answer, Step::Hold)
            {
                Counters::add(&self.world.live.counters.held);
                let now = self.world.clock.now();
                self.world.observer.note(|notes| notes.hold(now));
                won.push(Held {
                    reservation,
                    seats: seats.to_vec(),
                });
            } else if answer.status == 409 {
                Counters::add(&self.world.live.counters.conflicts);
            }
        }
        won
    }
}
