//! From seats held to seats paid for, or not.

use super::inside::Held;
use super::request::read;
use super::{Account, Journey, Stage};
use crate::http::{Answer, Ask};
use crate::measure::{Counters, Outcome, Sample, Step, Verdict};
use crate::observe::Purchase;
use crate::scenario::Behaviour;
use crate::wire::{Prepared, Pressed};
use std::time::{Duration, Instant};

/// Tries to pay, each with a new payment key, when the provider refuses.
const PAYMENTS_MAX: u32 = 3;
/// Presses of one pay button while its payment is being processed.
const PRESSES_MAX: u32 = 20;
/// How a press of the pay button ended.
enum Payment {
    Taken,
    /// The provider said no; another card may do.
    Declined,
    /// The hold was over.
    TooLate,
}

impl Journey {
    /// Pays for what is held, with another card when the provider refuses one.
    pub(super) async fn pay(&mut self, account: &Account, held: &Held) -> Stage<Outcome> {
        let mut due = self.think().await?;
        Counters::add(&self.world.live.counters.paid);
        let amount = held.reservation.total_amount;
        for _ in 0..PAYMENTS_MAX {
            let body = serde_json::json!({ "amount": amount, "reservationId": held.reservation.id });
            let ask = Ask::post(
                self.world.paths.prepare.clone(),
                Some(body.to_string()),
                &self.passes,
            );
            let answer = self.request(Step::Prepare, due, ask).await?;
            if !(200..300).contains(&answer.status) {
                return Ok(Outcome::HoldLost);
            }
            let prepared: Prepared = read(&answer, Step::Prepare)?;
            due = self.think().await?;
            let payment_key = format!("drill_{}", self.fresh_key());
            match self
                .confirm_until_known(due, &prepared.order_id, &payment_key, amount)
                .await?
            {
                Payment::Taken => {
                    self.note_purchase(account, held, prepared.order_id, payment_key);
                    return Ok(Outcome::Bought);
                }
                Payment::TooLate => return Ok(Outcome::HoldLost),
                Payment::Declined => due = self.think().await?,
            }
        }
        Ok(Outcome::PaymentRefused)
    }

    /// Presses pay, and again with the same key until it is said how it ended: "processing" is no ticket.
    async fn confirm_until_known(
        &mut self,
        mut due: Instant,
        order: &str,
        payment_key: &str,
        amount: u64,
    ) -> Stage<Payment> {
        for _ in 0..PRESSES_MAX {
            let answer = self.confirm(due, order, payment_key, amount).await?;
            let said: Pressed = serde_json::from_slice(&answer.body).unwrap_or_default();
            if said.status.as_deref() != Some("processing") {
                return Ok(match (answer.status, said.code) {
                    (200..300, _) => Payment::Taken,
                    (_, Some(_)) => Payment::Declined,
                    (_, None) => Payment::TooLate,
                });
            }
            due = Instant::now() + Duration::from_millis(self.standing.dice.around_ms(700));
            self.linger_until(due).await?;
        }
        Err(Outcome::Failed)
    }

    /// Presses pay: once, or as often at once as an impatient finger does.
    async fn confirm(&mut self, due: Instant, order: &str, payment_key: &str, amount: u64) -> Stage<Answer> {
        let presses = match *self.behaviour() {
            Behaviour::DoubleClicks { confirms, .. } => confirms,
            _ => 1,
        };
        let body = serde_json::json!({ "paymentKey": payment_key, "orderId": order, "amount": amount });
        let ask = Ask::post(
            self.world.paths.confirm.clone(),
            Some(body.to_string()),
            &self.passes,
        );
        let more: Vec<_> = (1..presses).map(|_| self.http.send(ask.clone())).collect();
        let (answer, more) = futures::join!(
            self.request(Step::Confirm, due, ask),
            futures::future::join_all(more)
        );
        let answer = answer?;
        // Whichever press was first has paid; the others may be told so in other words.
        let paid = more
            .into_iter()
            .flatten()
            .find(|other| (200..300).contains(&other.status));
        Ok(match paid {
            Some(other) if !(200..300).contains(&answer.status) => other,
            _ => answer,
        })
    }

    fn note_purchase(&self, account: &Account, held: &Held, order: String, payment_key: String) {
        let counters = &self.world.live.counters;
        counters
            .sold
            .fetch_add(held.seats.len() as u64, std::sync::atomic::Ordering::Relaxed);
        let took = self.arrival().elapsed();
        self.world.record(&Sample {
            step: Step::Journey,
            lane: self.lane(),
            response: took,
            service: took,
            status: 200,
            verdict: Verdict::Fine,
        });
        self.world
            .tally
            .bought(self.standing.persona, held.seats.len() as u64);
        let purchase = Purchase {
            user: account.user,
            reservation: held.reservation.id,
            seats: held.seats.clone(),
            order,
            payment_key,
            amount_krw: held.reservation.total_amount,
            at: self.world.clock.now(),
        };
        self.world.observer.note(|notes| notes.purchase(purchase));
    }
}
