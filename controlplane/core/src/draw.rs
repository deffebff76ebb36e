//! The draw of the pre-queue: who came before the opening gets a place by lot, and anyone can
//! check it.
//!
//! Joining early gives a *ticket*, numbered from 1 in the order of arrival. At the opening the draw
//! closes over the tickets `1..=drawn`, and ticket `t` gets the place `draw.place(t)`: a keyed
//! permutation of `1..=drawn` (format-preserving encryption: a Feistel network of AES rounds over
//! the next power of four, walked until it lands in range). Nothing is sorted or stored; each
//! visitor costs a few AES blocks. Later tickets are their own places, so late joiners stand first
//! come first served behind.
//!
//! Why it can be trusted: the seed's SHA-256 is published before the first ticket is given out, the
//! seed itself once the draw is closed, and the permutation depends on `drawn`, which nobody knows
//! before. [`verify()`] replays it. What breaks if the algorithm changes: every published draw, so a
//! change needs a new [`ALGORITHM`].

mod permutation;
mod verify;

pub use verify::{Violation, verify};

use crate::{sale::SaleId, token::Keyring};
use permutation::Permutation;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use sha2::{Digest as _, Sha256};
use std::fmt;

/// Names the method, so that somebody without this code can write their own checker.
pub const ALGORITHM: &str = "urr-draw-1: place = FPE(ticket) over 1..=drawn; 10-round Feistel, \
     round function AES-128(round, right half), key = first 16 bytes of SHA-256('urr-draw-1' | seed | \
     drawn as u64 big-endian), halves of max(4, ceil(log2(drawn)/2)) bits, cycle-walking from ticket-1";

/// Bytes of a seed and of its commitment.
const BYTES: usize = 32;
/// Starts what the seed is derived from; no token's message can start with it.
const LABEL: &[u8] = b"\0draw01\0";

/// The secret that decides a draw, until it is revealed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Seed([u8; BYTES]);

/// The seed's SHA-256, published before the first ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Commitment([u8; BYTES]);

impl Seed {
    /// A seed of these bytes (tests, and checkers that read a revealed one).
    #[must_use]
    pub const fn from_bytes(bytes: [u8; BYTES]) -> Self {
        Self(bytes)
    }

    /// The seeds of a sale's line under each key of the ring, the signer's first. Derived and not
    /// drawn, so every replica knows it without a store, and it survives the loss of all of them.
    pub fn derive(keys: &Keyring, sale: SaleId, epoch: u32) -> Vec<Self> {
        let bytes = keys.derive(&[LABEL, sale.as_bytes(), &epoch.to_be_bytes()]);
        bytes.into_iter().map(Self).collect()
    }

    /// What is published before.
    #[must_use]
    pub fn commitment(&self) -> Commitment {
        let mut bytes = [0; BYTES];
        bytes.copy_from_slice(&Sha256::digest(self.0));
        Commitment(bytes)
    }
}

/// Shows no seed: logs are read before draws are closed.
impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Seed(of {:?})", self.commitment())
    }
}

macro_rules! as_hex {
    ($name:ident, $reveal:literal) => {
        impl $name {
            #[doc = $reveal]
            #[must_use]
            pub fn to_hex(self) -> String {
                self.0.iter().map(|byte| format!("{byte:02x}")).collect()
            }

            /// Reads 64 hexadecimal digits.
            #[must_use]
            pub fn from_hex(text: &str) -> Option<Self> {
                crate::hex::parse(text).map(Self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.to_hex())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Self::from_hex(&text).ok_or_else(|| D::Error::custom("expected 64 hexadecimal digits"))
            }
        }
    };
}

as_hex!(Seed, "The seed in the open, as it is revealed.");
as_hex!(Commitment, "As it is published.");

/// What a room's record says about its draw. All of it stays empty in a sale without one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DrawRecord {
    /// Published before the first ticket is given out.
    pub commitment: Option<Commitment>,
    /// Tickets in the draw; `None` until it is closed.
    pub drawn: Option<u64>,
    /// Revealed when it is closed.
    pub seed: Option<Seed>,
}

/// From numbers given out to places in line.
#[derive(Debug, Clone)]
pub enum Places {
    /// First come, first served: a number is its place.
    AsIssued,
    /// By lot, and the draw is still ahead: nobody has a place yet.
    Undrawn,
    /// By lot.
    Drawn(Box<Draw>),
}

impl Places {
    /// The place of a number; `None` as long as the draw is ahead.
    #[must_use]
    pub fn of(&self, number: u64) -> Option<u64> {
        match self {
            Self::AsIssued => Some(number),
            Self::Undrawn => None,
            Self::Drawn(draw) => Some(draw.place(number)),
        }
    }
}

/// A closed draw: places of tickets and back.
#[derive(Clone)]
pub struct Draw {
    drawn: u64,
    permutation: Permutation,
}

impl Draw {
    /// The draw over the tickets `1..=drawn`.
    #[must_use]
    pub fn new(seed: &Seed, drawn: u64) -> Self {
        let digest = Sha256::new()
            .chain_update(b"urr-draw-1")
            .chain_update(seed.0)
            .chain_update(drawn.to_be_bytes())
            .finalize();
        let mut key = [0; 16];
        key.copy_from_slice(&digest[..16]);
        Self {
            drawn,
            permutation: Permutation::new(key, drawn),
        }
    }

    /// Tickets in the draw.
    #[must_use]
    pub const fn drawn(&self) -> u64 {
        self.drawn
    }

    /// The place in line of a ticket. Tickets behind the draw are their own places.
    #[must_use]
    pub fn place(&self, ticket: u64) -> u64 {
        match ticket {
            1.. if ticket <= self.drawn => 1 + self.permutation.forward(ticket - 1),
            late => late,
        }
    }

    /// The ticket that has `place`; the reverse of [`Draw::place`].
    #[must_use]
    pub fn ticket(&self, place: u64) -> u64 {
        match place {
            1.. if place <= self.drawn => 1 + self.permutation.backward(place - 1),
            late => late,
        }
    }
}

impl fmt::Debug for Draw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Draw")
            .field("drawn", &self.drawn)
            .finish_non_exhaustive()
    }
}
