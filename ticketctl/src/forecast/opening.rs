//! From a scenario to the opening that core simulates: the same curves, the same people, the same
//! seed as the drill's. What the journeys do is said once more here in distributions; whoever
//! changes `urr_loadgen::journey` looks here, and the drill's report shows the error if he forgets.

use urr_core::{
    sale::Sale,
    simulate::{Arrivals, Asks, Buying, Opening, Patience, Persona, Polls, Spread, Visit},
};
use urr_loadgen::{
    Scenario,
    crowd::{browsers, crowd},
    scenario::{AbandonsAt, Behaviour, Hazard},
};

/// Mean time between two steps of people whose scenario names none (`journey::inside`).
const HASTY_MS: u32 = 300;
/// Points at which a hazard curve is read off.
const HAZARD_POINTS: u32 = 50;

/// The opening that `scenario` rehearses, as `sale`.
pub(crate) fn of_scenario(scenario: &Scenario, sale: Sale) -> Opening {
    // The very visitors of the drill: who comes when as whom is settled by the seed.
    let mut come: Vec<Vec<i64>> = vec![Vec::new(); scenario.crowd.personas.len()];
    for comer in crowd(scenario).into_iter().chain(browsers(scenario)) {
        if let Some(instants) = come.get_mut(usize::from(comer.persona)) {
            instants.push(comer.arrives_us.div_euclid(1000));
        }
    }
    let personas = scenario.crowd.personas.iter().zip(come);
    Opening {
        ready_replicas: sale.capacity.replicas,
        arrivals: Arrivals::Instants(Vec::new()),
        personas: personas
            .map(|(persona, instants)| Persona {
                share: persona.share.fraction(),
                arrivals: Some(Arrivals::Instants(instants)),
                patience: patience(&persona.behaviour),
                asks: asks(&persona.behaviour),
                visit: visit(scenario, &persona.behaviour),
            })
            .collect(),
        polls: Polls::Paced,
        seed: scenario.seed,
        sale,
    }
}

fn patience(behaviour: &Behaviour) -> Patience {
    match behaviour {
        Behaviour::GivesUp { patience_ms } => Patience::Lasts(Spread::steps(1, *patience_ms)),
        Behaviour::LosesHeart { hazard, .. } => Patience::Shown(points(hazard)),
        _ => Patience::Endless,
    }
}

/// A hazard curve knows at which wait a thrown number leaves; read off backwards it is a curve.
fn points(hazard: &Hazard) -> Vec<(u32, f64)> {
    let mut points: Vec<(u32, f64)> = Vec::new();
    for nth in 0..=HAZARD_POINTS {
        let unit = f64::from(nth) / f64::from(HAZARD_POINTS);
        let Some(limit_ms) = hazard.limit_ms(unit) else {
            break;
        };
        let limit_ms = u32::try_from(limit_ms).unwrap_or(u32::MAX);
        match points.last_mut() {
            // A step: so many leave at the same wait.
            Some((at, left)) if *at == limit_ms => *left = unit,
            _ => points.push((limit_ms, unit)),
        }
    }
    points
}

fn asks(behaviour: &Behaviour) -> Asks {
    match *behaviour {
        Behaviour::Mashes { every_ms, .. } | Behaviour::Grabs { every_ms, .. } => Asks::Every(every_ms),
        Behaviour::Sleeps {
            awake_ms, asleep_ms, ..
        } => Asks::Awake {
            on_ms: awake_ms,
            off_ms: asleep_ms,
        },
        _ => Asks::WhenTold,
    }
}

fn visit(scenario: &Scenario, behaviour: &Behaviour) -> Visit {
    let silence_ms = scenario.sale.admission.silence_s.saturating_mul(1000);
    let buys = |think_ms: u32| buying(scenario, think_ms);
    match *behaviour {
        Behaviour::Buys { think_ms }
        | Behaviour::LosesHeart { think_ms, .. }
        | Behaviour::Mashes { think_ms, .. }
        | Behaviour::OpensTabs { think_ms, .. }
        | Behaviour::Sleeps { think_ms, .. }
        | Behaviour::DoubleClicks { think_ms, .. } => Visit::Buys(buys(think_ms)),
        Behaviour::GivesUp { .. } => Visit::Buys(buys(HASTY_MS)),
        Behaviour::Browses { think_ms, looks } => Visit::Looks(Spread::steps(looks, think_ms)),
        Behaviour::PaysLate { after_ms } => {
            let buying = buys(HASTY_MS);
            Visit::Buys(Buying {
                pay: buying.pay.plus_ms(after_ms),
                ..buying
            })
        }
        Behaviour::Abandons { think_ms, at } => match at {
            // Nobody hears of it: the slot comes back when it has been silent for long enough.
            AbandonsAt::Door => Visit::Looks(Spread::fixed(silence_ms)),
            AbandonsAt::Seats => Visit::Looks(Spread::steps(1, think_ms).plus_ms(silence_ms)),
            AbandonsAt::Hold => Visit::Buys(Buying {
                abandons: 1.0,
                ..buys(think_ms)
            }),
        },
        Behaviour::Grabs { .. } => Visit::Buys(Buying {
            groups: vec![(scenario.sale.seats_per_booking, 1.0)],
            look: Spread::fixed(0),
            reach: Spread::fixed(0),
            ..buys(HASTY_MS)
        }),
        Behaviour::Intrudes { .. } => Visit::Elsewhere,
    }
}

/// Somebody who thinks for `think_ms` before every step: look, reach, fill in, pay.
fn buying(scenario: &Scenario, think_ms: u32) -> Buying {
    Buying {
        groups: groups(scenario),
        look: Spread::steps(1, think_ms),
        reach: Spread::steps(1, think_ms),
        pay: Spread::steps(2, think_ms).plus_ms(scenario.payment.latency_ms),
        abandons: 0.0,
        declined: scenario.payment.failures.fraction(),
    }
}

/// How many seats people want together.
fn groups(scenario: &Scenario) -> Vec<(u8, f64)> {
    let party = &scenario.crowd.party;
    if party.is_empty() {
        return vec![(scenario.sale.seats_per_booking, 1.0)];
    }
    party
        .iter()
        .map(|(size, share)| (*size, share.fraction()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;
    use urr_core::{simulate::simulate, time::Millis};

    fn forecast(name: &str) -> urr_core::simulate::Forecast {
        let file = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../scenarios")
            .join(name);
        let scenario = Scenario::load(&file).unwrap();
        let sale = scenario.sale(uuid::Uuid::nil(), Millis(0));
        let opening = of_scenario(&scenario, sale);
        let forecast = simulate(&opening);
        let visitors = u64::from(scenario.crowd.visitors) + u64::from(scenario.browsers);
        assert_eq!(forecast.visitors, visitors, "nobody is forgotten");
        assert_eq!(forecast.fates.total(), visitors);
        forecast
    }

    #[test]
    fn the_club_night_is_expected_to_sell_out_within_its_time() {
        let forecast = forecast("club-night.yaml");
        let sold_out_ms = forecast.sold_out_ms.unwrap();
        assert!((7_000..45_000).contains(&sold_out_ms), "{sold_out_ms}");
        assert!(forecast.peak_active <= 500);
        assert!(forecast.fates.gave_up > 0 && forecast.fates.elsewhere > 0);
    }

    #[test]
    fn a_scenario_is_forecast_the_same_way_twice() {
        assert_eq!(forecast("tests/normal.yaml"), forecast("tests/normal.yaml"));
    }
}
