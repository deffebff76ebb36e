//! Holding seats, step by step: terms, window, filter, Postgres.
//!
//! Who may hold at all (law `no-back-door`) is the handler's question; here it is whether, now, and
//! these seats.

mod change;
mod free;

use crate::events;
use crate::expiry;
use crate::filter::{Filter, Verdict};
use crate::reservation;
use crate::store::hold::{self, Hold, HoldRequest, Outcome};
use crate::store::memberships;
use crate::store::sales::{self, SaleTerms};
use sqlx::PgPool;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use urr_core::presale::Tier;
use urr_core::terms;
use urr_core::time::Millis;
use urr_kit::SharedClock;
use urr_kit::wire;
use uuid::Uuid;

/// Tickets a user may have in hand for one event (R-BOOK-04).
pub const TICKETS_PER_USER_MAX: i32 = 4;
/// Terms are read again after this; a change of the sale shows within it.
const TERMS_MAX_AGE_MS: i64 = 1000;
/// Events whose terms are kept.
const TERMS_MAX: usize = 256;

/// Why a hold is refused. The text is what the client reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Neither control plane nor catalog ever named this event.
    #[error("Event not found")]
    NoEvent,
    /// R-BOOK-14: not now, or not he.
    #[error(transparent)]
    Terms(#[from] terms::Refusal),
    /// No seats in the request.
    #[error("Please select at least one seat")]
    NoSeats,
    /// More than one where one is the limit.
    #[error("Only one seat can be selected")]
    OneSeatOnly,
    /// More than this.
    #[error("At most {0} seats can be selected")]
    TooManySeats(i32),
    /// An id that is no seat of the event.
    #[error("Selected seat not found")]
    SeatNotFound,
    /// Somebody else was faster.
    #[error("Seat is already held by another user")]
    Taken,
    /// Sold.
    #[error("Seat is already reserved")]
    Sold,
    /// R-BOOK-04.
    #[error("At most {TICKETS_PER_USER_MAX} tickets per person for this event")]
    OverLimit,
    /// R-BOOK-09: no such reservation of the caller's.
    #[error("Reservation not found")]
    NoReservation,
    /// R-BOOK-09: it is paid, given up, or its time is over.
    #[error("The seats of this reservation cannot be changed any more")]
    NotPending,
}

/// Why there is no hold.
#[derive(Debug, thiserror::Error)]
pub enum HoldError {
    /// It is not to be had.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The database failed.
    #[error("the database failed")]
    Store(#[from] sqlx::Error),
}

/// What a sale allows right now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowed {
    /// Length of a hold, seconds.
    pub hold_ttl_s: i64,
    /// Seats in one booking.
    pub seats_per_booking: i32,
}

/// Defaults for events without a sale of their own.
#[derive(Debug, Clone, Copy)]
pub struct Defaults {
    /// Length of a hold, seconds.
    pub hold_ttl_s: i64,
    /// Seats in one booking.
    pub seats_per_booking: i32,
}

/// The terms of an event as they were read at some instant.
struct Kept {
    read_at: Millis,
    terms: Option<SaleTerms>,
}

/// Holds seats. Cheap to clone.
#[derive(Clone)]
pub struct Holds {
    pool: PgPool,
    filter: Filter,
    clock: SharedClock,
    defaults: Defaults,
    terms: Arc<Mutex<HashMap<Uuid, Kept>>>,
}

impl Holds {
    /// Holds in `pool`, spared by `filter`.
    #[must_use]
    pub fn new(pool: PgPool, filter: Filter, clock: SharedClock, defaults: Defaults) -> Self {
        Self {
            pool,
            filter,
            clock,
            defaults,
            terms: Arc::default(),
        }
    }

    /// The filter in front.
    #[must_use]
    pub const fn filter(&self) -> &Filter {
        &self.filter
    }

    /// Whether `user` can reserve anything of the event now, and how. Only while a presale lasts is anything
    /// asked about the user.
    ///
    /// # Errors
    /// `NoEvent`, `Terms`; what the database fails with.
    pub async fn allowed(&self, event: Uuid, user: Uuid) -> Result<Allowed, HoldError> {
        let now = self.clock.now();
        let sale = self.terms(event).await?.ok_or(Refusal::NoEvent)?;
        sale.terms.on_sale(now).map_err(Refusal::from)?;
        if sale.terms.presale_at(now).is_some() {
            let tier = self.tier(&sale, user).await?;
            sale.terms.turn(tier, now).map_err(Refusal::from)?;
        }
        let defaults = self.defaults;
        Ok(Allowed {
            hold_ttl_s: sale.hold_ttl_s.map_or(defaults.hold_ttl_s, i64::from),
            seats_per_booking: sale.seats_per_booking.unwrap_or(defaults.seats_per_booking),
        })
    }

    /// What `user` is to whose show it is.
    ///
    /// # Errors
    /// What the database fails with.
    pub async fn tier(&self, sale: &SaleTerms, user: Uuid) -> Result<Tier, sqlx::Error> {
        match sale.artist_id {
            Some(artist) => memberships::tier(&self.pool, user, artist, wire::at(self.clock.now())).await,
            None => Ok(Tier::Bronze),
        }
    }

    /// Holds all of `seats` for `user`, or none. `true` beside the hold when this call made it.
    ///
    /// # Errors
    /// A [`Refusal`], or what the database fails with.
    pub async fn hold(
        &self,
        user: Uuid,
        event: Uuid,
        seats: &[Uuid],
        key: Option<&str>,
    ) -> Result<(Hold, bool), HoldError> {
        let mut seats = seats.to_vec();
        seats.sort_unstable();
        seats.dedup();
        if seats.is_empty() {
            return Err(Refusal::NoSeats.into());
        }
        let allowed = match self.allowed(event, user).await {
            // The user's own first result comes before what has changed since (R-BOOK-06).
            Err(HoldError::Refused(refusal)) => {
                let first = self.repeat(user, key).await?;
                return match first {
                    Some(hold) => Ok((hold, false)),
                    None => Err(refusal.into()),
                };
            }
            allowed => allowed?,
        };
        check_number(seats.len(), allowed.seats_per_booking)?;
        let now = self.clock.now();
        let expires_at = now.plus_s(allowed.hold_ttl_s);
        let fresh_keys = match self.filter.claim(event, user, &seats, now, expires_at).await {
            Verdict::Pass(fresh) => fresh,
            Verdict::Taken => {
                // The user's own first result comes before everybody else's hold (R-BOOK-06).
                return match self.repeat(user, key).await? {
                    Some(hold) => Ok((hold, false)),
                    None => Err(lost(Refusal::Taken).into()),
                };
            }
        };
        let outcome = self.decide(user, event, &seats, key, now, expires_at).await;
        if !matches!(outcome, Ok(Outcome::Held { .. })) && !fresh_keys.is_empty() {
            self.filter.release(event, user, &fresh_keys).await;
        }
        let refusal = match outcome? {
            Outcome::Held { hold, fresh } => {
                // A replay under a key names other seats than were claimed just now.
                if !fresh
                    && fresh_keys
                        .iter()
                        .any(|id| !hold.seats.iter().any(|seat| seat.id == *id))
                {
                    self.filter.release(event, user, &fresh_keys).await;
                }
                if fresh {
                    metrics::counter!("urr_booking_holds_total", "outcome" => "won").increment(1);
                }
                return Ok((self.or_sold(hold, user).await?, fresh));
            }
            Outcome::NotFound => Refusal::SeatNotFound,
            Outcome::Taken => Refusal::Taken,
            Outcome::Sold => Refusal::Sold,
            Outcome::OverLimit => Refusal::OverLimit,
        };
        Err(lost(refusal).into())
    }

    async fn decide(
        &self,
        user: Uuid,
        event: Uuid,
        seats: &[Uuid],
        key: Option<&str>,
        now: Millis,
        expires_at: Millis,
    ) -> Result<Outcome, sqlx::Error> {
        // Twice at most: the second time after this user's own dead holds are swept.
        for attempt in 0..2 {
            let id = Uuid::new_v4();
            let request = HoldRequest {
                user,
                event,
                seats,
                reservation: id,
                number: &reservation::number("TK", now),
                now: wire::at(now),
                expires_at: wire::at(expires_at),
                key,
                tickets_max: TICKETS_PER_USER_MAX,
                created: &events::hold_created(id, user, event, seats, now)?,
            };
            let outcome = hold::hold(&self.pool, &request).await?;
            let swept = outcome == Outcome::OverLimit
                && attempt == 0
                && expiry::sweep(&self.pool, &self.filter, Some((user, event)), now).await? > 0;
            if !swept {
                return Ok(outcome);
            }
        }
        Ok(Outcome::OverLimit)
    }

    async fn repeat(&self, user: Uuid, key: Option<&str>) -> Result<Option<Hold>, sqlx::Error> {
        match key {
            Some(_) => hold::by_key(&self.pool, user, key).await,
            None => Ok(None),
        }
    }

    /// The terms of an event, at most a second old; `None` when nobody ever named it.
    ///
    /// # Errors
    /// What the database fails with.
    pub async fn terms(&self, event: Uuid) -> Result<Option<SaleTerms>, sqlx::Error> {
        let now = self.clock.now();
        if let Some(known) = self.kept().get(&event)
            && (0..TERMS_MAX_AGE_MS).contains(&now.since(known.read_at))
        {
            return Ok(known.terms);
        }
        let terms = sales::terms(&self.pool, event).await?;
        let mut kept = self.kept();
        if kept.len() >= TERMS_MAX {
            kept.clear();
        }
        kept.insert(event, Kept { read_at: now, terms });
        Ok(terms)
    }

    /// Forgets what is kept of an event, for one that just changed here.
    pub fn forget(&self, event: Uuid) {
        self.kept().remove(&event);
    }

    fn kept(&self) -> MutexGuard<'_, HashMap<Uuid, Kept>> {
        self.terms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn lost(refusal: Refusal) -> Refusal {
    metrics::counter!("urr_booking_holds_total", "outcome" => "lost").increment(1);
    refusal
}

fn check_number(seats: usize, most: i32) -> Result<(), Refusal> {
    match (seats, usize::try_from(most).unwrap_or(1)) {
        (0, _) => Err(Refusal::NoSeats),
        (seats, most) if seats <= most => Ok(()),
        (_, 1) => Err(Refusal::OneSeatOnly),
        _ => Err(Refusal::TooManySeats(most)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_contract_allows_one_seat_and_a_sale_up_to_four() {
        assert_eq!(check_number(0, 1), Err(Refusal::NoSeats));
        assert_eq!(check_number(2, 1), Err(Refusal::OneSeatOnly));
        assert_eq!(check_number(4, 4), Ok(()));
        assert_eq!(check_number(5, 4), Err(Refusal::TooManySeats(4)));
    }
}
