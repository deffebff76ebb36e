//! What is sold, and how people are let in.

use super::checker::Checker;
use crate::scenario::SalePlan;
use crate::scenario::schema::{self, At, OrderingWord};
use crate::scenario::units::{Rate, Share};
use std::collections::HashSet;
use urr_core::sale::{Adaptive, AdmissionSettings, CapacitySettings, Ordering};
use urr_core::seating::{Hall, Section};

pub(super) fn sale(c: &mut Checker, block: &schema::SaleBlock) -> SalePlan {
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
    let ordering = ordering(c, block, pre_queue_ms);
    let one_line_per_user = block.one_per_user.as_ref().is_some_and(|at| at.value);
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
        ordering,
        duration_ms,
        hall: hall(c, "sale.hall", &block.hall),
        seats_per_booking: block
            .seats_per_booking
            .as_ref()
            .map_or(1, |at| c.count_u8("sale.seats_per_booking", at, 1, 4)),
        admission: admission(c, &block.admission, &block.capacity, one_line_per_user),
        capacity: CapacitySettings {
            rate_per_replica: c.rate("sale.capacity.rate_per_replica", &block.capacity.rate_per_replica),
            replicas: c.count_u32("sale.capacity.replicas", &block.capacity.replicas, 1, 1000),
        },
    }
}

/// A draw needs people to draw from.
fn ordering(c: &mut Checker, block: &schema::SaleBlock, pre_queue_ms: i64) -> Ordering {
    let Some(at) = &block.ordering else {
        return Ordering::default();
    };
    match at.value {
        OrderingWord::Fifo => Ordering::Fifo,
        OrderingWord::Shuffle => {
            if pre_queue_ms == 0 {
                c.refuse(
                    "sale.ordering",
                    at,
                    "nobody can come before the opening, so there is nobody to draw",
                    "give `pre_queue` the time in which early visitors gather, such as `10s`",
                );
            }
            Ordering::Shuffle
        }
    }
}

/// The hall that the file describes as `field`.
pub(super) fn hall(c: &mut Checker, field: &str, block: &At<schema::HallBlock>) -> Hall {
    let hall = field;
    let mut sections = Vec::new();
    let mut seen = HashSet::new();
    for (index, section) in block.value.sections.iter().enumerate() {
        let field = |name: &str| format!("{hall}.sections[{index}].{name}");
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
            hall,
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
    one_line_per_user: bool,
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
        one_line_per_user,
        adaptive: block
            .adaptive
            .as_ref()
            .map(|at| adaptive(c, at, &block.rate, bears)),
        ..AdmissionSettings::default()
    }
}

/// Bounds around the rate `start`, where all replicas bear `bears` a second.
fn adaptive(c: &mut Checker, at: &At<schema::AdaptiveBlock>, start: &At<Rate>, bears: u64) -> Adaptive {
    const FIELD: &str = "sale.admission.adaptive";
    let field = |name: &str| format!("{FIELD}.{name}");
    let block = &at.value;
    let (min, max) = (
        c.rate(&field("min_rate"), &block.min_rate),
        c.rate(&field("max_rate"), &block.max_rate),
    );
    let start = start.value.per_s;
    if !(min..=max).contains(&start) {
        c.refuse(
            FIELD,
            at,
            format!("the rate may go from {min}/s to {max}/s, and the sale opens with {start}/s"),
            "let `sale.admission.rate` lie between `min_rate` and `max_rate`",
        );
    }
    if u64::from(max) > bears {
        c.refuse(
            &field("max_rate"),
            &block.max_rate,
            format!("{max}/s is more than all replicas bear ({bears}/s)"),
            "raise `sale.capacity.replicas` or lower it (law capacity-first)",
        );
    }
    let usual = Adaptive::between(min, max);
    let mut parts = |name: &str, share: &Option<At<Share>>, whole: u32, usual: u32| {
        let Some(at) = share else { return usual };
        let parts = u64::from(at.value.ppm) * u64::from(whole) / u64::from(Share::WHOLE_PPM);
        if parts == 0 {
            c.refuse(
                &field(name),
                at,
                format!("at {} the rate could only fall", at.value),
                format!(
                    "use at least {}",
                    Share {
                        ppm: Share::WHOLE_PPM / whole
                    }
                ),
            );
        }
        u32::try_from(parts).unwrap_or(whole).max(1)
    };
    Adaptive {
        pool_percent: parts("pool_saturation", &block.pool_saturation, 100, usual.pool_percent),
        errors_per_thousand: parts("errors", &block.errors, 1000, usual.errors_per_thousand),
        reservation_p99_ms: block
            .reservation_p99
            .as_ref()
            .map_or(usual.reservation_p99_ms, |at| {
                c.span_u32(&field("reservation_p99"), at, 1)
            }),
        ..usual
    }
}
