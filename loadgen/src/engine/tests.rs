//! What is concluded from the counts.

use super::*;
use crate::measure::{Funnel, Lane, Outcome, Sample, Step, Verdict};
use crate::result::Generator;

fn scenario() -> Scenario {
    Scenario::parse("good.yaml", include_str!("../../tests/good.yaml")).unwrap()
}

fn reasons(
    generator: &Generator,
    funnel: &Funnel,
    goose: &GooseSummary,
    cut_short: Option<&str>,
) -> Vec<String> {
    let live = Live::new();
    live.record(&Sample {
        step: Step::Join,
        lane: Lane::Crowd,
        response: Duration::ZERO,
        service: Duration::ZERO,
        status: 200,
        verdict: Verdict::Fine,
    });
    let steps = live.summaries();
    validity(
        &scenario().limits,
        generator,
        funnel,
        &steps,
        Some(goose),
        cut_short,
    )
    .reasons
}

#[test]
fn a_saturated_generator_makes_its_run_invalid_and_says_why() {
    let funnel = Funnel {
        requests: 1000,
        late: 51,
        ..Funnel::default()
    };
    let late = |late, late_by_system| Generator {
        late,
        late_by_system,
        ..Generator::default()
    };
    let goose = GooseSummary {
        requests: 1,
        ..GooseSummary::default()
    };
    assert_eq!(reasons(&late(50, 0), &funnel, &goose, None), [""; 0]);
    assert!(reasons(&late(51, 0), &funnel, &goose, None)[0].contains("5.1%"));
    assert_eq!(
        reasons(&late(900, 850), &funnel, &goose, None),
        [""; 0],
        "held up by the system"
    );
    let hungry = Generator {
        out_of_cpu_s: 7,
        cpu_most: 0.97,
        ..late(51, 0)
    };
    assert!(reasons(&hungry, &funnel, &goose, None)[0].contains("out of CPU for 7 s"));

    let fine = late(0, 0);
    let mut outcomes = vec![0; Outcome::ALL.len()];
    outcomes[Outcome::Dropped as usize] = 3;
    let dropped = Funnel {
        outcomes,
        ..Funnel::default()
    };
    assert!(reasons(&fine, &dropped, &goose, None)[0].contains("3 visitors never came"));
    let mut no_ports = fine.clone();
    no_ports.dialled.out_of_ports = 4;
    no_ports.dialled.out_of_files = 5;
    let why = reasons(&no_ports, &funnel, &goose, None);
    assert!(why[0].contains("4 connections found no local port"), "{why:?}");
    assert!(
        why[1].contains("5 connections found no file descriptor"),
        "{why:?}"
    );
    let deaf = GooseSummary::default();
    assert!(reasons(&fine, &funnel, &deaf, None)[0].contains("goose counted 0 of 1"));
    let broken = GooseSummary {
        error: Some("no".to_owned()),
        ..GooseSummary::default()
    };
    assert!(reasons(&fine, &funnel, &broken, None)[0].contains("goose could not judge"));
    assert!(reasons(&fine, &funnel, &goose, Some("it rained"))[0].contains("it rained"));
}
