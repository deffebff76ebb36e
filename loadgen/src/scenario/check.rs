//! Turns a well-formed file into a possible opening, or says everything that is impossible in it.
//!
//! All problems are gathered before any is reported, so that mending a file takes one round.

use super::error::{Place, Problem};
use super::rules::Rule;
use super::schema;
use super::units::{Count, Rate, Share, Span};
use super::{
    Arrival, Behaviour, Crowd, Fault, PaymentProvider, Persona, Process, RunLimits, SalePlan, Scenario,
};
use crate::arrivals::Curve;
use serde_yaml::Spanned as At;
use std::collections::HashSet;
use urr_core::sale::{AdmissionSettings, CapacitySettings};
use urr_core::seating::{Hall, Section};

/// Gathers problems; a check that fails reports here and goes on with a harmless value.
#[derive(Default)]
struct Checker {
    problems: Vec<Problem>,
}

impl Checker {
    fn refuse<T>(&mut self, field: &str, at: &At<T>, problem: impl Into<String>, remedy: impl Into<String>) {
        let place = Place::from(at.referenced);
        self.problems.push(Problem {
            at: (place.line > 0).then_some(place),
            field: field.to_owned(),
            problem: problem.into(),
            remedy: remedy.into(),
        });
    }

    /// A count within `least..=most`.
    fn count(&mut self, field: &str, at: &At<Count>, least: u64, most: u64) -> u64 {
        let n = at.value.n;
        if n < least || n > most {
            self.refuse(
                field,
                at,
                format!("{n} is not possible"),
                format!("use a number from {least} to {most}"),
            );
            return least;
        }
        n
    }

    fn count_u32(&mut self, field: &str, at: &At<Count>, least: u32, most: u32) -> u32 {
        let n = self.count(field, at, u64::from(least), u64::from(most));
        u32::try_from(n).unwrap_or(most)
    }

    fn count_u8(&mut self, field: &str, at: &At<Count>, least: u8, most: u8) -> u8 {
        let n = self.count(field, at, u64::from(least), u64::from(most));
        u8::try_from(n).unwrap_or(most)
    }

    fn or_count_u32(&mut self, field: &str, at: Option<&At<Count>>, default: u32) -> u32 {
        at.map_or(default, |at| self.count_u32(field, at, 0, 10_000_000))
    }

    /// A duration of at least `least_ms`.
    fn span(&mut self, field: &str, at: &At<Span>, least_ms: i64) -> i64 {
        const DAY_MS: i64 = 86_400_000;
        let ms = at.value.ms;
        if ms < least_ms || ms > DAY_MS {
            self.refuse(
                field,
                at,
                format!("{} is not possible", at.value),
                format!("use a duration from {} to 24h", Span { ms: least_ms }),
            );
            return least_ms;
        }
        ms
    }

    fn span_u32(&mut self, field: &str, at: &At<Span>, least_ms: i64) -> u32 {
        u32::try_from(self.span(field, at, least_ms)).unwrap_or(u32::MAX)
    }

    /// Whole seconds, because the stores keep whole seconds.
    fn seconds(&mut self, field: &str, at: Option<&At<Span>>, default: u32) -> u32 {
        let Some(at) = at else { return default };
        let ms = self.span(field, at, 1000);
        if ms % 1000 != 0 {
            self.refuse(
                field,
                at,
                format!("{} is not a whole number of seconds", at.value),
                "the stores keep whole seconds; round it",
            );
        }
        u32::try_from(ms / 1000).unwrap_or(u32::MAX)
    }

    fn rate(&mut self, field: &str, at: &At<Rate>) -> u32 {
        if at.value.per_s == 0 {
            self.refuse(field, at, "a rate of 0/s lets nobody in", "use at least 1/s");
            return 1;
        }
        at.value.per_s
    }

    /// Shares of one list add up to the whole.
    fn shares<T>(&mut self, field: &str, at: &At<Vec<T>>, shares: &[Share]) {
        let sum: u64 = shares.iter().map(|share| u64::from(share.ppm)).sum();
        if at.value.is_empty() {
            self.refuse(field, at, "the list is empty", "add at least one entry");
        } else if sum != u64::from(Share::WHOLE_PPM) {
            let off = Share {
                ppm: u32::try_from(sum.abs_diff(u64::from(Share::WHOLE_PPM))).unwrap_or(u32::MAX),
            };
            let (sum, direction) = (
                Share {
                    ppm: u32::try_from(sum).unwrap_or(u32::MAX),
                },
                if sum > u64::from(Share::WHOLE_PPM) {
                    "take away"
                } else {
                    "add"
                },
            );
            self.refuse(
                field,
                at,
                format!("shares add up to {sum}, not 100%"),
                format!("{direction} {off}"),
            );
        }
    }
}

/// The scenario, or every problem of it.
pub(super) fn check(file: schema::File) -> Result<Scenario, Vec<Problem>> {
    let mut c = Checker::default();
    if file.version.value.n != 1 {
        c.refuse(
            "version",
            &file.version,
            format!("version {} is not known", file.version.value.n),
            "this build reads version 1",
        );
    }
    let name_is_plain = |name: &str| {
        !name.is_empty()
            && name.len() <= 60
            && name
                .chars()
                .all(|ch| ch.is_ascii_lowercase() || ch.is_ascii_digit() || ch == '-')
    };
    if !name_is_plain(&file.name.value) {
        c.refuse(
            "name",
            &file.name,
            "a name is used in file names",
            "use lower-case letters, digits and hyphens, at most 60",
        );
    }
    let sale = sale(&mut c, &file.sale);
    let crowd = crowd(&mut c, &file.crowd, &sale, &file.sale);
    let browsers = file
        .browsers
        .as_ref()
        .map_or(0, |at| c.count_u32("browsers", at, 0, 2000));
    let registrations = registrations(&mut c, file.registrations.as_ref(), crowd.visitors);
    let thresholds = thresholds(&mut c, &file.thresholds);
    let processes = processes(&mut c, &file.processes);
    let faults = faults(&mut c, &file.faults, &processes, &sale);
    let limits = limits(&mut c, &file.limits, &file.sale, &sale);
    let payment = PaymentProvider {
        latency_ms: file
            .payment
            .latency
            .as_ref()
            .map_or(0, |at| c.span_u32("payment.latency", at, 0)),
        failures: file
            .payment
            .failures
            .as_ref()
            .map_or(Share { ppm: 0 }, |at| at.value),
    };
    if !c.problems.is_empty() {
        return Err(c.problems);
    }
    Ok(Scenario {
        name: file.name.value,
        title: file.title,
        about: file.about,
        sources: file.sources,
        seed: file.seed.value.n,
        sale,
        crowd,
        browsers,
        registrations,
        payment,
        thresholds,
        processes,
        faults,
        limits,
    })
}

fn sale(c: &mut Checker, block: &schema::SaleBlock) -> SalePlan {
    let opens_in_ms = c.span("sale.opens_in", &block.opens_in, 0);
    let pre_queue_ms = c.span("sale.pre_queue", &block.pre_queue, 0);
    if pre_queue_ms > opens_in_ms {
        c.refuse(
            "sale.pre_queue",
            &block.pre_queue,
            format!(
                "the waiting room would open {} before the opening, but the opening is only {} away",
                block.pre_queue.value, block.opens_in.value
            ),
            "make `opens_in` longer or `pre_queue` shorter",
        );
    }
    let duration_ms = if block.duration.value.ms <= 0 {
        c.refuse(
            "sale.duration",
            &block.duration,
            "the sale closes before it opens",
            "use a duration above zero, such as `60s`",
        );
        1000
    } else {
        c.span("sale.duration", &block.duration, 1000)
    };
    SalePlan {
        venue: block.venue.clone(),
        opens_in_ms,
        pre_queue_ms,
        duration_ms,
        hall: hall(c, &block.hall),
        seats_per_booking: block
            .seats_per_booking
            .as_ref()
            .map_or(1, |at| c.count_u8("sale.seats_per_booking", at, 1, 4)),
        admission: admission(c, &block.admission, &block.capacity),
        capacity: CapacitySettings {
            rate_per_replica: c.rate("sale.capacity.rate_per_replica", &block.capacity.rate_per_replica),
            replicas: c.count_u32("sale.capacity.replicas", &block.capacity.replicas, 1, 1000),
        },
    }
}

fn hall(c: &mut Checker, block: &At<schema::HallBlock>) -> Hall {
    let mut sections = Vec::new();
    let mut seen = HashSet::new();
    for (index, section) in block.value.sections.iter().enumerate() {
        let field = |name: &str| format!("sale.hall.sections[{index}].{name}");
        let rows = c.count_u32(&field("rows"), &section.rows, 1, 500);
        let seats_per_row = c.count_u32(&field("seats_per_row"), &section.seats_per_row, 1, 500);
        if section.price.value.krw == 0 {
            c.refuse(
                &field("price"),
                &section.price,
                "a price of 0 KRW cannot be paid",
                "payments take 1 KRW or more",
            );
        }
        let start_row = section
            .start_row
            .as_ref()
            .map_or(1, |at| c.count_u32(&field("start_row"), at, 1, 500));
        for name in &section.names.value {
            if name.trim().is_empty() || !seen.insert(name.clone()) {
                c.refuse(
                    &field("names"),
                    &section.names,
                    format!("section `{name}` is empty or named twice"),
                    "give every section a name of its own",
                );
            }
            sections.push(Section {
                name: name.clone(),
                rows,
                seats_per_row,
                price_krw: section.price.value.krw.into(),
                start_row,
                grade: section.grade.clone(),
            });
        }
    }
    if sections.is_empty() {
        c.refuse(
            "sale.hall",
            block,
            "a hall without seats has nothing to sell",
            "add a section: `- { names: [A], rows: 10, seats_per_row: 10, price: 99000 KRW }`",
        );
    }
    Hall { sections }
}

fn admission(
    c: &mut Checker,
    block: &schema::AdmissionBlock,
    capacity: &schema::CapacityBlock,
) -> AdmissionSettings {
    let house = AdmissionSettings::default();
    let rate_per_s = c.rate("sale.admission.rate", &block.rate);
    let bears = u64::from(capacity.rate_per_replica.value.per_s).saturating_mul(capacity.replicas.value.n);
    if u64::from(rate_per_s) > bears {
        c.refuse(
            "sale.admission.rate",
            &block.rate,
            format!(
                "{rate_per_s}/s is more than {} replicas bear at {}/s each ({bears}/s)",
                capacity.replicas.value.n, capacity.rate_per_replica.value.per_s
            ),
            "raise `sale.capacity.replicas` or lower the rate (law capacity-first)",
        );
    }
    let cap = if block.cap.value.n == 0 {
        c.refuse(
            "sale.admission.cap",
            &block.cap,
            "a cap of 0 lets nobody in",
            "use the number of people the services bear inside at once, at least 1",
        );
        1
    } else {
        c.count_u32("sale.admission.cap", &block.cap, 1, 1_000_000)
    };
    let silence_s = c.seconds("sale.admission.silence", block.silence.as_ref(), house.silence_s);
    let active_ttl_s = c.seconds(
        "sale.admission.active_for",
        block.active_for.as_ref(),
        house.active_ttl_s,
    );
    if let Some(at) = block.silence.as_ref().filter(|_| silence_s > active_ttl_s) {
        c.refuse(
            "sale.admission.silence",
            at,
            format!("silence of {silence_s}s is never noticed in a slot of {active_ttl_s}s"),
            "make `silence` shorter than `active_for`",
        );
    }
    AdmissionSettings {
        rate_per_s,
        cap,
        burst: c.or_count_u32("sale.admission.burst", block.burst.as_ref(), house.burst),
        poll_budget_per_s: block.poll_budget.as_ref().map_or(house.poll_budget_per_s, |at| {
            c.rate("sale.admission.poll_budget", at)
        }),
        silence_s,
        active_ttl_s,
        token_ttl_s: c.seconds(
            "sale.admission.token_for",
            block.token_for.as_ref(),
            house.token_ttl_s,
        ),
        hold_ttl_s: c.seconds(
            "sale.admission.hold_for",
            block.hold_for.as_ref(),
            house.hold_ttl_s,
        ),
    }
}

fn crowd(
    c: &mut Checker,
    block: &schema::CrowdBlock,
    sale: &SalePlan,
    sale_block: &schema::SaleBlock,
) -> Crowd {
    let visitors = c.count_u32("crowd.visitors", &block.visitors, 1, 2_000_000);
    let arrivals: Vec<Arrival> = block
        .arrivals
        .value
        .iter()
        .enumerate()
        .map(|(index, arrival)| arrival_of(c, index, arrival, sale, sale_block))
        .collect();
    let shares: Vec<Share> = arrivals.iter().map(|arrival| arrival.share).collect();
    c.shares("crowd.arrivals", &block.arrivals, &shares);
    let personas: Vec<Persona> = block
        .personas
        .value
        .iter()
        .enumerate()
        .map(|(index, persona)| persona_of(c, index, persona))
        .collect();
    let shares: Vec<Share> = personas.iter().map(|persona| persona.share).collect();
    c.shares("crowd.personas", &block.personas, &shares);
    Crowd {
        visitors,
        arrivals,
        personas,
    }
}

fn arrival_of(
    c: &mut Checker,
    index: usize,
    block: &schema::ArrivalBlock,
    sale: &SalePlan,
    sale_block: &schema::SaleBlock,
) -> Arrival {
    let field = |name: &str| format!("crowd.arrivals[{index}].{name}");
    let mut within = |name: &str, at: &At<Span>| -> i64 {
        let ms = at.value.ms;
        if ms < -sale.opens_in_ms || ms > sale.duration_ms {
            c.refuse(
                &field(name),
                at,
                format!("{} from the opening is outside the run", at.value),
                format!(
                    "use an instant from -{} to {}",
                    sale_block.opens_in.value, sale_block.duration.value
                ),
            );
            return 0;
        }
        ms
    };
    let mut window = |from: &At<Span>, to: &At<Span>| -> (i64, i64) {
        let (from_ms, to_ms) = (within("from", from), within("to", to));
        (from_ms, to_ms)
    };
    let (share, curve, bounds) = match block {
        schema::ArrivalBlock::AtOnce(b) => {
            let at_ms = within("at", &b.at);
            (b.share.value, Curve::AtOnce { at_ms }, None)
        }
        schema::ArrivalBlock::Steady(b) => {
            let (from_ms, to_ms) = window(&b.from, &b.to);
            (
                b.share.value,
                Curve::Steady { from_ms, to_ms },
                Some((&b.from, &b.to)),
            )
        }
        schema::ArrivalBlock::Ramp(b) => {
            let (from_ms, to_ms) = window(&b.from, &b.to);
            (
                b.share.value,
                Curve::Ramp { from_ms, to_ms },
                Some((&b.from, &b.to)),
            )
        }
        schema::ArrivalBlock::Rush(b) => {
            let (from_ms, to_ms) = window(&b.from, &b.to);
            (
                b.share.value,
                Curve::Rush { from_ms, to_ms },
                Some((&b.from, &b.to)),
            )
        }
        schema::ArrivalBlock::Peak(b) => {
            let (from_ms, to_ms) = window(&b.from, &b.to);
            (
                b.share.value,
                Curve::Peak { from_ms, to_ms },
                Some((&b.from, &b.to)),
            )
        }
        schema::ArrivalBlock::Poisson(b) => {
            let (from_ms, to_ms) = window(&b.from, &b.to);
            (
                b.share.value,
                Curve::Poisson { from_ms, to_ms },
                Some((&b.from, &b.to)),
            )
        }
        schema::ArrivalBlock::Stairs(b) => {
            let (from_ms, to_ms) = window(&b.from, &b.to);
            let steps = c.count_u32(&field("steps"), &b.steps, 1, 1000);
            (
                b.share.value,
                Curve::Stairs {
                    from_ms,
                    to_ms,
                    steps,
                },
                Some((&b.from, &b.to)),
            )
        }
    };
    if let Some((from, to)) = bounds.filter(|(from, to)| from.value.ms >= to.value.ms) {
        c.refuse(
            &field("to"),
            to,
            format!(
                "the curve ends at {} before it starts at {}",
                to.value, from.value
            ),
            "make `to` later than `from`",
        );
    }
    Arrival { share, curve }
}

fn persona_of(c: &mut Checker, index: usize, block: &schema::PersonaBlock) -> Persona {
    let field = |name: &str| format!("crowd.personas[{index}].{name}");
    let (share, behaviour) = match block {
        schema::PersonaBlock::Buys(b) => (
            &b.share,
            Behaviour::Buys {
                think_ms: c.span_u32(&field("think"), &b.think, 0),
            },
        ),
        schema::PersonaBlock::Browses(b) => (
            &b.share,
            Behaviour::Browses {
                think_ms: c.span_u32(&field("think"), &b.think, 0),
                looks: c.count_u8(&field("looks"), &b.looks, 1, 50),
            },
        ),
        schema::PersonaBlock::GivesUp(b) => (
            &b.share,
            Behaviour::GivesUp {
                patience_ms: c.span_u32(&field("patience"), &b.patience, 100),
            },
        ),
        schema::PersonaBlock::PaysLate(b) => (
            &b.share,
            Behaviour::PaysLate {
                after_ms: c.span_u32(&field("after"), &b.after, 0),
            },
        ),
        schema::PersonaBlock::DoubleClicks(b) => (
            &b.share,
            Behaviour::DoubleClicks {
                think_ms: c.span_u32(&field("think"), &b.think, 0),
                joins: c.count_u8(&field("joins"), &b.joins, 1, 10),
                confirms: c.count_u8(&field("confirms"), &b.confirms, 1, 10),
            },
        ),
        schema::PersonaBlock::Intrudes(b) => {
            if b.tricks.value.is_empty() {
                c.refuse(
                    &field("tricks"),
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
    }
}

fn registrations(c: &mut Checker, at: Option<&At<Count>>, visitors: u32) -> u32 {
    let Some(at) = at else { return 0 };
    if at.value.n > u64::from(visitors) {
        c.refuse(
            "registrations",
            at,
            format!("{} registrations for {visitors} visitors", at.value.n),
            "who registers is one of the crowd; use at most `crowd.visitors`",
        );
        return 0;
    }
    c.count_u32("registrations", at, 0, 10_000)
}

fn thresholds(c: &mut Checker, texts: &[At<String>]) -> Vec<Rule> {
    let mut rules = Vec::new();
    for (index, text) in texts.iter().enumerate() {
        match Rule::parse(&text.value) {
            Ok(rule) => rules.push(rule),
            Err(refused) => {
                c.refuse(
                    &format!("thresholds[{index}]"),
                    text,
                    refused.problem,
                    refused.remedy,
                );
            }
        }
    }
    rules
}

fn processes(c: &mut Checker, names: &[At<Process>]) -> Vec<Process> {
    let mut seen = Vec::new();
    for name in names {
        if seen.contains(&name.value) {
            c.refuse(
                "processes",
                name,
                format!("`{}` is named twice", name.value.name()),
                "name it once",
            );
        } else {
            seen.push(name.value);
        }
    }
    seen
}

fn faults(
    c: &mut Checker,
    blocks: &[schema::FaultBlock],
    processes: &[Process],
    sale: &SalePlan,
) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (index, block) in blocks.iter().enumerate() {
        let field = |name: &str| format!("faults[{index}].{name}");
        let kill = block.kill.value;
        if !kill.always_separate() && !processes.contains(&kill) {
            c.refuse(
                &field("kill"),
                &block.kill,
                format!("`{}` is not a process of its own here", kill.name()),
                format!("add it: `processes: [{}]`", kill.name()),
            );
        }
        let at_ms = block.at.value.ms;
        if at_ms < -sale.opens_in_ms || at_ms > sale.duration_ms {
            c.refuse(
                &field("at"),
                &block.at,
                format!("{} from the opening is outside the run", block.at.value),
                "use an instant between the start of the run and the close of the sale",
            );
        }
        let restart_after_ms = block
            .restart_after
            .as_ref()
            .map(|at| c.span_u32(&field("restart_after"), at, 0));
        faults.push(Fault {
            at_ms,
            kill,
            restart_after_ms,
        });
    }
    faults.sort_by_key(|fault| fault.at_ms);
    faults
}

fn limits(
    c: &mut Checker,
    block: &schema::LimitsBlock,
    sale_block: &schema::SaleBlock,
    sale: &SalePlan,
) -> RunLimits {
    let run_at_most_ms = c.span("limits.run_at_most", &block.run_at_most, 1000);
    if run_at_most_ms <= sale.opens_in_ms {
        c.refuse(
            "limits.run_at_most",
            &block.run_at_most,
            format!(
                "the run would end after {} and the sale opens after {}",
                block.run_at_most.value, sale_block.opens_in.value
            ),
            "give the run time to open",
        );
    }
    RunLimits {
        run_at_most_ms,
        connections: block
            .connections
            .as_ref()
            .map_or(256, |at| c.count_u32("limits.connections", at, 1, 15_000)),
        slot_wait_ms: block
            .slot_wait
            .as_ref()
            .map_or(5000, |at| c.span_u32("limits.slot_wait", at, 100)),
        late_at_most: block
            .late_at_most
            .as_ref()
            .map_or(Share { ppm: 50_000 }, |at| at.value),
    }
}
