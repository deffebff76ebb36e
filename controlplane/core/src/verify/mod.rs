//! Was the order kept? Replays the numbering, the draw and the admission log of a finished sale and
//! proves it, or names the first violation.
//!
//! The audit weighs a whole sale against every law and counts; this answers the one question that
//! people who stood in line ask, from evidence that may have been through many hands. So nothing
//! is believed that can be computed: places follow from the seed whose hash was published before,
//! the count of people inside from the log itself, and every line is checked against the ones
//! before it. What breaks if a check is dropped here: a tampered record would pass as proven.

mod door;
mod places;

use crate::{
    admission::LogEntry,
    audit::Evidence,
    draw::{self, DrawRecord},
    room::Room,
    sale::{Ordering, Sale},
    token::place::claimed,
    visitor::VisitorKey,
};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use thiserror::Error;
use uuid::Uuid;

use crate::time::Millis;

/// A numbered visitor: who, which number, and the place in line that came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Numbered {
    /// The key under which the visitor joined.
    pub visitor: String,
    /// Of which line.
    pub epoch: u32,
    /// The number, from 1, in the order of joining.
    pub ticket: u64,
    /// The place in line.
    pub place: u64,
    /// When the join arrived.
    pub joined_at: Millis,
    /// The signed id that the visitor was given for it, where somebody saw it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<Uuid>,
}

/// Everything the proof rests on.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// The sale as it was announced.
    pub sale: Sale,
    /// The line's epoch; the numbers of others are of lines that were ended.
    pub epoch: u32,
    /// Numbers given out.
    pub issued: u64,
    /// The draw, in a sale that has one.
    pub draw: DrawRecord,
    /// Everybody with a number.
    pub numbered: Vec<Numbered>,
    /// The admission log, oldest first.
    pub log: Vec<LogEntry>,
}

/// The first thing that was wrong.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Violation {
    /// The draw is not what was committed to, or not what was given out.
    #[error(transparent)]
    Draw(#[from] draw::Violation),
    /// The sale was to be drawn, and the record has no seed, no commitment or no count.
    #[error("the sale is by draw, but the record does not say {missing}")]
    Undrawn {
        /// What is missing.
        missing: &'static str,
    },
    /// A number nobody has.
    #[error("number {ticket} of {issued} is missing: whoever has it was skipped")]
    Missing {
        /// Which.
        ticket: u64,
        /// How many were given out.
        issued: u64,
    },
    /// A number that two have.
    #[error("number {ticket} was given to {first} and to {second}")]
    Twice {
        /// Which.
        ticket: u64,
        /// One of them.
        first: String,
        /// The other.
        second: String,
    },
    /// A number beyond what was given out.
    #[error("{visitor} has number {ticket}, but only {issued} were given out")]
    Beyond {
        /// Whose.
        visitor: String,
        /// Which.
        ticket: u64,
        /// How many were given out.
        issued: u64,
    },
    /// The id in the visitor's hand says another number.
    #[error("{visitor} holds an id for number {claimed}, but the record says {ticket}")]
    OtherId {
        /// Whose.
        visitor: String,
        /// What the id says.
        claimed: u64,
        /// What the record says.
        ticket: u64,
    },
    /// In a sale without a draw the place is the number.
    #[error("{visitor} has number {ticket} and stands at place {place}")]
    Displaced {
        /// Whose.
        visitor: String,
        /// The number.
        ticket: u64,
        /// The place.
        place: u64,
    },
    /// Somebody was numbered behind others who joined much later.
    #[error("{visitor} (number {ticket}) joined {ms} ms before somebody with a smaller number")]
    Overtaken {
        /// Who.
        visitor: String,
        /// The number.
        ticket: u64,
        /// By how much.
        ms: i64,
    },
    /// The log is not in the order of time.
    #[error("log line {line} is {ms} ms earlier than the one before it")]
    Backwards {
        /// Which line, from 1.
        line: usize,
        /// By how much.
        ms: i64,
    },
    /// Somebody was let in while somebody ahead of him waited.
    #[error(
        "log line {line}: place {place} (user {user}) was let in while place {ahead} (user {waiting}) waited"
    )]
    WentAhead {
        /// Which line, from 1.
        line: usize,
        /// Who went in.
        user: Uuid,
        /// At which place.
        place: u64,
        /// Who waited.
        waiting: Uuid,
        /// At which place.
        ahead: u64,
    },
    /// A place from which two went in.
    #[error("log line {line}: place {place} was used by user {first} and by user {second}")]
    PlaceUsedTwice {
        /// Which line, from 1.
        line: usize,
        /// Which place.
        place: u64,
        /// The first user.
        first: Uuid,
        /// The second.
        second: Uuid,
    },
    /// A place nobody was given.
    #[error("log line {line}: user {user} stands at place {place}, but only {issued} were given out")]
    UnknownPlace {
        /// Which line, from 1.
        line: usize,
        /// Who.
        user: Uuid,
        /// Which place.
        place: u64,
        /// How many were given out.
        issued: u64,
    },
    /// Somebody went in without ever being in line.
    #[error("log line {line}: user {user} was let in without having stood in line")]
    OutOfNowhere {
        /// Which line, from 1.
        line: usize,
        /// Who.
        user: Uuid,
    },
    /// The log's count of people inside is not what its own lines add up to.
    #[error(
        "log line {line} counts {said} inside, the lines before it add up to {counted}: a line is missing or was changed"
    )]
    Miscounted {
        /// Which line, from 1.
        line: usize,
        /// What it says.
        said: u64,
        /// What it should say.
        counted: u64,
    },
    /// More inside than the cap allows.
    #[error("log line {line}: {inside} inside, the cap is {cap}")]
    OverCap {
        /// Which line, from 1.
        line: usize,
        /// How many.
        inside: u64,
        /// How many may be.
        cap: u32,
    },
    /// Somebody was let in before the opening.
    #[error("log line {line}: user {user} was let in {ms} ms before the opening")]
    TooEarly {
        /// Which line, from 1.
        line: usize,
        /// Who.
        user: Uuid,
        /// By how much.
        ms: i64,
    },
}

/// What was proven.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Proof {
    /// Numbers checked.
    pub numbered: u64,
    /// Of those: places by lot.
    pub drawn: u64,
    /// Of those: compared with the signed id in the visitor's hand.
    pub ids: u64,
    /// Lines of the log.
    pub log_lines: u64,
    /// People let in, each while nobody ahead of them waited.
    pub admissions: u64,
}

/// Proves the order of `record`.
///
/// # Errors
/// The first [`Violation`]: numbers before places before the door.
pub fn verify(record: &Record) -> Result<Proof, Violation> {
    let (drawn, ids) = places::check(record)?;
    let admissions = door::check(record)?;
    Ok(Proof {
        numbered: record.numbered.len() as u64,
        drawn,
        ids,
        log_lines: record.log.len() as u64,
        admissions,
    })
}

impl Record {
    /// The part of an audit's evidence that a proof of order needs. `None` when the sale never had
    /// a line.
    #[must_use]
    pub fn of(evidence: &Evidence) -> Option<Self> {
        let room: &Room = evidence.room.as_ref()?;
        let ids: HashMap<VisitorKey, Uuid> = evidence
            .observed
            .joins
            .iter()
            .filter_map(|join| Some((VisitorKey::of(evidence.sale.id, &join.visitor), join.request_id?)))
            // Ids of another line, or of none, prove nothing about this one.
            .filter(|(_, id)| claimed(*id).is_some_and(|(_, epoch)| epoch == room.epoch))
            .collect();
        let places = room.places();
        let numbered = evidence
            .places
            .iter()
            .filter(|row| row.epoch == room.epoch)
            .map(|row| Numbered {
                visitor: row.key.to_string(),
                epoch: row.epoch,
                ticket: row.position,
                place: places.of(row.position).unwrap_or(row.position),
                joined_at: row.created_at,
                request_id: ids.get(&row.key).copied(),
            });
        let mut numbered: Vec<Numbered> = numbered.collect();
        numbered.sort_unstable_by(|a, b| (a.ticket, &a.visitor).cmp(&(b.ticket, &b.visitor)));
        Some(Self {
            sale: evidence.sale.clone(),
            epoch: room.epoch,
            issued: room.issued,
            draw: room.draw,
            numbered,
            log: evidence.log.clone(),
        })
    }

    const fn is_drawn(&self) -> bool {
        matches!(self.sale.ordering, Ordering::Shuffle)
    }
}
