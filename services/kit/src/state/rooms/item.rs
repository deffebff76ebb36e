//! A room as a DynamoDB item. Attribute names of api-contract.md section 5 where it has them.

use super::COUNTERS_KEY;
use crate::state::StateError;
use aws_sdk_dynamodb::types::AttributeValue;
use std::collections::HashMap;
use urr_core::{
    draw::{Commitment, DrawRecord, Seed},
    room::{Mode, Room, ServingClock},
    sale::{Ordering, SaleId},
    time::Millis,
};

/// An item as the SDK has it.
pub type Item = HashMap<String, AttributeValue>;

pub(super) fn key_of(sale: SaleId) -> AttributeValue {
    AttributeValue::S(sale.to_string())
}

pub(super) fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

pub(super) fn number(value: impl Into<i128>) -> AttributeValue {
    AttributeValue::N(value.into().to_string())
}

pub(super) const fn mode_text(mode: Mode) -> &'static str {
    match mode {
        Mode::Inactive => "inactive",
        Mode::Active => "active",
        Mode::Paused => "paused",
        Mode::Draining => "draining",
    }
}

pub(super) fn mode_of(text: &str) -> Option<Mode> {
    [Mode::Inactive, Mode::Active, Mode::Paused, Mode::Draining]
        .into_iter()
        .find(|mode| mode_text(*mode) == text)
}

const fn ordering_text(ordering: Ordering) -> &'static str {
    match ordering {
        Ordering::Fifo => "fifo",
        Ordering::Shuffle => "shuffle",
    }
}

/// Everything but the key and what replicas of the waiting room write. `isActive` and `updatedAt` are api-contract.md's names,
/// kept for tools that read the table; nothing here reads them back.
pub(super) fn settings_of(room: &Room) -> [(&'static str, AttributeValue); 15] {
    [
        ("epoch", number(room.epoch)),
        ("revision", number(room.revision)),
        ("mode", text(mode_text(room.mode))),
        ("isActive", AttributeValue::Bool(room.mode != Mode::Inactive)),
        ("preQueueAt", number(room.pre_queue_at.0)),
        ("opensAt", number(room.opens_at.0)),
        ("closesAt", number(room.closes_at.0)),
        ("base", number(room.clock.base)),
        ("since", number(room.clock.since.0)),
        ("rate", number(room.clock.rate_per_s)),
        ("burst", number(room.clock.burst)),
        ("pollBudget", number(room.poll_budget_per_s)),
        ("tokenTtl", number(room.token_ttl_s)),
        ("ordering", text(ordering_text(room.ordering))),
        ("voids", number(room.voids)),
    ]
}

pub(super) fn item_of(room: &Room) -> Item {
    let mut item: Item = settings_of(room)
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    item.insert(COUNTERS_KEY.to_owned(), key_of(room.sale));
    let mut insert = |name: &str, value| item.insert(name.to_owned(), value);
    insert("nextPosition", number(room.issued));
    insert("blocks", number(room.blocks));
    if let Some(commitment) = room.draw.commitment {
        insert("commitment", text(&commitment.to_hex()));
    }
    if let Some(seed) = room.draw.seed {
        insert("seed", text(&seed.to_hex()));
    }
    if let Some(drawn) = room.draw.drawn {
        insert("drawn", number(drawn));
    }
    if let Some(until) = room.restoring_until {
        insert("restoringUntil", number(until.0));
    }
    item
}

pub(super) fn room_of(item: &Item) -> Result<Room, StateError> {
    fn n<T: std::str::FromStr>(item: &Item, field: &'static str) -> Result<T, StateError> {
        item.get(field)
            .and_then(|value| value.as_n().ok())
            .and_then(|text| text.parse().ok())
            .ok_or(StateError::Corrupt { field })
    }
    fn s<'a>(item: &'a Item, field: &'static str) -> Result<&'a str, StateError> {
        item.get(field)
            .and_then(|value| value.as_s().ok())
            .map(String::as_str)
            .ok_or(StateError::Corrupt { field })
    }
    /// A field that older records lack or that has not been written yet.
    fn optional<T>(
        item: &Item,
        field: &'static str,
        read: impl FnOnce(&Item, &'static str) -> Result<T, StateError>,
    ) -> Result<Option<T>, StateError> {
        if item.contains_key(field) {
            read(item, field).map(Some)
        } else {
            Ok(None)
        }
    }
    let corrupt = |field| StateError::Corrupt { field };
    Ok(Room {
        sale: s(item, COUNTERS_KEY)?
            .parse()
            .map_err(|_| StateError::Corrupt { field: COUNTERS_KEY })?,
        epoch: n(item, "epoch")?,
        revision: n(item, "revision")?,
        mode: mode_of(s(item, "mode")?).ok_or(StateError::Corrupt { field: "mode" })?,
        pre_queue_at: Millis(n(item, "preQueueAt")?),
        opens_at: Millis(n(item, "opensAt")?),
        closes_at: Millis(n(item, "closesAt")?),
        issued: n(item, "nextPosition")?,
        blocks: optional(item, "blocks", n)?.unwrap_or(0),
        ordering: match optional(item, "ordering", |item, field| s(item, field).map(str::to_owned))?
            .as_deref()
        {
            None | Some("fifo") => Ordering::Fifo,
            Some("shuffle") => Ordering::Shuffle,
            Some(_) => return Err(corrupt("ordering")),
        },
        draw: DrawRecord {
            commitment: optional(item, "commitment", |item, field| {
                Commitment::from_hex(s(item, field)?).ok_or_else(|| corrupt(field))
            })?,
            drawn: optional(item, "drawn", n)?,
            seed: optional(item, "seed", |item, field| {
                Seed::from_hex(s(item, field)?).ok_or_else(|| corrupt(field))
            })?,
        },
        voids: optional(item, "voids", n)?.unwrap_or(0),
        restoring_until: optional(item, "restoringUntil", n)?.map(Millis),
        clock: ServingClock {
            base: n(item, "base")?,
            since: Millis(n(item, "since")?),
            rate_per_s: n(item, "rate")?,
            burst: n(item, "burst")?,
        },
        poll_budget_per_s: n(item, "pollBudget")?,
        token_ttl_s: n(item, "tokenTtl")?,
    })
}
