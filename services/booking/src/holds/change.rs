//! Other seats for a hold, step by step: whose, terms, filter, Postgres.

use super::{HoldError, Holds, Refusal, check_number, lost};
use crate::filter::Verdict;
use crate::store::change::{self, Outcome};
use crate::store::handover::Guarded;
use crate::store::hold::{self, Hold};
use crate::store::reads;
use urr_core::time::Millis;
use urr_kit::wire;
use uuid::Uuid;

impl Holds {
    /// Other seats for a pending reservation (R-BOOK-09): the new ones are taken and the old ones freed, or
    /// everything stays. Its end does not move.
    ///
    /// # Errors
    /// A [`Refusal`], or what the database fails with.
    pub async fn change(&self, user: Uuid, reservation: Uuid, seats: &[Uuid]) -> Result<Hold, HoldError> {
        let mut seats = seats.to_vec();
        seats.sort_unstable();
        seats.dedup();
        if seats.is_empty() {
            return Err(Refusal::NoSeats.into());
        }
        let found = reads::payable(&self.pool, reservation).await?;
        let found = found
            .filter(|found| found.user_id == user)
            .ok_or(Refusal::NoReservation)?;
        let event = found.event_id;
        let allowed = self.allowed(event, user).await?;
        check_number(seats.len(), allowed.seats_per_booking)?;
        let now = self.clock.now();
        let expires_at = Millis(found.expires_at.timestamp_millis());
        let fresh_keys = match self.filter.claim(event, user, &seats, now, expires_at).await {
            Verdict::Pass(fresh) => fresh,
            Verdict::Taken => return Err(lost(Refusal::Taken).into()),
        };
        let outcome =
            change::change(&self.pool, reservation, user, &seats, Guarded::Yes, wire::at(now)).await;
        if let Ok(Outcome::Changed { freed }) = &outcome {
            self.filter.release(event, user, freed).await;
        } else if !fresh_keys.is_empty() {
            self.filter.release(event, user, &fresh_keys).await;
        }
        let refusal = match outcome? {
            Outcome::Changed { .. } => {
                let hold = hold::load(&self.pool, reservation).await?;
                let hold = hold.ok_or(Refusal::NoReservation)?;
                return Ok(self.or_sold(hold, user).await?);
            }
            Outcome::NotFound => Refusal::NoReservation,
            Outcome::NotPending => Refusal::NotPending,
            Outcome::SeatNotFound => Refusal::SeatNotFound,
            Outcome::Taken => Refusal::Taken,
            Outcome::Sold => Refusal::Sold,
            Outcome::OverLimit => Refusal::OverLimit,
        };
        Err(lost(refusal).into())
    }
}
