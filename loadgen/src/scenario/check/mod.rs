//! Turns a well-formed file into a possible opening, or says everything that is impossible in it.
//!
//! All problems are gathered before any is reported, so that mending a file takes one round.

mod arrivals;
mod checker;
mod personas;
mod running;
mod sale;
mod several;
mod thresholds;

use super::error::Problem;
use super::schema::{self, At};
use super::units::{Count, Share};
use super::{Crowd, PaymentProvider, SalePlan, Scenario};
use arrivals::Window;
use checker::Checker;

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
    if !name_is_plain(&file.name.value) {
        c.refuse(
            "name",
            &file.name,
            "a name is used in file names",
            "use lower-case letters, digits and hyphens, at most 60",
        );
    }
    let sale = sale::sale(&mut c, &file.sale);
    let crowd = crowd(&mut c, &file.crowd, &sale);
    let browsers = file
        .browsers
        .as_ref()
        .map_or(0, |at| c.count_u32("browsers", at, 0, 2000));
    let registrations = registrations(&mut c, file.registrations.as_ref(), crowd.visitors);
    let sales = several::several(
        &mut c,
        file.sales.as_ref(),
        &several::Usual {
            sale: &sale,
            visitors: crowd.visitors,
            browsers,
            registrations,
        },
    );
    let thresholds = thresholds::thresholds(&mut c, &file.thresholds, &sale, &crowd);
    let processes = running::processes(&mut c, &file.processes);
    let faults = running::faults(&mut c, &file.faults, &processes, &sale);
    let limits = running::limits(&mut c, &file.limits, &file.sale, &sale);
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
        sales,
        browsers,
        registrations,
        payment,
        thresholds,
        processes,
        faults,
        limits,
    })
}

/// Whether `name` may be part of a file's name.
fn name_is_plain(name: &str) -> bool {
    let plain = |ch: char| ch.is_ascii_lowercase() || ch.is_ascii_digit() || ch == '-';
    !name.is_empty() && name.len() <= 60 && name.chars().all(plain)
}

fn crowd(c: &mut Checker, block: &schema::crowd::CrowdBlock, sale: &SalePlan) -> Crowd {
    let run = &Window::of(sale);
    let visitors = c.count_u32("crowd.visitors", &block.visitors, 1, 2_000_000);
    Crowd {
        visitors,
        arrivals: arrivals::arrivals(c, "crowd.arrivals", &block.arrivals, run),
        personas: personas::personas(c, &block.personas, run),
        party: party(c, block, sale.seats_per_booking),
    }
}

/// How many seats people want together; nobody may have more than `most`.
fn party(c: &mut Checker, block: &schema::crowd::CrowdBlock, most: u8) -> Vec<(u8, Share)> {
    const FIELD: &str = "crowd.party";
    let Some(at) = &block.party else {
        return Vec::new();
    };
    let party: Vec<(u8, Share)> = at
        .value
        .iter()
        .map(|(size, share)| (*size, share.value))
        .collect();
    for size in at.value.keys().filter(|size| **size == 0 || **size > most) {
        c.refuse(
            FIELD,
            at,
            format!("{size} seats together are not possible where a booking takes 1 to {most}"),
            "raise `sale.seats_per_booking` (at most 4) or leave that size out",
        );
    }
    let shares: Vec<Share> = party.iter().map(|(_, share)| *share).collect();
    c.shares(FIELD, at, &shares);
    party
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
