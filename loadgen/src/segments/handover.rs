//! What a worker hands in when whoever merges is elsewhere: small, whole, and of one certain run.
//!
//! A worker of a cluster cannot leave a file beside the others'. What it hands in holds everything a
//! verdict is made of and nothing more: the auditor's notes (joins, polls, purchases: hundreds of bytes
//! for each visitor) stay with the worker, because only an auditor with the stores can weigh them. It is
//! compressed, cut into pieces that fit where they are put, and bounded; a result that does not fit
//! gives up its notes, counts them and says so, which makes the run invalid rather than unfair.
//!
//! The [`fingerprint`] ties it to the scenario and the seed that were really sent: names may be equal
//! where crowds are not. What breaks if this changes: runners of one version with a merger of another;
//! [`FORMAT`] tells them apart.

use super::SegmentResult;
use crate::fairness::Fairness;
use crate::observe::Observations;
use crate::scenario::Scenario;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use urr_core::time::Millis;

/// Told in every hand-in.
pub const FORMAT: &str = "urr-segment-1";
/// Longest piece: a ConfigMap takes 1 MiB with everything that it says of itself.
pub const PIECE_BYTES_MAX: usize = 896 * 1024;
/// All hand-ins of one run together. The cluster's own store has them until the run is merged; its
/// usual quota is 2 GiB for everything there is.
pub const RUN_BYTES_MAX: usize = 64 * 1024 * 1024;
/// A result without notes needs this much: histograms and ten minutes of seconds.
const WORKER_BYTES_MIN: usize = 256 * 1024;
/// Longest hand-in when it is unpacked; a file that says more is not one of ours.
const UNPACKED_BYTES_MAX: u64 = 512 * 1024 * 1024;

/// What one worker hands in.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HandIn {
    /// [`FORMAT`].
    pub format: String,
    /// Of the scenario and seed that were sent.
    pub fingerprint: String,
    /// What to add to the worker's clock to have the target's, in milliseconds, where it could be asked.
    #[serde(default)]
    pub clock_behind_ms: Option<i64>,
    /// Tries of the back door that got in (law `no-back-door`).
    #[serde(default)]
    pub intrusions_got_in: u64,
    /// The result, with the notes that a verdict needs.
    pub result: SegmentResult,
}

/// Not a hand-in.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// Not compressed as we do it, or more than a hand-in can be.
    #[error("it cannot be unpacked")]
    Packed(#[source] std::io::Error),
    /// Not what a worker of this version writes.
    #[error("it is not a segment's result")]
    Content(#[source] serde_json::Error),
    /// Of another version.
    #[error("it is in the format {0:?}; this version reads {FORMAT:?}")]
    Format(String),
}

/// Tells scenarios with their seeds apart, whatever they are called: SHA-256 in hex.
#[must_use]
pub fn fingerprint(scenario_text: &str, seed: u64) -> String {
    let mut hasher = Sha256::new();
    hasher.update(scenario_text.as_bytes());
    hasher.update([0]);
    hasher.update(seed.to_be_bytes());
    hasher
        .finalize()
        .iter()
        .fold(String::with_capacity(64), |mut hex, byte| {
            // Writing to a String cannot fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        })
}

/// How many bytes each of `workers` may hand in.
#[must_use]
pub fn budget(workers: u32) -> usize {
    let share = RUN_BYTES_MAX / usize::try_from(workers.max(1)).unwrap_or(usize::MAX);
    share.max(WORKER_BYTES_MIN)
}

impl HandIn {
    /// Of `result`, which was sent for the run with this `fingerprint`.
    #[must_use]
    pub fn new(mut result: SegmentResult, fingerprint: String) -> Self {
        let seen = std::mem::take(&mut result.observations);
        let got_in = seen.intrusions.iter().filter(|intrusion| intrusion.got_in);
        let intrusions_got_in = got_in.count() as u64;
        result.observations = Observations {
            places: seen.places,
            draw: seen.draw,
            waits: seen.waits,
            first_served_at: seen.first_served_at,
            first_hold_at: seen.first_hold_at,
            not_kept: seen.not_kept,
            ..Observations::default()
        };
        Self {
            format: FORMAT.to_owned(),
            fingerprint,
            clock_behind_ms: None,
            intrusions_got_in,
            result,
        }
    }

    /// When its worker began, by the target's clock as far as that is known.
    #[must_use]
    pub const fn began_at(&self) -> Millis {
        let behind = match self.clock_behind_ms {
            Some(behind) => behind,
            None => 0,
        };
        self.result.started_at.plus_ms(behind)
    }

    /// Packs it into at most `budget` bytes. When its notes do not fit they go, and the result says that
    /// it is worth nothing without them.
    ///
    /// # Errors
    /// When even then it does not fit, or is no JSON.
    pub fn pack(mut self, budget: usize) -> std::io::Result<Vec<u8>> {
        let packed = squeezed(&self)?;
        if packed.len() <= budget {
            return Ok(packed);
        }
        let seen = &mut self.result.observations;
        let notes = (seen.places.len() + seen.waits.len()) as u64;
        seen.places = Vec::new();
        seen.waits = Vec::new();
        seen.not_kept += notes;
        let why = format!(
            "{notes} notes of places and waits did not fit into what a worker may hand in ({} of {} KiB): \
             use more workers, or fewer visitors",
            packed.len() / 1024,
            budget / 1024
        );
        self.result.cut_short = Some(match self.result.cut_short.take() {
            Some(first) => format!("{first}; {why}"),
            None => why,
        });
        let packed = squeezed(&self)?;
        if packed.len() <= budget {
            Ok(packed)
        } else {
            let (is, may) = (packed.len() / 1024, budget / 1024);
            Err(std::io::Error::other(format!(
                "a result of {is} KiB without any notes does not fit into {may} KiB"
            )))
        }
    }

    /// Reads what [`HandIn::pack`] wrote.
    ///
    /// # Errors
    /// [`Unreadable`].
    pub fn unpack(packed: &[u8]) -> Result<Self, Unreadable> {
        let mut text = Vec::new();
        let mut bounded = GzDecoder::new(packed).take(UNPACKED_BYTES_MAX);
        bounded.read_to_end(&mut text).map_err(Unreadable::Packed)?;
        let told: Told = serde_json::from_slice(&text).map_err(Unreadable::Content)?;
        if told.format != FORMAT {
            return Err(Unreadable::Format(told.format));
        }
        serde_json::from_slice(&text).map_err(Unreadable::Content)
    }
}

#[derive(Deserialize)]
struct Told {
    format: String,
}

/// The laws that visitors themselves saw broken, by name. What only the stores know they cannot tell, and
/// the order of a line not either: workers on several machines read several clocks.
#[must_use]
pub fn laws_seen_broken(intrusions_got_in: u64, fairness: &Fairness) -> Vec<&'static str> {
    let draw_differs = fairness.draw.as_ref().is_some_and(|draw| !draw.is_verified());
    [
        ("fair-order", draw_differs),
        ("no-back-door", intrusions_got_in > 0),
    ]
    .into_iter()
    .filter_map(|(law, broken)| broken.then_some(law))
    .collect()
}

/// Whether the scenario's crowd can be merged in one place at all.
#[must_use]
pub fn fits(scenario: &Scenario) -> bool {
    u64::from(scenario.crowd.visitors) + u64::from(scenario.browsers) <= VISITORS_MAX
}

/// Most visitors of a run that is merged from hand-ins: with their notes a merger holds a hundred bytes
/// for each, and [`RUN_BYTES_MAX`] leaves them 64 packed.
pub const VISITORS_MAX: u64 = 1_000_000;

fn squeezed(hand_in: &HandIn) -> std::io::Result<Vec<u8>> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::default());
    let text = serde_json::to_vec(hand_in)?;
    packer.write_all(&text)?;
    packer.finish()
}

#[cfg(test)]
mod tests;
