//! As whom people come: every figure of a persona within what a person, or a script, can do.

use super::arrivals::{Window, arrivals};
use super::checker::Checker;
use crate::scenario::schema::At;
use crate::scenario::schema::crowd::{HazardBlock, LosesHeartBlock, PersonaBlock};
use crate::scenario::units::{Count, Share, Span};
use crate::scenario::{Behaviour, Hazard, HazardPoint, Persona};

/// The personas of the crowd.
pub(super) fn personas(c: &mut Checker, blocks: &At<Vec<PersonaBlock>>, run: &Window) -> Vec<Persona> {
    let personas: Vec<Persona> = blocks
        .value
        .iter()
        .enumerate()
        .map(|(index, block)| persona(&mut Entry { c, index, run }, block))
        .collect();
    let shares: Vec<Share> = personas.iter().map(|persona| persona.share).collect();
    c.shares("crowd.personas", blocks, &shares);
    personas
}

/// One entry of the list under check.
struct Entry<'a> {
    c: &'a mut Checker,
    index: usize,
    run: &'a Window,
}

impl Entry<'_> {
    fn field(&self, name: &str) -> String {
        format!("crowd.personas[{}].{name}", self.index)
    }

    fn span(&mut self, name: &str, at: &At<Span>, least_ms: i64) -> u32 {
        let field = self.field(name);
        self.c.span_u32(&field, at, least_ms)
    }

    fn think(&mut self, at: &At<Span>) -> u32 {
        self.span("think", at, 0)
    }

    fn count(&mut self, name: &str, at: &At<Count>, least: u8, most: u8) -> u8 {
        let field = self.field(name);
        self.c.count_u8(&field, at, least, most)
    }
}

fn persona(e: &mut Entry<'_>, block: &PersonaBlock) -> Persona {
    let mut own = Vec::new();
    let (share, behaviour) = match block {
        PersonaBlock::Buys(b) => (
            &b.share,
            Behaviour::Buys {
                think_ms: e.think(&b.think),
            },
        ),
        PersonaBlock::Browses(b) => (
            &b.share,
            Behaviour::Browses {
                think_ms: e.think(&b.think),
                looks: e.count("looks", &b.looks, 1, 50),
            },
        ),
        PersonaBlock::GivesUp(b) => (
            &b.share,
            Behaviour::GivesUp {
                patience_ms: e.span("patience", &b.patience, 100),
            },
        ),
        PersonaBlock::LosesHeart(b) => (
            &b.share,
            Behaviour::LosesHeart {
                think_ms: e.think(&b.think),
                hazard: hazard(e, b),
            },
        ),
        PersonaBlock::Mashes(b) => (
            &b.share,
            Behaviour::Mashes {
                think_ms: e.think(&b.think),
                every_ms: e.span("every", &b.every, EVERY_LEAST_MS),
            },
        ),
        PersonaBlock::OpensTabs(b) => (
            &b.share,
            Behaviour::OpensTabs {
                think_ms: e.think(&b.think),
                tabs: e.count("tabs", &b.tabs, 2, 10),
                apart_ms: e.span("apart", &b.apart, 0),
            },
        ),
        PersonaBlock::Sleeps(b) => (
            &b.share,
            Behaviour::Sleeps {
                think_ms: e.think(&b.think),
                awake_ms: e.span("awake", &b.awake, 100),
                asleep_ms: e.span("asleep", &b.asleep, 100),
            },
        ),
        PersonaBlock::Abandons(b) => (
            &b.share,
            Behaviour::Abandons {
                think_ms: e.think(&b.think),
                at: b.at,
            },
        ),
        PersonaBlock::PaysLate(b) => (
            &b.share,
            Behaviour::PaysLate {
                after_ms: e.span("after", &b.after, 0),
            },
        ),
        PersonaBlock::DoubleClicks(b) => (
            &b.share,
            Behaviour::DoubleClicks {
                think_ms: e.think(&b.think),
                joins: e.count("joins", &b.joins, 1, 10),
                confirms: e.count("confirms", &b.confirms, 1, 10),
            },
        ),
        PersonaBlock::Grabs(b) => {
            if let Some(at) = &b.arrivals {
                let list = e.field("arrivals");
                own = arrivals(e.c, &list, at, e.run);
            }
            (
                &b.share,
                Behaviour::Grabs {
                    every_ms: e.span("every", &b.every, EVERY_LEAST_MS),
                    reaches: e.count("reaches", &b.reaches, 1, 10),
                },
            )
        }
        PersonaBlock::Intrudes(b) => {
            if b.tricks.value.is_empty() {
                let field = e.field("tricks");
                e.c.refuse(
                    &field,
                    &b.tricks,
                    "an intruder without tricks does nothing",
                    "name at least one, such as `forged-token`",
                );
            }
            (
                &b.share,
                Behaviour::Intrudes {
                    tricks: b.tricks.value.clone(),
                },
            )
        }
    };
    Persona {
        share: share.value,
        behaviour,
        arrivals: own,
    }
}

/// Whoever asks more often attacks the network, not the sale.
const EVERY_LEAST_MS: i64 = 50;

fn hazard(e: &mut Entry<'_>, block: &LosesHeartBlock) -> Hazard {
    let points = block
        .hazard
        .value
        .iter()
        .map(|HazardBlock { shown, left }| HazardPoint {
            shown_ms: e.span("hazard.shown", shown, 0),
            left: left.value,
        })
        .collect();
    Hazard::new(points).unwrap_or_else(|| {
        let field = e.field("hazard");
        e.c.refuse(
            &field,
            &block.hazard,
            "a hazard rises from point to point",
            "write for example `[{ shown: 1m, left: 10% }, { shown: 10m, left: 60% }]`",
        );
        Hazard::default()
    })
}
