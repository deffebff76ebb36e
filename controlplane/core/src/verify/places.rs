//! Numbers and places: each number once, in order of joining, each place as the draw has it.

use super::{Numbered, Record, Violation};
use crate::{draw, time::Millis, token::place::claimed};

/// Joins this far apart may be numbered in either order (law fair-order).
const COMMIT_WINDOW_MS: i64 = 50;

/// Checks all numbers; returns how many places were drawn and how many ids were compared.
pub(super) fn check(record: &Record) -> Result<(u64, u64), Violation> {
    let mut rows: Vec<&Numbered> = record.numbered.iter().collect();
    // Stable, so that of two with one number the file's first is named first.
    rows.sort_by_key(|row| row.ticket);
    every_number_once(record, &rows)?;
    in_order_of_joining(&rows)?;
    let ids = as_the_ids_say(&rows)?;
    Ok((by_lot(record, &rows)?, ids))
}

fn every_number_once(record: &Record, rows: &[&Numbered]) -> Result<(), Violation> {
    let issued = record.issued;
    let mut expected = 1;
    let mut before: Option<&Numbered> = None;
    for row in rows {
        if let Some(before) = before.filter(|before| before.ticket == row.ticket) {
            return Err(Violation::Twice {
                ticket: row.ticket,
                first: before.visitor.clone(),
                second: row.visitor.clone(),
            });
        }
        if row.ticket > issued {
            return Err(Violation::Beyond {
                visitor: row.visitor.clone(),
                ticket: row.ticket,
                issued,
            });
        }
        if row.ticket != expected {
            let ticket = expected;
            return Err(Violation::Missing { ticket, issued });
        }
        expected += 1;
        before = Some(row);
    }
    if expected <= issued {
        let ticket = expected;
        return Err(Violation::Missing { ticket, issued });
    }
    Ok(())
}

fn in_order_of_joining(rows: &[&Numbered]) -> Result<(), Violation> {
    let mut latest = Millis(i64::MIN);
    for row in rows {
        let ms = latest.since(row.joined_at);
        if latest > row.joined_at && ms > COMMIT_WINDOW_MS {
            return Err(Violation::Overtaken {
                visitor: row.visitor.clone(),
                ticket: row.ticket,
                ms,
            });
        }
        latest = latest.max(row.joined_at);
    }
    Ok(())
}

fn as_the_ids_say(rows: &[&Numbered]) -> Result<u64, Violation> {
    let mut compared = 0;
    for row in rows {
        let Some(id) = row.request_id else { continue };
        let claimed = claimed(id).map_or(0, |(number, _)| number);
        if claimed != row.ticket {
            return Err(Violation::OtherId {
                visitor: row.visitor.clone(),
                claimed,
                ticket: row.ticket,
            });
        }
        compared += 1;
    }
    Ok(compared)
}

fn by_lot(record: &Record, rows: &[&Numbered]) -> Result<u64, Violation> {
    if !record.is_drawn() {
        return match rows.iter().find(|row| row.place != row.ticket) {
            None => Ok(0),
            Some(row) => Err(Violation::Displaced {
                visitor: row.visitor.clone(),
                ticket: row.ticket,
                place: row.place,
            }),
        };
    }
    let missing = |missing| Violation::Undrawn { missing };
    let draw = &record.draw;
    let commitment = draw.commitment.ok_or_else(|| missing("what was committed to"))?;
    let drawn = draw.drawn.ok_or_else(|| missing("how many were drawn"))?;
    let seed = draw.seed.ok_or_else(|| missing("the revealed seed"))?;
    draw::verify(
        &commitment,
        &seed,
        drawn,
        rows.iter().map(|row| (row.ticket, row.place)),
    )?;
    Ok(drawn)
}
