//! A block as a DynamoDB item.
//!
//! What breaks if the packing changes: the ledgers of running sales.

use super::{
    Item, LEDGER_KEY, LEDGER_TTL,
    item::{key_of, number, text},
};
use crate::state::StateError;
use aws_sdk_dynamodb::{primitives::Blob, types::AttributeValue};
use urr_core::{
    sale::SaleId,
    time::Millis,
    visitor::{KEY_BYTES, VisitorKey},
};

/// Most joins of one block: 72 KB, well under the 400 KB of an item, and few enough that a block is
/// written within the commit window of law `fair-order`.
pub const BLOCK_ENTRIES_MAX: usize = 4096;
/// A key and how long after the block's first join it arrived.
const ENTRY_BYTES: usize = KEY_BYTES + 2;
/// Blocks are kept for thirty days after they could last matter as far as their writer knows; R-VWR-02
/// asks for one. The end of a sale may be moved after they were written, and a line whose first blocks
/// are gone can be joined through no replica that starts then.
const KEPT_S: i64 = 30 * 24 * 3600;
/// One join in a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Who.
    pub key: VisitorKey,
    /// Arrived this long after the block's `at`, ms; 65 s at most.
    pub after_ms: u16,
}

/// Consecutive positions of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Whose line.
    pub sale: SaleId,
    /// Which activation of it.
    pub epoch: u32,
    /// From 1, without gaps.
    pub number: u64,
    /// Position of the first entry.
    pub first: u64,
    /// When the earliest of its joins arrived.
    pub at: Millis,
    /// Which process wrote it; drawn at its start.
    pub writer: u64,
    /// Who, by position.
    pub entries: Vec<Entry>,
}

impl Block {
    /// Position of the last entry.
    #[must_use]
    pub fn last(&self) -> u64 {
        (self.first + self.entries.len() as u64).saturating_sub(1)
    }

    /// Who stands where, and when they came.
    pub fn places(&self) -> impl Iterator<Item = (u64, VisitorKey, Millis)> {
        let at = self.at;
        (self.first..)
            .zip(&self.entries)
            .map(move |(position, entry)| (position, entry.key, at.plus_ms(entry.after_ms.into())))
    }

    /// Reads an item of the ledger's table.
    ///
    /// # Errors
    /// [`StateError::Corrupt`] for what is no block of this version.
    pub fn of_item(item: &Item) -> Result<Self, StateError> {
        fn n<T: std::str::FromStr>(item: &Item, field: &'static str) -> Result<T, StateError> {
            item.get(field)
                .and_then(|value| value.as_n().ok())
                .and_then(|text| text.parse().ok())
                .ok_or(StateError::Corrupt { field })
        }
        let corrupt = |field| StateError::Corrupt { field };
        let sale = item.get("eventId").and_then(|value| value.as_s().ok());
        let packed = item.get("entries").and_then(|value| value.as_b().ok());
        let packed = packed.ok_or_else(|| corrupt("entries"))?.as_ref();
        if packed.len() % ENTRY_BYTES != 0 {
            return Err(corrupt("entries"));
        }
        Ok(Self {
            sale: sale
                .and_then(|text| text.parse().ok())
                .ok_or_else(|| corrupt("eventId"))?,
            epoch: n(item, "epoch")?,
            number: n(item, "number")?,
            first: n(item, "first")?,
            at: Millis(n(item, "at")?),
            writer: n(item, "writer")?,
            entries: packed.chunks_exact(ENTRY_BYTES).map(unpack).collect(),
        })
    }

    pub(super) fn item(&self, kept_from: Millis) -> Item {
        let packed: Vec<u8> = self.entries.iter().flat_map(pack).collect();
        let fields = [
            (LEDGER_KEY, text(&block_key(self.sale, self.epoch, self.number))),
            ("eventId", key_of(self.sale)),
            ("epoch", number(self.epoch)),
            ("number", number(self.number)),
            ("first", number(self.first)),
            ("at", number(self.at.0)),
            ("writer", number(self.writer)),
            ("entries", AttributeValue::B(Blob::new(packed))),
            (
                LEDGER_TTL,
                number(self.at.max(kept_from).0.div_euclid(1000) + KEPT_S),
            ),
        ];
        fields
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    }
}

pub(super) fn block_key(sale: SaleId, epoch: u32, number: u64) -> String {
    format!("{sale}:{epoch}:{number}")
}

fn pack(entry: &Entry) -> [u8; ENTRY_BYTES] {
    let mut bytes = [0; ENTRY_BYTES];
    bytes[..KEY_BYTES].copy_from_slice(&entry.key.0);
    bytes[KEY_BYTES..].copy_from_slice(&entry.after_ms.to_be_bytes());
    bytes
}

fn unpack(bytes: &[u8]) -> Entry {
    let mut key = [0; KEY_BYTES];
    key.copy_from_slice(&bytes[..KEY_BYTES]);
    let mut after = [0; 2];
    after.copy_from_slice(&bytes[KEY_BYTES..ENTRY_BYTES]);
    Entry {
        key: VisitorKey(key),
        after_ms: u16::from_be_bytes(after),
    }
}
