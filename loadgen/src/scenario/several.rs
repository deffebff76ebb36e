//! Several sales that open in the same instant in one house: each a whole opening of its own.
//!
//! What they share is what they share in production: the services, the machine, and here the
//! generator. Everything else is each sale's own, so whoever works with one sale works with the
//! [`Scenario`] that [`Scenario::each`] gives and knows nothing of the others.

use super::Scenario;
use crate::seed::{Dice, Purpose};
use urr_core::seating::Hall;

/// What one of several sales has of its own; the rest is the scenario's.
#[derive(Debug, Clone, PartialEq)]
pub struct Variant {
    /// Short name, unique in its scenario.
    pub name: String,
    /// How many come.
    pub visitors: u32,
    /// How many more come as real browsers.
    pub browsers: u32,
    /// How many register for real.
    pub registrations: u32,
    /// People let in per second.
    pub rate_per_s: u32,
    /// People inside at once.
    pub cap: u32,
    /// The hall.
    pub hall: Hall,
}

impl Scenario {
    /// Each sale as a scenario of its own: one, unless the file says `sales`. Seeds differ, so
    /// crowds do; connections are dealt out so that none is used by two sales.
    #[must_use]
    pub fn each(&self) -> Vec<Self> {
        if self.sales.is_empty() {
            return vec![self.clone()];
        }
        let connections = deal(
            self.limits.connections,
            &self.sales.iter().map(|sale| sale.visitors).collect::<Vec<_>>(),
        );
        let sales = self.sales.iter().zip(connections).enumerate();
        sales
            .map(|(nth, (own, connections))| self.of(own, nth, connections))
            .collect()
    }

    fn of(&self, own: &Variant, nth: usize, connections: u32) -> Self {
        let mut one = self.clone();
        one.sales = Vec::new();
        one.name = format!("{}-{}", self.name, own.name);
        one.title = format!("{}: {}", self.title, own.name);
        one.seed = Dice::new(self.seed, nth as u64, Purpose::Sale).next();
        one.crowd.visitors = own.visitors;
        one.browsers = own.browsers;
        one.registrations = own.registrations;
        one.sale.admission.rate_per_s = own.rate_per_s;
        one.sale.admission.cap = own.cap;
        one.sale.hall = own.hall.clone();
        one.limits.connections = connections;
        one
    }

    /// Browsers of all sales.
    #[must_use]
    pub fn all_browsers(&self) -> u32 {
        if self.sales.is_empty() {
            self.browsers
        } else {
            self.sales.iter().map(|sale| sale.browsers).sum()
        }
    }
}

/// `total` connections for crowds of these sizes: half of them in equal parts, so that no crowd
/// is left without, half by size, because a larger crowd has more to ask. At least one each.
fn deal(total: u32, crowds: &[u32]) -> Vec<u32> {
    let sales = u32::try_from(crowds.len()).unwrap_or(u32::MAX).max(1);
    let equal = total / 2 / sales;
    let by_size = u64::from(total - equal * sales);
    let everybody = crowds.iter().copied().map(u64::from).sum::<u64>().max(1);
    // The ends of consecutive stretches, so that parts add up to the whole.
    let (mut people, mut dealt) = (0, 0);
    crowds
        .iter()
        .map(|crowd| {
            people += u64::from(*crowd);
            let until = by_size * people / everybody;
            let part = u32::try_from(until - dealt).unwrap_or(u32::MAX);
            dealt = until;
            (equal + part).max(1)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn scenario(sales: &str) -> Scenario {
        let text = format!("{}\nsales:\n{sales}\n", include_str!("../../tests/good.yaml"));
        Scenario::parse("good.yaml", &text).unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn without_sales_a_scenario_is_its_own_only_sale() {
        let text = include_str!("../../tests/good.yaml");
        let one = Scenario::parse("good.yaml", text).unwrap();
        let each = one.each();
        assert_eq!(each.len(), 1);
        assert_eq!((&each[0].name, each[0].seed), (&one.name, one.seed));
        assert_eq!(each[0].limits, one.limits);
    }

    #[test]
    fn ten_alike_are_ten_sales_with_crowds_of_their_own() {
        let all = scenario("  - { name: day, times: 10 }");
        let each = all.each();
        assert_eq!(each.len(), 10);
        assert_eq!(each[9].name, "good-day-10");
        assert_eq!(each[9].title, "A good opening: day-10");
        let mut seeds: Vec<u64> = each.iter().map(|sale| sale.seed).collect();
        seeds.sort_unstable();
        seeds.dedup();
        assert_eq!(seeds.len(), 10, "no two crowds are the same people");
        assert!(each.iter().all(|sale| sale.sales.is_empty()));
        assert_eq!(each, all.each(), "the same seed, the same sales");
    }

    #[test]
    fn a_big_one_stands_beside_a_small_one() {
        let all = scenario(
            "  - { name: big, visitors: 9000 }\n  - { name: small, visitors: 30, registrations: 0, rate: 5/s, cap: 10, hall: { sections: [{ names: [S], rows: 1, seats_per_row: 4, price: 1000 KRW }] } }",
        );
        let [big, small] = &all.each()[..] else { panic!() };
        assert_eq!((big.crowd.visitors, big.seats()), (9000, 100));
        assert_eq!((small.crowd.visitors, small.seats()), (30, 4));
        assert_eq!(
            (small.sale.admission.rate_per_s, small.sale.admission.cap),
            (5, 10)
        );
        let total = all.limits.connections;
        assert_eq!(big.limits.connections + small.limits.connections, total);
        assert!(small.limits.connections >= total / 4, "{:?}", small.limits);
        assert!(big.limits.connections > small.limits.connections);
    }

    proptest! {
        #[test]
        fn connections_are_dealt_out_whole(total in 1u32..15_000, crowds in proptest::collection::vec(1u32..1_000_000, 1..50)) {
            let dealt = deal(total, &crowds);
            prop_assert_eq!(dealt.len(), crowds.len());
            let sales = u32::try_from(crowds.len()).unwrap();
            for part in &dealt {
                prop_assert!(*part >= (total / 2 / sales).max(1));
            }
            let sum: u32 = dealt.iter().sum();
            prop_assert!(sum >= total && sum <= total + sales, "{sum}");
        }
    }
}
