//! A week in front of the screen: nothing that it keeps grows.

use super::fixtures;
use urr_core::time::Millis;

/// A snapshot a minute for a week: more than the rings hold at every scale.
const EVERY_S: i64 = 60;
const WEEK_S: i64 = 7 * 24 * 3600;

#[test]
fn a_week_costs_no_more_than_an_hour() {
    let mut app = fixtures::app();
    let mut sizes = Vec::new();
    let mut snapshot = fixtures::snapshot();
    let mut load = fixtures::load();
    snapshot.closes_at = Millis(i64::MAX);
    for step in 0..WEEK_S / EVERY_S {
        snapshot.at = snapshot.at.plus_s(EVERY_S);
        snapshot.room.as_mut().unwrap().issued += 100;
        snapshot.warnings = vec![format!("warning number {step}")];
        for latency in &mut load.latency {
            latency.count += 7;
            latency.buckets[4] += 7;
        }
        let mut picture = app.picture.clone();
        picture.load = Some(std::sync::Arc::new(load.clone()));
        picture.snapshot = Some(std::sync::Arc::new(snapshot.clone()));
        app.take(picture, snapshot.at);
        if step % 1_440 == 1_439 {
            sizes.push((app.history.held(), app.advice.len(), app.burns.len()));
        }
    }
    let (held, advice, burns) = sizes[sizes.len() - 1];
    assert!(held <= 4 * 300, "columns held: {held}");
    assert!(advice < 20 && burns < 20);
    assert_eq!(
        sizes[1].0, sizes[6].0,
        "the second day and the last hold as much: {sizes:?}"
    );
}

#[test]
fn steps_nobody_has_heard_of_do_not_pile_up() {
    let mut app = fixtures::app();
    let mut load = fixtures::load();
    let template = load.latency[0].clone();
    for n in 0..1_000 {
        load.latency = vec![urr_core::crowd::StepLatency {
            name: format!("step-{n}"),
            ..template.clone()
        }];
        let mut snapshot = fixtures::snapshot();
        snapshot.at = app.now.plus_s(1);
        let mut picture = app.picture.clone();
        picture.load = Some(std::sync::Arc::new(load.clone()));
        picture.snapshot = Some(std::sync::Arc::new(snapshot));
        let now = app.now.plus_s(1);
        app.take(picture, now);
    }
    assert!(app.history.steps_known() <= 32);
}
