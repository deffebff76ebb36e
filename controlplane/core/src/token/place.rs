//! A place in the waiting room as one UUID: the wire's `requestId`.
//!
//! It carries position and epoch in the clear and a 64-bit MAC over sale, epoch, position and
//! visitor, so a poll is answered from the id and one cached record: no store, no session, and no
//! heap. Guessing a place costs 2^63 requests on average against a rate-limited door.
//!
//! In a sale with a draw the position is the ticket's number, whose place the draw tells.
//!
//! Layout (RFC 9562 version 8, most significant bit first): position 32, epoch 26, MAC 64; the six
//! version and variant bits are checked. Positions up to 4 billion, epochs up to 67 million.

use super::{Invalid, Keyring, keyring::Key};
use crate::sale::SaleId;
use hmac::Mac;
use subtle::ConstantTimeEq;
use uuid::Uuid;

const POSITION_BITS: u32 = 32;
const EPOCH_BITS: u32 = 26;
/// Largest position an id can carry. A place beyond it gets an id that never verifies: refused,
/// not mistaken for another.
pub const POSITION_MAX: u64 = (1 << POSITION_BITS) - 1;
/// Largest epoch an id can carry; the same holds beyond it.
pub const EPOCH_MAX: u32 = (1 << EPOCH_BITS) - 1;
const _: () = assert!(
    POSITION_BITS + EPOCH_BITS + 64 == 128 - 6,
    "all bits of a UUIDv8 are used"
);

/// Starts every MACed message. A JWT's starts with `eyJ`, so neither can stand for the other.
const LABEL: &[u8; 8] = b"\0place1\0";

/// Where someone stands in which line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Place {
    /// Whose line.
    pub sale: SaleId,
    /// Which activation of it.
    pub epoch: u32,
    /// From 1.
    pub position: u64,
}

/// The id of `visitor`'s place, signed by the ring's first key.
#[must_use]
pub fn issue(keys: &Keyring, place: &Place, visitor: &str) -> Uuid {
    let position = u128::from(place.position & POSITION_MAX);
    let epoch = u128::from(place.epoch & EPOCH_MAX);
    let mac = u128::from(u64::from_be_bytes(mac(keys.signer(), place, visitor)));
    Uuid::from_u128(spread(position << (EPOCH_BITS + 64) | epoch << 64 | mac))
}

/// The place that `id` proves for `visitor` in the line of `sale`.
///
/// # Errors
/// [`Invalid::Malformed`] if it is no version 8 UUID, else [`Invalid::BadSignature`]: a MAC cannot
/// tell whether the sale, the visitor, the position or the key is another.
pub fn verify(keys: &Keyring, sale: SaleId, visitor: &str, id: Uuid) -> Result<Place, Invalid> {
    let payload = gather(id.as_u128()).ok_or(Invalid::Malformed)?;
    let (position, epoch) = fields(payload);
    #[expect(clippy::cast_possible_truncation, reason = "cuts exactly the MAC's bits")]
    let claimed = (payload as u64).to_be_bytes();
    let place = Place {
        sale,
        epoch,
        position,
    };
    let genuine = keys
        .verifiers()
        .any(|key| mac(key, &place, visitor).ct_eq(&claimed).into());
    if genuine {
        Ok(place)
    } else {
        Err(Invalid::BadSignature)
    }
}

/// Position and epoch that an id claims, unproven: for auditors, who have no keys.
#[must_use]
pub fn claimed(id: Uuid) -> Option<(u64, u32)> {
    gather(id.as_u128()).map(fields)
}

#[expect(clippy::cast_possible_truncation, reason = "cuts exactly the fields' bits")]
const fn fields(payload: u128) -> (u64, u32) {
    (
        (payload >> (EPOCH_BITS + 64)) as u64 & POSITION_MAX,
        (payload >> 64) as u32 & EPOCH_MAX,
    )
}

/// First 64 bits of the MAC. The visitor comes last: all before it has a fixed length, so no two
/// inputs make the same message.
fn mac(key: &Key, place: &Place, visitor: &str) -> [u8; 8] {
    let mut mac = key.mac.clone();
    mac.update(LABEL);
    mac.update(place.sale.as_bytes());
    mac.update(&place.epoch.to_be_bytes());
    mac.update(&place.position.to_be_bytes());
    mac.update(visitor.as_bytes());
    let full = mac.finalize().into_bytes();
    let mut first = [0; 8];
    first.copy_from_slice(&full[..8]);
    first
}

const LOW_62: u128 = (1 << 62) - 1;
const MIDDLE_12: u128 = 0xfff;

/// Makes room for version (4 bits) and variant (2 bits) in a 122-bit payload.
const fn spread(payload: u128) -> u128 {
    let high_48 = payload >> 74;
    let middle = payload >> 62 & MIDDLE_12;
    high_48 << 80 | 0x8 << 76 | middle << 64 | 0b10 << 62 | payload & LOW_62
}

/// The reverse of [`spread`]; `None` if version or variant are not ours.
const fn gather(id: u128) -> Option<u128> {
    let version = id >> 76 & 0xf;
    let variant = id >> 62 & 0b11;
    if version != 0x8 || variant != 0b10 {
        return None;
    }
    Some((id >> 80) << 74 | (id >> 64 & MIDDLE_12) << 62 | id & LOW_62)
}
