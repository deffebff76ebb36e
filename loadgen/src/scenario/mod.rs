//! Scenarios: openings as data. What is sold, who comes, what breaks, and what must hold.
//!
//! A file is read by [`schema`], judged as a whole by [`check`] and becomes a [`Scenario`], in
//! which every number is possible and every unit known; the engine and the drill need no further
//! checks. What breaks if this changes: every file in `scenarios/` and everybody's own.

mod check;
mod error;
mod hazard;
mod persona;
mod process;
pub mod rules;
mod schema;
mod several;
pub mod units;

pub use error::{Place, Problem, Problems, ScenarioError};
pub use hazard::{Hazard, HazardPoint};
pub use persona::{AbandonsAt, Behaviour, Persona, Trick};
pub use process::{Fault, Harm, Process};
pub use rules::{Metric, Operator, Rule, Subject, Way};
pub use several::Variant;
pub use units::Share;

use crate::arrivals::Curve;
use crate::seed::{Dice, Purpose};
use std::path::Path;
use urr_core::sale::{AdmissionSettings, CapacitySettings, Ordering, Sale, SaleId, Schedule};
use urr_core::seating::{Hall, Section};
use urr_core::time::Millis;

/// An opening to rehearse, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// Short name, used in file names.
    pub name: String,
    /// What a person calls it.
    pub title: String,
    /// What it is for; may be empty.
    pub about: String,
    /// Where its figures come from.
    pub sources: Vec<String>,
    /// Everything random in a run follows from this.
    pub seed: u64,
    /// What is sold.
    pub sale: SalePlan,
    /// Who comes.
    pub crowd: Crowd,
    /// Several sales instead of one, with what each has of its own; empty: one. What works with one
    /// sale takes those of [`Scenario::each`].
    pub sales: Vec<Variant>,
    /// How many more come as real browsers: own client, own cookies, own connections.
    pub browsers: u32,
    /// How many of the crowd register and log in for real before the opening.
    pub registrations: u32,
    /// How the payment provider behaves.
    pub payment: PaymentProvider,
    /// What must hold for the run to pass.
    pub thresholds: Vec<Rule>,
    /// Services that run as processes of their own.
    pub processes: Vec<Process>,
    /// What is broken on purpose, in time order.
    pub faults: Vec<Fault>,
    /// Limits of the generator itself.
    pub limits: RunLimits,
}

/// What is sold, relative to an opening instant that the run decides.
#[derive(Debug, Clone, PartialEq)]
pub struct SalePlan {
    /// Where the show is.
    pub venue: String,
    /// From the start of the run to the opening, ms.
    pub opens_in_ms: i64,
    /// How long before the opening the waiting room takes people, ms.
    pub pre_queue_ms: i64,
    /// Who comes before the opening stands in which order.
    pub ordering: Ordering,
    /// From opening to close, ms.
    pub duration_ms: i64,
    /// The hall.
    pub hall: Hall,
    /// Seats each buyer takes.
    pub seats_per_booking: u8,
    /// How people are let in.
    pub admission: AdmissionSettings,
    /// What the services behind the door bear.
    pub capacity: CapacitySettings,
}

/// Who comes and when.
#[derive(Debug, Clone, PartialEq)]
pub struct Crowd {
    /// How many.
    pub visitors: u32,
    /// Along which curves; shares add up to the whole.
    pub arrivals: Vec<Arrival>,
    /// As whom; shares add up to the whole.
    pub personas: Vec<Persona>,
    /// How many seats people want together, by share; empty: all of them a whole booking.
    pub party: Vec<(u8, Share)>,
}

/// A part of the crowd that comes along one curve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// Which part.
    pub share: Share,
    /// When.
    pub curve: Curve,
}

/// How the payment provider of the rehearsal behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PaymentProvider {
    /// Time it takes to approve, ms.
    pub latency_ms: u32,
    /// Share of approvals it refuses.
    pub failures: Share,
}

/// Limits of the generator itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunLimits {
    /// The whole run, from its start, ms.
    pub run_at_most_ms: i64,
    /// Connections open at once for the crowd.
    pub connections: u32,
    /// How long a request may wait for a connection before it counts as dropped, ms.
    pub slot_wait_ms: u32,
    /// Share of requests that may start more than 100 ms late before the run is invalid.
    pub late_at_most: Share,
}

impl Crowd {
    /// How many seats visitor `index` of the crowd of `seed` wants, where a booking takes `booking`.
    #[must_use]
    pub fn party_of(&self, seed: u64, index: u64, booking: u8) -> u8 {
        let mut dice = Dice::new(seed, index, Purpose::Party);
        let mut throw = u32::try_from(dice.below(Share::WHOLE_PPM as usize)).unwrap_or(0);
        for (size, share) in &self.party {
            if throw < share.ppm {
                return *size;
            }
            throw -= share.ppm;
        }
        self.party.last().map_or(booking, |(size, _)| *size)
    }
}

impl Scenario {
    /// Reads and checks the file at `path`.
    ///
    /// # Errors
    /// [`ScenarioError::Unreadable`] or [`ScenarioError::Invalid`] with every problem found.
    pub fn load(path: &Path) -> Result<Self, ScenarioError> {
        let text = std::fs::read_to_string(path).map_err(|source| ScenarioError::Unreadable {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(&path.display().to_string(), &text)
    }

    /// Reads and checks `text`; `file` names it in messages.
    ///
    /// # Errors
    /// [`ScenarioError::Invalid`] with every problem found.
    pub fn parse(file: &str, text: &str) -> Result<Self, ScenarioError> {
        // Our own excerpts: the reader's stop at the first problem and know no remedies.
        let options = serde_yaml::options! { with_snippet: false };
        let raw: schema::File = serde_yaml::from_str_with_options(text, options)
            .map_err(|error| ScenarioError::Invalid(Problems::of_yaml(file, text, &error)))?;
        check::check(raw).map_err(|problems| ScenarioError::Invalid(Problems::new(file, text, problems)))
    }

    /// The JSON schema of scenario files, for editors (`scenarios/schema.json`). It knows shapes
    /// and words; what fits together only [`Scenario::load`] knows.
    #[must_use]
    pub fn json_schema() -> serde_json::Value {
        schemars::schema_for!(schema::File).to_value()
    }

    /// The sale this scenario rehearses when its clock starts at `now`.
    #[must_use]
    pub fn sale(&self, id: SaleId, now: Millis) -> Sale {
        let opens_at = now.plus_ms(self.sale.opens_in_ms);
        Sale {
            id,
            name: self.title.clone(),
            schedule: Schedule {
                pre_queue_at: opens_at.plus_ms(-self.sale.pre_queue_ms),
                opens_at,
                closes_at: opens_at.plus_ms(self.sale.duration_ms),
            },
            ordering: self.sale.ordering,
            seats: u32::try_from(self.seats()).unwrap_or(u32::MAX),
            expected_visitors: u64::from(self.crowd.visitors) + u64::from(self.browsers),
            admission: self.sale.admission.clone(),
            capacity: self.sale.capacity,
        }
    }

    /// The first rule that no visitor can answer: it takes pictures of the sale, as a drill keeps them. A
    /// generator by itself must refuse it rather than miss it after minutes.
    #[must_use]
    pub fn needs_pictures(&self) -> Option<&Rule> {
        let needs = |rule: &&Rule| matches!(rule.subject, Subject::RateSteps { .. });
        self.thresholds.iter().find(needs)
    }

    /// The hall.
    #[must_use]
    pub fn hall(&self) -> Hall {
        self.sale.hall.clone()
    }

    /// Seats in the hall.
    #[must_use]
    pub fn seats(&self) -> u64 {
        self.sale.hall.sections.iter().map(section_seats).sum()
    }
}

/// Seats of one section.
fn section_seats(section: &Section) -> u64 {
    u64::from(section.rows) * u64::from(section.seats_per_row)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parties_are_as_large_as_their_shares_say_and_the_same_every_time() {
        let text = include_str!("../../tests/good.yaml")
            .replace("  admission:", "  seats_per_booking: 4\n  admission:")
            .replace("  arrivals:", "  party: { 1: 20%, 2: 50%, 4: 30% }\n  arrivals:");
        let crowd = Scenario::parse("good.yaml", &text).unwrap().crowd;
        let size = |index| crowd.party_of(7, index, 4);
        let count = |wanted| (0..10_000).filter(|index| size(*index) == wanted).count();
        assert!((1_800..2_200).contains(&count(1)), "{}", count(1));
        assert!((4_800..5_200).contains(&count(2)), "{}", count(2));
        assert!((2_800..3_200).contains(&count(4)), "{}", count(4));
        assert!((0..100).all(|index| size(index) == crowd.party_of(7, index, 4)));
        let whole = Crowd {
            party: Vec::new(),
            ..crowd
        };
        assert_eq!(
            whole.party_of(7, 3, 4),
            4,
            "all of a booking, unless the file says"
        );
    }
}
