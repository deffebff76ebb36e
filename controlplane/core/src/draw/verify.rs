//! What `ticketctl verify` and the audit replay.

use super::{Commitment, Draw, Seed};
use thiserror::Error;

/// The first thing wrong with a published draw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Violation {
    /// The revealed seed is not the one that was committed to.
    #[error("the revealed seed is not the one whose SHA-256 was published before the draw")]
    OtherSeed,
    /// A ticket of the draw has not the place that the seed gives it.
    #[error("ticket {ticket} was drawn to place {drawn_place}, but was given place {given}")]
    WrongPlace {
        /// Which ticket.
        ticket: u64,
        /// Where the seed puts it.
        drawn_place: u64,
        /// Where it was put.
        given: u64,
    },
    /// Somebody who came after the draw stands elsewhere than behind it in order of arrival.
    #[error(
        "ticket {ticket} came after the draw of {drawn} and stands at {given} instead of in order of arrival"
    )]
    LateOutOfOrder {
        /// Which ticket.
        ticket: u64,
        /// Tickets in the draw.
        drawn: u64,
        /// Where it was put.
        given: u64,
    },
    /// Tickets are numbered from 1.
    #[error("there is no ticket 0")]
    NoTicket,
}

/// Replays a draw: `places` lists (ticket, place) as they were given out, any part of them in any
/// order. Returns how many were checked.
///
/// # Errors
/// The first [`Violation`].
pub fn verify(
    commitment: &Commitment,
    seed: &Seed,
    drawn: u64,
    places: impl IntoIterator<Item = (u64, u64)>,
) -> Result<u64, Violation> {
    if seed.commitment() != *commitment {
        return Err(Violation::OtherSeed);
    }
    let draw = Draw::new(seed, drawn);
    let mut checked = 0;
    for (ticket, given) in places {
        if ticket == 0 {
            return Err(Violation::NoTicket);
        }
        let drawn_place = draw.place(ticket);
        if given != drawn_place {
            return Err(if ticket > drawn {
                Violation::LateOutOfOrder { ticket, drawn, given }
            } else {
                Violation::WrongPlace {
                    ticket,
                    drawn_place,
                    given,
                }
            });
        }
        checked += 1;
    }
    Ok(checked)
}
