//! The admission log, line by line: whoever goes in has the smallest place of all who wait, and
//! the count of people inside adds up.

use super::{Record, Violation};
use crate::{
    admission::{LogEntry, LogKind},
    time::Millis,
};
use std::collections::{BTreeSet, HashMap, HashSet};
use uuid::Uuid;

/// The line and the house as the log so far tells them.
struct Replay<'a> {
    record: &'a Record,
    waiting: BTreeSet<(u64, Uuid)>,
    place_of: HashMap<Uuid, u64>,
    inside: HashSet<Uuid>,
    user_of: HashMap<u64, Uuid>,
    admissions: u64,
}

/// Replays the log; returns how many were let in.
pub(super) fn check(record: &Record) -> Result<u64, Violation> {
    let mut replay = Replay {
        record,
        waiting: BTreeSet::new(),
        place_of: HashMap::new(),
        inside: HashSet::new(),
        user_of: HashMap::new(),
        admissions: 0,
    };
    let mut latest = Millis(i64::MIN);
    for (line, entry) in (1..).zip(&record.log) {
        // The logs of a line that was lost and revived may overlap.
        if entry.at < latest && entry.kind != LogKind::Revive {
            let ms = latest.since(entry.at);
            return Err(Violation::Backwards { line, ms });
        }
        latest = entry.at;
        replay.take(line, entry)?;
    }
    Ok(replay.admissions)
}

impl Replay<'_> {
    fn take(&mut self, line: usize, entry: &LogEntry) -> Result<(), Violation> {
        match (entry.kind, entry.user) {
            // What was before is only what replicas remembered: the replay starts anew.
            (LogKind::Revive, _) => {
                self.waiting.clear();
                self.place_of.clear();
                self.inside.clear();
                return Ok(());
            }
            (LogKind::Open | LogKind::Limits, _) | (_, None) => {}
            (LogKind::Enqueue, Some(user)) => self.enqueue(line, user, entry.position)?,
            (LogKind::Admit, Some(user)) => self.admit(line, user, entry)?,
            (LogKind::Resume, Some(user)) => {
                self.inside.insert(user);
            }
            (LogKind::Leave, Some(user)) => {
                self.forget(user);
                self.inside.remove(&user);
            }
        }
        let counted = self.inside.len() as u64;
        if entry.active_after != counted {
            return Err(Violation::Miscounted {
                line,
                said: entry.active_after,
                counted,
            });
        }
        Ok(())
    }

    /// Users without a place stand behind all who have one.
    fn enqueue(&mut self, line: usize, user: Uuid, place: Option<u64>) -> Result<(), Violation> {
        if let Some(place) = place {
            let issued = self.record.issued;
            if place == 0 || place > issued {
                return Err(Violation::UnknownPlace {
                    line,
                    user,
                    place,
                    issued,
                });
            }
            let first = *self.user_of.entry(place).or_insert(user);
            if first != user {
                return Err(Violation::PlaceUsedTwice {
                    line,
                    place,
                    first,
                    second: user,
                });
            }
        }
        self.forget(user);
        let place = place.unwrap_or(u64::MAX);
        self.place_of.insert(user, place);
        self.waiting.insert((place, user));
        Ok(())
    }

    fn admit(&mut self, line: usize, user: Uuid, entry: &LogEntry) -> Result<(), Violation> {
        let opens_at = self.record.sale.schedule.opens_at;
        if entry.at < opens_at {
            let ms = opens_at.since(entry.at);
            return Err(Violation::TooEarly { line, user, ms });
        }
        let Some(place) = self.forget(user) else {
            return Err(Violation::OutOfNowhere { line, user });
        };
        if let Some(&(ahead, waiting)) = self.waiting.first()
            && ahead < place
        {
            return Err(Violation::WentAhead {
                line,
                user,
                place,
                waiting,
                ahead,
            });
        }
        self.inside.insert(user);
        self.admissions += 1;
        let inside = self.inside.len() as u64;
        if inside > u64::from(entry.cap) {
            let cap = entry.cap;
            return Err(Violation::OverCap { line, inside, cap });
        }
        Ok(())
    }

    /// Takes `user` out of the line; returns the place.
    fn forget(&mut self, user: Uuid) -> Option<u64> {
        let place = self.place_of.remove(&user)?;
        self.waiting.remove(&(place, user));
        Some(place)
    }
}
