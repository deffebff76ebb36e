//! What a look says to the control plane, and hears from it.

use super::{Context, Error, chain};
use crate::control_api::{ControlError, SaleState, Word};
use crate::decide::look::Scene;
use crate::health::CONTROL;
use urr_api::TicketSale;
use urr_core::sale::Sale;
use urr_core::time::Millis;

/// What was said to the control plane, and what it had and has.
pub(super) struct Told {
    pub(super) word: Word,
    /// What it had of the sale before.
    pub(super) known: Option<SaleState>,
    pub(super) answer: Result<SaleState, ControlError>,
}

impl Context {
    /// Says what is ready and whether the line is held, if that is news. What the control plane has of
    /// the sale decides; nothing is remembered here.
    pub(super) async fn tell(&self, scene: &Scene<'_>, ready_units: u32, now: Millis) -> Told {
        let sale = scene.sale;
        let known = self.control.get(sale.id).await;
        self.heard(&known);
        let word = |known| scene.word(ready_units, known, now);
        let known = match known {
            Ok(known) => known,
            Err(error) => {
                return Told {
                    word: word(None),
                    known: None,
                    answer: Err(error),
                };
            }
        };
        let word = word(known.as_ref());
        let was = known.clone();
        let Some(known) = known else {
            let answer = self.put(sale, &word).await;
            return Told {
                word,
                known: was,
                answer,
            };
        };
        // A new leader makes itself heard at once: from then on its predecessor is not.
        let is_new = self
            .leadership
            .check()
            .is_ok_and(|term| known.operator_term != term);
        let is_news = is_new || known.ready_replicas != Some(word.ready_units) || known.held != word.held;
        let same_sale = serde_json::to_value(sale).is_ok_and(|sale| sale == known.sale);
        let state = match (same_sale, is_news) {
            (true, false) => Ok(known),
            (true, true) => self.say(sale, &word).await,
            (false, _) => match self.put(sale, &word).await {
                // What it does not take of the sale must not keep it from hearing what is ready.
                Err(refused @ ControlError::Refused { .. }) if is_news => {
                    let _ = self.say(sale, &word).await;
                    Err(refused)
                }
                state => state,
            },
        };
        Told {
            word,
            known: was,
            answer: state,
        }
    }

    pub(super) async fn put(&self, sale: &Sale, word: &Word) -> Result<SaleState, ControlError> {
        let term = self.leadership.check().map_err(ControlError::NotLeading)?;
        metrics::counter!("operator_writes_total", "to" => "control").increment(1);
        let state = self.control.put(sale, word, term).await;
        self.heard(&state);
        state
    }

    async fn say(&self, sale: &Sale, word: &Word) -> Result<SaleState, ControlError> {
        let term = self.leadership.check().map_err(ControlError::NotLeading)?;
        metrics::counter!("operator_writes_total", "to" => "control").increment(1);
        let state = self.control.report(sale.id, word, term).await;
        self.heard(&state);
        state
    }

    fn heard<T>(&self, answer: &Result<T, ControlError>) {
        match answer {
            Err(ControlError::Unreachable(error)) => self.gates.shut(CONTROL, chain(error.as_ref())),
            Err(ControlError::Failed { status, .. }) => {
                self.gates.shut(CONTROL, format!("it answers {status}"));
            }
            // Law fenced: whoever this one believes to be, it has been followed.
            Err(ControlError::NotLeading(_)) => self.leadership.supersede(),
            Ok(_) | Err(ControlError::Refused { .. }) => self.gates.open(CONTROL),
        }
    }

    pub(super) async fn close_room(&self, object: &TicketSale, reason: &str) -> Result<(), Error> {
        // An id that is none was never put anywhere.
        let Ok(id) = object.spec.event_id.parse() else {
            return Ok(());
        };
        let term = self.leadership.check()?;
        metrics::counter!("operator_writes_total", "to" => "control").increment(1);
        let closed = self.control.delete(id, reason, term).await;
        self.heard(&closed);
        if closed.map_err(Error::Close)? {
            return Ok(());
        }
        Err(Error::Close(ControlError::Failed {
            status: reqwest::StatusCode::ACCEPTED,
            message: "the room is being closed".to_owned(),
        }))
    }
}
