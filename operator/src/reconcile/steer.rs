//! What a look says to the control plane, and hears from it.

use super::{Context, Error, chain};
use crate::control_api::{ControlError, SaleState, Word};
use crate::decide;
use crate::health::CONTROL;
use urr_api::TicketSale;
use urr_core::plan::{AppliedLimits, Observed};
use urr_core::sale::{Phase, Sale};
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
    pub(super) async fn tell(
        &self,
        object: &TicketSale,
        sale: &Sale,
        ready_units: u32,
        lacks_rehearsal: bool,
        now: Millis,
    ) -> Told {
        let known = self.control.get(sale.id).await;
        self.heard(&known);
        let word = |known| {
            let word = decide::word(&object.spec, sale, ready_units, known, now);
            decide::held_for_rehearsal(word, sale, lacks_rehearsal, known, now)
        };
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

/// What core plans on: the cluster as seen, and the control plane's word for what is in force.
pub(crate) fn observed(word: &Word, told: Result<&SaleState, &ControlError>) -> Observed {
    let control = told.ok();
    let in_force = control.and_then(|state| state.plan.as_ref());
    let mut hand = control.map(|state| state.hand).unwrap_or_default();
    hand.paused |= match told {
        Ok(state) => state.held.is_some(),
        // It refused the sale, not the hold.
        Err(ControlError::Refused { .. }) => word.held.is_some(),
        // A hold that nobody heard of holds nothing.
        Err(_) => false,
    };
    Observed {
        ready_replicas: word.ready_units,
        sold_out: in_force.is_some_and(|plan| plan.phase == Phase::SoldOut),
        hand,
        room: None,
        limits: in_force.map(|plan| AppliedLimits {
            rate_per_s: plan.limits.rate_per_s,
            cap: plan.limits.cap,
            paused: plan.limits.paused,
        }),
        // The door's pace is the control plane's business.
        turnout: None,
        pace_per_s: control
            .and_then(|state| state.pace.as_ref())
            .map(|pace| pace.rate_per_s),
    }
}
