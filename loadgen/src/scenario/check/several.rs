//! Several sales in one run: each possible by itself, and all of them together.

use super::checker::Checker;
use super::{name_is_plain, sale};
use crate::scenario::schema::At;
use crate::scenario::schema::several::VariantBlock;
use crate::scenario::{SalePlan, Variant};
use std::collections::HashSet;

/// Sales in one run. More are more than one generator can look after.
const SALES_MAX: u32 = 50;
/// People of all sales together: what one run may bring.
const PEOPLE_MAX: u64 = 2_000_000;
/// Browsers of all sales together.
const BROWSERS_MAX: u32 = 2000;

/// What sales have that say nothing else.
pub(super) struct Usual<'a> {
    pub(super) sale: &'a SalePlan,
    pub(super) visitors: u32,
    pub(super) browsers: u32,
    pub(super) registrations: u32,
}

/// The sales of the list; none where the file has no list.
pub(super) fn several(
    c: &mut Checker,
    list: Option<&At<Vec<VariantBlock>>>,
    usual: &Usual<'_>,
) -> Vec<Variant> {
    let Some(list) = list else { return Vec::new() };
    let mut sales: Vec<Variant> = Vec::new();
    let mut names = HashSet::new();
    for (index, block) in list.value.iter().enumerate() {
        let field = |name: &str| format!("sales[{index}].{name}");
        let times = block
            .times
            .as_ref()
            .map_or(1, |at| c.count_u32(&field("times"), at, 1, SALES_MAX));
        let own = variant(c, block, usual, &field);
        for nth in 1..=times {
            let name = if times == 1 {
                own.name.clone()
            } else {
                format!("{}-{nth}", own.name)
            };
            if !names.insert(name.clone()) {
                c.refuse(
                    &field("name"),
                    &block.name,
                    format!("two sales would be called `{name}`"),
                    "give every sale a name of its own",
                );
            }
            sales.push(Variant { name, ..own.clone() });
        }
    }
    together(c, list, &sales);
    sales
}

fn variant(
    c: &mut Checker,
    block: &VariantBlock,
    usual: &Usual<'_>,
    field: &dyn Fn(&str) -> String,
) -> Variant {
    if !name_is_plain(&block.name.value) {
        c.refuse(
            &field("name"),
            &block.name,
            "a name is used in file names",
            "use lower-case letters, digits and hyphens, at most 60",
        );
    }
    let visitors = block.visitors.as_ref().map_or(usual.visitors, |at| {
        c.count_u32(&field("visitors"), at, 1, 2_000_000)
    });
    let registrations = match &block.registrations {
        None => usual.registrations.min(visitors),
        Some(at) => c.count_u32(&field("registrations"), at, 0, visitors.min(10_000)),
    };
    let admission = &usual.sale.admission;
    let bears = u64::from(usual.sale.capacity.rate_per_replica) * u64::from(usual.sale.capacity.replicas);
    let rate_per_s = block
        .rate
        .as_ref()
        .map_or(admission.rate_per_s, |at| c.rate(&field("rate"), at));
    if let Some(at) = block.rate.as_ref().filter(|_| u64::from(rate_per_s) > bears) {
        c.refuse(
            &field("rate"),
            at,
            format!("{rate_per_s}/s is more than the services of a sale bear here ({bears}/s)"),
            "raise `sale.capacity.replicas` or lower the rate (law capacity-first)",
        );
    }
    if let (Some(at), Some(adaptive)) = (&block.rate, &admission.adaptive)
        && !(adaptive.min_rate_per_s..=adaptive.max_rate_per_s).contains(&rate_per_s)
    {
        c.refuse(
            &field("rate"),
            at,
            format!("{rate_per_s}/s is out of the bounds of `sale.admission.adaptive`"),
            format!(
                "use a rate from {}/s to {}/s",
                adaptive.min_rate_per_s, adaptive.max_rate_per_s
            ),
        );
    }
    Variant {
        name: block.name.value.clone(),
        visitors,
        browsers: block.browsers.as_ref().map_or(usual.browsers, |at| {
            c.count_u32(&field("browsers"), at, 0, BROWSERS_MAX)
        }),
        registrations,
        rate_per_s,
        cap: block
            .cap
            .as_ref()
            .map_or(admission.cap, |at| c.count_u32(&field("cap"), at, 1, 1_000_000)),
        hall: block.hall.as_ref().map_or_else(
            || usual.sale.hall.clone(),
            |hall| sale::hall(c, &field("hall"), hall),
        ),
    }
}

/// What all sales are together.
fn together(c: &mut Checker, list: &At<Vec<VariantBlock>>, sales: &[Variant]) {
    if sales.is_empty() {
        c.refuse(
            "sales",
            list,
            "the list is empty",
            "add a sale, such as `- { name: night }`, or leave `sales` out",
        );
    }
    if sales.len() > SALES_MAX as usize {
        c.refuse(
            "sales",
            list,
            format!("{} sales are more than one run can look after", sales.len()),
            format!("use at most {SALES_MAX}"),
        );
    }
    let people: u64 = sales.iter().map(|sale| u64::from(sale.visitors)).sum();
    if people > PEOPLE_MAX {
        c.refuse(
            "sales",
            list,
            format!("{people} visitors would come to all sales together"),
            format!("one run brings at most {PEOPLE_MAX}"),
        );
    }
    let browsers: u32 = sales.iter().map(|sale| sale.browsers).sum();
    if browsers > BROWSERS_MAX {
        c.refuse(
            "sales",
            list,
            format!("{browsers} browsers would come to all sales together; `browsers` counts for each"),
            format!("one run brings at most {BROWSERS_MAX}"),
        );
    }
}
