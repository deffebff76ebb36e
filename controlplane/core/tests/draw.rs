//! The draw is a bijection without visible bias, and a checker finds what is wrong with it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use proptest::prelude::*;
use std::collections::BTreeSet;
use urr_core::{
    draw::{Commitment, Draw, Seed, Violation, verify},
    sale::SaleId,
    token::Keyring,
};

/// The `n`-th of a fixed series of seeds: a failure here is not bad luck.
fn seed(n: u64) -> Seed {
    let mut bytes = [0x5a; 32];
    bytes[..8].copy_from_slice(&n.to_be_bytes());
    Seed::from_bytes(bytes)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn every_ticket_has_one_place_and_every_place_one_ticket(n in 1..600_u64, number: u64) {
        let draw = Draw::new(&seed(number), n);
        let places: BTreeSet<u64> = (1..=n).map(|ticket| draw.place(ticket)).collect();
        prop_assert_eq!(places.len() as u64, n);
        prop_assert_eq!((places.first(), places.last()), (Some(&1), Some(&n)));
        for ticket in 1..=n {
            prop_assert_eq!(draw.ticket(draw.place(ticket)), ticket);
        }
    }

    #[test]
    fn a_draw_of_any_size_goes_both_ways(n in 1..=1_u64 << 60, number: u64, tickets in prop::collection::vec(0.0..1.0_f64, 20)) {
        let draw = Draw::new(&seed(number), n);
        for share in tickets {
            #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            let ticket = 1 + (share * (n - 1) as f64) as u64;
            let place = draw.place(ticket);
            prop_assert!((1..=n).contains(&place));
            prop_assert_eq!(draw.ticket(place), ticket);
        }
    }

    #[test]
    fn who_comes_after_the_draw_stands_behind_it_in_order_of_arrival(n in 0..600_u64, late in 1..1_000_000_u64, number: u64) {
        let draw = Draw::new(&seed(number), n);
        prop_assert_eq!(draw.place(n + late), n + late);
        prop_assert_eq!(draw.ticket(n + late), n + late);
    }
}

/// Sum of (seen - expected)^2 / expected over `cells`.
fn chi_square(cells: &[u64], expected: f64) -> f64 {
    cells
        .iter()
        .map(|seen| {
            #[allow(clippy::cast_precision_loss)]
            let off = *seen as f64 - expected;
            off * off / expected
        })
        .sum()
}

/// Bound that a chi-square of `freedom` degrees passes with probability 1 - 10^-5 (Wilson and
/// Hilferty's approximation).
fn bound(freedom: f64) -> f64 {
    const Z: f64 = 4.265;
    let k = 2.0 / (9.0 * freedom);
    freedom * (1.0 - k + Z * k.sqrt()).powi(3)
}

#[test]
fn over_many_seeds_every_ticket_is_as_likely_at_every_place() {
    const PER_CELL: u64 = 50;
    for n in [2_usize, 3, 7] {
        let draws = PER_CELL * n as u64;
        let mut cells = vec![0_u64; n * n];
        for number in 0..draws {
            let draw = Draw::new(&seed(number), n as u64);
            for ticket in 1..=n {
                let place = usize::try_from(draw.place(ticket as u64)).unwrap();
                cells[(ticket - 1) * n + place - 1] += 1;
            }
        }
        let found = chi_square(&cells, PER_CELL as f64);
        let freedom = ((n - 1) * (n - 1)) as f64;
        assert!(found < bound(freedom), "n = {n}: {found} of {}", bound(freedom));
    }
}

#[test]
fn all_orders_of_four_are_equally_likely() {
    const DRAWS: u64 = 600;
    let mut seen = std::collections::BTreeMap::new();
    for number in 0..DRAWS {
        let draw = Draw::new(&seed(number), 4);
        *seen
            .entry([1, 2, 3, 4].map(|ticket| draw.place(ticket)))
            .or_insert(0_u64) += 1;
    }
    let cells: Vec<u64> = seen.into_values().collect();
    assert_eq!(cells.len(), 24);
    assert!(chi_square(&cells, 25.0) < bound(23.0));
}

#[test]
fn neighbours_in_the_pre_queue_are_not_neighbours_in_line() {
    const N: u64 = 5_000;
    let draw = Draw::new(&seed(7), N);
    // Where in line, by tenths, the tickets of each tenth of the pre-queue went.
    let mut cells = [0_u64; 100];
    for ticket in 1..=N {
        let (from, to) = ((ticket - 1) * 10 / N, (draw.place(ticket) - 1) * 10 / N);
        cells[usize::try_from(from * 10 + to).unwrap()] += 1;
    }
    assert!(chi_square(&cells, 50.0) < bound(81.0));
    // Whether the next ticket stands before or behind: a coin.
    let ahead = (1..N)
        .filter(|ticket| draw.place(*ticket) < draw.place(ticket + 1))
        .count() as u64;
    // Variance of the ascents of a random permutation: (n + 1) / 12.
    let off = ahead.abs_diff((N - 1) / 2);
    assert!(off * off < 25 * N / 12, "{ahead} ascents");
}

#[test]
fn a_biased_draw_would_not_pass() {
    // The control of the tests above: the rotation that a lazy draw is.
    const N: usize = 7;
    let mut cells = vec![0_u64; N * N];
    for number in 0..400 * N {
        // Even rotations only.
        let by = number % N / 2 * 2;
        for ticket in 0..N {
            cells[ticket * N + (ticket + by) % N] += 1;
        }
    }
    assert!(chi_square(&cells, 400.0) > bound(36.0));
}

#[test]
fn the_draw_depends_on_how_many_were_in_it() {
    let (some, more) = (Draw::new(&seed(1), 1000), Draw::new(&seed(1), 1001));
    let same = (1..=1000)
        .filter(|ticket| some.place(*ticket) == more.place(*ticket))
        .count();
    assert!(same < 20, "{same} of 1000 places did not change");
}

#[test]
fn seeds_are_the_lines_own_and_known_to_whoever_has_the_key() {
    let ring = |secrets: &[&str]| Keyring::new(secrets).unwrap();
    let (old, new) = (
        "old-0123456789abcdef0123456789abcdef",
        "new-0123456789abcdef0123456789abcdef",
    );
    let (sale, other) = (SaleId::from_u128(1), SaleId::from_u128(2));
    let first = |keys: &Keyring, sale, epoch| Seed::derive(keys, sale, epoch)[0];
    let keys = ring(&[old]);
    assert_eq!(first(&keys, sale, 1), first(&ring(&[old]), sale, 1));
    assert_ne!(first(&keys, sale, 1), first(&keys, sale, 2));
    assert_ne!(first(&keys, sale, 1), first(&keys, other, 1));
    assert_ne!(first(&keys, sale, 1), first(&ring(&[new]), sale, 1));
    // After a rotation the committed seed is still found.
    let committed = first(&keys, sale, 1).commitment();
    assert!(
        Seed::derive(&ring(&[new, old]), sale, 1)
            .iter()
            .any(|seed| seed.commitment() == committed)
    );
}

#[test]
fn a_checker_finds_the_first_thing_that_is_wrong() {
    let seed = seed(3);
    let commitment = seed.commitment();
    let draw = Draw::new(&seed, 100);
    let places = || (1..=120).map(|ticket| (ticket, draw.place(ticket)));
    assert_eq!(verify(&commitment, &seed, 100, places()), Ok(120));
    let other = Commitment::from_hex(&"ab".repeat(32)).unwrap();
    assert_eq!(verify(&other, &seed, 100, places()), Err(Violation::OtherSeed));
    let swapped = places().map(|(ticket, place)| (ticket, if ticket == 5 { place % 100 + 1 } else { place }));
    assert!(matches!(
        verify(&commitment, &seed, 100, swapped),
        Err(Violation::WrongPlace { ticket: 5, .. })
    ));
    let jumped = [(101, 101), (103, 102)];
    assert_eq!(
        verify(&commitment, &seed, 100, jumped),
        Err(Violation::LateOutOfOrder {
            ticket: 103,
            drawn: 100,
            given: 102
        })
    );
    assert_eq!(
        verify(&commitment, &seed, 100, [(0, 0)]),
        Err(Violation::NoTicket)
    );
    // Somebody who was left out of the draw or added to it changes everybody's place.
    assert!(verify(&commitment, &seed, 99, places()).is_err());
}

#[test]
fn a_seed_is_not_shown_by_accident() {
    let seed = seed(9);
    assert!(!format!("{seed:?}").contains(&seed.to_hex()));
    assert_eq!(Seed::from_hex(&seed.to_hex()), Some(seed));
    assert_eq!(Seed::from_hex("abc"), None);
}
