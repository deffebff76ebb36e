//! Who comes: their instants, who they are, how patient.

use super::{
    Arrivals, Opening, Spread,
    dice::{Dice, Purpose},
};

/// A part of the crowd that behaves alike.
#[derive(Debug, Clone, PartialEq)]
pub struct Persona {
    /// Which part of those who come as everybody does: a weight.
    pub share: f64,
    /// When these people come, if not with everybody; then the share means nothing.
    pub arrivals: Option<Arrivals>,
    /// How long they stand in line.
    pub patience: Patience,
    /// How they ask whether it is their turn.
    pub asks: Asks,
    /// What they do once inside.
    pub visit: Visit,
}

impl Persona {
    /// People who wait as long as it takes and ask when told to.
    #[must_use]
    pub const fn patient(share: f64, visit: Visit) -> Self {
        Self {
            share,
            arrivals: None,
            patience: Patience::Endless,
            asks: Asks::WhenTold,
            visit,
        }
    }
}

/// How long somebody stands in line.
#[derive(Debug, Clone, PartialEq)]
pub enum Patience {
    /// As long as it takes.
    Endless,
    /// For this long, from arrival.
    Lasts(Spread),
    /// Leaves at once when the wait that is shown is longer than bearable. Points of (shown wait
    /// in ms, part that has left by then), both rising; straight in between.
    Shown(Vec<(u32, f64)>),
}

/// How somebody asks whether it is their turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asks {
    /// As the house tells them to.
    WhenTold,
    /// This often, ms, whatever they are told.
    Every(u32),
    /// As told, but only while the phone is on: so long on, so long off, in turn from arrival.
    Awake {
        /// On, ms.
        on_ms: u32,
        /// Off, ms.
        off_ms: u32,
    },
}

/// What somebody does once inside.
#[derive(Debug, Clone, PartialEq)]
pub enum Visit {
    /// Never joins the line: intruders, monitors.
    Elsewhere,
    /// Looks around for this long, then leaves.
    Looks(Spread),
    /// Wants seats.
    Buys(Buying),
}

/// How somebody buys.
#[derive(Debug, Clone, PartialEq)]
pub struct Buying {
    /// Group sizes and their weights. A group takes its seats together or not at all.
    pub groups: Vec<(u8, f64)>,
    /// From being let in, or losing a seat to somebody, to seeing which seats are free.
    pub look: Spread,
    /// From seeing to reaching for them: others may be quicker.
    pub reach: Spread,
    /// From holding seats to having paid.
    pub pay: Spread,
    /// Share that walks away from held seats without a word.
    pub abandons: f64,
    /// Share of payments that are refused; a refused one is tried again.
    pub declined: f64,
}

/// The crowd, in order of arrival. Visitors are indices.
pub(super) struct People {
    /// ms from the opening, sorted.
    pub(super) arrive: Vec<i32>,
    /// Index into the opening's personas.
    pub(super) persona: Vec<u8>,
}

impl People {
    pub(super) fn len(&self) -> usize {
        self.arrive.len()
    }

    pub(super) fn persona<'a>(&self, opening: &'a Opening, visitor: usize) -> &'a Persona {
        &opening.personas[usize::from(self.persona[visitor])]
    }

    /// What `visitor` came for.
    pub(super) fn visit<'a>(&self, opening: &'a Opening, visitor: usize) -> &'a Visit {
        &self.persona(opening, visitor).visit
    }
}

/// Draws the crowd of `opening`. More than 255 personas are not told apart.
pub(super) fn gather(opening: &Opening) -> People {
    let personas: Vec<(u8, &Persona)> = (0..=u8::MAX).zip(&opening.personas).collect();
    let with_all: Vec<(u8, f64)> = personas
        .iter()
        .filter(|(_, persona)| persona.arrivals.is_none())
        .map(|(nth, persona)| (*nth, persona.share))
        .collect();
    let mut come: Vec<(i32, u8)> = Vec::new();
    if !with_all.is_empty() {
        let instants = opening.arrivals.instants(opening.seed, 0);
        come.reserve(instants.len());
        for (visitor, at) in instants.into_iter().enumerate() {
            let mut dice = Dice::of(opening.seed, visitor, Purpose::Persona);
            let pick = dice.weighted(with_all.iter().map(|(_, share)| *share));
            come.push((at, with_all[pick].0));
        }
    }
    for (nth, persona) in personas {
        if let Some(arrivals) = &persona.arrivals {
            let instants = arrivals.instants(opening.seed, usize::from(nth) + 1);
            come.extend(instants.into_iter().map(|at| (at, nth)));
        }
    }
    // Stable: visitors of one instant stay in the order in which they were drawn.
    come.sort_by_key(|(at, _)| *at);
    let (arrive, persona) = come.into_iter().unzip();
    People { arrive, persona }
}
